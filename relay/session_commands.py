"""`yjs-relay sessions`: who is admitted, and an end to it."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import NoReturn

import click

from relay.admin.act import NOOP, Act, Outcome, listed
from relay.commands.acts import who
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.records import Facts, pages, whole
from relay.commands.remote import Refused, segment
from relay.commands.stored_acts import perform_or_end
from relay.exit_codes import ExitCode
from relay.limits import ACT_FACTS_TEXT_MAX
from relay.record_facts import session_facts
from relay.terminal import printable, shown_time, table
from yjs_store import Revocation, StoredAuditBook, read_sessions, revoke_sessions

_HEADINGS = (
    "SESSION",
    "USER",
    "DOCUMENT",
    "PERMISSION",
    "STATUS",
    "STARTED",
    "EXPIRES",
    "DETAILS",
)


@click.group()
def sessions() -> None:
    """List the sessions of admitted clients, or end them."""


@sessions.command("list")
@place_options
@click.option("--user", help="Only those of this user.")
@click.option("--document", help="Only those of this document.")
@click.option("--ended", "with_ended", is_flag=True, help="Those that are over, too.")
@json_option("a line for each session")
def list_sessions(
    place: Place, user: str | None, document: str | None, with_ended: bool, as_json: bool
) -> None:
    """List who is admitted to which document, and until when. Changes nothing.

    A session that is over is kept for a week. The server may run.

    \b
    yjs-relay sessions list --user ann
    yjs-relay sessions list --json --url http://127.0.0.1:1234 --token-file admin-token

    \b
    Exit status: 0 done, 1 the server says no, 2 wrong usage, 3 the store cannot be read or the
    server reached.
    """
    with ending_as_errors_say():
        found = _find(place, user, document, with_ended=with_ended)
    if as_json:
        for facts in found:
            click.echo(json.dumps(facts))
    elif found:
        for line in table([_HEADINGS, *map(_row_of, found)]):
            click.echo(line)


def _find(
    place: Place, user: str | None, document: str | None, *, with_ended: bool = False
) -> list[Facts]:
    """Return the facts of the sessions that fit."""
    if place.is_server:
        with place.server() as server:
            asked = {"user": user, "document": document, "ended": 1 if with_ended else None}
            return pages(server, "/admin/sessions", "sessions", "session", asked)
    url, now_ms = place.store_url(), _now_ms()
    found = asyncio.run(
        read_sessions(url, now_ms, user=user, document=document, with_ended=with_ended)
    )
    return [session_facts(session, now_ms) for session in found]


@sessions.command("revoke")
@click.argument("session", required=False)
@place_options
@click.option("--user", help="All sessions of this user.")
@click.option("--document", help="All sessions of this document.")
@json_option("what came of it")
def revoke(
    session: str | None,
    place: Place,
    user: str | None,
    document: str | None,
    as_json: bool,
) -> None:
    """End a SESSION of the list, or all that fit the options; with several, those that fit all.

    The server may run: it closes their sockets at once, and this waits until it has. Nothing
    that they send later is stored.

    \b
    yjs-relay sessions revoke --user ann --document notes/today
    yjs-relay sessions revoke 5d41402a --url http://127.0.0.1:1234 --token-file admin-token

    \b
    Exit status: 0 done, 1 nothing fits or the server has not confirmed it, 2 wrong usage,
    3 the store cannot be read or written, or the server reached.
    """
    if session is None and user is None and document is None:
        raise click.UsageError("say whose: SESSION, --user or --document")
    if place.is_server:
        _revoke_by_server(place, session, user, document, as_json)
    with ending_as_errors_say():
        done = asyncio.run(_revoke_stored(place.store_url(), session, user, document))
    if as_json:
        click.echo(json.dumps(_facts_of_revocation(done)))
    else:
        _say(done)
    is_done = done.sessions and not done.unconfirmed
    raise SystemExit(ExitCode.DONE if is_done else ExitCode.NO)


async def _revoke_stored(
    url: str, session: str | None, user: str | None, document: str | None
) -> Revocation:
    """End them beside the server, if one runs, and keep that this was done."""
    found: list[Revocation] = []

    async def do() -> Outcome:
        done = await revoke_sessions(
            url, _now_ms(), session_id=session, user=user, document=document
        )
        found.append(done)
        return Outcome("revoked" if done.sessions else NOOP, _kept(done))

    asked = {"session": session, "user": user, "document": document}
    given: dict[str, object] = {
        name: text[:ACT_FACTS_TEXT_MAX] for name, text in asked.items() if text is not None
    }
    # There is no dry run of it: nobody looks.
    await perform_or_end(Act("revoke", document, do, do, given), StoredAuditBook(url), who())
    return found[0]


def _kept(done: Revocation) -> Facts:
    return {
        "revoked": listed([each.session_id for each in done.sessions]),
        "revoked_count": len(done.sessions),
        "has_server": done.has_server,
        "unconfirmed_count": len(done.unconfirmed),
    }


def _revoke_by_server(
    place: Place, session: str | None, user: str | None, document: str | None, as_json: bool
) -> NoReturn:
    """Have a running server end them: it has closed their sockets when it answers."""
    found = [
        str(facts["session"])
        for facts in _find(place, user, document)
        if session in (None, facts["session"])
    ]
    revoked: list[str] = []
    with place.server() as server:
        for each in found:
            try:
                done = server.post(f"/admin/sessions/{segment(each)}/revoke")
                if done.get("result") == "revoked":
                    revoked.append(each)
            except Refused as error:
                # Over since it was listed.
                if error.word != "not_found":
                    raise
    if as_json:
        click.echo(json.dumps({"revoked": revoked, "has_server": True, "unconfirmed": []}))
    else:
        for each in revoked:
            click.echo(f"revoked  {printable(each)}")
        if not revoked:
            click.echo("Nothing was revoked: no active session fits.", err=True)
    raise SystemExit(ExitCode.DONE if revoked else ExitCode.NO)


def _say(done: Revocation) -> None:
    if not done.sessions:
        click.echo("Nothing was revoked: no active session fits.", err=True)
        return
    for session in done.sessions:
        what = (session.session_id, session.user, session.document)
        click.echo("revoked  " + "  ".join(map(printable, what)))
    if not done.has_server:
        click.echo("No server runs with this store: there was nothing to close.")
    elif done.unconfirmed:
        click.echo(
            f"The server has not confirmed {len(done.unconfirmed)} of them: see its log.", err=True
        )
    else:
        click.echo("The server has closed what they had open.")


def _row_of(facts: Facts) -> Sequence[str]:
    details = facts["details"]
    assert isinstance(details, dict), "it says more about the client"
    return (
        *(str(facts[name]) for name in ("session", "user", "document", "permission", "status")),
        shown_time(whole(facts["created_ms"])),
        shown_time(whole(facts["expires_ms"])),
        ", ".join(f"{what}: {text}" for what, text in details.items()),
    )


def _facts_of_revocation(done: Revocation) -> dict[str, object]:
    return {
        "revoked": [session.session_id for session in done.sessions],
        "has_server": done.has_server,
        "unconfirmed": list(done.unconfirmed),
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
