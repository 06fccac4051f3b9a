"""The frame of every benchmark program: options, cores, directory, repetitions, exit code."""

import asyncio
import gc
import shutil
import signal
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import uvloop

from benchlib.errors import RunFailed
from benchlib.machine import Cores, choose_cores, describe_machine, pin
from benchlib.options import OUTPUT_OPTIONS
from benchlib.report import Report
from benchlib.server_process import RELAY, Command


@dataclass(frozen=True, slots=True)
class Setup:
    """What every benchmark is told."""

    command: Command
    repetitions: int
    patience: int
    seed: int
    directory: Path
    cores: Cores
    report: Report

    @contextmanager
    def run_directory(self) -> Iterator[Path]:
        """Make a directory for one run; it is gone afterwards."""
        path = Path(tempfile.mkdtemp(prefix="run-", dir=self.directory))
        try:
            yield path
        finally:
            shutil.rmtree(path)


Scenario = Callable[[Setup], Coroutine[Any, Any, bool]]


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every benchmark has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--repetitions",
        type=click.IntRange(1, 100),
        default=3,
        show_default=True,
        help="Runs, each with a fresh server and store; medians are over these.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(0, 100),
        default=0,
        show_default=True,
        help="Further runs at most, in place of those that other programs disturbed.",
    ),
    click.option("--seed", default=1, show_default=True, help="Which keystrokes are typed."),
    click.option(
        "--server",
        default=RELAY.template,
        show_default=True,
        help="Command of the server; {python} and {directory} are filled in. It has to print"
        " its URL.",
    ),
    click.option(
        "--path",
        default=RELAY.path,
        show_default=True,
        help="What comes before a document's name in that server's URLs.",
    ),
    *OUTPUT_OPTIONS,
)


def run_program(name: str, scenario: Scenario, options: Mapping[str, Any]) -> None:
    """Run a scenario on the generator's core; exit with 1 unless every run counts."""
    cores = choose_cores()
    # Before the first thread exists, so that every one of this process stays here.
    pin(cores.generator)
    date = options["date"] or datetime.now(UTC).isoformat(timespec="seconds")
    base: Path = options["directory"].resolve()
    base.mkdir(parents=True, exist_ok=True)
    setup = Setup(
        command=replace(RELAY, template=options["server"], path=options["path"]),
        repetitions=options["repetitions"],
        patience=options["patience"],
        seed=options["seed"],
        directory=base,
        cores=cores,
        report=Report(name, date, options["json_path"]),
    )
    # A pause of the collector here would be taken for one of the server.
    gc.disable()
    facts = describe_machine(cores, base)
    setup.report.note("machine", facts)
    setup.report.say(_machine_text(facts))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            is_good = runner.run(_run_until_told(scenario(setup)))
        except RunFailed as error:
            raise click.ClickException(str(error)) from error
        except asyncio.CancelledError:
            raise click.Abort from None
    raise SystemExit(0 if is_good else 1)


async def _run_until_told(running: Coroutine[Any, Any, bool]) -> bool:
    """Run it; on SIGTERM cancel it, so that no server outlives its benchmark."""
    task = asyncio.create_task(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _machine_text(facts: Mapping[str, object]) -> str:
    return (
        f"{facts['cpu']}, {facts['cores']} cores, kernel {facts['kernel']},"
        f" {facts['store_file_system']}; Python {facts['python']}, pycrdt {facts['pycrdt']},"
        f" uvicorn {facts['uvicorn']}, websockets {facts['websockets']},"
        f" uvloop {facts['uvloop']}; load average {facts['load_average']:.1f}\n"
        f"{facts['cores_used']}"
    )
