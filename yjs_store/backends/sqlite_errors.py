"""SQLite's errors as errors of the store, which say whether a retry is safe."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if opening:
            raise StoreUnusable(f"cannot open {path}: {error}") from error
        raise _translate(path, error) from error
    except OSError as error:
        # Of the disk around the database: how much room it has, say.
        reason = f"{path}: {error.strerror or error}"
        raise (StoreUnusable if opening else StoreFailing)(reason) from error
    except Damaged as error:
        if opening:
            raise StoreUnusable(f"cannot open {path}: {error}") from error
        raise


def _translate(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
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
    if isinstance(error, sqlite3.OperationalError) and code not in _NOT_AS_WRITTEN:
        return StoreFailing(f"{path}: {error}")
    # A table or column that is gone, a constraint, a value of another type, or text that is no
    # text: not what this program writes.
    return Damaged("*", str(path), "what this program writes", str(error))


# The statements are always the same, so that what SQLite cannot compile is the file's fault.
# What Python finds wrong with a value that SQLite gave it has no code.
_NOT_AS_WRITTEN: Final = (0, sqlite3.SQLITE_ERROR)
