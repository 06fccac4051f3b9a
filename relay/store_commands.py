"""The commands that look after a store: check, salvage and set-aside."""

import asyncio
import dataclasses
import importlib.util
import json
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click

from relay.config import load_settings
from relay.errors import ConfigError
from yjs_store import (
    CheckDepth,
    Checked,
    CheckPlan,
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    DocumentReport,
    SalvagePlan,
    StoreError,
    open_store,
    plan_check,
    plan_salvage,
    read_set_aside,
    run_check,
)

EXIT_DAMAGED = 1
EXIT_UNREADABLE = 3
EXIT_INTERRUPTED = 130


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which store is meant, as for `serve`."""
    for option in (
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            envvar="YJS_RELAY_CONFIG",
            help="The TOML file that `serve` is given.",
        ),
        click.option("--store", help="The store, as for `serve`."),
    ):
        command = option(command)
    return command


def store_url(store: str | None, config: Path | None) -> str:
    """Return the URL of the store that the options, environment or file name."""
    try:
        return load_settings({} if store is None else {"store": store}, config).store
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


class Unreadable(click.ClickException):
    """Ends a command whose store cannot be opened or read."""

    exit_code = EXIT_UNREADABLE


@click.command()
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@store_options
@click.option("--quick", is_flag=True, help="Verify checksums only; decode nothing.")
@click.option("--independent", is_flag=True, help="Decode with y-py too, and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON per document.")
def check(
    documents: tuple[str, ...],
    store: str | None,
    config: Path | None,
    quick: bool,
    independent: bool,
    as_json: bool,
) -> None:
    """Verify a store, or some of its documents. Changes nothing.

    It may be in use meanwhile. Every stored byte is verified, and every update decoded.

    \b
    Exit status: 0 all is sound, 1 something is damaged, 2 wrong usage,
    3 the store cannot be read, 130 interrupted.
    """
    depth = _depth(quick, independent)
    try:
        plan = asyncio.run(plan_check(store_url(store, config), documents))
        found = _Findings(as_json)
        _run_with_progress(plan, depth, found)
    except StoreError as error:
        raise Unreadable(str(error)) from error
    except KeyboardInterrupt:
        # By itself it would end with 1, which says that something is damaged.
        click.echo("Interrupted: not everything was checked.", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    found.sum_up(plan)
    raise SystemExit(EXIT_DAMAGED if found.problems else 0)


def _depth(quick: bool, independent: bool) -> CheckDepth:
    if quick and independent:
        raise click.UsageError("--quick decodes nothing; leave out --quick or --independent")
    if independent and importlib.util.find_spec("y_py") is None:
        raise click.UsageError(
            "--independent needs y-py: pip install 'yjs-relay[independent]' (Python below 3.13)"
        )
    if independent:
        return CheckDepth.INDEPENDENT
    return CheckDepth.CHECKSUMS if quick else CheckDepth.DECODED


def _run_with_progress(plan: CheckPlan, depth: CheckDepth, found: "_Findings") -> None:
    with click.progressbar(
        length=max(plan.byte_length, 1),
        label="Checking",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        for checked in run_check(plan, depth):
            bar.update(checked.byte_length)
            found.take(checked)


class _Findings:
    """What a check has found, said as it is found or, for people, at the end."""

    def __init__(self, as_json: bool) -> None:
        self.problems = 0
        self._as_json = as_json
        self._lines: list[str] = []
        self._documents = self._bytes = 0

    def take(self, checked: Checked) -> None:
        for problem in checked.store_problems:
            self.problems += 1
            self._say({"store": problem}, f"STORE  {problem}")
        for report in checked.reports:
            self._take_report(report)

    def _take_report(self, report: DocumentReport) -> None:
        self._documents += 1
        self._bytes += report.byte_length
        self.problems += report.problem is not None
        line = None
        if report.problem is not None:
            line = f"DAMAGED  {report.document}  {report.problem}"
        elif report.note is not None:
            line = f"note  {report.document}  {report.note}"
        self._say(dataclasses.asdict(report), line)

    def _say(self, facts: dict[str, object], line: str | None) -> None:
        if self._as_json:
            click.echo(json.dumps(facts))
        elif line is not None:
            self._lines.append(line)

    def sum_up(self, plan: CheckPlan) -> None:
        for line in sorted(self._lines):
            click.echo(line)
        if not self._as_json:
            what = f"{self.problems} damaged" if self.problems else "all sound"
            click.echo(f"{self._documents} documents, {self._bytes} bytes stored: {what}")


@click.command()
@click.argument("document")
@store_options
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without this only look.")
@click.option(
    "--unverified", is_flag=True, help="Take rows that decode though their checksum is wrong."
)
def salvage(
    document: str, store: str | None, config: Path | None, is_applied: bool, unverified: bool
) -> None:
    """Save the most that can be saved of a damaged document.

    Shows what is lost. With --apply what can be saved takes the document's place, and everything
    that was stored is set aside as it was (see `yjs-relay set-aside`); the server must be
    stopped for that. Editors that still have what is missing give it back when they connect.

    \b
    Exit status: 0 done or nothing to do, 1 not done, 2 wrong usage, 3 the store cannot be read.
    """
    url = store_url(store, config)
    try:
        plan = _plan_elsewhere(url, document, unverified)
        if not plan.lost:
            click.echo(f"{document} is sound: there is nothing to salvage.")
            return
        _show_plan(document, plan)
        if is_applied:
            asyncio.run(_carry_out(url, plan))
            click.echo("Done. Editors that have what is missing give it back when they connect.")
        else:
            click.echo("Nothing was changed. Stop the server and add --apply to do it.")
    except (DocumentMissing, DocumentDeleted, Damaged) as error:
        raise click.ClickException(str(error)) from error
    except StoreError as error:
        raise Unreadable(str(error)) from error


def _plan_elsewhere(url: str, document: str, unverified: bool) -> SalvagePlan:
    """Make the plan in a process of its own: there are updates that end the one that decodes."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(_plan_here, url, document, unverified).result()
    except BrokenProcessPool:
        raise click.ClickException(
            f"{document} has an update that ends the process that decodes it; nothing was changed"
        ) from None


