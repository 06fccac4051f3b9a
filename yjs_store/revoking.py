"""Looks at sessions and ends them from a process that is not the store's writer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from yjs_store import session_format
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_revoker import SqliteRevoker
from yjs_store.limits import (
    LIST_PAGE_MAX,
    REVOKED_ASK_S,
    REVOKED_CONFIRMED_MAX_S,
    REVOKED_WRITER_ASK_S,
)
from yjs_store.records import Session, SessionStatus, StoredSession
from yjs_store.session_records import Choice
from yjs_store.sessions import shown
from yjs_store.urls import sqlite_path


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was revoked, and whether a server has closed what they had open.

    ``unconfirmed`` are the ids of which a server that runs has not said so in time.
    """

    sessions: Sequence[Session]
    has_server: bool
    unconfirmed: Sequence[str]


async def read_sessions(
    url: str,
    now_ms: int,
    *,
    user: str | None = None,
    document: str | None = None,
    with_ended: bool = False,
) -> Sequence[Session]:
    """Return the sessions that fit, in the order in which they were started.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        found: list[Session] = []
        after = ""
        while page := await reader.sessions.list(
            Choice(user=user, document=document),
            after,
            LIST_PAGE_MAX,
            None if with_ended else now_ms,
        ):
            found += map(shown, page)
            after = page[-1].session_id
        return sorted(found, key=lambda session: session.created_ms)
    finally:
        await reader.close()


async def revoke_sessions(
    url: str,
    now_ms: int,
    *,
    session_id: str | None = None,
    user: str | None = None,
    document: str | None = None,
) -> Revocation:
    """Revoke the sessions that fit; wait until a server, if one runs, has closed their sockets.

    Whatever it returns or raises after the revocation is durable: who revokes may go away.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
        StoreUnavailable: nothing was revoked.
    """
    path = sqlite_path(url)
    choice = Choice(session_id, user, document)
    assert choice != Choice(), "whose sessions must be said"

    def change(stored: StoredSession) -> StoredSession:
        return session_format.over(stored, SessionStatus.REVOKED, now_ms)

    revoker = SqliteRevoker(path)
    before = await revoker.revoke(choice, change, session_format.barring)
    sessions = [shown(stored) for stored in before]
    ids = [stored.session_id for stored in before]
    if not ids:
        return Revocation(sessions, has_server=False, unconfirmed=())
    reader = SqliteReader(path)
    await reader.open()
    try:
        return await _wait_confirmed(reader, revoker, sessions, ids)
    finally:
        await reader.close()


async def _wait_confirmed(
    reader: SqliteReader, revoker: SqliteRevoker, sessions: Sequence[Session], ids: Sequence[str]
) -> Revocation:
    clock = asyncio.get_running_loop().time
    began_s = clock()
    is_writer_known = False
    while ids := await reader.sessions.list_unacknowledged(ids):
        waited_s = clock() - began_s
        if waited_s >= REVOKED_WRITER_ASK_S and not is_writer_known:
            # Not at once: asking takes the writer's lock for a moment, in which a server that
            # starts would not get it.
            is_writer_known = True
            if not await revoker.has_writer():
                return Revocation(sessions, has_server=False, unconfirmed=())
        if waited_s >= REVOKED_CONFIRMED_MAX_S:
            return Revocation(sessions, has_server=True, unconfirmed=ids)
        await asyncio.sleep(REVOKED_ASK_S)
    return Revocation(sessions, has_server=True, unconfirmed=())
