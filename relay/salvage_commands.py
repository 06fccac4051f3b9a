"""`yjs-relay salvage` and `set-aside`: save what can be saved, and look after the rest."""

import asyncio
import json
from typing import NoReturn

import click

from relay.admin import salvage_acts
from relay.admin.act import NOOP
from relay.commands.acts import who
from relay.commands.names import document_argument
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.records import Facts, records
from relay.commands.remote import segment
from relay.commands.stored_acts import perform_or_end
from relay.commands.telling import end_with
from relay.terminal import printable
from yjs_store import Poisoned, SalvagePlan, open_store, plan_salvage, read_set_aside


@click.command()
@document_argument
@place_options
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without this only look.")
@click.option(
    "--unverified", is_flag=True, help="Take rows that decode though their checksum is wrong."
)
@click.option("--give-up", is_flag=True, help="Set it aside even when nothing of it can be saved.")
@json_option("what is lost and what is saved")
def salvage(
    document: str,
    place: Place,
    is_applied: bool,
    unverified: bool,
    give_up: bool,
    as_json: bool,
) -> None:
    """Save the most that can be saved of a damaged document.

    Shows what is lost. With --apply what can be saved takes the document's place, and everything
    that was stored is set aside as it was (see `yjs-relay set-aside`). By --store the server must
    be stopped for that; by --url it does it, with what it has in memory, too. Editors that still
    have what is missing give it back when they connect; so a document of which nothing is left
    comes back by --give-up, which makes room for it.

    \b
    yjs-relay salvage notes/today
    yjs-relay salvage notes/today --apply
    yjs-relay salvage notes/today --apply --url http://127.0.0.1:1234 --token-file admin-token

    \b
    Exit status: 0 done or nothing to do, 1 not done, 2 wrong usage, 3 the store cannot be read
    or the server reached.
    """
    if place.is_server:
        _by_server(place, document, is_applied, unverified, give_up, as_json)
    url = place.store_url()
    with ending_as_errors_say():
        plan = _plan(url, document, unverified=unverified)
        is_done = bool(plan.lost) and is_applied
        if plan.lost and not as_json:
            _show_plan(document, plan)
        if is_done:
            asyncio.run(_carry_out(url, plan, unverified=unverified, gives_up=give_up))
    if as_json:
        click.echo(json.dumps(_facts_of(document, plan, is_done=is_done)))
    elif not plan.lost:
        click.echo(f"{printable(document)} is sound: there is nothing to salvage.")
    elif is_done:
        click.echo("Done. Editors that have what is missing give it back when they connect.")
    else:
        click.echo("Nothing was changed. Stop the server and add --apply to do it.")


def _by_server(
    place: Place, document: str, is_applied: bool, unverified: bool, give_up: bool, as_json: bool
) -> NoReturn:
    """Have a running server do it; it says what is lost in its answer."""
    action = "set-aside" if give_up else "salvage"
    with place.server() as server:
        answer = server.post(
            f"/admin/documents/{segment(document)}/{action}",
            dry_run=None if is_applied else 1,
            unverified=1 if unverified and not give_up else None,
        )
    end_with([answer], as_json)


def _facts_of(document: str, plan: SalvagePlan, *, is_done: bool) -> dict[str, object]:
    return {
        "document": document,
        "applied": is_done,
        "lost": list(plan.lost),
        "rows_saved": plan.rows_saved,
        "byte_length": len(plan.update),
        "missing": {str(client): list(gaps) for client, gaps in sorted(plan.missing.items())},
    }


def _plan(url: str, document: str, *, unverified: bool) -> SalvagePlan:
    try:
        return asyncio.run(plan_salvage(url, document, unverified=unverified))
    except Poisoned as error:
        raise click.ClickException(
            f"{printable(document)} has an update that ends the process that decodes it"
            f" ({printable(error.why)}); nothing was changed"
        ) from error


def _show_plan(document: str, plan: SalvagePlan) -> None:
    click.echo(f"{printable(document)} is damaged. Lost:")
    for line in plan.lost:
        click.echo(f"  {printable(line)}")
    click.echo(f"Saved: {plan.rows_saved} journal rows; {len(plan.update)} bytes in all.")
    for client, gaps in sorted(plan.missing.items()):
        clocks = ", ".join(f"{start} to {end - 1}" for start, end in gaps)
        click.echo(f"Missing from editor {client}, and waited for: clocks {clocks}")
    click.echo("Deletions may be among what is lost: look for text that has come back.")


async def _carry_out(url: str, plan: SalvagePlan, *, unverified: bool, gives_up: bool) -> None:
    async with open_store(url) as opened:
        act = salvage_acts.salvage_as_planned(
            opened, plan, unverified=unverified, gives_up=gives_up
        )
        await perform_or_end(act, opened, who())


@click.group("set-aside")
def set_aside() -> None:
    """List or discard what `salvage` has set aside."""


@set_aside.command("list")
@place_options
@json_option("a line for each document")
def list_set_aside(place: Place, as_json: bool) -> None:
    """List the damaged documents whose place salvaged ones have taken. The server may run.

    \b
    yjs-relay set-aside list

    \b
    Exit status: 0 done, 1 the server says no, 2 wrong usage, 3 the store cannot be read or the
    server reached.
    """
    with ending_as_errors_say():
        found = _find_set_aside(place)
    for facts in found:
        shown = (str(facts.get(name)) for name in ("number", "document", "reason"))
        click.echo(json.dumps(facts) if as_json else "  ".join(map(printable, shown)))


def _find_set_aside(place: Place) -> list[Facts]:
    if place.is_server:
        with place.server() as server:
            return records(server, "/admin/set-aside", "set_aside", "number", {})
    return [
        {
            "number": aside.document_id,
            "document": aside.name,
            "reason": aside.reason,
            "set_aside_ms": aside.set_aside_ms,
        }
        for aside in asyncio.run(read_set_aside(place.store_url()))
    ]


@set_aside.command("discard")
@click.argument("number", type=int)
@place_options
@json_option("what came of it")
def discard_set_aside(number: int, place: Place, as_json: bool) -> None:
    """Remove for good what was set aside under a NUMBER of the list.

    By --store the server must be stopped.

    \b
    yjs-relay set-aside discard 3

    \b
    Exit status: 0 done, 1 there is none, 2 wrong usage, 3 the store cannot be opened or the
    server reached.
    """
    if place.is_server:
        with place.server() as server:
            end_with([server.post(f"/admin/set-aside/{number}/discard")], as_json)
    url = place.store_url()

    async def discard() -> bool:
        # Looked at first: opening a store that is not there would make one.
        if number not in {aside.document_id for aside in await read_set_aside(url)}:
            return False
        async with open_store(url) as opened:
            act = await salvage_acts.discard_set_aside(opened, number)
            return (await perform_or_end(act, opened, who())).result != NOOP

    with ending_as_errors_say():
        if not asyncio.run(discard()):
            raise click.ClickException(f"nothing was set aside under {number}")
    click.echo(json.dumps({"discarded": number}) if as_json else "discarded")
