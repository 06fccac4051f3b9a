"""The work of a checkpoint that takes time: fold what is stored, compare what was staged. Pure.

Both run in the fold process when a document is not small; what crosses over is plain records.
"""

from dataclasses import dataclass, replace

from yjs_store import crdt, format
from yjs_store.errors import Damaged, UpdateRefused, UpdateTooLarge
from yjs_store.limits import SNAPSHOT_BYTES_MAX
from yjs_store.records import Chunk, Head, Snapshot, StoredDocument


@dataclass(frozen=True, slots=True)
class Folded:
    """A candidate for a snapshot that has the content of its source."""

    snapshot: Snapshot
    chunks: tuple[Chunk, ...]


def fold_stored(stored: StoredDocument, extra: bytes | None, now_ms: int) -> Folded:
    """Verify what is stored, fold it, and cut it into chunks (P3).

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
    try:
        update, source = crdt.fold(updates)
        difference = crdt.difference(source, update)
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(head.name, "content", "Yjs updates", str(error)) from error
    if difference is not None:
        raise Damaged(head.name, "candidate", "the content of its source", difference)
    if len(update) > SNAPSHOT_BYTES_MAX:
        raise UpdateTooLarge("the document with it", len(update), SNAPSHOT_BYTES_MAX)
    chunks = tuple(format.cut_chunks(head.uid, update))
    snapshot = format.snapshot_manifest(head.uid, cut_seq, now_ms, update, chunks)
    return Folded(snapshot, chunks)


def check_staged(
    head: Head, staged: Snapshot, chunks: tuple[Chunk, ...], candidate: Snapshot
) -> None:
    """Compare what was read back from disk with the candidate, byte for byte by checksum (P3).

    Raises:
        Damaged: they are not equal.
    """
    format.join_snapshot(head, staged, chunks)
    expected = replace(candidate, snapshot_id=staged.snapshot_id)
    if staged != expected:
        part = f"staged snapshot {staged.snapshot_id}"
        raise Damaged(head.name, part, _shown(expected), _shown(staged))


def _shown(snapshot: Snapshot) -> str:
    return f"{snapshot.byte_length} bytes with checksum {snapshot.checksum.hex()}"
