"""`yjs-relay audit`: what operators have done."""

import asyncio
import json
from collections.abc import Collection

import click

from relay.admin.performing import INTENT
from relay.clock import now_ms
from relay.commands.names import DocumentName
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.records import Facts, whole
from relay.commands.remote import Unreachable
from relay.limits import ADMIN_PAGE_MAX
from relay.record_facts import act_facts
from relay.terminal import printable, shown_time, table
from yjs_store import observe_stored

_HEADINGS = ("NUMBER", "WHEN", "WHO", "ACTION", "DOCUMENT", "RESULT", "FACTS")


@click.command()
@place_options
@click.option("--document", type=DocumentName(), help="Only what was done to this one.")
@click.option("--limit", type=click.IntRange(1, ADMIN_PAGE_MAX), default=100, show_default=True)
@json_option("a line for each act")
def audit(place: Place, document: str | None, limit: int, as_json: bool) -> None:
    """List what operators have done, the newest first: who, when, to what, and what came of it.

    Acts are recorded in the store itself, before and after: one that is UNFINISHED is under way, or
    was cut short, and what came of it is not known. The server may run. Changes nothing.

    \b
    yjs-relay audit --document notes/today
    yjs-relay audit --json --url http://127.0.0.1:1234 --token-file admin-token

    \b
    Exit status: 0 done, 1 the server says no, 2 wrong usage, 3 the store cannot be read or the
    server reached.
    """
    with ending_as_errors_say():
        acts, damaged = _find(place, document, limit)
    if as_json:
        for facts in acts:
            click.echo(json.dumps(facts))
    elif acts:
        ended = {_intent_of(each) for each in acts}
        for line in table([_HEADINGS, *(_row_of(each, ended) for each in acts)]):
            click.echo(line)
    if damaged:
        click.echo(f"{damaged} records are damaged, and not shown.", err=True)


def _find(place: Place, document: str | None, limit: int) -> tuple[list[Facts], int]:
    if place.is_server:
        with place.server() as server:
            said = server.get("/admin/audit", document=document, limit=limit)
        acts = said.get("acts")
        if not isinstance(acts, list) or not all(isinstance(each, dict) for each in acts):
            where = printable(server.url)
            raise Unreachable(f"{where} answers what this version does not understand")
        return acts, whole(said.get("damaged"))
    return asyncio.run(_read(place.store_url(), document, limit))


async def _read(url: str, document: str | None, limit: int) -> tuple[list[Facts], int]:
    async with observe_stored(url, now_ms) as observation:
        page = await observation.acts(document, limit)
    return [act_facts(each) for each in page.acts], page.damaged


def _intent_of(facts: Facts) -> object:
    found = facts.get("facts")
    return found.get("intent") if isinstance(found, dict) else None


def _row_of(facts: Facts, ended: Collection[object]) -> tuple[str, ...]:
    found = facts.get("facts")
    # The result of an act comes after its intent, so it is in the list where the intent is.
    is_open = facts.get("result") == INTENT and facts.get("number") not in ended
    particulars = found.items() if isinstance(found, dict) else ()
    document = facts.get("document")
    return (
        str(facts.get("number")),
        shown_time(whole(facts.get("at_ms"))),
        str(facts.get("by")),
        f"{facts.get('action')}{' (dry run)' if facts.get('dry_run') else ''}",
        "the store" if document is None else str(document),
        "UNFINISHED" if is_open else str(facts.get("result")),
        "  ".join(f"{name}={value}" for name, value in particulars),
    )
