"""An attempt at a checkpoint, as it is kept for operators."""

from collections.abc import Callable

from yjs_store.checkpoint import Staged
from yjs_store.errors import StoreError
from yjs_store.facts import CheckpointRecord
from yjs_store.records import Head


class Attempt:
    """One attempt; ``source`` is the head that it folded, None before it is known."""

    def __init__(self, reason: str, started_ms: int, timer_s: Callable[[], float]) -> None:
        self.reason = reason
        self.started_ms = started_ms
        self.source: Head | None = None
        # What was kept of its success.
        self.record: CheckpointRecord | None = None
        self._timer_s = timer_s
        self._began_s = timer_s()

    def published(self, staged: Staged, after: Head) -> CheckpointRecord:
        """Return what is kept of a success, at the moment before its commit."""
        source = staged.source
        return CheckpointRecord(
            number=0,
            reason=self.reason,
            started_ms=self.started_ms,
            duration_ms=self._duration_ms(),
            cut_seq=after.cut_seq,
            journal_rows_before=source.journal_rows,
            journal_rows_after=after.journal_rows,
            journal_bytes_before=source.journal_bytes,
            journal_bytes_after=after.journal_bytes,
            snapshot_bytes_before=source.snapshot_bytes,
            snapshot_bytes_after=after.snapshot_bytes,
            stored_bytes_after=staged.stored_bytes,
            error=None,
            content=staged.content,
        )

    def failed(self, error: StoreError) -> CheckpointRecord:
        """Return what is kept of a failure: everything is as it was."""
        source = self.source
        rows = 0 if source is None else source.journal_rows
        journal_bytes = 0 if source is None else source.journal_bytes
        snapshot_bytes = 0 if source is None else source.snapshot_bytes
        return CheckpointRecord(
            number=0,
            reason=self.reason,
            started_ms=self.started_ms,
            duration_ms=self._duration_ms(),
            cut_seq=0 if source is None else source.cut_seq,
            journal_rows_before=rows,
            journal_rows_after=rows,
            journal_bytes_before=journal_bytes,
            journal_bytes_after=journal_bytes,
            snapshot_bytes_before=snapshot_bytes,
            snapshot_bytes_after=snapshot_bytes,
            stored_bytes_after=0,
            error=str(error) or type(error).__name__,
            content=None,
        )

    def _duration_ms(self) -> float:
        return round((self._timer_s() - self._began_s) * 1000, 3)
