"""SQLite's errors as errors of the store, which say whether a retry is safe."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from yjs_store.errors import (
    Damaged,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFailing,
    StoreFull,
    StoreUnusable,
)


@contextlib.contextmanager
def translated(path: Path, *, opening: bool = False) -> Iterator[None]:
    """Raise what SQLite raises inside as an error of the store.

    With ``opening`` everything a person has to mend first becomes StoreUnusable.
    """
    try:
        yield
    except sqlite3.Error as error:
        translation = _translate(path, error)
        if opening and not isinstance(translation, StoreUnusable):
            translation = StoreUnusable(f"cannot open {path}: {error}")
        raise translation from error


def _translate(path: Path, error: sqlite3.Error) -> StoreError:
    # The primary code is in the low byte; the rest says more of the same kind.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path} is locked by another process")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"no room left on the disk of {path}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Damaged("*", str(path), "a sound SQLite file", str(error))
    if isinstance(error, sqlite3.ProgrammingError):
        return StoreClosed(str(error))
    if isinstance(error, sqlite3.OperationalError):
        return StoreFailing(f"{path}: {error}")
    # A constraint, or a value of another type: not what this program writes.
    return Damaged("*", str(path), "what this program writes", str(error))
