"""The work of a checkpoint that takes time: fold what is stored, compare what was staged. Pure.

Both run in the fold process when a document is not small; what crosses over is plain records.
"""

import hashlib
from dataclasses import dataclass

from yjs_store import crdt, format
from yjs_store.errors import Damaged, UpdateRefused
from yjs_store.limits import SNAPSHOT_BYTES_MAX
from yjs_store.records import Chunk, Head, Snapshot, StoredDocument


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """What two updates must agree in to hold the same, in few bytes."""

    state_vector: bytes
    delete_set: bytes
    pending: bytes


@dataclass(frozen=True, slots=True)
class Folded:
    """A candidate for a snapshot, and what its content must be."""

    snapshot: Snapshot
    chunks: tuple[Chunk, ...]
    digest: ContentDigest


def fold_stored(stored: StoredDocument, extra: bytes | None, now_ms: int) -> Folded:
    """Verify what is stored, fold it, and cut it into chunks (P3).

    ``extra`` is one more update that shall be in the snapshot as the next seq.

    Raises:
        Damaged: what is stored is not what was written, or does not decode.
        UpdateRefused: the snapshot would be larger than the format allows.
    """
    head, updates = format.assemble(stored)
    cut_seq = head.last_seq
    if extra is not None:
        updates.append(extra)
        cut_seq += 1
    try:
        update, source = crdt.fold(updates)
        candidate = crdt.Replica([update]).content()
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(head.name, "content", "Yjs updates", str(error)) from error
    difference = crdt.difference(source, candidate)
    if difference is not None:
        raise Damaged(head.name, "candidate", "the content of its source", difference)
    if len(update) > SNAPSHOT_BYTES_MAX:
        raise UpdateRefused(
            f"the document would take {len(update)} bytes; the bound is {SNAPSHOT_BYTES_MAX}"
        )
    chunks = tuple(format.cut_chunks(head.uid, update))
    snapshot = format.snapshot_manifest(head.uid, cut_seq, now_ms, update, chunks)
    return Folded(snapshot, chunks, _digest(candidate))


def check_staged(
    head: Head, snapshot: Snapshot, chunks: tuple[Chunk, ...], expected: ContentDigest
) -> None:
    """Compare what was read back from disk with what it was folded from (P3).

    Raises:
        Damaged: they are not equal.
    """
    part = f"staged snapshot {snapshot.snapshot_id}"
    update = format.join_snapshot(head, snapshot, chunks)
    try:
        found = _digest(crdt.Replica([update]).content())
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(head.name, part, "a Yjs update", str(error)) from error
    for what in ("state_vector", "delete_set", "pending"):
        left, right = getattr(expected, what), getattr(found, what)
        if left != right:
            raise Damaged(head.name, part, f"{what} {left.hex()}", right.hex())


def _digest(content: crdt.Content) -> ContentDigest:
    structs, deletes = content.waiting
    return ContentDigest(
        state_vector=_digest_of(sorted(content.state_vector.items())),
        delete_set=_digest_of(sorted(content.delete_set.items())),
        pending=_digest_of((sorted(structs.items()), sorted(deletes.items()))),
    )


def _digest_of(numbers: object) -> bytes:
    # Numbers in lists and tuples: their text is the same wherever it is made.
    return hashlib.blake2b(repr(numbers).encode(), digest_size=16).digest()
