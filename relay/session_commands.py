"""`yjs-relay sessions`: who is admitted, and an end to it."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import click

from relay.record_facts import session_facts, status_of
from relay.store_options import Unreadable, store_options, store_url
from relay.terminal import printable, shown_time, table
from yjs_store import (
    Revocation,
    Session,
    StoreError,
    read_sessions,
    revoke_sessions,
)

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
@store_options
@click.option("--user", help="Only those of this user.")
@click.option("--document", help="Only those of this document.")
@click.option("--ended", "with_ended", is_flag=True, help="Those that are over, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON per session.")
def list_sessions(
    store: str | None,
    config: Path | None,
    user: str | None,
    document: str | None,
    with_ended: bool,
    as_json: bool,
) -> None:
    """List who is admitted to which document, and until when. Changes nothing.

    A session that is over is kept for a week.

    \b
    Exit status: 0 done, 2 wrong usage, 3 the store cannot be read.
    """
    url, now_ms = store_url(store, config), _now_ms()
    try:
        found = asyncio.run(
            read_sessions(url, now_ms, user=user, document=document, with_ended=with_ended)
        )
    except StoreError as error:
        raise Unreadable(printable(str(error))) from error
    if as_json:
        for session in found:
            click.echo(json.dumps(session_facts(session, now_ms)))
    elif found:
        for line in table([_HEADINGS, *(_row_of(session, now_ms) for session in found)]):
            click.echo(line)


@sessions.command("revoke")
@click.argument("session", required=False)
@store_options
@click.option("--user", help="All sessions of this user.")
@click.option("--document", help="All sessions of this document.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def revoke(
    session: str | None,
    store: str | None,
    config: Path | None,
    user: str | None,
    document: str | None,
    as_json: bool,
) -> None:
    """End a SESSION of the list, or all that fit the options; with several, those that fit all.

    The server may run: it closes their sockets at once, and this waits until it has. Nothing
    that they send later is stored.

    \b
    Exit status: 0 done, 1 nothing fits or the server has not confirmed it, 2 wrong usage,
    3 the store cannot be read or written.
    """
    if session is None and user is None and document is None:
        raise click.UsageError("say whose: SESSION, --user or --document")
    url = store_url(store, config)
    try:
        done = asyncio.run(
            revoke_sessions(url, _now_ms(), session_id=session, user=user, document=document)
        )
    except StoreError as error:
        raise Unreadable(printable(str(error))) from error
    if as_json:
        click.echo(json.dumps(_facts_of_revocation(done)))
    else:
        _say(done)
    raise SystemExit(0 if done.sessions and not done.unconfirmed else 1)


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


def _row_of(session: Session, now_ms: int) -> Sequence[str]:
    return (
        session.session_id,
        session.user,
        session.document,
        session.permission.value,
        status_of(session, now_ms),
        shown_time(session.created_ms),
        shown_time(session.expires_ms),
        ", ".join(f"{what}: {text}" for what, text in session.details.items()),
    )


def _facts_of_revocation(done: Revocation) -> dict[str, object]:
    return {
        "revoked": [session.session_id for session in done.sessions],
        "has_server": done.has_server,
        "unconfirmed": list(done.unconfirmed),
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
