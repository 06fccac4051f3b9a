"""An apsw connection with the face of one of sqlite3: as much of it as the store uses.

The store's backend and sqlite-utils' migrations run on it unchanged, in autocommit mode.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import apsw

from yjs_store.limits import SQLITE_BUSY_TIMEOUT_S

from .vfs import RecordingVfs

Parameters = Sequence[Any] | Mapping[str, Any]

_CLASSES: dict[int, type[sqlite3.Error]] = {
    apsw.SQLITE_CORRUPT: sqlite3.DatabaseError,
    apsw.SQLITE_NOTADB: sqlite3.DatabaseError,
    apsw.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    apsw.SQLITE_MISMATCH: sqlite3.IntegrityError,
    apsw.SQLITE_MISUSE: sqlite3.InterfaceError,
    apsw.SQLITE_TOOBIG: sqlite3.DataError,
}

_TEXTS = {
    apsw.SQLITE_BUSY: "database is locked",
    apsw.SQLITE_CANTOPEN: "unable to open database file",
    apsw.SQLITE_FULL: "database or disk is full",
    apsw.SQLITE_IOERR: "disk I/O error",
    apsw.SQLITE_READONLY: "attempt to write a readonly database",
}
"""What SQLite says; an error that a VFS raised comes back as it is, without words."""


def connect_through(
    vfs: RecordingVfs, wal_autocheckpoint: int = 1000, cache_pages: int = 500
) -> Callable[[Path], sqlite3.Connection]:
    """What SqliteBackend takes as ``connect``: connections whose files lie on this VFS."""

    def checkpoint(inner: apsw.Connection, _: str, pages: int) -> int:
        # As SQLite's own hook does it, whose failures nobody hears of. It is not used itself:
        # apsw would raise them from a COMMIT that has succeeded.
        if pages >= wal_autocheckpoint:
            with contextlib.suppress(apsw.Error):
                inner.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return apsw.SQLITE_OK

    def connect(path: Path) -> sqlite3.Connection:
        with _translated():
            inner = apsw.Connection(str(path.resolve()), vfs=vfs.vfs_name)
            inner.set_busy_timeout(int(SQLITE_BUSY_TIMEOUT_S * 1000))
            inner.set_wal_hook(checkpoint)
            inner.execute(f"PRAGMA cache_size = {cache_pages}")
        return cast("sqlite3.Connection", Connection(inner))

    return connect


class Connection:
    """See sqlite3.Connection."""

    isolation_level = None

    def __init__(self, inner: apsw.Connection) -> None:
        self._inner = inner
        # Taken and kept: text is what was written here.
        self.text_factory: object = str

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def execute(self, sql: str, parameters: Parameters = ()) -> "Cursor":
        return Cursor(self._inner, sql, [parameters])

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> "Cursor":
        return Cursor(self._inner, sql, parameters)

    def set_trace_callback(self, callback: Callable[[str], object] | None) -> None:
        def trace(_: apsw.Cursor, sql: str, __: object) -> bool:
            assert callback is not None
            callback(sql)
            return True

        self._inner.exec_trace = None if callback is None else trace

    def close(self) -> None:
        with _translated():
            self._inner.close()


class Cursor:
    """See sqlite3.Cursor. All rows are read at once: nothing stays open."""

    def __init__(self, inner: apsw.Connection, sql: str, parameters: Iterable[Parameters]) -> None:
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self._trace = inner.exec_trace
        changes = inner.total_changes()
        cursor = inner.cursor()
        cursor.exec_trace = self._note
        rows: list[tuple[Any, ...]] = []
        with _translated():
            for binding in parameters:
                rows.extend(cursor.execute(sql, binding))
        self.rowcount = inner.total_changes() - changes
        self.lastrowid = inner.last_insert_rowid()
        self._rows = iter(rows)

    def _note(self, cursor: apsw.Cursor, sql: str, binding: Any) -> bool:
        """Keep the names of the columns, which apsw forgets after the last row."""
        columns = cursor.get_description()
        self.description = tuple((name, *[None] * 6) for name, _ in columns) or None
        return self._trace is None or self._trace(cursor, sql, binding)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)


class _translated:  # noqa: N801  (used as a function)
    """Raise an error of apsw inside as the one that sqlite3 raises for the same code."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, apsw.Error):
            return
        if isinstance(error, apsw.ConnectionClosedError | apsw.CursorClosedError):
            raise sqlite3.ProgrammingError(str(error)) from error
        code = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
        text = str(error) or _TEXTS.get(code & 0xFF, "unknown error")
        translation = _CLASSES.get(code & 0xFF, sqlite3.OperationalError)(text)
        translation.sqlite_errorcode = code
        translation.sqlite_errorname = type(error).__name__
        raise translation from error
