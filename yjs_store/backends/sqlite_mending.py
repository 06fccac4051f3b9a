"""Changes rows of an SQLite table whose indexes may be damaged (P4)."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any


def execute_mending(
    connection: sqlite3.Connection, table: str, sql: str, values: Sequence[Any] | Mapping[str, Any]
) -> int:
    """Run a statement that changes rows of ``table``; return how many.

    When an index does not know one of them, all are made anew from the table, which has
    everything that is in them.
    """
    try:
        return connection.execute(sql, values).rowcount
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        connection.execute(f"REINDEX {table}")
        return connection.execute(sql, values).rowcount
