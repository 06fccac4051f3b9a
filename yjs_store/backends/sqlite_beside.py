"""A connection that writes to an SQLite store beside the process that has it open."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from yjs_store.backends.sqlite_connect import connect_existing
from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_schema import check_version
from yjs_store.backends.sqlite_transaction import write_transaction
from yjs_store.errors import StoreUnusable


@contextlib.contextmanager
def writing_beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection for one transaction, which is durable at the end of the block.

    It takes neither the store's lock nor an epoch: it is for what is so whoever the writer is
    (P7 is about documents).

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
        StoreUnavailable: nothing was written.
    """
    with translated(path, opening=True):
        connection = _open(path)
    try:
        with translated(path), write_transaction(connection):
            yield connection
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreUnusable(f"there is no store at {path}")
    connection = connect_existing(path)
    try:
        check_version(connection, path)
        # As the writer's: what is written stays so after a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
    except BaseException:
        # Whatever stopped it: nobody else knows of the connection yet.
        connection.close()
        raise
    return connection
