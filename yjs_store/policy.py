"""When a checkpoint is due; pure decisions."""

from dataclasses import dataclass

from yjs_store.limits import CHECKPOINT_SPREAD, JOURNAL_ALARM_FACTOR, KIB, MIB
from yjs_store.records import Head


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """The knobs of ``checkpoint_due``.

    ``rows_max`` bounds the rows a load must read after a small snapshot; a larger snapshot may
    have more, in proportion to its size, because rewriting it costs more. ``bytes_min`` keeps
    a small document from being rewritten for every few edits. What the values rest on stands in
    engineering/measurements.md.
    """

    rows_max: int = 1000
    # A keystroke that is committed alone writes some 14 KB, and a checkpoint about the bytes of
    # the snapshot: at this many rows checkpoints add a seventh to what the journal writes, and
    # the rows take a load no longer than the snapshot does.
    rows_per_snapshot_mib: int = 500
    bytes_min: int = 256 * KIB


def checkpoint_due(head: Head, policy: CheckpointPolicy) -> str | None:
    """Return why the document should be checkpointed now; None when it should not.

    The journal may grow to the size of the snapshot: so everything is rewritten once for each
    doubling, and the bytes written stay within a small multiple of the bytes accepted. The
    bounds are a little different for each document, so that a thousand that are edited alike
    do not become due at once.
    """
    rows_bound, bytes_bound = _bounds(head, policy)
    if head.journal_rows >= rows_bound:
        return "rows"
    if head.journal_bytes >= bytes_bound:
        return "bytes"
    return None


def is_alarming(head: Head, policy: CheckpointPolicy) -> bool:
    """Say whether the journal has grown so far beyond the bounds that a person should look."""
    rows_bound, bytes_bound = _bounds(head, policy)
    return (
        head.journal_rows >= rows_bound * JOURNAL_ALARM_FACTOR
        or head.journal_bytes >= bytes_bound * JOURNAL_ALARM_FACTOR
    )


def _bounds(head: Head, policy: CheckpointPolicy) -> tuple[float, float]:
    """Return the bounds on rows and bytes; the uid is random, and so is its first byte."""
    spread = 1 + CHECKPOINT_SPREAD * head.uid[0] / 256
    rows = policy.rows_max + policy.rows_per_snapshot_mib * head.snapshot_bytes / MIB
    return rows * spread, max(policy.bytes_min, head.snapshot_bytes) * spread
