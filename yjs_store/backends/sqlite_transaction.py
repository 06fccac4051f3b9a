"""Transactions on an SQLite connection in autocommit mode."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def write_transaction(
    connection: sqlite3.Connection, committed: Callable[[float], None] | None = None
) -> Iterator[None]:
    """Take the write lock, then commit; roll back on any error.

    ``committed`` is told how many seconds the COMMIT took that succeeded.
    """
    with _transaction(connection, "BEGIN IMMEDIATE", committed):
        yield


@contextlib.contextmanager
def read_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """See one moment in several reads; holds no lock against the writer."""
    with _transaction(connection, "BEGIN DEFERRED"):
        yield


@contextlib.contextmanager
def tolerant_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """As ``read_transaction``, for who goes on reading after a read that failed."""
    connection.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        # After an I/O error SQLite has rolled back by itself, and the rest was read as it is now.
        # Where a page is broken it may not commit even what has only read.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def _transaction(
    connection: sqlite3.Connection, begin: str, committed: Callable[[float], None] | None = None
) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        began_s = time.perf_counter()
        connection.execute("COMMIT")
        if committed is not None:
            committed(time.perf_counter() - began_s)
    except BaseException:
        # SQLite may have rolled back by itself (disk full, I/O error).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
