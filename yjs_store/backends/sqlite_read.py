"""What is read from the SQLite tables; each function is given a connection and sees one moment."""

import contextlib
import hashlib
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from yjs_store.backends.sqlite_transaction import read_transaction
from yjs_store.errors import Damaged
from yjs_store.records import (
    Chunk,
    Extent,
    Head,
    JournalRow,
    SealedHead,
    SetAside,
    Snapshot,
    Statistics,
    StoredDocument,
)

HEAD_COLUMNS: Final = (
    "id, name, uid, last_seq, cut_seq, journal_bytes, snapshot_id, snapshot_bytes,"
    " created_ms, updated_ms, deleted_ms, oversized_count, checksum"
)
ROW_COLUMNS: Final = "seq, created_ms, byte_length, checksum, data"
SNAPSHOT_COLUMNS: Final = (
    "id, cut_seq, chunk_count, byte_length, stored_length, checksum, created_ms"
)
CHUNK_COLUMNS: Final = "chunk_index, codec, byte_length, checksum, data"


def load(connection: sqlite3.Connection, name: str) -> StoredDocument | None:
    """See Reader.load."""
    with read_transaction(connection):
        sealed = load_head(connection, name)
        return None if sealed is None else _load_rest(connection, sealed)


def load_by_id(connection: sqlite3.Connection, document_id: int) -> StoredDocument | None:
    """See Reader.load_by_id."""
    with read_transaction(connection):
        sealed = find_head_by_id(connection, document_id)
        return None if sealed is None else _load_rest(connection, sealed)


def _load_rest(connection: sqlite3.Connection, sealed: SealedHead) -> StoredDocument:
    head = sealed.head
    if head.deleted_ms is not None:
        return StoredDocument(sealed, None, (), ())
    snapshot: Snapshot | None = None
    chunks: tuple[Chunk, ...] = ()
    if head.snapshot_id is not None:
        snapshot = _load_snapshot(connection, head.snapshot_id, "state <> 'retired'")
        chunks = _load_chunks(connection, head.snapshot_id)
    # Rows beyond last_seq are asked for too: there must be none, and format says so (P4).
    rows = connection.execute(
        f"SELECT {ROW_COLUMNS} FROM journal WHERE document_id = ? AND seq > ? ORDER BY seq",
        (head.document_id, head.cut_seq),
    )
    return StoredDocument(sealed, snapshot, chunks, tuple(JournalRow(*row) for row in rows))


def load_head_alone(connection: sqlite3.Connection, name: str) -> SealedHead | None:
    """See Reader.load_head."""
    # One moment: a document created between two looks must not seem to be missing in an index.
    with read_transaction(connection):
        return load_head(connection, name)


def load_head(connection: sqlite3.Connection, name: str) -> SealedHead | None:
    """Read the head alone, inside a transaction."""
    found = find_head(connection, "name = ?", name)
    # P4: what the index of names does not find may be there all the same.
    if found is None and find_head(connection, "name_hash = ?", name_hash(name)) is not None:
        raise Damaged(name, "index of names", "an entry", "none")
    if found is not None and found.head.name != name:
        raise Damaged(name, "head", "its name", repr(found.head.name))
    return found


def find_head(
    connection: sqlite3.Connection, condition: str, value: str | int
) -> SealedHead | None:
    """Return the one head for which the condition, with its one parameter, holds."""
    found = connection.execute(
        f"SELECT {HEAD_COLUMNS} FROM documents WHERE {condition}", (value,)
    ).fetchone()
    return None if found is None else _head_from(found)


def find_head_by_id(connection: sqlite3.Connection, document_id: int) -> SealedHead | None:
    """Return the head of a document that is known by the key.

    Raises:
        Damaged: it has another key by the index of names. No checksum covers the key: with one
            wrong bit in it, the head of one document would speak for another (P4).
    """
    found = find_head(connection, "id = ?", document_id)
    if found is not None:
        by_name = connection.execute(
            "SELECT id FROM documents WHERE name = ?", (found.head.name,)
        ).fetchone()
        if by_name not in (None, (document_id,)):
            raise Damaged(found.head.name, "key", f"{by_name[0]}", f"{document_id}")
    return found


