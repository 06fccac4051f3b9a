"""The command line of tools/attack_relay: which attacks, and where the table goes."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from attacklib.attacks import ATTACKS
from attacklib.figures import Figures
from attacklib.report import as_line, as_page, stalled_table
from attacklib.run import run_attack
from attacklib.stalled import compare

STALLED = "stalled-readers"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*ATTACKS, STALLED]),
    help="Only this one; may be given several times.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep all figures there; those of other attacks that it has already stay.",
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page of all figures there.",
)
@click.option(
    "--stalled",
    type=click.IntRange(1, 999),
    default=100,
    help="Of 1,000 readers.",
    show_default=True,
)
def main(
    only: tuple[str, ...], json_file: Path | None, markdown: Path | None, stalled: int
) -> None:
    """Attack servers, one after the other, each in one way.

    Each attack gets a server on a store of its own. Beside it two clients type to each other in
    another document, before and during the attack: what they notice is part of the result, with
    memory and processor time of the server.

    stalled-readers is another thing: 1,000 readers of one document, of whom none and then some
    read nothing, in turns; what counts is how long a letter takes to the others.

    The exit status is 1 when a server ended or logged a traceback.
    """
    figures = Figures.load(json_file)
    chosen = only or (*ATTACKS, STALLED)
    for name in chosen:
        if name == STALLED:
            figures.stalled = asyncio.run(compare(stalled, rounds=2))
            click.echo(stalled_table(figures.stalled))
        else:
            outcome = asyncio.run(run_attack(ATTACKS[name]))
            figures.outcomes[name] = outcome
            click.echo(as_line(outcome))
        if json_file is not None:
            figures.save(json_file)
        if markdown is not None:
            page = as_page(figures, datetime.now(UTC).date().isoformat())
            markdown.write_text(page, "utf-8")
    if any(figures.outcomes[name].failure for name in chosen if name != STALLED):
        raise SystemExit(1)
