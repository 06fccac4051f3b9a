"""Sessions in the SQLite tables."""

import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from yjs_store.backends.sqlite_epoch import stored_epoch
from yjs_store.backends.sqlite_mending import execute_mending
from yjs_store.backends.sqlite_read import any_text
from yjs_store.errors import WriterSuperseded
from yjs_store.records import StoredSession
from yjs_store.session_records import (
    AcknowledgeSessions,
    AddSession,
    ChangeSessions,
    Choice,
    RemoveSessions,
    SessionChange,
)

_Result = TypeVar("_Result")

_FACTS: Final = (
    "id, user, document, permission, status, details, created_ms, updated_ms, expires_ms,"
    " credential_hash, checksum"
)
_SELECT: Final = f"SELECT {_FACTS}, key FROM sessions"
_IS_LIVE: Final = "status = 'active' AND expires_ms > :now_ms"
_IS_CHOSEN: Final = (
    "(:session_id IS NULL OR id = :session_id) AND (:user IS NULL OR user = :user)"
    " AND (:document IS NULL OR document = :document) AND (:key IS NULL OR key = :key)"
)


class Run(Protocol):
    """Runs work on a connection, in a thread."""

    def __call__(self, work: Callable[[sqlite3.Connection], _Result]) -> Awaitable[_Result]:
        """Return what ``work`` returns."""


