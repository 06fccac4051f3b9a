"""What can be known of documents and of the store without reading content. Frozen records; pure.

Looking at them costs a few indexed reads at most: no document is loaded, nothing is written.
"""

import enum
from dataclasses import dataclass

from yjs_store.breaker import BreakerState
from yjs_store.records import Head, Snapshot, Statistics


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """What was found of the content when it was last folded or loaded.

    ``seq`` is the row up to which it holds. ``deleted_clocks`` of ``clocks`` are deleted.
    ``pending_bytes`` is what waits for predecessors, as an update.
    """

    seq: int
    clients: int
    clocks: int
    deleted_clocks: int
    pending_bytes: int


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """One attempt at a checkpoint, as it is kept; lengths in bytes, times in milliseconds.

    ``error`` is None when it was published. ``journal_rows_after`` is what came while it was made.
    ``content`` is None when nothing was folded.
    """

    number: int
    reason: str
    started_ms: int
    duration_ms: float
    cut_seq: int
    journal_rows_before: int
    journal_rows_after: int
    journal_bytes_before: int
    journal_bytes_after: int
    snapshot_bytes_before: int
    snapshot_bytes_after: int
    stored_bytes_after: int
    error: str | None
    content: ContentFacts | None


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """The published snapshot: its manifest, and how its chunks are stored."""

    manifest: Snapshot
    codecs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BreakerFacts:
    """A circuit breaker as it is now; times in milliseconds since 1970, None while closed."""

    state: BreakerState
    failures_in_row: int
    reason: str | None
    since_ms: int | None
    trial_ms: int | None


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What is known of a document that is in memory.

    ``gathered`` waits to be folded, ``in_flight`` is on its way to the disk, ``suspects`` wait for
    or are on their trial; each in updates. ``load_ms`` is how long loading took. A save is a
    commit of one row or an oversized snapshot; ``failures_in_row`` counts saves that storage has
    refused since the last that it took.
    """

    loaded_ms: int
    load_ms: float
    users: int
    gathered: int
    gathered_bytes: int
    in_flight: int
    suspects: int
    durable_seq: int
    saved_ms: int | None
    save_ms: float | None
    saves: int
    failures_in_row: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Switch:
    """Word of an operator that nothing is to be written: to a document, or (None) to any."""

    document: str | None
    reason: str
    by: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """Everything about one document, read at one moment; see the records above.

    ``head`` is None when nothing is stored under the name. ``damage`` says what is wrong with what
    is stored, as far as somebody has looked; ``poisoned`` that the decoder dies on it.
    ``unreadable`` says what of all this could not be read.
    """

    name: str
    head: Head | None
    snapshot: SnapshotFacts | None
    checkpoints: tuple[CheckpointRecord, ...]
    breaker: BreakerFacts
    is_alarming: bool
    damage: str | None
    poisoned: str | None
    is_unvouched: bool
    read_only: Switch | None
    quarantined: int
    content: ContentFacts | None
    live: LiveFacts | None
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document in a list. ``head`` is None when it cannot be believed; then there is damage.

    ``writes`` are its rows in each of the last windows, the oldest first.
    """

    name: str
    head: Head | None
    breaker: BreakerFacts
    is_alarming: bool
    damage: str | None
    poisoned: str | None
    read_only: Switch | None
    live: LiveFacts | None
    writes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DocumentList:
    """Part of the list of documents; ``following`` asks for what follows, None at the end.

    ``total`` counts all documents of the store, tombstones too.
    """

    documents: tuple[ListedDocument, ...]
    following: str | None
    total: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often a value was how large: ``counts[i]`` of at most ``bounds[i]``, the last above all.

    ``total`` is the sum of all values. ``bounds`` rise.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """Return the bound that this share of all values does not exceed; None without values.

        The highest bound stands also for what is above it.
        """
        wanted, seen = share * self.count, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return self.bounds[-1] if self.count else None


@dataclass(frozen=True, slots=True)
class ScrubFacts:
    """How far re-reading in the background has come; see ``scrubber.ScrubState``."""

    passes: int
    documents: int
    byte_length: int
    started_ms: int | None
    finished_ms: int | None
    damaged: int


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Everything about the store as a whole, and this process's work on it.

    Durations are in seconds in the distributions: of commits as documents wait for them, of the
    COMMIT statement alone (that is nearly all fsync), of loads and of checkpoints. ``batch_rows``
    is how many rows a commit took; ``update_bytes`` are as rows, in which updates are put together.
    Counters begin at the start of the process.
    """

    sizes: Statistics
    schema_version: int
    backend: str
    open_documents: int
    waiting_documents: int
    commits: int
    rows: int
    updates: int
    update_bytes: int
    refused: int
    failures_in_row: int
    failing_since_ms: int | None
    failing_because: str | None
    commit_s: Distribution
    fsync_s: Distribution
    load_s: Distribution
    checkpoint_s: Distribution
    batch_rows: Distribution
    checkpoints: int
    checkpoints_failed: int
    checkpoints_due: int
    breaker: BreakerFacts
    scrub: ScrubFacts | None
    trials_waiting: int
    trials_done: int
    trials_refused: int
    trial_processes_died: int
    quarantined: int
    sessions: int
    unvouched: int
    set_aside: int
    read_only: Switch | None
    read_only_documents: int
    traces_dropped: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One thing that happened to a document. ``facts`` hold no content and no secret."""

    at_ms: int
    event: str
    facts: dict[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Traces:
    """What is kept of a document's events, the oldest first, and how many were dropped."""

    events: tuple[TraceEvent, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One act of an operator: who did what, when, to what, and what came of it."""

    number: int
    at_ms: int
    by: str
    action: str
    document: str | None
    is_dry_run: bool
    result: str
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Acts, newest first; ``damaged`` ones among them are not shown.

    ``following`` is the number to give as ``before`` for what follows, None at the end.
    """

    acts: tuple[AuditRecord, ...]
    damaged: int
    following: int | None


class CompactResult(enum.Enum):
    """What came of compacting a document."""

    NOOP = "noop"
    """There was nothing to fold."""
    COMPACTED = "compacted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CompactOutcome:
    """A document before and after; lengths in bytes. ``error`` says why it failed."""

    document: str
    result: CompactResult
    journal_rows_before: int
    journal_rows_after: int
    journal_bytes_before: int
    journal_bytes_after: int
    snapshot_bytes_before: int
    snapshot_bytes_after: int
    duration_ms: float
    error: str | None


class UnloadResult(enum.Enum):
    """What came of unloading a document."""

    NOT_LOADED = "not loaded"
    IN_USE = "in use"
    """Somebody uses it, or something of it is not durable yet."""
    UNLOADED = "unloaded"


@dataclass(frozen=True, slots=True)
class StoreSpace:
    """What the store takes on its disk, in bytes; ``free_bytes`` in the file can be used again.

    ``disk_free_bytes`` is what the disk still takes.
    """

    file_bytes: int
    wal_bytes: int
    free_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True, slots=True)
class SpaceChange:
    """What came of making room: the store before and after.

    ``incomplete`` says why not everything was done that was asked for; None when it was.
    """

    before: StoreSpace
    after: StoreSpace
    incomplete: str | None
