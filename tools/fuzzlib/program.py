"""The command line of tools/fuzz_relay: options, summary, exit code."""

import asyncio
import json
import logging
import random
from pathlib import Path

import click
from benchlib.project_python import CHECKOUT
from benchlib.real_histories import AUTOMERGE_PAPER, FRIENDSFOREVER, read_history

from fuzzlib.campaign import STRATEGIES, Campaign
from fuzzlib.cases import read_case
from fuzzlib.replay import replay
from fuzzlib.tally import Tally


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=click.Choice(STRATEGIES),
    help="What attackers do; may be given several times.  [default: all]",
)
@click.option("--minutes", type=click.FloatRange(min=0), default=1.0, help="How long it goes on.")
@click.option("--seed", type=int, help="Of everything random; a new one, when not given.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A directory of real editing histories, to be mutated.",
)
@click.option(
    "--findings",
    type=click.Path(path_type=Path, file_okay=False),
    default=CHECKOUT / ".cache" / "fuzz",
    show_default=".cache/fuzz of the checkout",
    help="Where the case of each finding is written.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the summary to this file, as Markdown.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON at the end.")
@click.option("--without-node", is_flag=True, help="Leave out the stock Yjs clients.")
@click.pass_context
def main(
    context: click.Context,
    strategies: tuple[str, ...],
    minutes: float,
    seed: int | None,
    data: Path | None,
    findings: Path,
    report: Path | None,
    *,
    as_json: bool,
    without_node: bool,
) -> None:
    """Attack a server with hostile clients, and look at what honest ones notice.

    The server must live, and its log name nothing but refusals; honest clients in the same
    documents must stay connected, have receipts in time, and end with the same content, as must
    a stock Yjs client; what has a receipt must be there after a restart, and the store sound.

    The exit status is 1 when anything was found.
    """
    # Of writing to sockets that a server has closed, which is what attackers do.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    if context.invoked_subcommand is not None:
        return
    tally = Tally(random.randrange(2**32) if seed is None else seed)
    click.echo(f"seed {tally.seed}")
    histories = [] if data is None else _read_histories(data)
    chosen = strategies or STRATEGIES
    campaign = Campaign(chosen, tally, findings, histories, click.echo, with_node=not without_node)
    asyncio.run(campaign.run(60 * minutes))
    command = f"tools/fuzz_relay --minutes {minutes:g} --seed {tally.seed}"
    page = tally.as_markdown(command)
    if report is not None:
        report.write_text(page, "utf-8")
    click.echo(json.dumps(tally.as_json(), indent=1) if as_json else "\n" + page)
    raise SystemExit(1 if tally.findings else 0)


@main.command(name="replay")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--seed", type=int, default=1, help="Of the ids of the honest clients.")
def replay_command(file: Path, seed: int) -> None:
    """Play a case that was kept against a server of its own.

    The exit status is 1 when anything was found.
    """
    found = asyncio.run(replay(read_case(file), seed))
    for finding in found:
        click.echo(f"{finding.kind}: {finding.detail}")
    if not found:
        click.echo("nothing was found")
    raise SystemExit(1 if any(finding.is_of_server for finding in found) else 0)


def _read_histories(directory: Path) -> list[list[bytes]]:
    return [read_history(directory, name, 1).updates for name in (AUTOMERGE_PAPER, FRIENDSFOREVER)]
