"""Fan-out: one writer flat out, many readers of its document."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from benchlib.check import check_content
from benchlib.connection import Connection, connect, wait_finished
from benchlib.history import type_history
from benchlib.meter import Cost, Meter
from benchlib.program import Setup, common_options, run_program
from benchlib.reader import FrameClocks, Reader
from benchlib.repetitions import Columns, Figures, repeat, summarize
from benchlib.server_process import ECHO_SINK, Command, start_server
from benchlib.stream import Stream
from benchlib.writer import Writer

# For what is under way when the time is over; a server that needs longer has failed.
GRACE_S: Final = 60.0
# Readers whose content is compared letter by letter; of all others the clocks are followed.
READERS_CHECKED: Final = 4


@dataclass(frozen=True, slots=True)
class Load:
    """What is typed, how hard, and for whom."""

    stream: Stream
    readers: int
    window: int
    seconds: float


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--readers",
    type=click.IntRange(1, 5000),
    multiple=True,
    default=(10, 100),
    help="Readers of the one document; may be given several times.",
)
@click.option(
    "--updates", type=click.IntRange(1, 2_000_000), default=300_000, help="Keystrokes at most."
)
@click.option(
    "--window",
    "windows",
    type=click.IntRange(1, 100_000),
    multiple=True,
    default=(200, 20),
    help="Updates that the writer has unacknowledged; may be given several times.",
)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 600), default=4.0, help="Bound of the typing."
)
@common_options
def main(
    readers: tuple[int, ...], windows: tuple[int, ...], updates: int, seconds: float, **options: Any
) -> None:
    """Measure how many updates a second reach the readers of a document, all together.

    A frame that covers k updates counts k deliveries for each reader it reaches; the writer's
    own echo does not count. The larger the window, the more updates a server can merge into a
    frame. That every reader gets every clock, in order, is followed as it
    runs; of some the content is compared with what was typed. A run that differs does not count,
    and the exit status is 1.
    """

    async def scenario(setup: Setup) -> bool:
        setup.report.say(
            f"1 document, 1 writer, up to {updates} keystrokes, {seconds:g} s of typing"
        )
        stream = Stream(type_history(updates, setup.seed))
        are_good = [
            await _compare(setup, Load(stream, count, window, seconds))
            for count in readers
            for window in windows
        ]
        return all(are_good)

    run_program("fanout", scenario, options)


async def _compare(setup: Setup, load: Load) -> bool:
    setup.report.say(f"\n{load.readers} readers, window {load.window}")
    with setup.run_directory() as directory:
        ceiling = await _run(setup, ECHO_SINK, load, directory)
    setup.report.note("ceiling", ceiling)
    runs, is_good = await repeat(
        setup, lambda directory: _run(setup, setup.command, load, directory)
    )
    summarize(setup, _COLUMNS, runs)
    setup.report.say(
        f"generator's ceiling, against a sink that keeps nothing:"
        f" {ceiling['deliveries_per_s']:,.0f} deliveries/s in {ceiling['frames_per_s']:,.0f}"
        f" frames/s (generator busy {ceiling['generator_share']:.0%})"
    )
    return is_good


async def _run(setup: Setup, command: Command, load: Load, directory: Path) -> Figures:
    """Type into a fresh server until the time is over.

    Raises:
        RunFailed: it does not count.
    """
    server = await start_server(command, directory, setup.cores.server)
    try:
        url = f"{server.url}{command.path}bench"
        clocks = FrameClocks(load.stream.client_id)
        readers = [
            Reader(url, load.stream, clocks, keeps=index < READERS_CHECKED)
            for index in range(load.readers)
        ]
        writer = Writer(url, load.stream, load.window)
        await asyncio.gather(*map(connect, [*readers, writer]))
        cost = await _type(writer, readers, load, Meter(server, setup.cores))
        expected = load.stream.history.content_after(writer.sent)
        for index, reader in enumerate(readers[:READERS_CHECKED]):
            check_content(f"reader {index}", reader.content(), expected)
        for connection in (*readers, writer):
            connection.close()
    finally:
        await server.kill()
    return _figures(load, readers, cost)


async def _type(writer: Writer, readers: Sequence[Reader], load: Load, meter: Meter) -> Cost:
    timer = asyncio.get_running_loop().call_later(load.seconds, writer.stop)
    writer.start()
    try:
        await wait_finished([writer], load.seconds + GRACE_S)
        for reader in readers:
            reader.expect(writer.sent)
        await wait_finished(readers, GRACE_S)
    finally:
        timer.cancel()
    return meter.stop()


def _figures(load: Load, readers: Sequence[Reader], cost: Cost) -> Figures:
    count = sum(reader.delivered for reader in readers)
    frames = sum(reader.frames_received for reader in readers)
    return {
        "readers": load.readers,
        "window": load.window,
        "updates": count / load.readers,
        "deliveries": count,
        "wall_s": cost.wall_s,
        "updates_per_s": count / load.readers / cost.wall_s,
        "deliveries_per_s": count / cost.wall_s,
        "frames_per_s": frames / cost.wall_s,
        "deliveries_per_frame": count / frames,
        "server_cpu_us_per_delivery": cost.server_cpu_s / count * 1e6,
        "server_cpu_us_per_frame": cost.server_cpu_s / frames * 1e6,
        "server_share": cost.server_share,
        "other_share": cost.other_share,
        "generator_share": cost.generator_share,
        "received_bytes_per_s": _bytes(readers) / cost.wall_s,
        "memory_peak_bytes": cost.memory_peak_bytes,
    }


def _bytes(connections: Sequence[Connection]) -> int:
    return sum(connection.bytes_received for connection in connections)


_COLUMNS: Columns = {
    "deliveries/s": lambda run: f"{run['deliveries_per_s']:,.0f}",
    "frames/s": lambda run: f"{run['frames_per_s']:,.0f}",
    "updates/frame": lambda run: f"{run['deliveries_per_frame']:.1f}",
    "updates/s": lambda run: f"{run['updates_per_s']:,.0f}",
    "CPU us/frame": lambda run: f"{run['server_cpu_us_per_frame']:.1f}",
    "server busy": lambda run: f"{run['server_share']:.0%}",
    "others there": lambda run: f"{run['other_share']:.0%}",
    "generator busy": lambda run: f"{run['generator_share']:.0%}",
    "MB/s out": lambda run: f"{run['received_bytes_per_s'] / 1e6:.0f}",
    "peak MB": lambda run: f"{run['memory_peak_bytes'] / 1e6:.0f}",
    "seconds": lambda run: f"{run['wall_s']:.1f}",
}
