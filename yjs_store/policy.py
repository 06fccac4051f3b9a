"""When a checkpoint is due; pure decisions."""

from dataclasses import dataclass

from yjs_store.limits import (
    CHECKPOINT_RETRY_FIRST_S,
    CHECKPOINT_RETRY_MAX_S,
    KIB,
    MIB,
)
from yjs_store.records import Head


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """The knobs of ``checkpoint_due``.

    ``rows_max`` bounds the rows a load must read after a small snapshot; a larger snapshot may
    have more, in proportion to its size, because rewriting it costs more. ``bytes_min`` keeps
    a small document from being rewritten for every few edits.
    """

    rows_max: int = 1000
    rows_per_snapshot_mib: int = 4000
    bytes_min: int = 256 * KIB


def checkpoint_due(head: Head, policy: CheckpointPolicy) -> str | None:
    """Return why the document should be checkpointed now; None when it should not.

    The journal may grow to the size of the snapshot: so everything is rewritten once for each
    doubling, and the bytes written stay within a small multiple of the bytes accepted.
    """
    rows_bound = policy.rows_max + policy.rows_per_snapshot_mib * head.snapshot_bytes // MIB
    if head.journal_rows >= rows_bound:
        return "rows"
    if head.journal_bytes >= max(policy.bytes_min, head.snapshot_bytes):
        return "bytes"
    return None


def checkpoint_retry_s(failures_in_row: int) -> float:
    """Return how long to leave a document alone after its checkpoint failed that often."""
    doubled = CHECKPOINT_RETRY_FIRST_S * 2.0 ** min(failures_in_row - 1, 20)
    return min(doubled, CHECKPOINT_RETRY_MAX_S)