def name_hash(name: str) -> int:
    """Return 63 bits of hash: a second way to a document, by an index of its own."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1


def load_staged(
    connection: sqlite3.Connection, snapshot_id: int
) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
    """See Reader.load_staged."""
    with read_transaction(connection):
        snapshot = _load_snapshot(connection, snapshot_id, "state = 'staged'")
        if snapshot is None:
            return None
        return snapshot, _load_chunks(connection, snapshot_id)


def list_heads(
    connection: sqlite3.Connection, prefix: str, after: str | None, limit: int
) -> Sequence[SealedHead]:
    """See Reader.list_heads."""
    # SQLite compares UTF-8 bytes, which keeps the order of code points. The names with a prefix
    # stand together, so that the first one without it ends the search.
    found = connection.execute(
        f"SELECT {HEAD_COLUMNS} FROM documents WHERE name >= ? AND name > ? ORDER BY name LIMIT ?",
        (prefix, "" if after is None else after, limit),
    )
    heads = (_head_from(row) for row in found)
    return list(itertools.takewhile(lambda sealed: _has_prefix(sealed, prefix), heads))


def _has_prefix(sealed: SealedHead, prefix: str) -> bool:
    name: object = sealed.head.name
    if not isinstance(name, str):
        # P4: who lists must not take what stands behind it for not there.
        raise Damaged("*", f"document {sealed.head.document_id}", "a name", repr(name))
    return name.startswith(prefix)


def list_extents(connection: sqlite3.Connection, after_id: int, limit: int) -> Sequence[Extent]:
    """See Reader.list_extents."""
    # P4: a value that is damaged may be none at all.
    found = connection.execute(
        "SELECT id, coalesce(journal_bytes + snapshot_bytes, 0) FROM documents WHERE id > ?"
        " ORDER BY id LIMIT ?",
        (after_id, limit),
    )
    return [Extent(*row) for row in found]


def list_set_aside(connection: sqlite3.Connection) -> Sequence[SetAside]:
    """See Reader.list_set_aside."""
    with any_text(connection):
        found = connection.execute(
            "SELECT document_id, name, uid, reason, set_aside_ms FROM set_aside"
            " WHERE discarded = 0 ORDER BY document_id"
        )
        return [SetAside(*row) for row in found]


@contextlib.contextmanager
def any_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Read what damage has made no text any more, too, for it stands beside what is sound."""
    strict, connection.text_factory = connection.text_factory, _decode_any
    try:
        yield
    finally:
        connection.text_factory = strict


def _decode_any(data: bytes) -> str:
    return data.decode(errors="replace")


def statistics(connection: sqlite3.Connection, path: Path) -> Statistics:
    """See Reader.statistics."""
    documents, deleted, rows, journal_bytes, snapshot_bytes = connection.execute(
        "SELECT count(*), count(deleted_ms), coalesce(sum(last_seq - cut_seq), 0),"
        " coalesce(sum(journal_bytes), 0), coalesce(sum(snapshot_bytes), 0) FROM documents"
    ).fetchone()
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    free_pages = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return Statistics(
        documents=documents - deleted,
        deleted_documents=deleted,
        journal_rows=rows,
        journal_bytes=journal_bytes,
        snapshot_bytes=snapshot_bytes,
        file_bytes=_file_bytes(path),
        wal_bytes=_file_bytes(path.with_name(path.name + "-wal")),
        free_bytes=page_size * free_pages,
    )


def _load_snapshot(
    connection: sqlite3.Connection, snapshot_id: int, condition: str
) -> Snapshot | None:
    found = connection.execute(
        f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots WHERE id = ? AND {condition}",
        (snapshot_id,),
    ).fetchone()
    return None if found is None else Snapshot(*found)


def _load_chunks(connection: sqlite3.Connection, snapshot_id: int) -> tuple[Chunk, ...]:
    found = connection.execute(
        f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE snapshot_id = ? ORDER BY chunk_index",
        (snapshot_id,),
    )
    return tuple(Chunk(*row) for row in found)


def _head_from(row: tuple[Any, ...]) -> SealedHead:
    return SealedHead(Head(*row[:-1]), row[-1])


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
