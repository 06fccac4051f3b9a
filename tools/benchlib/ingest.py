"""Durable ingest: many documents, one writer each, as fast as updates are acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from benchlib.check import check_documents
from benchlib.connection import connect, wait_finished
from benchlib.floor import Floor, measure_floor
from benchlib.history import type_history
from benchlib.meter import Cost, Meter
from benchlib.program import Setup, common_options, run_program
from benchlib.repetitions import Columns, Figures, repeat, summarize
from benchlib.server_process import ECHO_SINK, Command, start_server
from benchlib.stream import Stream
from benchlib.writer import Writer

# For what is under way when the time is over; a server that needs longer has failed.
GRACE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is typed, and how hard."""

    streams: Sequence[Stream]
    window: int
    seconds: float


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--documents", type=click.IntRange(1, 10_000), default=50, help="One writer each.")
@click.option(
    "--updates", type=click.IntRange(1, 1_000_000), default=8000, help="Keystrokes per document."
)
@click.option(
    "--window", type=click.IntRange(1, 100_000), default=200, help="Unacknowledged per writer."
)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 600), default=15.0, help="Bound of the typing."
)
@common_options
def main(documents: int, updates: int, window: int, seconds: float, **options: Any) -> None:
    """Measure how many keystrokes a second a server makes durable and echoes.

    Afterwards the server is killed and started again, and every document is read back and
    compared with what was typed: a run whose documents differ does not count, and the exit
    status is 1. The floor is what one core reaches in the same run with the bare parts: frames
    into an ASGI application that only receives, Doc.apply_update, and inserts of 100 rows a
    commit with fsync, each update taken alone.
    """

    async def scenario(setup: Setup) -> bool:
        setup.report.say(
            f"{documents} documents x 1 writer, {updates} keystrokes each,"
            f" window {window}, at most {seconds:g} s"
        )
        streams = [
            Stream(type_history(updates, setup.seed * 1_000_000 + index))
            for index in range(documents)
        ]
        return await _compare(setup, Load(streams, window, seconds))

    run_program("ingest", scenario, options)


async def _compare(setup: Setup, load: Load) -> bool:
    with setup.run_directory() as directory:
        ceiling = await run_load(setup, ECHO_SINK, load, directory, is_checked=False)
    setup.report.note("ceiling", ceiling)
    with setup.run_directory() as directory:
        floor = await measure_floor(load.streams, directory, setup.cores)
    setup.report.note("floor", _floor_figures(floor))
    runs, is_good = await repeat(
        setup, lambda directory: run_load(setup, setup.command, load, directory, is_checked=True)
    )
    setup.report.say()
    middle = summarize(setup, _COLUMNS, runs)
    setup.report.say()
    setup.report.say(
        f"generator's ceiling, against a sink that keeps nothing: {ceiling['updates_per_s']:,.0f}"
        f" updates/s (generator busy {ceiling['generator_share']:.0%})"
    )
    setup.report.say(_floor_text(floor))
    if middle is not None:
        shares = {
            "by_time": middle["updates_per_s"] / floor.combined.per_s,
            "by_cpu": middle["updates_per_server_cpu_s"] / floor.combined.per_cpu_s,
        }
        setup.report.note("share of floor", shares)
        setup.report.say(
            f"measured / floor: {shares['by_time']:.2f} by time, {shares['by_cpu']:.2f} by CPU"
            " (the server merges what gathers; the floor takes each update alone)"
        )
    return is_good


