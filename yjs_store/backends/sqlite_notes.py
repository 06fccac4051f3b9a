"""What is kept for operators in the SQLite tables; each function runs inside one transaction.

No document needs it: damage to these tables stops no checkpoint, no salvage and no trimming.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from yjs_store.backends.sqlite_epoch import check_writer
from yjs_store.backends.sqlite_mending import execute_mending
from yjs_store.limits import (
    ACTS_KEPT_MAX,
    CHECKPOINTS_KEPT_MAX,
    CHECKPOINTS_KEPT_PER_DOCUMENT,
    KEPT_REMOVED_STEP,
    TRACES_KEPT_MAX,
    TRACES_KEPT_PER_DOCUMENT,
)
from yjs_store.observing_records import StoredNote

log = structlog.get_logger("yjs_store.sqlite")

OWNED: Final = ("checkpoints", "traces", "switches")
"""Tables whose rows go with their document; the column is document_id."""

# Of one document, and of all together.
_BOUNDS: Final = {
    "checkpoints": (CHECKPOINTS_KEPT_PER_DOCUMENT, CHECKPOINTS_KEPT_MAX),
    "traces": (TRACES_KEPT_PER_DOCUMENT, TRACES_KEPT_MAX),
}
# A disk that fails is no damage: it fails the whole transaction, which is tried again.
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)


# ---- reading ------------------------------------------------------------------------------------


def list_checkpoints(
    connection: sqlite3.Connection, document_id: int, limit: int
) -> list[StoredNote]:
    """See ObservingReader.list_checkpoints."""
    return _list_owned(connection, "checkpoints", document_id, limit)


def list_traces(connection: sqlite3.Connection, document_id: int, limit: int) -> list[StoredNote]:
    """See ObservingReader.list_traces."""
    return _list_owned(connection, "traces", document_id, limit)


def _list_owned(
    connection: sqlite3.Connection, table: str, document_id: int, limit: int
) -> list[StoredNote]:
    found = connection.execute(
        f"SELECT data, checksum, document_id, number FROM {table} WHERE document_id = ?"
        " ORDER BY number DESC LIMIT ?",
        (document_id, limit),
    )
    return [StoredNote(*row) for row in found]


def list_acts(
    connection: sqlite3.Connection, document: str | None, before: int | None, limit: int
) -> list[StoredNote]:
    """See ObservingReader.list_acts."""
    which = "" if document is None else "document = :document AND"
    found = connection.execute(
        f"SELECT data, checksum, 0, number FROM audit WHERE {which} number < :before"
        " ORDER BY number DESC LIMIT :limit",
        {"document": document, "before": 2**63 - 1 if before is None else before, "limit": limit},
    )
    return [StoredNote(*row) for row in found]


def find_switch(connection: sqlite3.Connection, document_id: int) -> StoredNote | None:
    """See ObservingReader.find_switch."""
    found = connection.execute(
        "SELECT data, checksum, document_id FROM switches WHERE document_id = ?", (document_id,)
    ).fetchone()
    return None if found is None else StoredNote(*found)


def list_switches(connection: sqlite3.Connection, after_id: int, limit: int) -> list[StoredNote]:
    """See ObservingReader.list_switches."""
    found = connection.execute(
        "SELECT data, checksum, document_id FROM switches WHERE document_id > ?"
        " ORDER BY document_id LIMIT ?",
        (after_id, limit),
    )
    return [StoredNote(*row) for row in found]


# ---- writing ------------------------------------------------------------------------------------


def add_owned(
    connection: sqlite3.Connection, epoch: int, table: str, notes: Sequence[StoredNote]
) -> None:
    """Store notes of documents that are stored; remove what is above the bounds, in a step."""
    check_writer(connection, epoch)
    # P9: nothing of a document that was forgotten meanwhile.
    connection.executemany(
        f"INSERT INTO {table} (document_id, data, checksum) SELECT id, ?, ? FROM documents"
        " WHERE id = ?",
        [(note.data, note.checksum, note.document_id) for note in notes],
    )
    of_one_max, of_all_max = _BOUNDS[table]
    for document_id in {note.document_id for note in notes}:
        _remove_oldest(
            connection,
            table,
            "SELECT number FROM (SELECT number FROM {table} WHERE document_id = :document_id"
            " ORDER BY number DESC LIMIT -1 OFFSET :kept) ORDER BY number LIMIT :step",
            {"document_id": document_id, "kept": of_one_max, "step": _step(notes)},
        )
    _remove_beyond(connection, table, of_all_max, _step(notes))


def _step(notes: Sequence[StoredNote]) -> int:
    # More than came, so that what is above the bounds gets less.
    return KEPT_REMOVED_STEP + len(notes)


def add_act(
    connection: sqlite3.Connection, epoch: int, document: str | None, note: StoredNote
) -> int:
    """See ObservingRecords.add_act."""
    check_writer(connection, epoch)
    return add_act_beside_writer(connection, document, note)


def add_act_beside_writer(
    connection: sqlite3.Connection, document: str | None, note: StoredNote
) -> int:
    """Store an act, whoever the writer is; inside a write transaction."""
    number = connection.execute(
        "INSERT INTO audit (document, data, checksum) VALUES (?, ?, ?)",
        (document, note.data, note.checksum),
    ).lastrowid
    assert number is not None, "an INSERT of one row gives its id"
    _remove_beyond(connection, "audit", ACTS_KEPT_MAX, KEPT_REMOVED_STEP)
    return number


def set_switch(connection: sqlite3.Connection, epoch: int, note: StoredNote) -> bool:
    """See ObservingRecords.set_switch."""
    check_writer(connection, epoch)
    stored = execute_mending(
        connection,
        "switches",
        "INSERT INTO switches (document_id, data, checksum) SELECT :id, :data, :checksum"
        " WHERE :id = 0 OR EXISTS (SELECT 1 FROM documents WHERE id = :id)"
        " ON CONFLICT (document_id)"
        " DO UPDATE SET data = excluded.data, checksum = excluded.checksum",
        {"id": note.document_id, "data": note.data, "checksum": note.checksum},
    )
    return stored == 1


def lift_switch(connection: sqlite3.Connection, epoch: int, document_id: int) -> bool:
    """See ObservingRecords.lift_switch."""
    check_writer(connection, epoch)
    return remove_switch(connection, document_id)


def remove_switch(connection: sqlite3.Connection, document_id: int) -> bool:
    """Remove the switch of a document, in a transaction that is known to be the writer's."""
    sql = "DELETE FROM switches WHERE document_id = ?"
    return execute_mending(connection, "switches", sql, (document_id,)) == 1