class SqliteSessionReader:
    """The reading half; its contract is ``SessionReader``."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def find(self, session_id: str, now_ms: int) -> StoredSession | None:
        """See SessionReader.find."""
        where = f"WHERE id = :session_id AND {_IS_LIVE}"
        facts = {"session_id": session_id, "now_ms": now_ms}
        return await self._read(lambda connection: _first(connection, where, facts))

    async def find_by_credential(
        self, credential_hash: bytes, document: str, now_ms: int
    ) -> StoredSession | None:
        """See SessionReader.find_by_credential."""
        where = (
            f"WHERE credential_hash = :hash AND document = :document AND {_IS_LIVE}"
            " ORDER BY key DESC"
        )
        facts = {"hash": credential_hash, "document": document, "now_ms": now_ms}
        return await self._read(lambda connection: _first(connection, where, facts))

    async def is_revoked(self, credential_hash: bytes, document: str) -> bool:
        """See SessionReader.is_revoked."""
        where = "WHERE credential_hash = :hash AND document = :document AND status = 'revoked'"
        facts = {"hash": credential_hash, "document": document}
        return await self._read(lambda connection: _first(connection, where, facts) is not None)

    async def list(
        self, choice: Choice, after: str, limit: int, now_ms: int | None
    ) -> Sequence[StoredSession]:
        """See SessionReader.list."""
        live = "TRUE" if now_ms is None else _IS_LIVE
        where = f"WHERE id > :after AND {_IS_CHOSEN} AND {live} ORDER BY id LIMIT :limit"
        facts = {**_facts_of(choice), "after": after, "limit": limit, "now_ms": now_ms}
        return await self._read(lambda connection: _select(connection, where, facts))

    async def list_unacknowledged(self, session_ids: Sequence[str]) -> Sequence[str]:
        """See SessionReader.list_unacknowledged."""
        return await self._read(
            lambda connection: [
                session_id
                for session_id in session_ids
                if connection.execute(
                    "SELECT 1 FROM sessions WHERE id = ? AND acknowledged = 0", (session_id,)
                ).fetchone()
            ]
        )


class SqliteSessions(SqliteSessionReader):
    """What the writer does; its contract is ``SessionRecords``."""

    def __init__(
        self,
        read: Run,
        transact: Run,
        epoch: Callable[[], int],
        start_watching: Callable[[Callable[[Sequence[str]], None]], None],
        watch_failing_because: Callable[[], str | None],
    ) -> None:
        super().__init__(read)
        self._transact = transact
        self._epoch = epoch
        self._start_watching = start_watching
        self._watch_failing_because = watch_failing_because

    async def count(self) -> int:
        """See SessionRecords.count."""
        return await self._read(
            lambda connection: int(
                connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
            )
        )

    async def count_live(self, now_ms: int) -> int:
        """See SessionRecords.count_live."""
        sql = f"SELECT count(*) FROM sessions WHERE {_IS_LIVE}"
        return await self._read(
            lambda connection: int(connection.execute(sql, {"now_ms": now_ms}).fetchone()[0])
        )

    async def change(self, changes: Sequence[SessionChange]) -> Sequence[Sequence[StoredSession]]:
        """See SessionRecords.change."""
        return await self._transact(
            lambda connection: _carry_out(connection, self._epoch(), changes)
        )

    def watch(self, notice: Callable[[Sequence[str]], None]) -> None:
        """See SessionRecords.watch."""
        self._start_watching(notice)

    def watch_failing_because(self) -> str | None:
        """See SessionRecords.watch_failing_because."""
        return self._watch_failing_because()


def list_to_acknowledge(connection: sqlite3.Connection, after: bytes, limit: int) -> list[bytes]:
    """Return ids of sessions that another process has ended, in order; some may be no text."""
    found = connection.execute(
        "SELECT CAST(id AS BLOB) FROM sessions WHERE acknowledged = 0 AND id > CAST(? AS TEXT)"
        " ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [session_id for (session_id,) in found]


def revoke_beside_writer(
    connection: sqlite3.Connection, revoked: ChangeSessions
) -> Sequence[StoredSession]:
    """See SessionRevoker.revoke; inside a write transaction."""
    return _change(connection, revoked, acknowledged=0)


def _carry_out(
    connection: sqlite3.Connection, epoch: int, changes: Sequence[SessionChange]
) -> list[Sequence[StoredSession]]:
    # P7: nobody else can become the writer before this transaction has ended.
    if stored_epoch(connection) != epoch:
        raise WriterSuperseded(None)
    live_of: Counter[str] = Counter()
    outcomes: list[Sequence[StoredSession]] = []
    for change in changes:
        match change:
            case AddSession():
                outcomes.append(_add(connection, change, live_of))
            case ChangeSessions():
                outcomes.append(_change(connection, change, acknowledged=1))
            case AcknowledgeSessions(session_ids):
                connection.executemany(
                    "UPDATE sessions SET acknowledged = 1 WHERE id = ?",
                    [(session_id,) for session_id in session_ids],
                )
                outcomes.append(())
            case RemoveSessions():
                outcomes.append(_remove(connection, change))
    return outcomes


def _add(
    connection: sqlite3.Connection, added: AddSession, live_of: Counter[str]
) -> Sequence[StoredSession]:
    stored = added.stored
    if stored.user not in live_of:
        # Once for all that one commit adds.
        live_of[stored.user] = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE user = ? AND status = 'active'"
            " AND expires_ms > ? LIMIT ?)",
            (stored.user, added.now_ms, added.user_max),
        ).fetchone()[0]
    if live_of[stored.user] >= added.user_max:
        return ()
    stored_rows = _insert(connection, stored)
    live_of[stored.user] += stored_rows
    return (stored,) * stored_rows


def _insert(connection: sqlite3.Connection, stored: StoredSession) -> int:
    return connection.execute(
        f"INSERT INTO sessions ({_FACTS}) VALUES (:id, :user, :document, :permission, :status,"
        " :details, :created_ms, :updated_ms, :expires_ms, :credential_hash, :checksum)"
        " ON CONFLICT (id) DO NOTHING",
        _values(stored),
    ).rowcount


def _change(
    connection: sqlite3.Connection, changed: ChangeSessions, *, acknowledged: int
) -> Sequence[StoredSession]:
    before = _find_changed(connection, changed)
    changed_to = []
    for stored in before:
        after = changed.change(stored)
        changed_to.append(after)
        # Not touched where it stays: in a damaged one it may be nothing that can be stored.
        details = " details = :details," if after.details != stored.details else ""
        execute_mending(
            connection,
            "sessions",
            f"UPDATE sessions SET permission = :permission, status = :status,{details}"
            " updated_ms = :updated_ms, expires_ms = :expires_ms, checksum = :checksum,"
            " acknowledged = :acknowledged WHERE key = :key",
            {**_values(after), "acknowledged": acknowledged, "key": stored.key},
        )
    for added in changed.beside(changed_to):
        _insert(connection, added)
    return before


def _find_changed(
    connection: sqlite3.Connection, changed: ChangeSessions
) -> Sequence[StoredSession]:
    choice = changed.choice
    live = "status = 'active'" if changed.now_ms is None else _IS_LIVE
    facts = {**_facts_of(choice), "now_ms": changed.now_ms}
    found: Sequence[StoredSession] = ()
    if choice.key is not None or choice.session_id is not None:
        place = "id = :session_id" if choice.key is None else "key = :key"
        found = _select(connection, f"WHERE {place} AND {_IS_CHOSEN} AND {live}", facts)
    if changed.is_thorough and not found:
        # P4: by no index. With one entry damaged, a revocation would miss a session that can be
        # found another way all the same.
        found = _select(connection, f"NOT INDEXED WHERE {_IS_CHOSEN} AND {live}", facts)
    return found


def _remove(connection: sqlite3.Connection, removed: RemoveSessions) -> Sequence[StoredSession]:
    found: list[StoredSession] = []
    for which in ("status != 'revoked'", "status = 'revoked'"):
        # Twice by the index: to order by status would be to sort them all.
        where = f"WHERE expires_ms < :before AND {which} ORDER BY expires_ms LIMIT :limit"
        facts = {"before": removed.before_ms, "limit": removed.limit - len(found)}
        found += _select(connection, where, facts)
    for stored in found:
        execute_mending(connection, "sessions", "DELETE FROM sessions WHERE key = ?", (stored.key,))
    return found


def _first(
    connection: sqlite3.Connection, where: str, facts: dict[str, Any]
) -> StoredSession | None:
    return next(iter(_select(connection, f"{where} LIMIT 1", facts)), None)


def _select(
    connection: sqlite3.Connection, where: str, facts: dict[str, Any]
) -> list[StoredSession]:
    with any_text(connection):
        found = connection.execute(f"{_SELECT} {where}", facts)
        return [StoredSession(*row) for row in found]


def _facts_of(choice: Choice) -> dict[str, Any]:
    return {
        "session_id": choice.session_id,
        "user": choice.user,
        "document": choice.document,
        "key": choice.key,
    }


def _values(stored: StoredSession) -> dict[str, Any]:
    return {
        "id": stored.session_id,
        "user": stored.user,
        "document": stored.document,
        "permission": stored.permission,
        "status": stored.status,
        "details": stored.details,
        "created_ms": stored.created_ms,
        "updated_ms": stored.updated_ms,
        "expires_ms": stored.expires_ms,
        "credential_hash": stored.credential_hash,
        "checksum": stored.checksum,
    }
