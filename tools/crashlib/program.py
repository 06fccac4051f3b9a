"""The command line of tools/crash_loop: options, directory, summary, exit code."""

import asyncio
import random
import shutil
import tempfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import click
from benchlib.project_python import CHECKOUT

from crashlib.cycles import CrashLoop
from crashlib.tally import Tally


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--minutes", type=click.FloatRange(min=0), default=1.0, help="How long it goes on.")
@click.option("--seed", type=int, help="Of everything random; a new one, when not given.")
@click.option("--documents", type=click.IntRange(1, 100), default=3, help="Edited at a time.")
@click.option(
    "--rows", type=click.IntRange(1), default=5, help="--checkpoint-rows of the server: low."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=CHECKOUT / ".cache" / "crash",
    show_default=".cache/crash of the checkout",
    help="Where the store is made, and removed again unless something was lost.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the summary to this file, as Markdown.",
)
def main(
    minutes: float,
    seed: int | None,
    documents: int,
    rows: int,
    directory: Path,
    report: Path | None,
) -> None:
    """Kill a server with SIGKILL under load, again and again, and look for what is lost.

    Several clients of several documents type, delete, set keys and paste, and outlive the server.
    After each kill every update that was echoed to its writer, or seen by anybody, must be in the
    stored document; nothing may be there that nobody wrote; a second decoder must read the same.
    Now and then everybody comes back, and must end with what is stored.

    The exit status is 1 when something was lost; the store is kept then.
    """
    tally = Tally(random.randrange(2**32) if seed is None else seed)
    tally.second_decoder = find_spec("y_py") is not None
    click.echo(f"seed {tally.seed}")
    directory.mkdir(parents=True, exist_ok=True)
    store = Path(tempfile.mkdtemp(prefix="store-", dir=directory.resolve()))
    try:
        asyncio.run(CrashLoop(store, documents, rows, tally).run(60 * minutes, click.echo))
    except BaseException:
        click.echo(f"\nthe store is kept in {store}", err=True)
        raise
    click.echo("\n" + tally.as_text())
    if report is not None:
        date = datetime.now(UTC).date().isoformat()
        report.write_text(f"{date}, `--minutes {minutes:g}`\n\n{tally.as_markdown()}", "utf-8")
    if tally.losses:
        click.echo("\n".join(["", *tally.losses, f"the store is kept in {store}"]), err=True)
        raise SystemExit(1)
    shutil.rmtree(store)