def _remove_beyond(connection: sqlite3.Connection, table: str, kept: int, step: int) -> None:
    """Keep the last ``kept`` numbers: that many rows or fewer, and nothing is counted for it."""
    _remove_oldest(
        connection,
        table,
        "SELECT number FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - :kept"
        " ORDER BY number LIMIT :step",
        {"kept": kept, "step": step},
    )


def _remove_oldest(
    connection: sqlite3.Connection, table: str, which: str, facts: dict[str, Any]
) -> None:
    sql = f"DELETE FROM {table} WHERE number IN ({which.format(table=table)})"
    execute_mending(connection, table, sql, facts)


# ---- with a document ----------------------------------------------------------------------------


def remove_owned(connection: sqlite3.Connection, document_id: int) -> None:
    """Remove everything that belongs to a document (P9)."""
    for table in OWNED:
        sql = f"DELETE FROM {table} WHERE document_id = ?"
        execute_mending(connection, table, sql, (document_id,))


def move_owned(connection: sqlite3.Connection, document_id: int, successor_id: int) -> None:
    """Let everything that belongs to a document belong to the one in its place."""
    for table in OWNED:
        sql = f"UPDATE {table} SET document_id = ? WHERE document_id = ?"
        execute_mending(connection, table, sql, (successor_id, document_id))


def unless_damaged(connection: sqlite3.Connection, work: Callable[[], object]) -> None:
    """Do ``work`` on these tables; where they are damaged, leave everything else of the
    transaction as it is, and say so.
    """
    connection.execute("SAVEPOINT notes")
    try:
        work()
    except sqlite3.DatabaseError as error:
        # Of a full disk SQLite may have rolled back everything: that is no success.
        if not connection.in_transaction or not is_damage(error):
            raise
        connection.execute("ROLLBACK TO notes")
        log.error("what is kept for operators is damaged", error=str(error))  # noqa: TRY400
    connection.execute("RELEASE notes")


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether the file is not as it was written, rather than the disk refusing."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGE
