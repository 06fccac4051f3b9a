"""The checkpoint policies that are compared, and when each would have a document folded."""

from typing import Final

from yjs_store import CheckpointPolicy, Head
from yjs_store.policy import checkpoint_due

_NO_BOUND: Final = 1 << 60

POLICIES: Final[dict[str, CheckpointPolicy | int]] = {
    "every 50 rows": 50,
    "every 1,000 rows": 1000,
    "1,000 rows + 250 per MiB": CheckpointPolicy(rows_per_snapshot_mib=250),
    "1,000 rows + 500 per MiB": CheckpointPolicy(rows_per_snapshot_mib=500),
    "1,000 rows + 1,000 per MiB": CheckpointPolicy(rows_per_snapshot_mib=1000),
    "1,000 rows + 4,000 per MiB": CheckpointPolicy(rows_per_snapshot_mib=4000),
    "bytes of the snapshot only": CheckpointPolicy(rows_max=_NO_BOUND),
}
"""A number stands for that many rows, whatever the size."""


def rows_until_due(policy: CheckpointPolicy | int, snapshot_bytes: int, row_bytes: float) -> int:
    """Return after how many rows of this size the policy has the document checkpointed."""
    if isinstance(policy, int):
        return policy
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        if checkpoint_due(_head(middle, row_bytes, snapshot_bytes), policy) is None:
            low = middle
        else:
            high = middle
    return high


def _head(rows: int, row_bytes: float, snapshot_bytes: int) -> Head:
    return Head(
        document_id=1,
        name="document",
        uid=bytes(16),
        last_seq=rows,
        cut_seq=0,
        journal_bytes=int(rows * row_bytes),
        snapshot_id=1,
        snapshot_bytes=snapshot_bytes,
        created_ms=0,
        updated_ms=0,
        deleted_ms=None,
        oversized_count=0,
    )
