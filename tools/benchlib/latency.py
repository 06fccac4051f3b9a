"""Latency from a writer to the readers of its document, at a steady rate over many documents."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from benchlib.check import check_documents
from benchlib.connection import connect, wait_finished
from benchlib.history import Content, type_history
from benchlib.machine import pinned
from benchlib.meter import Cost, Meter
from benchlib.program import Setup, common_options, run_program
from benchlib.reader import FrameClocks
from benchlib.repetitions import Columns, Figures, repeat, summarize
from benchlib.server_process import ECHO_SINK, Command, start_server
from benchlib.stream import Stream
from benchlib.timed_clients import TimedReader, TimedWriter

# For the last updates to arrive; a server that needs longer has failed.
GRACE_S: Final = 30.0
_FSYNCS: Final = 500


@dataclass(frozen=True, slots=True)
class Load:
    """What is typed, when, and for whom."""

    streams: Sequence[Stream]
    schedule: Sequence[tuple[float, int]]
    """Seconds from the start, and which document's next update is due."""
    readers: int
    warm_up_s: float


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--documents", type=click.IntRange(1, 10_000), default=20)
@click.option(
    "--clients", type=click.IntRange(2, 5000), default=3, help="Per document; one of them writes."
)
@click.option("--rate", type=click.FloatRange(1, 100_000), default=200.0, help="Updates/s, all.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=10.0, help="That are measured.")
@click.option(
    "--warm-up", type=click.FloatRange(0, 60), default=1.0, help="Seconds before, not measured."
)
@common_options
def main(
    documents: int, clients: int, rate: float, seconds: float, warm_up: float, **options: Any
) -> None:
    """Measure how long an update takes from its writer's socket to each reader's.

    Updates come at random moments that do not wait for the server. Deletes are sent but not
    timed: nothing in a frame shows them to a cheap reader. Afterwards the server is killed and
    started again, and every document is compared with what was typed.
    """

    async def scenario(setup: Setup) -> bool:
        setup.report.say(
            f"{documents} documents x {clients} clients, {rate:g} updates/s over all of them,"
            f" {warm_up:g} s of warm-up and {seconds:g} s"
        )
        load = _plan(setup, documents, clients - 1, rate, warm_up, seconds)
        return await _compare(setup, load)

    run_program("latency", scenario, options)


def _plan(
    setup: Setup, documents: int, readers: int, rate: float, warm_up_s: float, seconds: float
) -> Load:
    """Draw moments and documents at random, as of people who know nothing of each other."""
    rng = random.Random(setup.seed)
    moments = [
        rng.uniform(0, warm_up_s + seconds) for _ in range(round(rate * (warm_up_s + seconds)))
    ]
    schedule = [(moment, rng.randrange(documents)) for moment in sorted(moments)]
    due = Counter(document for _, document in schedule)
    streams = [
        Stream(type_history(due[document] + 1, setup.seed * 1_000_000 + document))
        for document in range(documents)
    ]
    return Load(streams, schedule, readers, warm_up_s)


async def _compare(setup: Setup, load: Load) -> bool:
    with setup.run_directory() as directory:
        ceiling = await _run(setup, ECHO_SINK, load, directory, is_checked=False)
        fsyncs_s = _time_fsyncs(directory, setup.cores.server)
    setup.report.note("ceiling", ceiling)
    setup.report.note("fsync", {"p50_s": _rank(fsyncs_s, 0.5), "p99_s": _rank(fsyncs_s, 0.99)})
    runs, is_good = await repeat(
        setup, lambda directory: _run(setup, setup.command, load, directory, is_checked=True)
    )
    setup.report.say()
    summarize(setup, _COLUMNS, runs)
    setup.report.say(
        f"\nto and from a sink that keeps nothing: p50 {_ms(ceiling['p50_s'])},"
        f" p99 {_ms(ceiling['p99_s'])} ms; an fsync of 4 KiB alone:"
        f" p50 {_ms(_rank(fsyncs_s, 0.5))}, p99 {_ms(_rank(fsyncs_s, 0.99))} ms"
    )
    return is_good


async def _run(
    setup: Setup, command: Command, load: Load, directory: Path, *, is_checked: bool
) -> Figures:
    """Type into a fresh server as planned.

    Raises:
        RunFailed: it does not count.
    """
    server = await start_server(command, directory, setup.cores.server)
    try:
        path = f"{command.path}bench-"
        opened = [
            _Document(f"{server.url}{path}{index}", stream, load.readers)
            for index, stream in enumerate(load.streams)
        ]
        for document in opened:
            await document.open()
        meter = Meter(server, setup.cores)
        began_s, late_s = await _type([document.writer for document in opened], load.schedule)
        for document in opened:
            await document.wait_all_here()
        cost = meter.stop()
        for document in opened:
            document.close()
        if is_checked:
            # Killed, so that only what is in the store can come back.
            await server.kill()
            server = await start_server(command, directory, setup.cores.server)
            await check_documents(
                [f"{server.url}{path}{index}" for index in range(len(opened))],
                [document.content() for document in opened],
            )
    finally:
        await server.kill()
    latencies_s = sorted(
        latency_s
        for document in opened
        for latency_s in document.latencies_s(began_s + load.warm_up_s)
    )
    return _figures(latencies_s, late_s, cost)


class _Document:
    """A writer and the readers of its document."""

    def __init__(self, url: str, stream: Stream, readers: int) -> None:
        clocks = FrameClocks(stream.client_id)
        self.writer = TimedWriter(url, stream)
        self._stream = stream
        self._readers = [TimedReader(url, stream, clocks, keeps=False) for _ in range(readers)]

    async def open(self) -> None:
        """Connect all."""
        await asyncio.gather(*map(connect, [self.writer, *self._readers]))

    async def wait_all_here(self) -> None:
        """Let the writer come to its end, and wait until every reader has everything."""
        self.writer.finish()
        for reader in self._readers:
            reader.expect(self.writer.sent)
        await wait_finished(self._readers, GRACE_S)

    def close(self) -> None:
        """Leave."""
        for connection in (self.writer, *self._readers):
            connection.close()

    def content(self) -> Content:
        """Return what was typed."""
        return self._stream.history.content_after(self.writer.sent)

    def latencies_s(self, after_s: float) -> list[float]:
        """Return how long each insert sent after that moment took to each reader."""
        return [
            arrived_s - sent_s
            for reader in self._readers
            for sent_s, arrived_s in zip(self.writer.sent_s, reader.arrived_s, strict=True)
            if sent_s >= after_s
        ]


async def _type(
    writers: Sequence[TimedWriter], schedule: Sequence[tuple[float, int]]
) -> tuple[float, list[float]]:
    """Send what is due when it is due; return when that began and how late each one was."""
    late_s = []
    began_s = time.perf_counter()
    for moment_s, document in schedule:
        wait_s = began_s + moment_s - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        late_s.append(time.perf_counter() - began_s - moment_s)
        writers[document].send_next()
    return began_s, late_s


def _time_fsyncs(directory: Path, core: int) -> list[float]:
    """Return, sorted, how long the disk takes for a page that is appended and synced."""
    took_s = []
    with pinned(core), (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(bytes(4096))
            began_s = time.perf_counter()
            os.fsync(file.fileno())
            took_s.append(time.perf_counter() - began_s)
    return sorted(took_s)


def _rank(ordered: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of them do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _figures(latencies_s: Sequence[float], late_s: Sequence[float], cost: Cost) -> Figures:
    return {
        "samples": len(latencies_s),
        "p50_s": _rank(latencies_s, 0.5),
        "p90_s": _rank(latencies_s, 0.9),
        "p99_s": _rank(latencies_s, 0.99),
        "p999_s": _rank(latencies_s, 0.999),
        "max_s": latencies_s[-1],
        "sent_late_p99_s": _rank(sorted(late_s), 0.99),
        "server_cpu_us_per_update": cost.server_cpu_s / len(late_s) * 1e6,
        "server_share": cost.server_share,
        "other_share": cost.other_share,
        "generator_share": cost.generator_share,
        "memory_peak_bytes": cost.memory_peak_bytes,
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


_COLUMNS: Columns = {
    "p50 ms": lambda run: _ms(run["p50_s"]),
    "p90 ms": lambda run: _ms(run["p90_s"]),
    "p99 ms": lambda run: _ms(run["p99_s"]),
    "p99.9 ms": lambda run: _ms(run["p999_s"]),
    "max ms": lambda run: _ms(run["max_s"]),
    "samples": lambda run: f"{run['samples']:.0f}",
    "sent late p99 ms": lambda run: _ms(run["sent_late_p99_s"]),
    "CPU us/update": lambda run: f"{run['server_cpu_us_per_update']:.0f}",
    "server busy": lambda run: f"{run['server_share']:.0%}",
    "others there": lambda run: f"{run['other_share']:.0%}",
    "generator busy": lambda run: f"{run['generator_share']:.0%}",
}
