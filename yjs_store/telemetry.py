"""What an open store counts and tells of itself, for operators.

Nothing here waits or raises, and what goes wrong in it is counted and nothing else: telemetry
never stops or slows a save. Times are arguments or come from the clocks it is made with.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from yjs_store.errors import Damaged, StoreError
from yjs_store.facts import CheckpointRecord
from yjs_store.limits import CHECKPOINTS_WAITING_MAX, POISONED_MAX
from yjs_store.tallies import Tally
from yjs_store.trace_book import Fact, TraceBook
from yjs_store.work import HearWork, Work, WorkKind
from yjs_store.write_rates import WriteRates


class Note(Protocol):
    """Who hears what happens to documents; see Telemetry.note."""

    def __call__(self, document: str, event: str, **facts: Fact) -> None:
        """Hear of an event; must neither raise nor wait."""


@dataclass(frozen=True, slots=True)
class FailedCheckpoint:
    """An attempt that published nothing, until it is stored."""

    document: str
    record: CheckpointRecord


class Telemetry:
    """The one seam to it: parts of the store call what says what happened.

    ``timer_s`` gives seconds of any monotonic clock, for durations. Counters begin at 0; nobody
    else writes to them. ``version`` rises with everything worth showing. ``on_work`` hears of each
    load, commit, checkpoint and trial; None, as it begins, costs nothing.
    """

    def __init__(self, clock_ms: Callable[[], int], timer_s: Callable[[], float]) -> None:
        self.timer_s = timer_s
        self.traces = TraceBook()
        self.rates = WriteRates()
        self.failed_checkpoints = deque[FailedCheckpoint](maxlen=CHECKPOINTS_WAITING_MAX)
        self.load_s = Tally()
        self.checkpoint_s = Tally()
        self.updates = 0
        self.update_bytes = 0
        self.refused = 0
        self.checkpoints = 0
        self.checkpoints_failed = 0
        # Documents that could not be opened as they are stored, and why.
        self.unloadable: dict[str, str] = {}
        self.version = 0
        self.faults = 0
        self.on_work: HearWork | None = None
        self._clock_ms = clock_ms

    def note(self, document: str, event: str, **facts: Fact) -> None:
        """Keep an event of a document; neither content nor a secret may be in its facts."""
        self.version += 1
        try:
            self.traces.note(document, self._clock_ms(), event, facts)
        except Exception:  # noqa: BLE001  (fail-open: a defect here must stop no save)
            self.faults += 1

    def saved(self, document: str, updates: int, byte_length: int, now_ms: int) -> None:
        """Count a row, or what went round the journal, that is durable now."""
        self.version += 1
        self.updates += updates
        self.update_bytes += byte_length
        try:
            self.rates.note(document, 1, now_ms)
        except Exception:  # noqa: BLE001  (as in note)
            self.faults += 1

    def not_loaded(self, document: str, error: StoreError, load_s: float) -> None:
        """Remember a document that is damaged; of any other error only that it was."""
        kind = type(error).__name__
        self.note(document, "not loaded", error=kind)
        self._worked(WorkKind.LOAD, document, load_s, kind)
        if isinstance(error, Damaged):
            self.unloadable[document] = error.problem
            while len(self.unloadable) > POISONED_MAX:
                del self.unloadable[next(iter(self.unloadable))]

    def loaded(self, document: str, load_s: float, rows: int, byte_length: int) -> None:
        """Count a load from the disk."""
        self.load_s.note(load_s)
        self.unloadable.pop(document, None)
        self.note(document, "loaded", duration_ms=_ms(load_s), rows=rows, bytes=byte_length)
        self._worked(WorkKind.LOAD, document, load_s, None, rows=rows, bytes=byte_length)

    def committed(self, commit_s: float, rows: int, error: StoreError | None = None) -> None:
        """Hear how long documents waited for a commit, and of how many rows it was."""
        if self.on_work is not None:
            kind = None if error is None else type(error).__name__
            self._worked(WorkKind.COMMIT, None, commit_s, kind, rows=rows)

    def tried(
        self, document: str, trial_s: float, error: str | None, updates: int, refused: int
    ) -> None:
        """Hear how long a trial took, and of how many updates it was."""
        facts = {"updates": updates, "refused": refused}
        self._worked(WorkKind.TRIAL, document, trial_s, error, **facts)

    def published(self, document: str, record: CheckpointRecord) -> None:
        """Count a checkpoint."""
        self.checkpoints += 1
        self.checkpoint_s.note(record.duration_ms / 1000)
        self.note(
            document,
            "checkpoint published",
            reason=record.reason,
            duration_ms=record.duration_ms,
            rows=record.journal_rows_before,
            bytes=record.snapshot_bytes_after,
        )
        self._folded(document, record, None)

    def checkpoint_failed(self, document: str, record: CheckpointRecord, error: StoreError) -> None:
        """Count an attempt at one, and keep it until it is stored; the oldest goes first."""
        self.checkpoints_failed += 1
        self.checkpoint_s.note(record.duration_ms / 1000)
        self.failed_checkpoints.append(FailedCheckpoint(document, record))
        self.note(document, "checkpoint failed", reason=record.reason, error=record.error)
        self._folded(document, record, type(error).__name__)

    def _folded(self, document: str, record: CheckpointRecord, error: str | None) -> None:
        self._worked(
            WorkKind.CHECKPOINT,
            document,
            record.duration_ms / 1000,
            error,
            reason=record.reason,
            journal_bytes_before=record.journal_bytes_before,
            journal_bytes_after=record.journal_bytes_after,
            snapshot_bytes_before=record.snapshot_bytes_before,
            snapshot_bytes_after=record.snapshot_bytes_after,
        )

    def _worked(
        self,
        kind: WorkKind,
        document: str | None,
        duration_s: float,
        error: str | None,
        **facts: Fact,
    ) -> None:
        if self.on_work is None:
            return
        try:
            self.on_work(Work(kind, document, duration_s, error, facts))
        except Exception:  # noqa: BLE001  (fail-open, as in note)
            self.faults += 1

    def gone(self, document: str) -> None:
        """Forget everything of a document whose name is free again (P9)."""
        self.version += 1
        self.traces.forget(document)
        self.rates.forget(document)
        self.unloadable.pop(document, None)
        kept = [each for each in self.failed_checkpoints if each.document != document]
        self.failed_checkpoints.clear()
        self.failed_checkpoints.extend(kept)


def _ms(duration_s: float) -> float:
    return round(duration_s * 1000, 3)
