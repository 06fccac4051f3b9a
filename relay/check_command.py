"""`yjs-relay check`: verifies a store and says what is damaged."""

import asyncio
import dataclasses
import importlib.util
import json
from pathlib import Path

import click

from relay.commands.progress import progress
from relay.exit_codes import ExitCode
from relay.store_options import Unreadable, store_options, store_url
from relay.terminal import printable
from yjs_store import (
    CheckDepth,
    Checked,
    CheckPlan,
    DocumentReport,
    StoreError,
    plan_check,
    run_check,
)


@click.command()
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@store_options
@click.option("--url", hidden=True)
@click.option("--token-file", hidden=True)
@click.option("--quick", is_flag=True, help="Verify checksums only; decode nothing.")
@click.option("--independent", is_flag=True, help="Decode with y-py too, and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON per document.")
def check(
    documents: tuple[str, ...],
    store: str | None,
    config: Path | None,
    url: str | None,
    token_file: str | None,
    quick: bool,
    independent: bool,
    as_json: bool,
) -> None:
    """Verify a store, or some of its documents. Changes nothing.

    A server may have it meanwhile. Every stored byte is verified, and every update decoded: so it
    is for the machine that has the file, and there is no --url.

    \b
    yjs-relay check
    yjs-relay check notes/today --json

    \b
    Exit status: 0 all is sound, 1 something is damaged, 2 wrong usage,
    3 the store cannot be read, 130 interrupted.
    """
    if url is not None or token_file is not None:
        raise click.UsageError(
            "it reads every stored byte, which no server sends: run it with --store where the file"
            " is, also beside the server; what that has found itself is in `info --url`"
        )
    depth = _depth(quick, independent)
    try:
        plan = asyncio.run(plan_check(store_url(store, config), documents))
        found = _Findings(as_json)
        _run_with_progress(plan, depth, found)
    except StoreError as error:
        raise Unreadable(printable(str(error))) from error
    except KeyboardInterrupt:
        # By itself it would end with 1, which says that something is damaged.
        click.echo("Interrupted: not everything was checked.", err=True)
        raise SystemExit(ExitCode.INTERRUPTED) from None
    found.sum_up(plan)
    raise SystemExit(ExitCode.NO if found.problems else ExitCode.DONE)


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
    with progress("Checking", plan.byte_length) as done:
        for checked in run_check(plan, depth):
            done(checked.byte_length)
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
            self._say({"store": problem}, f"STORE  {printable(problem)}")
        for report in checked.reports:
            self._take_report(report)

    def _take_report(self, report: DocumentReport) -> None:
        self._documents += 1
        self._bytes += report.byte_length
        self.problems += report.problem is not None
        line = None
        if report.problem is not None:
            line = f"DAMAGED  {printable(report.document)}  {printable(report.problem)}"
        elif report.note is not None:
            line = f"note  {printable(report.document)}  {printable(report.note)}"
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
