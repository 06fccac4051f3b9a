"""Reads whatever can still be read of a document in a damaged SQLite file."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from yjs_store.backends.sqlite_read import (
    CHUNK_COLUMNS,
    ROW_COLUMNS,
    SNAPSHOT_COLUMNS,
    any_text,
    find_head,
    name_hash,
)
from yjs_store.backends.sqlite_transaction import tolerant_transaction
from yjs_store.records import Chunk, JournalRow, Remains, SealedHead, Snapshot, SnapshotRemains

_Part = TypeVar("_Part")

# Keys that are tried one by one where a table cannot be read in one go.
_TRIES_MAX: Final = 1_000_000


def load_remains(connection: sqlite3.Connection, name: str) -> Remains | None:
    """See Reader.load_remains."""
    # One moment: rows that are folded and trimmed meanwhile must not seem to be lost.
    with tolerant_transaction(connection), any_text(connection):
        return _load_remains(connection, name)


def _load_remains(connection: sqlite3.Connection, name: str) -> Remains | None:
    sealed = _find_head(connection, name)
    if sealed is None:
        return None
    head = sealed.head
    reader = _TolerantReader(connection)
    rows = reader.read(
        "journal row",
        f"SELECT {ROW_COLUMNS} FROM journal WHERE document_id = ?",
        "seq",
        head.document_id,
        range(1, _bounded(head.last_seq) + 1),
        JournalRow,
    )
    snapshots = tuple(
        SnapshotRemains(
            snapshot_id,
            manifest,
            tuple(
                reader.read(
                    f"snapshot {snapshot_id} chunk",
                    f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE snapshot_id = ?",
                    "chunk_index",
                    snapshot_id,
                    range(_bounded(manifest.chunk_count) if manifest else 0),
                    Chunk,
                )
            ),
        )
        for snapshot_id, manifest in _find_snapshots(reader, head.document_id, head.snapshot_id)
    )
    return Remains(sealed, snapshots, tuple(rows), tuple(reader.unreadable))


def _find_head(connection: sqlite3.Connection, name: str) -> SealedHead | None:
    """Look by the index of names, by the other, and in the whole table without either."""
    failure: sqlite3.DatabaseError | None = None
    for condition, value in (
        ("name = ?", name),
        ("name_hash = ?", name_hash(name)),
        ("+name = ?", name),
    ):
        try:
            found = find_head(connection, condition, value)
        except sqlite3.DatabaseError as error:
            failure = error
        else:
            if found is not None:
                return found
    if failure is not None:
        raise failure
    return None


def _find_snapshots(
    reader: "_TolerantReader", document_id: int, named_id: int | None
) -> list[tuple[int, Snapshot | None]]:
    """Return the manifests of a document, retired ones too; None for one that is gone."""
    manifests = {
        manifest.snapshot_id: manifest
        for manifest in reader.read(
            "snapshot",
            f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots WHERE document_id = ?",
            "id",
            document_id,
            () if named_id is None else (named_id,),
            Snapshot,
        )
    }
    found: list[tuple[int, Snapshot | None]] = list(manifests.items())
    if named_id is not None and named_id not in manifests:
        found.append((named_id, None))
    return found


def _bounded(number: Any) -> int:
    """Return a number from a head that nobody believes, made small enough to count to."""
    return min(number, _TRIES_MAX) if isinstance(number, int) else 0


class _TolerantReader:
    """Reads in one go; where that fails, key by key, and notes which it could not read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.unreadable: list[str] = []
        self._connection = connection

    def read(
        self,
        what: str,
        select: str,
        key: str,
        owner: int,
        keys: Iterable[int],
        make: Callable[..., _Part],
    ) -> list[_Part]:
        try:
            found = self._connection.execute(f"{select} ORDER BY {key}", (owner,))
            return [make(*row) for row in found]
        except sqlite3.DatabaseError:
            # What stands in an inner page is reached past either of its neighbours below it.
            selects = [
                f"{select} AND {key} BETWEEN ? AND ? ORDER BY {key} {direction} LIMIT 1"
                for direction in ("ASC", "DESC")
            ]
            return self._read_each(what, selects, owner, keys, make)

    def _read_each(
        self,
        what: str,
        selects: Sequence[str],
        owner: int,
        keys: Iterable[int],
        make: Callable[..., _Part],
    ) -> list[_Part]:
        parts: list[_Part] = []
        for key in keys:
            try:
                found = self._read_one(selects, (owner, key, key))
            except sqlite3.DatabaseError as error:
                self.unreadable.append(f"{what} {key}: {error}")
            else:
                if found is not None:
                    parts.append(make(*found))
        return parts

    def _read_one(self, selects: Sequence[str], values: tuple[int, ...]) -> Any:
        """Return what the first select that does not fail gives."""
        for select in selects[:-1]:
            with contextlib.suppress(sqlite3.DatabaseError):
                return self._connection.execute(select, values).fetchone()
        return self._connection.execute(selects[-1], values).fetchone()
