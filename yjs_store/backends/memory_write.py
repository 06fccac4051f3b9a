"""Changes of a store in memory; each function changes everything it says or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from typing import Final

from yjs_store.backends.memory_storage import MemoryStorage, StoredAside, StoredSnapshot
from yjs_store.errors import Damaged, WriterSuperseded
from yjs_store.limits import TRIM_CHUNKS_STEP, TRIM_ROWS_STEP
from yjs_store.observing_records import StoredNote
from yjs_store.records import (
    Append,
    Chunk,
    Head,
    SealedHead,
    SetAside,
    Snapshot,
    SnapshotState,
)

_EVERY_SEQ: Final = 2**63 - 1


def become_writer(storage: MemoryStorage) -> int:
    """Take the next epoch; retire what a crash left staged. Returns the epoch."""
    storage.epoch += 1
    for snapshot in storage.snapshots.values():
        if snapshot.state is SnapshotState.STAGED:
            snapshot.state = SnapshotState.RETIRED
    return storage.epoch


def check_writer(storage: MemoryStorage, epoch: int) -> None:
    """Return for the writer that opened last.

    Raises:
        WriterSuperseded: another has opened since (P7).
    """
    if storage.epoch != epoch:
        raise WriterSuperseded(None)


def append(storage: MemoryStorage, appends: Sequence[Append]) -> list[int]:
    """See Backend.append."""
    names = [item.after.head.name for item in appends]
    assert len(set(names)) == len(names), "one row for each document"
    for item in appends:
        if item.before.document_id:
            _check_current(storage, item.before)
            if item.row.seq in storage.journal.get(item.before.document_id, {}):
                name = item.before.name
                raise Damaged(name, f"journal row {item.row.seq}", "none", "one no head knows")
        else:
            _check_free(storage, item.after.head.name)
    ids = []
    for item in appends:
        document_id = item.before.document_id or create(storage, item.after)
        _put_head(storage, document_id, item.after)
        storage.journal.setdefault(document_id, {})[item.row.seq] = item.row
        ids.append(document_id)
    return ids


def create(storage: MemoryStorage, sealed: SealedHead, checkpoint: StoredNote | None = None) -> int:
    """See Backend.create."""
    _check_free(storage, sealed.head.name)
    snapshot_id = sealed.head.snapshot_id
    staged = None if snapshot_id is None else _staged(storage, snapshot_id, sealed.head.name)
    storage.documents_made += 1
    _put_head(storage, storage.documents_made, sealed)
    storage.ids[sealed.head.name] = storage.documents_made
    if staged is not None:
        staged.document_id, staged.state = storage.documents_made, SnapshotState.PUBLISHED
    if checkpoint is not None:
        keep_checkpoint(storage, changed(checkpoint, document_id=storage.documents_made))
    return storage.documents_made


def stage_manifest(storage: MemoryStorage, head: Head, snapshot: Snapshot) -> int:
    """Store the manifest of a staged snapshot; return its id."""
    storage.snapshots_made += 1
    snapshot_id = storage.snapshots_made
    manifest = changed(snapshot, snapshot_id=snapshot_id)
    storage.snapshots[snapshot_id] = StoredSnapshot(
        head.document_id, SnapshotState.STAGED, manifest
    )
    return snapshot_id


def stage_chunk(storage: MemoryStorage, snapshot_id: int, chunk: Chunk) -> None:
    """Store one chunk of a snapshot that is still staged.

    Raises:
        WriterSuperseded: it is not staged any more.
    """
    _staged(storage, snapshot_id, None).chunks[chunk.index] = chunk


def keep_checkpoint(storage: MemoryStorage, note: StoredNote) -> None:
    """Keep the record of an attempt, if its document is stored."""
    if note.document_id in storage.heads:
        storage.notes.checkpoints.add([note])


def publish(
    storage: MemoryStorage, before: Head, after: SealedHead, checkpoint: StoredNote | None = None
) -> None:
    """See Backend.publish."""
    _check_current(storage, before)
    staged = _staged(storage, after.head.snapshot_id, before.name)
    _put_head(storage, before.document_id, after)
    staged.state = SnapshotState.PUBLISHED
    if before.snapshot_id in storage.snapshots:
        storage.snapshots[before.snapshot_id].state = SnapshotState.RETIRED
    storage.trims[before.document_id] = None
    if checkpoint is not None:
        keep_checkpoint(storage, changed(checkpoint, document_id=before.document_id))


def discard(storage: MemoryStorage, snapshot_id: int) -> None:
    """See Backend.discard."""
    found = storage.snapshots.get(snapshot_id)
    if found is not None and found.state is SnapshotState.STAGED:
        found.state = SnapshotState.RETIRED


def delete(storage: MemoryStorage, before: Head, after: SealedHead) -> None:
    """See Backend.delete."""
    _check_current(storage, before)
    _put_head(storage, before.document_id, after)
    for snapshot in storage.snapshots_of(before.document_id):
        snapshot.state = SnapshotState.RETIRED
    storage.trims[before.document_id] = None
    storage.notes.switches.pop(before.document_id, None)


def forget(storage: MemoryStorage, before: Head) -> bool:
    """See Backend.forget."""
    sealed = storage.heads.get(before.document_id)
    if sealed is None or sealed.head != before or before.deleted_ms is None:
        raise WriterSuperseded(before.name)
    if before.document_id in storage.trims or storage.snapshots_of(before.document_id):
        return False
    _drop_head(storage, before.document_id)
    storage.unvouched.discard(before.document_id)
    storage.notes.give(before.document_id, None)
    return True


def replace(
    storage: MemoryStorage, document_id: int, after: SealedHead | None, reason: str, now_ms: int
) -> int | None:
    """See Backend.replace."""
    former = storage.heads.get(document_id)
    if former is None:
        raise WriterSuperseded(None if after is None else after.head.name)
    if after is not None:
        _staged(storage, after.head.snapshot_id, after.head.name)
    # Rows that are dead by the word of a head that nobody believes are not trimmed any more.
    storage.trims.pop(document_id, None)
    _drop_head(storage, document_id)
    record = SetAside(document_id, former.head.name, former.head.uid, reason, now_ms)
    storage.set_aside[document_id] = StoredAside(record, former)
    if after is None:
        return None
    successor_id = create(storage, after)
    storage.notes.give(document_id, successor_id)
    return successor_id


def discard_set_aside(storage: MemoryStorage, document_id: int) -> bool:
    """See Backend.discard_set_aside."""
    aside = storage.set_aside.get(document_id)
    if aside is None:
        return False
    aside.is_discarded = True
    for snapshot in storage.snapshots_of(document_id):
        snapshot.state = SnapshotState.RETIRED
    storage.trims[document_id] = None
    return True


def trim(storage: MemoryStorage, check: Callable[[SealedHead], Head]) -> bool:
    """See Backend.trim."""
    return _trim_rows(storage, check) or _trim_chunks(storage, check)


def _trim_rows(storage: MemoryStorage, check: Callable[[SealedHead], Head]) -> bool:
    document_id = next(iter(storage.trims), None)
    if document_id is None:
        return False
    try:
        aside = storage.set_aside.get(document_id)
        cut_seq = check(storage.heads[document_id]).cut_seq if aside is None else _EVERY_SEQ
    except Damaged:
        # Left as it is for a person; loading it says what is wrong.
        del storage.trims[document_id]
        return True
    rows = storage.journal.get(document_id, {})
    dead = sorted(seq for seq in rows if seq <= cut_seq)[:TRIM_ROWS_STEP]
    for seq in dead:
        del rows[seq]
    if len(dead) < TRIM_ROWS_STEP:
        del storage.trims[document_id]
        if storage.set_aside.pop(document_id, None) is not None:
            storage.notes.give(document_id, None)
        if not rows:
            storage.journal.pop(document_id, None)
    return True


def _trim_chunks(storage: MemoryStorage, check: Callable[[SealedHead], Head]) -> bool:
    for snapshot_id, snapshot in storage.snapshots.items():
        if snapshot.state is SnapshotState.RETIRED and _is_given_up(storage, snapshot, check):
            for index in sorted(snapshot.chunks)[:TRIM_CHUNKS_STEP]:
                del snapshot.chunks[index]
            if not snapshot.chunks:
                del storage.snapshots[snapshot_id]
            return True
    return False


def _is_given_up(
    storage: MemoryStorage, snapshot: StoredSnapshot, check: Callable[[SealedHead], Head]
) -> bool:
    """Say whether a retired snapshot is dead: no head that is believed or kept needs it (P3)."""
    aside = storage.set_aside.get(snapshot.document_id)
    if aside is not None:
        return aside.is_discarded
    sealed = storage.heads.get(snapshot.document_id)
    if sealed is None:
        return True
    try:
        return check(sealed).snapshot_id != snapshot.manifest.snapshot_id
    except Damaged:
        return False


def _check_current(storage: MemoryStorage, before: Head) -> None:
    sealed = storage.heads.get(before.document_id)
    if sealed is None or sealed.head != before or before.deleted_ms is not None:
        raise WriterSuperseded(before.name)


def _check_free(storage: MemoryStorage, name: str) -> None:
    if name in storage.ids:
        raise WriterSuperseded(name)


def _staged(storage: MemoryStorage, snapshot_id: int | None, name: str | None) -> StoredSnapshot:
    found = None if snapshot_id is None else storage.snapshots.get(snapshot_id)
    if found is None or found.state is not SnapshotState.STAGED:
        raise WriterSuperseded(name)
    return found


def _put_head(storage: MemoryStorage, document_id: int, sealed: SealedHead) -> None:
    storage.heads[document_id] = changed(sealed, head=changed(sealed.head, document_id=document_id))


def _drop_head(storage: MemoryStorage, document_id: int) -> None:
    del storage.ids[storage.heads.pop(document_id).head.name]
