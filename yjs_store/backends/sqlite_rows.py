"""Rows of the SQLite tables as records."""

from typing import Any, Final

from yjs_store.records import Chunk, Head, JournalRow, SealedHead, Snapshot

HEAD_COLUMNS: Final = (
    "id, name, uid, last_seq, cut_seq, journal_bytes, snapshot_id, snapshot_bytes,"
    " created_ms, updated_ms, deleted_ms, checksum"
)
SNAPSHOT_COLUMNS: Final = (
    "id, cut_seq, chunk_count, byte_length, stored_length, checksum, created_ms"
)


def head_from(row: tuple[Any, ...]) -> SealedHead:
    """Take a row of HEAD_COLUMNS."""
    return SealedHead(Head(*row[:-1]), row[-1])


def snapshot_from(row: tuple[Any, ...]) -> Snapshot:
    """Take a row of SNAPSHOT_COLUMNS."""
    return Snapshot(*row)


def row_from(row: tuple[Any, ...]) -> JournalRow:
    """Take seq, created_ms, byte_length, checksum, data."""
    return JournalRow(*row)


def chunk_from(row: tuple[Any, ...]) -> Chunk:
    """Take chunk_index, codec, byte_length, checksum, data."""
    return Chunk(*row)
