"""The frame of the storage measurements: options, directory, repetitions, report."""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import uvloop

from benchlib.errors import RunFailed
from benchlib.machine import choose_cores, describe_machine
from benchlib.options import OUTPUT_OPTIONS
from benchlib.project_python import CHECKOUT
from benchlib.report import Report


@dataclass(frozen=True, slots=True)
class StorageSetup:
    """What every storage measurement is told."""

    repetitions: int
    seed: int
    directory: Path
    data: Path
    report: Report

    @contextmanager
    def run_directory(self) -> Iterator[Path]:
        """Make a directory for one run; it is gone afterwards."""
        path = Path(tempfile.mkdtemp(prefix="run-", dir=self.directory))
        try:
            yield path
        finally:
            shutil.rmtree(path)


Scenario = Callable[[StorageSetup], Awaitable[None]]


def storage_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every storage measurement has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--repetitions",
        type=click.IntRange(1, 1000),
        default=3,
        show_default=True,
        help="Medians are over these.",
    ),
    click.option("--seed", default=1, show_default=True, help="Which documents are made."),
    click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="YJS_RELAY_BENCH_DATA",
        default=CHECKOUT.parent / "shared" / "data",
        show_default="shared/data beside the checkout, or YJS_RELAY_BENCH_DATA",
        help="Where the real editing histories are; without them others are typed.",
    ),
    *OUTPUT_OPTIONS,
)


def run_storage_program(name: str, scenario: Scenario, options: Mapping[str, Any]) -> None:
    """Run a scenario; exit with 1 and one line when it cannot count."""
    base: Path = options["directory"].resolve()
    base.mkdir(parents=True, exist_ok=True)
    date = options["date"] or datetime.now(UTC).isoformat(timespec="seconds")
    setup = StorageSetup(
        repetitions=options["repetitions"],
        seed=options["seed"],
        directory=base,
        data=options["data"].resolve(),
        report=Report(f"storage {name}", date, options["json_path"]),
    )
    facts = describe_machine(choose_cores(), base)
    # Nothing is pinned: the store has threads and a process, and the kernel places them.
    del facts["cores_used"]
    setup.report.note("machine", facts)
    setup.report.say(
        f"{facts['cpu']}, {facts['cores']} cores, kernel {facts['kernel']},"
        f" {facts['store_file_system']}; Python {facts['python']}, pycrdt {facts['pycrdt']};"
        f" load average {facts['load_average']:.1f}\n"
    )
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_awaited(scenario(setup)))
        except RunFailed as error:
            raise click.ClickException(str(error)) from error


async def _awaited(scenario: Awaitable[None]) -> None:
    await scenario
