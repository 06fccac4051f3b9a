"""Snapshots in the SQLite tables: staged, published or given up, inside one write transaction."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from yjs_store.backends import sqlite_write
from yjs_store.backends.sqlite_epoch import IS_WRITER
from yjs_store.backends.sqlite_notes import add_owned, unless_damaged
from yjs_store.errors import WriterSuperseded
from yjs_store.observing_records import StoredNote
from yjs_store.records import Chunk, Head, SealedHead, Snapshot


def stage_manifest(
    connection: sqlite3.Connection, epoch: int, head: Head, snapshot: Snapshot
) -> int:
    """Store the manifest of a staged snapshot; return its id."""
    cursor = connection.execute(
        "INSERT INTO snapshots (document_id, state, cut_seq, chunk_count, byte_length,"
        " stored_length, checksum, created_ms)"
        " SELECT :document_id, 'staged', :cut_seq, :chunk_count, :byte_length,"
        f" :stored_length, :checksum, :created_ms WHERE {IS_WRITER}",
        {
            "document_id": head.document_id,
            "cut_seq": snapshot.cut_seq,
            "chunk_count": snapshot.chunk_count,
            "byte_length": snapshot.byte_length,
            "stored_length": snapshot.stored_length,
            "checksum": snapshot.checksum,
            "created_ms": snapshot.created_ms,
            "epoch": epoch,
        },
    )
    if cursor.rowcount != 1:
        raise WriterSuperseded(None)
    assert cursor.lastrowid is not None, "an INSERT of one row gives its id"
    return cursor.lastrowid


def stage_chunk(connection: sqlite3.Connection, snapshot_id: int, chunk: Chunk) -> None:
    """Store one chunk of a snapshot that is still staged.

    Raises:
        WriterSuperseded: it is not staged any more.
    """
    stored = connection.execute(
        "INSERT INTO chunks (snapshot_id, chunk_index, codec, byte_length, checksum, data)"
        " SELECT ?, ?, ?, ?, ?, ? WHERE EXISTS"
        " (SELECT 1 FROM snapshots WHERE id = ? AND state = 'staged')",
        (
            snapshot_id,
            chunk.index,
            chunk.codec,
            chunk.byte_length,
            chunk.checksum,
            chunk.data,
            snapshot_id,
        ),
    ).rowcount
    if stored != 1:
        raise WriterSuperseded(None)


def create(
    connection: sqlite3.Connection, epoch: int, sealed: SealedHead, checkpoint: StoredNote | None
) -> int:
    """See Backend.create."""
    document_id = sqlite_write.create(connection, epoch, sealed)
    _keep_checkpoint(connection, epoch, document_id, checkpoint)
    return document_id


def publish(
    connection: sqlite3.Connection,
    epoch: int,
    before: Head,
    after: SealedHead,
    checkpoint: StoredNote | None = None,
) -> None:
    """See Backend.publish."""
    sqlite_write.swap_head(connection, epoch, before, after)
    # Only what is still staged: a checkpoint that was given up meanwhile has retired its
    # chunks, and they may be gone.
    published = connection.execute(
        "UPDATE snapshots SET state = 'published' WHERE id = ? AND state = 'staged'",
        (after.head.snapshot_id,),
    ).rowcount
    if published != 1:
        raise WriterSuperseded(before.name)
    connection.execute("UPDATE snapshots SET state = 'retired' WHERE id = ?", (before.snapshot_id,))
    _keep_checkpoint(connection, epoch, before.document_id, checkpoint)


def _keep_checkpoint(
    connection: sqlite3.Connection, epoch: int, document_id: int, note: StoredNote | None
) -> None:
    if note is not None:
        owned = replace(note, document_id=document_id)
        unless_damaged(connection, lambda: add_owned(connection, epoch, "checkpoints", [owned]))


def discard(connection: sqlite3.Connection, snapshot_ids: Iterable[int]) -> None:
    """Retire staged snapshots; see Backend.discard."""
    connection.executemany(
        "UPDATE snapshots SET state = 'retired' WHERE id = ? AND state = 'staged'",
        [(snapshot_id,) for snapshot_id in snapshot_ids],
    )
