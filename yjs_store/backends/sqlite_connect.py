"""Connections to an SQLite file, for writing and for looking only."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from yjs_store.limits import SQLITE_BUSY_TIMEOUT_S

# Which of them, depends on SQLite's version and on what else is there.
_MAY_NOT_MAKE_FILES: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)

Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode that any thread may use, one at a time."""
    return _connect(str(path), uri=False)


def connect_existing(path: Path) -> sqlite3.Connection:
    """As ``connect``, but make no file where there is none."""
    return _connect(f"file:{quote(str(path.absolute()))}?mode=rw", uri=True)


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return one that changes nothing, beside a process that writes or without one."""
    place = f"file:{quote(str(path.absolute()))}"
    connection = _connect(f"{place}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        # Without a WAL nobody has it open. SQLite would make one to read it, and may not where
        # only reading is allowed: on a backup's medium, say.
        is_closed = not path.with_name(path.name + "-wal").exists()
        if error.sqlite_errorcode & 0xFF not in _MAY_NOT_MAKE_FILES or not is_closed:
            raise
        connection = _connect(f"{place}?immutable=1", uri=True)
    return connection


def _connect(database: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        timeout=SQLITE_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        uri=uri,
    )