async def run_load(
    setup: Setup,
    command: Command,
    load: Load,
    directory: Path,
    *,
    is_checked: bool,
    beside: Callable[[str], AbstractAsyncContextManager[object]] = lambda _: nullcontext(),
) -> Figures:
    """Type everything into a fresh server; meanwhile do what ``beside`` does with its URL.

    Raises:
        RunFailed: it does not count.
    """
    server = await start_server(command, directory, setup.cores.server)
    try:
        writers = [
            Writer(f"{server.url}{command.path}bench-{index}", stream, load.window)
            for index, stream in enumerate(load.streams)
        ]
        await asyncio.gather(*map(connect, writers))
        async with beside(server.url):
            cost = await _type(writers, load, Meter(server, setup.cores))
        for writer in writers:
            writer.close()
        if is_checked:
            # Killed, so that only what is in the store can come back.
            await server.kill()
            server = await start_server(command, directory, setup.cores.server)
            await check_documents(
                [f"{server.url}{command.path}bench-{index}" for index in range(len(writers))],
                [writer.stream.history.content_after(writer.sent) for writer in writers],
            )
    finally:
        await server.kill()
    return _figures(writers, cost)


async def _type(writers: Sequence[Writer], load: Load, meter: Meter) -> Cost:
    for writer in writers:
        writer.start()

    def stop() -> None:
        for writer in writers:
            writer.stop()

    timer = asyncio.get_running_loop().call_later(load.seconds, stop)
    try:
        await wait_finished(writers, load.seconds + GRACE_S)
    finally:
        timer.cancel()
    return meter.stop()


def _figures(writers: Sequence[Writer], cost: Cost) -> Figures:
    count = sum(writer.acknowledged for writer in writers)
    return {
        "updates": count,
        "wall_s": cost.wall_s,
        "updates_per_s": count / cost.wall_s,
        "updates_per_server_cpu_s": count / max(cost.server_cpu_s, 1e-9),
        "server_cpu_us_per_update": cost.server_cpu_s / count * 1e6,
        "server_share": cost.server_share,
        "other_share": cost.other_share,
        "generator_share": cost.generator_share,
        "updates_per_frame": count / sum(writer.frames_received for writer in writers),
        "sent_bytes_per_update": sum(writer.bytes_sent for writer in writers) / count,
        "received_bytes_per_update": sum(writer.bytes_received for writer in writers) / count,
        "written_bytes_per_update": cost.written_bytes / count,
        "memory_peak_bytes": cost.memory_peak_bytes,
    }


def _floor_figures(floor: Floor) -> Figures:
    parts = {part.name: getattr(floor, part.name) for part in fields(floor)}
    return {
        f"{name}_{unit}": figure
        for name, rate in {**parts, "combined": floor.combined}.items()
        for unit, figure in rate._asdict().items()
    }


def _floor_text(floor: Floor) -> str:
    names = {
        "frames into an empty ASGI app": floor.frames_into_asgi,
        "apply_update": floor.apply_update,
        "inserts": floor.sqlite_inserts,
        "together": floor.combined,
    }
    parts = [f"{name} {rate.per_s:,.0f} ({rate.per_cpu_s:,.0f})" for name, rate in names.items()]
    return f"floor, updates/s (per CPU s): {', '.join(parts)}"


_COLUMNS: Columns = {
    "updates/s": lambda run: f"{run['updates_per_s']:,.0f}",
    "per server CPU s": lambda run: f"{run['updates_per_server_cpu_s']:,.0f}",
    "CPU us/update": lambda run: f"{run['server_cpu_us_per_update']:.2f}",
    "server busy": lambda run: f"{run['server_share']:.0%}",
    "others there": lambda run: f"{run['other_share']:.0%}",
    "generator busy": lambda run: f"{run['generator_share']:.0%}",
    "updates/frame": lambda run: f"{run['updates_per_frame']:.1f}",
    "B in/update": lambda run: f"{run['sent_bytes_per_update']:.1f}",
    "B out/update": lambda run: f"{run['received_bytes_per_update']:.1f}",
    "B written/update": lambda run: f"{run['written_bytes_per_update']:.0f}",
    "peak MB": lambda run: f"{run['memory_peak_bytes'] / 1e6:.0f}",
    "seconds": lambda run: f"{run['wall_s']:.1f}",
}
