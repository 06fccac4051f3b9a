"""Room in an SQLite file and on its disk: what is taken, and giving it back."""

import shutil
import sqlite3
from pathlib import Path

from yjs_store.backends.sqlite_epoch import check_writer
from yjs_store.facts import SpaceChange, StoreSpace


def read_space(connection: sqlite3.Connection, path: Path) -> StoreSpace:
    """See ObservingReader.space."""
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    free_pages = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return StoreSpace(
        file_bytes=_file_bytes(path),
        wal_bytes=_file_bytes(path.with_name(path.name + "-wal")),
        free_bytes=page_size * free_pages,
        disk_free_bytes=shutil.disk_usage(path.parent).free,
    )


def truncate_wal(connection: sqlite3.Connection, epoch: int, path: Path) -> SpaceChange:
    """See Backend.truncate_wal; outside a transaction."""
    check_writer(connection, epoch)
    before = read_space(connection, path)
    incomplete = _truncate(connection)
    return SpaceChange(before, read_space(connection, path), incomplete)


def vacuum(connection: sqlite3.Connection, epoch: int, path: Path) -> SpaceChange:
    """See Backend.vacuum; outside a transaction."""
    check_writer(connection, epoch)
    before = read_space(connection, path)
    connection.execute("VACUUM")
    # The new file is in the WAL now, all of it; the old one is as long as it was.
    incomplete = _truncate(connection)
    return SpaceChange(before, read_space(connection, path), incomplete)


def _truncate(connection: sqlite3.Connection) -> str | None:
    is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return "somebody reads on in the WAL" if is_busy else None


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
