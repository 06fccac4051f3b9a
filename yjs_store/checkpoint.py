"""The three-phase checkpoint: stage a folded snapshot, verify and publish it, trim.

A crash at any await leaves a state that loads to the same content: a staged snapshot is never
loaded, publishing is one transaction, and trimming only touches what the head excludes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from yjs_store import crdt, format
from yjs_store.backend import Backend
from yjs_store.errors import Damaged, DocumentDeleted, DocumentMissing, UpdateRefused
from yjs_store.limits import SNAPSHOT_BYTES_MAX
from yjs_store.records import CheckpointResult, Chunk, Head, Snapshot, StoredDocument

Publish = Callable[["Staged"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Staged:
    """A verified candidate: ``source`` is the head it was folded from."""

    source: Head
    snapshot_id: int
    snapshot_bytes: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    content: crdt.Content
    snapshot: Snapshot
    chunks: list[Chunk]


async def run_checkpoint(
    backend: Backend, name: str, reason: str, now_ms: int, publish: Publish
) -> CheckpointResult:
    """Fold what is stored of a document into a new snapshot and publish it.

    Appends may go on meanwhile. On return either the snapshot is published, or, when the
    journal was empty, nothing was changed.

    Raises:
        Damaged: what is stored cannot be read; nothing was changed.
        WriterSuperseded, StoreUnavailable: nothing was published; what was staged is retired.
        DocumentMissing, DocumentDeleted: there is nothing to fold.
    """
    stored = await backend.load(name)
    if stored is None:
        raise DocumentMissing(name)
    if stored.sealed_head.head.deleted_ms is not None:
        raise DocumentDeleted(name)
    head = stored.sealed_head.head
    if head.journal_rows == 0:
        return _result(head, reason, None)
    candidate = await asyncio.to_thread(_fold, stored, now_ms)
    snapshot_id = await backend.stage(head, candidate.snapshot, candidate.chunks)
    try:
        read_back = await backend.load_staged(snapshot_id)
        await asyncio.to_thread(_verify, head, snapshot_id, candidate, *read_back)
        await publish(Staged(head, snapshot_id, candidate.snapshot.byte_length))
    except BaseException:
        # Best effort: a crash here, or a disk that fails, leaves it to the next start.
        await backend.discard(snapshot_id)
        raise
    return _result(head, reason, candidate.snapshot)


def _fold(stored: StoredDocument, now_ms: int) -> _Candidate:
    head, updates = format.assemble(stored)
    try:
        update, content = crdt.fold(updates)
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(head.name, "content", "Yjs updates", str(error)) from error
    if len(update) > SNAPSHOT_BYTES_MAX:
        bound = f"at most {SNAPSHOT_BYTES_MAX} bytes"
        raise Damaged(head.name, "content", bound, f"{len(update)} bytes")
    chunks = list(format.cut_chunks(head.uid, update))
    snapshot = format.snapshot_manifest(head.uid, head.last_seq, now_ms, update, chunks)
    return _Candidate(content, snapshot, chunks)


def _verify(
    head: Head,
    snapshot_id: int,
    candidate: _Candidate,
    snapshot: Snapshot,
    chunks: tuple[Chunk, ...],
) -> None:
    """Compare what was read back from disk with what it was folded from (P3).

    Raises:
        Damaged: they are not equal.
    """
    update = format.join_snapshot(head, snapshot, chunks)
    difference = crdt.difference(candidate.content, crdt.Replica([update]).content())
    if difference is not None:
        part = f"staged snapshot {snapshot_id}"
        raise Damaged(head.name, part, "the content of what it was folded from", difference)


def _result(head: Head, reason: str, snapshot: Snapshot | None) -> CheckpointResult:
    return CheckpointResult(
        document=head.name,
        reason=reason,
        published=snapshot is not None,
        cut_seq=head.cut_seq if snapshot is None else snapshot.cut_seq,
        rows_folded=head.journal_rows,
        journal_bytes_before=head.journal_bytes,
        snapshot_bytes=head.snapshot_bytes if snapshot is None else snapshot.byte_length,
        stored_bytes=0 if snapshot is None else snapshot.stored_length,
    )
