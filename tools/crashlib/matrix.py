"""Runs the crash matrix of the test suite in full, and writes down what it found."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import click
import structlog
from benchlib.project_python import CHECKOUT

# The suite's modules are imported as pytest imports them.
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]

from store.crash_matrix.matrix import (  # noqa: E402  (needs the path set above)
    Crash,
    Loss,
    crashes_of,
    find_losses,
    record_all,
)

from crashlib.report import Tally, report_text  # noqa: E402  (needs the path set above)

_BATCH = 64


@click.command()
@click.option(
    "--torn",
    default=4,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Torn power cuts at every point, each with a seed of its own.",
)
@click.option(
    "--recoveries",
    default=8,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Crashes whose recovery is crashed at every point in its turn.",
)
@click.option(
    "--processes",
    default=os.cpu_count() or 1,
    show_default="one for each core",
    type=click.IntRange(1, 256),
    help="Processes that look at what the crashes left.",
)
@click.option(
    "--output",
    default=CHECKOUT / "engineering" / "crash-matrix.md",
    show_default="engineering/crash-matrix.md",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the table goes.",
)
def main(torn: int, recoveries: int, processes: int, output: Path) -> None:
    """Crash the store between every two operations on its files, and look at what is left.

    The exit status is 1 when anything was lost; each loss is printed.
    """
    _be_quiet()
    tally = Tally(torn=torn, recoveries=recoveries)
    with tempfile.TemporaryDirectory(prefix="crash-matrix-") as directory:
        recordings = asyncio.run(record_all(Path(directory) / "recordings", recoveries))
        points = sum(len(recording.points) for recording in recordings)
        click.echo(f"{len(recordings)} recordings, {points} points to crash at")
        with ProcessPoolExecutor(processes, initializer=_be_quiet) as pool:
            for number, recording in enumerate(recordings, start=1):
                tally.add_points(recording.points)
                crashes = tally.new(crashes_of(recording, torn))
                batches = list(_batches(crashes))
                for losses in pool.map(_look, batches):
                    tally.add_losses(losses)
                    for loss in losses:
                        click.echo(loss.text, err=True)
                click.echo(f"{number}: {recording.name}: {sum(map(len, batches))} looked at")
    output.write_text(report_text(tally))
    click.echo(f"{tally.lost} lost something; {output} is written")
    raise SystemExit(1 if tally.lost else 0)


def _batches(crashes: Iterator[Crash]) -> Iterator[Sequence[Crash]]:
    while batch := list(islice(crashes, _BATCH)):
        yield batch


def _look(crashes: Sequence[Crash]) -> list[Loss]:
    with tempfile.TemporaryDirectory(prefix="crash-matrix-") as directory:
        return asyncio.run(find_losses(crashes, Path(directory)))


def _be_quiet() -> None:
    """Keep the store's log of every recovery off the screen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
