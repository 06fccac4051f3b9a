"""The three-phase checkpoint: stage a folded snapshot, verify and publish it, trim.

A crash at any await leaves a state that loads to the same content: a staged snapshot is never
loaded, publishing is one transaction, and trimming only touches what the head excludes.

The same way stores an update that is too large for a journal row: it is folded into the new
snapshot as the next seq, and becomes durable with its publishing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from yjs_store import folding, format
from yjs_store.backend import Backend
from yjs_store.errors import DocumentDeleted, DocumentMissing, StoreFull, WriterSuperseded
from yjs_store.facts import ContentFacts
from yjs_store.fold_process import FoldProcess
from yjs_store.folding import Folded
from yjs_store.limits import DISK_RESERVE_BYTES
from yjs_store.records import CheckpointResult, Head, StoredDocument

Publish = Callable[["Staged"], Awaitable[Head]]
Vouch = Callable[[StoredDocument], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Staged:
    """A verified candidate, folded from what ``source`` was the head of.

    ``cut_seq`` is ``source.last_seq``, or one more when an oversized update is in it.
    """

    source: Head
    snapshot_id: int
    snapshot_bytes: int
    cut_seq: int
    stored_bytes: int
    content: ContentFacts | None


async def run_checkpoint(
    backend: Backend,
    folds: FoldProcess,
    name: str,
    reason: str,
    now_ms: int,
    publish: Publish,
    vouch: Vouch,
    *,
    extra: bytes | None = None,
    live: Head | None = None,
) -> CheckpointResult:
    """Fold what is stored of a document, and ``extra``, into a new snapshot and publish it.

    Appends may go on meanwhile, but not with ``extra``, whose document has the head ``live``:
    the one to begin with when it is not stored yet. On return the snapshot is published; or,
    when there was nothing to fold, nothing was changed. ``vouch`` raises when what is stored may
    not be read here (P5).

    Raises:
        Damaged: what is stored cannot be read; nothing was changed.
        Poisoned, TrialFailed: it may not be; nothing was changed.
        FoldFailed: the fold process died; nothing was changed.
        WriterSuperseded, StoreUnavailable: nothing was published; what was staged is retired.
            WriterSuperseded too when what is stored is another life than ``live``.
        UpdateTooLarge: the document would be.
        DocumentMissing, DocumentDeleted: there is nothing to fold.
    """
    stored = await backend.load(name)
    if stored is None:
        if live is None or live.document_id != 0:
            raise DocumentMissing(name)
        stored = StoredDocument(format.seal_head(live), None, (), ())
    else:
        await vouch(stored)
    head = format.check_head(stored.sealed_head)
    if live is not None and head.uid != live.uid:
        # P9: the name was deleted and forgotten, or salvaged, while the update waited for room.
        raise WriterSuperseded(name)
    if head.deleted_ms is not None:
        raise DocumentDeleted(name)
    if head.journal_rows == 0 and extra is None:
        return _result(head, head, reason, None)
    folded = await folds.fold_stored(stored, extra, now_ms)
    # A large document need not be in memory both as it was and as it shall be.
    del stored
    await _check_room(backend, folded.snapshot.stored_length)
    snapshot_id = await backend.stage(head, folded.snapshot, folded.chunks)
    try:
        await _check_staged(backend, head, snapshot_id, folded)
        snapshot = folded.snapshot
        after = await publish(
            Staged(
                head,
                snapshot_id,
                snapshot.byte_length,
                snapshot.cut_seq,
                snapshot.stored_length,
                folded.content,
            )
        )
    except BaseException:
        # Best effort: a crash here, or a disk that fails, leaves it to the next start.
        await backend.discard(snapshot_id)
        raise
    return _result(head, after, reason, folded)


async def _check_staged(backend: Backend, head: Head, snapshot_id: int, folded: Folded) -> None:
    """Compare what is on disk with what was folded and proven (P3)."""
    read_back = await backend.load_staged(snapshot_id)
    if read_back is None:
        raise WriterSuperseded(head.name)
    await asyncio.to_thread(folding.check_staged, head, *read_back, folded)


async def _check_room(backend: Backend, stored_length: int) -> None:
    """Leave what room is left to the journal (P8).

    Raises:
        StoreFull: a snapshot of this size would take it.
    """
    # Once in the WAL, once in the file; nothing of the old is free before the new is published.
    needed = 2 * stored_length + DISK_RESERVE_BYTES
    left = await backend.room_left()
    if left < needed:
        raise StoreFull(f"a snapshot needs {needed} bytes of room; the disk has {left}")


def _result(before: Head, after: Head, reason: str, folded: Folded | None) -> CheckpointResult:
    return CheckpointResult(
        document=before.name,
        reason=reason,
        published=folded is not None,
        cut_seq=after.cut_seq,
        rows_folded=before.journal_rows,
        journal_bytes_before=before.journal_bytes,
        snapshot_bytes=after.snapshot_bytes,
        stored_bytes=0 if folded is None else folded.snapshot.stored_length,
        head=after,
    )