def _plan_here(url: str, document: str, unverified: bool) -> SalvagePlan:
    return asyncio.run(plan_salvage(url, document, unverified=unverified))


def _show_plan(document: str, plan: SalvagePlan) -> None:
    click.echo(f"{document} is damaged. Lost:")
    for line in plan.lost:
        click.echo(f"  {line}")
    click.echo(f"Saved: {plan.rows_saved} journal rows; {len(plan.update)} bytes in all.")
    for client, gaps in sorted(plan.missing.items()):
        clocks = ", ".join(f"{start} to {end - 1}" for start, end in gaps)
        click.echo(f"Missing from editor {client}, and waited for: clocks {clocks}")
    click.echo("Deletions may be among what is lost: look for text that has come back.")


async def _carry_out(url: str, plan: SalvagePlan) -> None:
    async with open_store(url) as opened:
        # Not planned again: the store trims as soon as it is open, and what is dead may be all
        # that is left. Whether it is still the same document is compared.
        await opened.salvage(plan)


@click.group("set-aside")
def set_aside() -> None:
    """List or discard what `salvage` has set aside."""


@set_aside.command("list")
@store_options
def list_set_aside(store: str | None, config: Path | None) -> None:
    """List the damaged documents whose place salvaged ones have taken."""
    try:
        for aside in asyncio.run(read_set_aside(store_url(store, config))):
            click.echo(f"{aside.document_id}  {aside.name}  {aside.reason}")
    except StoreError as error:
        raise Unreadable(str(error)) from error


@set_aside.command("discard")
@click.argument("number", type=int)
@store_options
def discard_set_aside(number: int, store: str | None, config: Path | None) -> None:
    """Remove for good what was set aside under a NUMBER of the list."""

    url = store_url(store, config)

    async def discard() -> bool:
        # Looked at first: opening a store that is not there would make one.
        if number not in {aside.document_id for aside in await read_set_aside(url)}:
            return False
        async with open_store(url) as opened:
            return await opened.discard_set_aside(number)

    try:
        if not asyncio.run(discard()):
            raise click.ClickException(f"nothing was set aside under {number}")
    except StoreError as error:
        raise Unreadable(str(error)) from error
    click.echo("discarded")
