"""What is read from a store in memory; each function sees one moment."""

import bisect
from collections.abc import Sequence

from yjs_store.backends.memory_storage import MemoryStorage, StoredSnapshot
from yjs_store.records import (
    Chunk,
    Extent,
    Remains,
    SealedHead,
    SetAside,
    Snapshot,
    SnapshotRemains,
    SnapshotState,
    Statistics,
    StoredDocument,
)


def load(storage: MemoryStorage, name: str) -> StoredDocument | None:
    """See Reader.load."""
    document_id = storage.ids.get(name)
    return None if document_id is None else load_by_id(storage, document_id)


def load_by_id(storage: MemoryStorage, document_id: int) -> StoredDocument | None:
    """See Reader.load_by_id."""
    sealed = storage.heads.get(document_id)
    if sealed is None:
        return None
    head = sealed.head
    if head.deleted_ms is not None:
        return StoredDocument(sealed, None, (), ())
    snapshot: Snapshot | None = None
    chunks: tuple[Chunk, ...] = ()
    found = None if head.snapshot_id is None else storage.snapshots.get(head.snapshot_id)
    if found is not None:
        snapshot = None if found.state is SnapshotState.RETIRED else found.manifest
        chunks = _in_order(found)
    rows = storage.journal.get(document_id, {})
    live = tuple(rows[seq] for seq in sorted(rows) if seq > head.cut_seq)
    return StoredDocument(sealed, snapshot, chunks, live)


def load_head(storage: MemoryStorage, name: str) -> SealedHead | None:
    """See Reader.load_head."""
    document_id = storage.ids.get(name)
    return None if document_id is None else storage.heads.get(document_id)


def load_staged(
    storage: MemoryStorage, snapshot_id: int
) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
    """See Reader.load_staged."""
    found = storage.snapshots.get(snapshot_id)
    if found is None or found.state is not SnapshotState.STAGED:
        return None
    return found.manifest, _in_order(found)


def list_heads(
    storage: MemoryStorage, prefix: str, after: str | None, limit: int
) -> Sequence[SealedHead]:
    """See Reader.list_heads."""
    # Python, too, compares strings by code point.
    names = sorted(name for name in storage.ids if name.startswith(prefix))
    start = 0 if after is None else bisect.bisect_right(names, after)
    return [storage.heads[storage.ids[name]] for name in names[start : start + limit]]


def list_extents(storage: MemoryStorage, after_id: int, limit: int) -> Sequence[Extent]:
    """See Reader.list_extents."""
    ids = sorted(document_id for document_id in storage.heads if document_id > after_id)
    heads = [storage.heads[document_id].head for document_id in ids[:limit]]
    return [Extent(head.document_id, head.journal_bytes + head.snapshot_bytes) for head in heads]


def list_set_aside(storage: MemoryStorage) -> Sequence[SetAside]:
    """See Reader.list_set_aside."""
    kept = {key: each.record for key, each in storage.set_aside.items() if not each.is_discarded}
    return [kept[document_id] for document_id in sorted(kept)]


def load_remains(storage: MemoryStorage, name: str) -> Remains | None:
    """See Reader.load_remains."""
    sealed = load_head(storage, name)
    if sealed is None:
        return None
    document_id, named_id = sealed.head.document_id, sealed.head.snapshot_id
    snapshots = [
        SnapshotRemains(each.manifest.snapshot_id, each.manifest, _in_order(each))
        for each in storage.snapshots_of(document_id)
    ]
    if named_id is not None and named_id not in storage.snapshots:
        snapshots.append(SnapshotRemains(named_id, None, ()))
    rows = storage.journal.get(document_id, {})
    return Remains(sealed, tuple(snapshots), tuple(rows[seq] for seq in sorted(rows)), ())


def statistics(storage: MemoryStorage) -> Statistics:
    """See Reader.statistics."""
    heads = [sealed.head for sealed in storage.heads.values()]
    deleted = sum(head.deleted_ms is not None for head in heads)
    return Statistics(
        documents=len(heads) - deleted,
        deleted_documents=deleted,
        journal_rows=sum(head.journal_rows for head in heads),
        journal_bytes=sum(head.journal_bytes for head in heads),
        snapshot_bytes=sum(head.snapshot_bytes for head in heads),
        file_bytes=storage.stored_bytes,
        wal_bytes=0,
        free_bytes=0,
    )


def _in_order(snapshot: StoredSnapshot) -> tuple[Chunk, ...]:
    return tuple(snapshot.chunks[index] for index in sorted(snapshot.chunks))
