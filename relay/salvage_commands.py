"""`yjs-relay salvage` and `set-aside`: save what can be saved, and look after the rest."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click

from relay.store_options import Unreadable, store_options, store_url
from relay.terminal import printable
from yjs_store import (
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    SalvagePlan,
    StoreError,
    open_store,
    plan_salvage,
    read_set_aside,
)


@click.command()
@click.argument("document")
@store_options
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without this only look.")
@click.option(
    "--unverified", is_flag=True, help="Take rows that decode though their checksum is wrong."
)
@click.option("--give-up", is_flag=True, help="Set it aside even when nothing of it can be saved.")
def salvage(
    document: str,
    store: str | None,
    config: Path | None,
    is_applied: bool,
    unverified: bool,
    give_up: bool,
) -> None:
    """Save the most that can be saved of a damaged document.

    Shows what is lost. With --apply what can be saved takes the document's place, and everything
    that was stored is set aside as it was (see `yjs-relay set-aside`); the server must be
    stopped for that. Editors that still have what is missing give it back when they connect; so
    a document of which nothing is left comes back by --give-up, which makes room for it.

    \b
    Exit status: 0 done or nothing to do, 1 not done, 2 wrong usage, 3 the store cannot be read.
    """
    url = store_url(store, config)
    try:
        plan = _plan_elsewhere(url, document, unverified)
        if not plan.lost:
            click.echo(f"{printable(document)} is sound: there is nothing to salvage.")
            return
        _show_plan(document, plan)
        if is_applied:
            asyncio.run(_carry_out(url, plan, give_up))
            click.echo("Done. Editors that have what is missing give it back when they connect.")
        else:
            click.echo("Nothing was changed. Stop the server and add --apply to do it.")
    except (DocumentMissing, DocumentDeleted, Damaged) as error:
        raise click.ClickException(printable(str(error))) from error
    except StoreError as error:
        raise Unreadable(printable(str(error))) from error


def _plan_elsewhere(url: str, document: str, unverified: bool) -> SalvagePlan:
    """Make the plan in a process of its own: there are updates that end the one that decodes."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(_plan_here, url, document, unverified).result()
    except BrokenProcessPool:
        raise click.ClickException(
            f"{printable(document)} has an update that ends the process that decodes it;"
            " nothing was changed"
        ) from None


def _plan_here(url: str, document: str, unverified: bool) -> SalvagePlan:
    return asyncio.run(plan_salvage(url, document, unverified=unverified))


def _show_plan(document: str, plan: SalvagePlan) -> None:
    click.echo(f"{printable(document)} is damaged. Lost:")
    for line in plan.lost:
        click.echo(f"  {printable(line)}")
    click.echo(f"Saved: {plan.rows_saved} journal rows; {len(plan.update)} bytes in all.")
    for client, gaps in sorted(plan.missing.items()):
        clocks = ", ".join(f"{start} to {end - 1}" for start, end in gaps)
        click.echo(f"Missing from editor {client}, and waited for: clocks {clocks}")
    click.echo("Deletions may be among what is lost: look for text that has come back.")


async def _carry_out(url: str, plan: SalvagePlan, give_up: bool) -> None:
    async with open_store(url) as opened:
        if give_up and plan.saves_nothing:
            await opened.set_aside(plan)
            return
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
            click.echo(f"{aside.document_id}  {printable(aside.name)}  {printable(aside.reason)}")
    except StoreError as error:
        raise Unreadable(printable(str(error))) from error


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
        raise Unreadable(printable(str(error))) from error
    click.echo("discarded")
