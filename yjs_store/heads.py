"""What a head becomes: pure. Whoever stores it compares with the head it was made from."""

from dataclasses import replace

from yjs_store.checkpoint import Staged
from yjs_store.errors import DocumentDeleted, WriterSuperseded
from yjs_store.records import Head, Snapshot


def fresh_head(name: str, uid: bytes) -> Head:
    """Return the head of a document that is not stored yet."""
    return Head(
        document_id=0,
        name=name,
        uid=uid,
        last_seq=0,
        cut_seq=0,
        journal_bytes=0,
        snapshot_id=None,
        snapshot_bytes=0,
        created_ms=0,
        updated_ms=0,
        deleted_ms=None,
        oversized_count=0,
    )


def appended_head(before: Head, byte_length: int, now_ms: int) -> Head:
    """Return the head of the document with one more row of so many bytes."""
    return replace(
        before,
        last_seq=before.last_seq + 1,
        journal_bytes=before.journal_bytes + byte_length,
        created_ms=before.created_ms if before.document_id else now_ms,
        updated_ms=now_ms,
    )


def published_head(before: Head, staged: Staged, now_ms: int) -> Head:
    """Return the head that names a staged snapshot.

    Raises:
        WriterSuperseded: the snapshot was not folded from what ``before`` goes on from.
    """
    source = staged.source
    is_oversized = staged.cut_seq > source.last_seq
    if (
        before.uid != source.uid
        or before.snapshot_id != source.snapshot_id
        or before.deleted_ms is not None
        or (is_oversized and before.last_seq != source.last_seq)
    ):
        raise WriterSuperseded(source.name)
    return replace(
        before,
        last_seq=max(before.last_seq, staged.cut_seq),
        cut_seq=staged.cut_seq,
        journal_bytes=before.journal_bytes - source.journal_bytes,
        snapshot_id=staged.snapshot_id,
        snapshot_bytes=staged.snapshot_bytes,
        created_ms=before.created_ms if before.document_id else now_ms,
        updated_ms=now_ms if is_oversized else before.updated_ms,
        oversized_count=before.oversized_count + is_oversized,
    )


def tombstone(before: Head, now_ms: int) -> Head:
    """Return the head of the deleted document.

    Raises:
        DocumentDeleted: it is one already.
    """
    if before.deleted_ms is not None:
        raise DocumentDeleted(before.name)
    return replace(
        before,
        cut_seq=before.last_seq,
        journal_bytes=0,
        snapshot_id=None,
        snapshot_bytes=0,
        updated_ms=now_ms,
        deleted_ms=now_ms,
    )


def salvaged_head(damaged: Head, last_seq: int, staged: Snapshot, uid: bytes, now_ms: int) -> Head:
    """Return the head of the document that takes the place of a damaged one.

    ``damaged`` may be anything but for its name; ``last_seq`` goes on from the highest known.
    """
    return replace(
        fresh_head(damaged.name, uid),
        last_seq=last_seq,
        cut_seq=last_seq,
        snapshot_id=staged.snapshot_id,
        snapshot_bytes=staged.byte_length,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
