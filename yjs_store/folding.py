"""The work of a checkpoint that takes time: fold what is stored, prove the candidate. Pure.

It runs in the fold process when a document is not small; what crosses over is plain records.
"""

from dataclasses import dataclass, replace

from yjs_store import crdt, format
from yjs_store.content import facts_of
from yjs_store.errors import Damaged, UpdateRefused, UpdateTooLarge
from yjs_store.facts import ContentFacts
from yjs_store.limits import SNAPSHOT_BYTES_MAX
from yjs_store.records import Chunk, Head, Snapshot, StoredDocument


@dataclass(frozen=True, slots=True)
class Folded:
    """A candidate whose chunks are proven to hold the content of its source.

    ``content`` is None where nothing was folded.
    """

    snapshot: Snapshot
    chunks: tuple[Chunk, ...]
    content: ContentFacts | None = None


def whole(stored: StoredDocument) -> bytes:
    """Verify what is stored; return all of it as one update, pending included.

    Raises:
        Damaged: it is not what was written, or does not decode.
    """
    head, updates = format.assemble(stored)
    return _fold(head, updates)[0]


def fold_stored(stored: StoredDocument, extra: bytes | None, now_ms: int) -> Folded:
    """Verify what is stored, fold it, cut it into chunks and compare these with the source (P3).

    ``extra`` is one more update that shall be in the snapshot as the next seq.

    Raises:
        Damaged: what is stored is not what was written, or does not decode.
        UpdateTooLarge: the snapshot would be larger than the format allows.
    """
    head, updates = format.assemble(stored)
    cut_seq = head.last_seq
    if extra is not None:
        updates.append(extra)
        cut_seq += 1
    update, source = _fold(head, updates)
    # Let go as soon as may be: a large document is in memory several times otherwise.
    updates.clear()
    if len(update) > SNAPSHOT_BYTES_MAX:
        raise UpdateTooLarge("the document with it", len(update), SNAPSHOT_BYTES_MAX)
    chunks = tuple(format.cut_chunks(head.uid, update))
    snapshot = format.snapshot_manifest(head.uid, cut_seq, now_ms, update, chunks)
    del update
    folded = Folded(snapshot, chunks, facts_of(source, cut_seq))
    _prove(head, folded, source)
    return folded


def _fold(head: Head, updates: list[bytes]) -> tuple[bytes, crdt.Content]:
    try:
        return crdt.fold(updates)
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(head.name, "content", "Yjs updates", str(error)) from error


def _prove(head: Head, folded: Folded, source: crdt.Content) -> None:
    """Compare what a load will make of the chunks with the source (P3).

    Raises:
        Damaged: they are not equal.
    """
    update = format.join_snapshot(head, folded.snapshot, folded.chunks)
    try:
        difference = crdt.difference(source, update)
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(head.name, "candidate", "a Yjs update", str(error)) from error
    if difference is not None:
        raise Damaged(head.name, "candidate", "the content of its source", difference)


def check_staged(head: Head, snapshot: Snapshot, chunks: tuple[Chunk, ...], folded: Folded) -> None:
    """Compare what was read back from disk with what was proven, byte for byte (P3).

    Raises:
        Damaged: they are not equal.
    """
    part = f"staged snapshot {snapshot.snapshot_id}"
    if replace(snapshot, snapshot_id=0) != folded.snapshot:
        raise Damaged(head.name, part, "the manifest that was staged", repr(snapshot))
    if len(chunks) != len(folded.chunks):
        raise Damaged(head.name, part, f"{len(folded.chunks)} chunks", f"{len(chunks)}")
    for found, staged in zip(chunks, folded.chunks, strict=True):
        if found != staged:
            raise Damaged(head.name, part, f"chunk {staged.index} as it was staged", "another")
