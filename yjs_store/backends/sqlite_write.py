"""What is written to the SQLite tables; each function runs inside one write transaction.

The writer is the one whose epoch stands in the file, and every statement that matters says so
itself (P7): a process that lost the file's lock while it slept can do no harm.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from yjs_store.backends.sqlite_read import load_head, load_head_by_id, name_hash
from yjs_store.errors import Damaged, WriterSuperseded
from yjs_store.limits import TRIM_CHUNKS_STEP, TRIM_ROWS_STEP
from yjs_store.records import Append, Chunk, Head, SealedHead, Snapshot

_IS_WRITER: Final = "(SELECT epoch FROM store) = :epoch"


def become_writer(connection: sqlite3.Connection) -> int:
    """Take the next epoch; retire what a crash left staged. Returns the epoch."""
    connection.execute("UPDATE store SET epoch = epoch + 1")
    connection.execute("UPDATE snapshots SET state = 'retired' WHERE state = 'staged'")
    return _stored_epoch(connection)


def append(connection: sqlite3.Connection, epoch: int, appends: Sequence[Append]) -> list[int]:
    """See Backend.append."""
    ids = [item.before.document_id or create(connection, epoch, item.after) for item in appends]
    known = [item for item in appends if item.before.document_id]
    _move_heads(connection, epoch, known)
    _insert_rows(
        connection,
        appends,
        [
            (
                document_id,
                item.row.seq,
                item.row.created_ms,
                item.row.byte_length,
                item.row.checksum,
                item.row.data,
            )
            for document_id, item in zip(ids, appends, strict=True)
        ],
    )
    return ids


def _insert_rows(
    connection: sqlite3.Connection, appends: Sequence[Append], rows: Sequence[tuple[object, ...]]
) -> None:
    try:
        connection.executemany(
            "INSERT INTO journal (document_id, seq, created_ms, byte_length, checksum, data)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
    except sqlite3.IntegrityError as error:
        # A row stands where the head says that there is none yet: find out whose, so that the
        # other documents of this commit do not suffer.
        for item, (document_id, seq, *_) in zip(appends, rows, strict=True):
            found = connection.execute(
                "SELECT count(*) FROM journal WHERE document_id = ? AND seq = ? AND checksum <> ?",
                (document_id, seq, item.row.checksum),
            ).fetchone()[0]
            if found:
                name = item.after.head.name
                raise Damaged(name, f"journal row {seq}", "none", "one no head knows") from error
        raise


def create(connection: sqlite3.Connection, epoch: int, sealed: SealedHead) -> int:
    """See Backend.create."""
    head = sealed.head
    cursor = connection.execute(
        "INSERT INTO documents (name, name_hash, uid, last_seq, cut_seq, journal_bytes,"
        " snapshot_id, snapshot_bytes, created_ms, updated_ms, deleted_ms, oversized_count,"
        " checksum)"
        " SELECT :name, :name_hash, :uid, :last_seq, 0, :journal_bytes, NULL, 0, :created_ms,"
        f" :updated_ms, NULL, 0, :checksum WHERE {_IS_WRITER} ON CONFLICT (name) DO NOTHING",
        {
            "name": head.name,
            "name_hash": name_hash(head.name),
            "uid": head.uid,
            "last_seq": head.last_seq,
            "journal_bytes": head.journal_bytes,
            "created_ms": head.created_ms,
            "updated_ms": head.updated_ms,
            "checksum": sealed.checksum,
            "epoch": epoch,
        },
    )
    if cursor.rowcount != 1:
        is_writer = _stored_epoch(connection) == epoch
        raise WriterSuperseded(head.name if is_writer else None)
    assert cursor.lastrowid is not None, "an INSERT of one row gives its id"
    return cursor.lastrowid


def _move_heads(connection: sqlite3.Connection, epoch: int, appends: Sequence[Append]) -> None:
    if not appends:
        return
    moved = connection.executemany(
        "UPDATE documents SET last_seq = ?, journal_bytes = ?, updated_ms = ?, checksum = ?"
        " WHERE id = ? AND uid = ? AND last_seq = ? AND cut_seq = ? AND deleted_ms IS NULL"
        " AND (SELECT epoch FROM store) = ?",
        [
            (
                item.after.head.last_seq,
                item.after.head.journal_bytes,
                item.after.head.updated_ms,
                item.after.checksum,
                item.before.document_id,
                item.before.uid,
                item.before.last_seq,
                item.before.cut_seq,
                epoch,
            )
            for item in appends
        ],
    ).rowcount
    if moved != len(appends):
        raise _superseded(connection, epoch, appends)


def _superseded(
    connection: sqlite3.Connection, epoch: int, appends: Sequence[Append]
) -> WriterSuperseded:
    """Find out, before the rollback, whose writer was superseded."""
    if _stored_epoch(connection) == epoch:
        for item in appends:
            stored = load_head(connection, item.after.head.name)
            # The heads that did move carry their new checksum already.
            if stored is None or stored.checksum != item.after.checksum:
                return WriterSuperseded(item.after.head.name)
    return WriterSuperseded(None)


def stage_manifest(
    connection: sqlite3.Connection, epoch: int, head: Head, snapshot: Snapshot
) -> int:
    """Store the manifest of a staged snapshot; return its id."""
    cursor = connection.execute(
        "INSERT INTO snapshots (document_id, state, cut_seq, chunk_count, byte_length,"
        " stored_length, checksum, created_ms)"
        " SELECT :document_id, 'staged', :cut_seq, :chunk_count, :byte_length,"
        f" :stored_length, :checksum, :created_ms WHERE {_IS_WRITER}",
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


def publish(connection: sqlite3.Connection, epoch: int, before: Head, after: SealedHead) -> None:
    """See Backend.publish."""
    _swap_head(connection, epoch, before, after)
    # Only what is still staged: a checkpoint that was given up meanwhile has retired its
    # chunks, and they may be gone.
    published = connection.execute(
        "UPDATE snapshots SET state = 'published' WHERE id = ? AND state = 'staged'",
        (after.head.snapshot_id,),
    ).rowcount
    if published != 1:
        raise WriterSuperseded(before.name)
    connection.execute("UPDATE snapshots SET state = 'retired' WHERE id = ?", (before.snapshot_id,))


def discard(connection: sqlite3.Connection, snapshot_ids: Iterable[int]) -> None:
    """Retire staged snapshots; see Backend.discard."""
    connection.executemany(
        "UPDATE snapshots SET state = 'retired' WHERE id = ? AND state = 'staged'",
        [(snapshot_id,) for snapshot_id in snapshot_ids],
    )


def delete(connection: sqlite3.Connection, epoch: int, before: Head, after: SealedHead) -> None:
    """See Backend.delete."""
    _swap_head(connection, epoch, before, after)
    connection.execute(
        "UPDATE snapshots SET state = 'retired' WHERE document_id = ?", (before.document_id,)
    )


def _swap_head(connection: sqlite3.Connection, epoch: int, before: Head, after: SealedHead) -> None:
    """Replace a head by compare-and-swap and note that its old rows can go."""
    head = after.head
    swapped = connection.execute(
        "UPDATE documents SET last_seq = :last_seq, cut_seq = :cut_seq,"
        " journal_bytes = :journal_bytes, oversized_count = :oversized_count,"
        " snapshot_id = :snapshot_id, snapshot_bytes = :snapshot_bytes,"
        " updated_ms = :updated_ms, deleted_ms = :deleted_ms, checksum = :checksum"
        " WHERE id = :id AND uid = :uid AND last_seq = :last_seq_before"
        f" AND snapshot_id IS :snapshot_before AND deleted_ms IS NULL AND {_IS_WRITER}",
        {
            "cut_seq": head.cut_seq,
            "journal_bytes": head.journal_bytes,
            "snapshot_id": head.snapshot_id,
            "snapshot_bytes": head.snapshot_bytes,
            "updated_ms": head.updated_ms,
            "deleted_ms": head.deleted_ms,
            "checksum": after.checksum,
            "id": before.document_id,
            "uid": before.uid,
            "last_seq": head.last_seq,
            "oversized_count": head.oversized_count,
            "last_seq_before": before.last_seq,
            "snapshot_before": before.snapshot_id,
            "epoch": epoch,
        },
    ).rowcount
    if swapped != 1:
        raise WriterSuperseded(before.name)
    connection.execute("INSERT OR IGNORE INTO trims VALUES (?)", (before.document_id,))


def forget(connection: sqlite3.Connection, epoch: int, before: Head) -> bool:
    """See Backend.forget."""
    is_data_left = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM trims WHERE document_id = :id)"
        " OR EXISTS (SELECT 1 FROM snapshots WHERE document_id = :id)",
        {"id": before.document_id},
    ).fetchone()[0]
    if is_data_left:
        return False
    removed = connection.execute(
        "DELETE FROM documents WHERE id = :id AND uid = :uid AND deleted_ms IS NOT NULL"
        f" AND {_IS_WRITER}",
        {"id": before.document_id, "uid": before.uid, "epoch": epoch},
    ).rowcount
    if removed != 1:
        raise WriterSuperseded(before.name)
    return True


def trim(connection: sqlite3.Connection, epoch: int, check: Callable[[SealedHead], Head]) -> bool:
    """See Backend.trim."""
    if _stored_epoch(connection) != epoch:
        raise WriterSuperseded(None)
    return _trim_rows(connection, check) or _trim_chunks(connection)


def _trim_rows(connection: sqlite3.Connection, check: Callable[[SealedHead], Head]) -> bool:
    """Delete up to a step of dead rows of one document; True when the caller should go on."""
    found = connection.execute("SELECT document_id FROM trims LIMIT 1").fetchone()
    if found is None:
        return False
    document_id = found[0]
    try:
        cut_seq = check(load_head_by_id(connection, document_id)).cut_seq
    except Damaged:
        # Left as it is for a person; loading it says what is wrong.
        connection.execute("DELETE FROM trims WHERE document_id = ?", (document_id,))
        return True
    removed = connection.execute(
        "DELETE FROM journal WHERE document_id = ? AND seq IN (SELECT seq FROM journal"
        " WHERE document_id = ? AND seq <= ? ORDER BY seq LIMIT ?)",
        (document_id, document_id, cut_seq, TRIM_ROWS_STEP),
    ).rowcount
    if removed < TRIM_ROWS_STEP:
        connection.execute("DELETE FROM trims WHERE document_id = ?", (document_id,))
    return True


def _trim_chunks(connection: sqlite3.Connection) -> bool:
    """Delete up to a step of chunks of a retired snapshot; True when the caller should go on."""
    # P3: what a head names is kept, whatever its own row says.
    found = connection.execute(
        "SELECT id FROM snapshots WHERE state = 'retired' AND id IS NOT"
        " (SELECT snapshot_id FROM documents WHERE documents.id = snapshots.document_id) LIMIT 1"
    ).fetchone()
    if found is None:
        return False
    removed = connection.execute(
        "DELETE FROM chunks WHERE snapshot_id = ? AND chunk_index IN (SELECT chunk_index"
        " FROM chunks WHERE snapshot_id = ? LIMIT ?)",
        (found[0], found[0], TRIM_CHUNKS_STEP),
    ).rowcount
    if removed < TRIM_CHUNKS_STEP:
        connection.execute("DELETE FROM snapshots WHERE id = ?", (found[0],))
    return True


def _stored_epoch(connection: sqlite3.Connection) -> int:
    epoch: int = connection.execute("SELECT epoch FROM store").fetchone()[0]
    return epoch
