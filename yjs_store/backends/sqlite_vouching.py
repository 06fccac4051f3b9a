"""Which documents nobody has tried yet, in the SQLite tables."""

import sqlite3

from yjs_store.backends.sqlite_epoch import IS_WRITER, stored_epoch
from yjs_store.errors import WriterSuperseded


def is_unvouched(connection: sqlite3.Connection, document_id: int) -> bool:
    """See Reader.is_unvouched."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM unvouched WHERE document_id = ?)", (document_id,)
    ).fetchone()[0]
    return bool(found)


def distrust(connection: sqlite3.Connection, epoch: int, document_id: int) -> None:
    """See Backend.distrust."""
    connection.execute(
        f"INSERT OR IGNORE INTO unvouched SELECT :id WHERE {IS_WRITER}",
        {"id": document_id, "epoch": epoch},
    )
    _check_writer(connection, epoch)


def vouch(connection: sqlite3.Connection, epoch: int, document_id: int) -> None:
    """See Backend.vouch."""
    _check_writer(connection, epoch)
    connection.execute("DELETE FROM unvouched WHERE document_id = ?", (document_id,))


def _check_writer(connection: sqlite3.Connection, epoch: int) -> None:
    if stored_epoch(connection) != epoch:
        raise WriterSuperseded(None)
