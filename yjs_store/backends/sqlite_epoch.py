"""Who may write: the process whose epoch stands in the file.

Every statement that matters says so itself (P7): a process that lost the file's lock while it
slept can do no harm.
"""

import sqlite3
from typing import Final

from yjs_store.errors import Damaged, WriterSuperseded

IS_WRITER: Final = "(SELECT epoch FROM store) = :epoch"


def become_writer(connection: sqlite3.Connection) -> int:
    """Take the next epoch; retire what a crash left staged. Returns the epoch."""
    connection.execute("UPDATE store SET epoch = epoch + 1")
    connection.execute("UPDATE snapshots SET state = 'retired' WHERE state = 'staged'")
    return stored_epoch(connection)


def stored_epoch(connection: sqlite3.Connection) -> int:
    """Return the epoch that stands in the file.

    Raises:
        Damaged: none does.
    """
    found = connection.execute("SELECT epoch FROM store").fetchone()
    if found is None or not isinstance(found[0], int):
        raise Damaged("*", "the store's own record", "an epoch", repr(found))
    return found[0]


def check_writer(connection: sqlite3.Connection, epoch: int) -> None:
    """Return for the writer. Inside a write transaction nobody else can become it meanwhile (P7).

    Raises:
        WriterSuperseded: another process has opened the store for writing since.
    """
    if stored_epoch(connection) != epoch:
        raise WriterSuperseded(None)


def superseded(connection: sqlite3.Connection, epoch: int, name: str | None) -> WriterSuperseded:
    """Return the error that says whether the document has another writer or the whole store."""
    return WriterSuperseded(name if stored_epoch(connection) == epoch else None)
