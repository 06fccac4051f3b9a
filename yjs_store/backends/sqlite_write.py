"""Heads and rows written to the SQLite tables; each function runs inside one write transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from yjs_store.backends.sqlite_epoch import IS_WRITER, stored_epoch, superseded
from yjs_store.backends.sqlite_mending import execute_mending
from yjs_store.backends.sqlite_notes import move_owned, remove_switch, unless_damaged
from yjs_store.backends.sqlite_read import load_head, name_hash
from yjs_store.errors import Damaged, WriterSuperseded
from yjs_store.records import Append, Head, SealedHead


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
        " SELECT :name, :name_hash, :uid, :last_seq, :cut_seq, :journal_bytes, :snapshot_id,"
        " :snapshot_bytes, :created_ms, :updated_ms, NULL, :oversized_count, :checksum"
        f" WHERE {IS_WRITER} ON CONFLICT (name) DO NOTHING",
        {
            "name": head.name,
            "name_hash": name_hash(head.name),
            "uid": head.uid,
            "last_seq": head.last_seq,
            "cut_seq": head.cut_seq,
            "journal_bytes": head.journal_bytes,
            "snapshot_id": head.snapshot_id,
            "snapshot_bytes": head.snapshot_bytes,
            "created_ms": head.created_ms,
            "updated_ms": head.updated_ms,
            "oversized_count": head.oversized_count,
            "checksum": sealed.checksum,
            "epoch": epoch,
        },
    )
    if cursor.rowcount != 1:
        raise superseded(connection, epoch, head.name)
    document_id = cursor.lastrowid
    assert document_id is not None, "an INSERT of one row gives its id"
    if head.snapshot_id is not None:
        _publish_first(connection, document_id, head)
    return document_id


def _publish_first(connection: sqlite3.Connection, document_id: int, head: Head) -> None:
    published = connection.execute(
        "UPDATE snapshots SET document_id = ?, state = 'published'"
        " WHERE id = ? AND state = 'staged'",
        (document_id, head.snapshot_id),
    ).rowcount
    if published != 1:
        raise WriterSuperseded(head.name)


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
    if stored_epoch(connection) == epoch:
        for item in appends:
            stored = load_head(connection, item.after.head.name)
            # The heads that did move carry their new checksum already.
            if stored is None or stored.checksum != item.after.checksum:
                return WriterSuperseded(item.after.head.name)
    return WriterSuperseded(None)


def delete(connection: sqlite3.Connection, epoch: int, before: Head, after: SealedHead) -> None:
    """See Backend.delete."""
    swap_head(connection, epoch, before, after)
    # The one that the head names: whose a snapshot is, its own row says, unverified, and this must
    # not take what another document's head names.
    connection.execute(
        "UPDATE snapshots SET state = 'retired'"
        " WHERE id = ? OR (document_id = ? AND state = 'staged')",
        (before.snapshot_id, before.document_id),
    )
    unless_damaged(connection, lambda: remove_switch(connection, before.document_id))


def replace(
    connection: sqlite3.Connection,
    epoch: int,
    document_id: int,
    after: SealedHead | None,
    reason: str,
    now_ms: int,
) -> int | None:
    """See Backend.replace."""
    moved = connection.execute(
        f"INSERT INTO set_aside (document_id, {_FACTS}, reason, set_aside_ms)"
        f" SELECT id, {_FACTS}, ?, ? FROM documents WHERE id = ?"
        " AND (SELECT epoch FROM store) = ?",
        (reason, now_ms, document_id, epoch),
    ).rowcount
    if moved != 1:
        name = None if after is None else after.head.name
        raise superseded(connection, epoch, name)
    # Rows that are dead by the word of a head that nobody believes are not trimmed any more.
    connection.execute("DELETE FROM trims WHERE document_id = ?", (document_id,))
    _remove_head(connection, document_id)
    if after is None:
        return None
    successor_id = create(connection, epoch, after)
    unless_damaged(connection, lambda: move_owned(connection, document_id, successor_id))
    return successor_id


def _remove_head(connection: sqlite3.Connection, document_id: int) -> None:
    sql = "DELETE FROM documents WHERE id = ?"
    execute_mending(connection, "documents", sql, (document_id,))


_FACTS: Final = (
    "name, uid, last_seq, cut_seq, journal_bytes, snapshot_id, snapshot_bytes,"
    " created_ms, updated_ms, deleted_ms, oversized_count, checksum"
)


def swap_head(connection: sqlite3.Connection, epoch: int, before: Head, after: SealedHead) -> None:
    """Replace a head by compare-and-swap and note that its old rows can go."""
    head = after.head
    swapped = connection.execute(
        "UPDATE documents SET last_seq = :last_seq, cut_seq = :cut_seq,"
        " journal_bytes = :journal_bytes, oversized_count = :oversized_count,"
        " snapshot_id = :snapshot_id, snapshot_bytes = :snapshot_bytes,"
        " updated_ms = :updated_ms, deleted_ms = :deleted_ms, checksum = :checksum"
        " WHERE id = :id AND uid = :uid AND last_seq = :last_seq_before"
        f" AND snapshot_id IS :snapshot_before AND deleted_ms IS NULL AND {IS_WRITER}",
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
        raise superseded(connection, epoch, before.name)
    connection.execute("INSERT OR IGNORE INTO trims VALUES (?)", (before.document_id,))
