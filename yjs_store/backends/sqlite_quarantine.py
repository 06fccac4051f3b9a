"""Refused updates in the SQLite tables."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

from yjs_store.backends.sqlite_epoch import stored_epoch
from yjs_store.backends.sqlite_mending import execute_mending
from yjs_store.backends.sqlite_read import any_text
from yjs_store.backends.sqlite_sessions import Run
from yjs_store.errors import WriterSuperseded
from yjs_store.quarantine_records import QuarantineBounds
from yjs_store.records import QuarantineEntry, StoredEntry

_FACTS: Final = "id, document, reason, sender, created_ms, seen_ms, seen_count, byte_length, hash"


class SqliteQuarantineReader:
    """The reading half; its contract is ``QuarantineReader``."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def list(self, document: str | None, after: int, limit: int) -> Sequence[StoredEntry]:
        """See QuarantineReader.list."""
        where = (
            "WHERE (:document IS NULL OR document = :document) AND id > :after"
            " ORDER BY id LIMIT :limit"
        )
        facts = {"document": document, "after": after, "limit": limit}
        return await self._read(lambda connection: _select(connection, "NULL", where, facts))

    async def get(self, entry_id: int) -> StoredEntry | None:
        """See QuarantineReader.get."""
        found = await self._read(
            lambda connection: _select(connection, "data", "WHERE id = :id", {"id": entry_id})
        )
        return next(iter(found), None)

    async def count(self, document: str | None) -> int:
        """See QuarantineReader.count."""
        where = "" if document is None else " WHERE document = :document"
        return await self._read(
            lambda connection: connection.execute(
                f"SELECT count(*) FROM quarantine{where}", {"document": document}
            ).fetchone()[0]
        )


class SqliteQuarantine(SqliteQuarantineReader):
    """What the writer does; its contract is ``QuarantineRecords``."""

    def __init__(self, read: Run, transact: Run, epoch: Callable[[], int]) -> None:
        super().__init__(read)
        self._transact = transact
        self._epoch = epoch

    async def put(
        self,
        entry: StoredEntry,
        merge: Callable[[StoredEntry], StoredEntry | None],
        bounds: QuarantineBounds,
    ) -> int:
        """See QuarantineRecords.put."""
        return await self._transact(
            lambda connection: _put(connection, self._epoch(), entry, merge, bounds)
        )

    async def remove(self, entry_id: int) -> bool:
        """See QuarantineRecords.remove."""
        return await self._transact(
            lambda connection: _remove(connection, self._epoch(), "id = ?", (entry_id,)) == 1
        )

    async def remove_before(self, seen_ms: int, limit: int) -> int:
        """See QuarantineRecords.remove_before."""
        # Without an index: there are never more than QUARANTINE_ENTRIES_MAX.
        which = "id IN (SELECT id FROM quarantine WHERE seen_ms < ? LIMIT ?)"
        return await self._transact(
            lambda connection: _remove(connection, self._epoch(), which, (seen_ms, limit))
        )


def _put(
    connection: sqlite3.Connection,
    epoch: int,
    stored: StoredEntry,
    merge: Callable[[StoredEntry], StoredEntry | None],
    bounds: QuarantineBounds,
) -> int:
    _check_writer(connection, epoch)
    entry = stored.entry
    where = "WHERE document = :document AND hash = :hash"
    facts = {"document": entry.document, "hash": entry.hash}
    for found in _select(connection, "NULL", where, facts):
        merged = merge(found)
        if merged is not None:
            _replace(connection, found.entry.entry_id, merged)
            return found.entry.entry_id
        _delete(connection, "id = ?", (found.entry.entry_id,))
    entry_id = connection.execute(
        "INSERT INTO quarantine (document, reason, sender, created_ms, seen_ms, seen_count,"
        " byte_length, hash, data, checksum) VALUES (:document, :reason, :sender, :created_ms,"
        " :seen_ms, :seen_count, :byte_length, :hash, :data, :checksum)",
        _values(stored),
    ).lastrowid
    assert entry_id is not None, "an INSERT of one row gives its id"
    _remove_above(connection, entry.document, entry_id, bounds)
    return entry_id


def _replace(connection: sqlite3.Connection, entry_id: int, stored: StoredEntry) -> None:
    connection.execute(
        "UPDATE quarantine SET reason = :reason, sender = :sender, seen_ms = :seen_ms,"
        " seen_count = :seen_count, checksum = :checksum WHERE id = :id",
        {**_values(stored), "id": entry_id},
    )


def _remove_above(
    connection: sqlite3.Connection, document: str, newest: int, bounds: QuarantineBounds
) -> None:
    """Remove the oldest entries that are above a bound, but never the newest."""
    _delete(
        connection,
        "document = ? AND id NOT IN (SELECT id FROM quarantine WHERE document = ?"
        " ORDER BY id DESC LIMIT ?)",
        (document, document, bounds.entries_per_document_max),
    )
    kept_bytes = 0
    sizes = connection.execute(
        "SELECT id, coalesce(length(data), 0) FROM quarantine ORDER BY id DESC"
    ).fetchall()
    for number, (entry_id, byte_length) in enumerate(sizes):
        kept_bytes += byte_length
        if entry_id != newest and (number >= bounds.entries_max or kept_bytes > bounds.bytes_max):
            _delete(connection, "id <= ?", (entry_id,))
            return


def _remove(connection: sqlite3.Connection, epoch: int, which: str, values: tuple[int, ...]) -> int:
    _check_writer(connection, epoch)
    return _delete(connection, which, values)


def _delete(connection: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> int:
    sql = f"DELETE FROM quarantine WHERE {which}"
    return execute_mending(connection, "quarantine", sql, values)


def _check_writer(connection: sqlite3.Connection, epoch: int) -> None:
    # P7: nobody else can become the writer before this transaction has ended.
    if stored_epoch(connection) != epoch:
        raise WriterSuperseded(None)


def _select(
    connection: sqlite3.Connection, data: str, where: str, facts: dict[str, Any]
) -> list[StoredEntry]:
    with any_text(connection):
        found = connection.execute(
            f"SELECT {_FACTS}, {data}, checksum FROM quarantine {where}", facts
        )
        return [StoredEntry(QuarantineEntry(*row[:-1]), row[-1]) for row in found]


def _values(stored: StoredEntry) -> dict[str, Any]:
    entry = stored.entry
    return {
        "document": entry.document,
        "reason": entry.reason,
        "sender": entry.sender,
        "created_ms": entry.created_ms,
        "seen_ms": entry.seen_ms,
        "seen_count": entry.seen_count,
        "byte_length": entry.byte_length,
        "hash": entry.hash,
        "data": entry.data,
        "checksum": stored.checksum,
    }
