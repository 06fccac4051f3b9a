"""The open store: documents by name over one backend."""

import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.breaker import Breaker
from yjs_store.committer import CommitterState
from yjs_store.document import Document
from yjs_store.errors import DocumentDeleted, DocumentMissing
from yjs_store.facts import (
    AuditPage,
    AuditRecord,
    CompactOutcome,
    SpaceChange,
    Switch,
    UnloadResult,
)
from yjs_store.health import Degradation
from yjs_store.limits import LIST_PAGE_MAX
from yjs_store.names import check_name
from yjs_store.observing import Observation
from yjs_store.observing_reading import read_audit
from yjs_store.policy import CheckpointPolicy
from yjs_store.quarantine import Quarantine
from yjs_store.records import CheckpointResult, Head, Receipt, SetAside, Statistics
from yjs_store.salvage import SalvagePlan
from yjs_store.scrubber import ScrubState
from yjs_store.sessions import SessionBook
from yjs_store.store_parts import Parts
from yjs_store.telemetry import Telemetry
from yjs_store.trace_keeper import TraceKeeper
from yjs_store.trials import TrialCounts


class Store:
    """Documents by name. Obtained from ``open_store``; belongs to one event loop.

    Every method raises StoreClosed after the end of ``open_store``, StoreUnavailable when
    storage does not answer (a retry is safe), and NameRefused for what is not a name.
    """

    def __init__(
        self,
        backend: Backend,
        policy: CheckpointPolicy,
        clock_ms: Callable[[], int],
        make_uid: Callable[[], bytes],
        chance: Callable[[], float] = random.random,
        scrub_bytes_per_s: float = 0.0,
        timer_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock_ms = clock_ms
        self._parts = Parts(backend, policy, clock_ms, make_uid, chance, scrub_bytes_per_s, timer_s)

    async def begin(self) -> None:
        """Read what must be known before the first document is opened; once, by ``open_store``.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        await self._parts.begin()

    # ---- documents --------------------------------------------------------------------------

    async def open_document(self, name: str) -> Document:
        """Load a document, or join those who have it open; pair with ``release_document``.

        A name with nothing stored gives an empty document; it is created by its first update.

        Raises:
            Damaged: what is stored is not what was written; nothing of it is used (P4).
            Poisoned: the decoder dies on what is stored.
            DocumentDeleted: there is a tombstone.
            FoldFailed, TrialFailed: a process that had to look at it first was ended; another
                try may do.
        """
        return await self._parts.open_document(name)

    def release_document(self, document: Document) -> None:
        """Say that one user is done; after the last, the document may leave memory."""
        self._parts.opened.release(document)

    @contextlib.asynccontextmanager
    async def document(self, name: str) -> AsyncIterator[Document]:
        """Open a document for the length of a ``with`` block."""
        document = await self.open_document(name)
        try:
            yield document
        finally:
            self.release_document(document)

    # ---- by name ----------------------------------------------------------------------------

    async def append(self, name: str, update: bytes) -> Receipt:
        """Store one update; on return it survives a power cut (P1).

        Raises:
            UpdateRefused: it does not decode or is too large; nothing was stored.
            Damaged, Poisoned, DocumentDeleted: as ``open_document``.
        """
        return await self._parts.append(name, update)

    async def load(self, name: str) -> bytes:
        """Return everything durable of a document as one update, pending included.

        Raises:
            DocumentMissing, DocumentDeleted: there is none.
            Damaged, Poisoned: as ``open_document``.
            FoldFailed, TrialFailed: a process that had to read it was ended; another try may do.
        """
        stored = await self._parts.backend.load(check_name(name))
        if stored is None:
            raise DocumentMissing(name)
        if format.check_head(stored.sealed_head).deleted_ms is not None:
            raise DocumentDeleted(name)
        await self._parts.vouching.check(stored)
        return await self._parts.checkpointer.folds.whole(stored)

    async def head(self, name: str) -> Head | None:
        """Return the head of a document or of its tombstone; None when there is neither.

        Raises:
            Damaged: the head is not what was written.
        """
        check_name(name)
        sealed = await self._parts.backend.load_head(name)
        return None if sealed is None else format.check_head(sealed)

    async def list_heads(
        self, prefix: str = "", after: str | None = None, limit: int = LIST_PAGE_MAX
    ) -> Sequence[Head]:
        """Return heads in name order, tombstones among them, after the name ``after``.

        Raises:
            Damaged: one of the heads is not what was written.
        """
        bounded = min(limit, LIST_PAGE_MAX)
        sealed_heads = await self._parts.backend.list_heads(prefix, after, bounded)
        return [format.check_head(sealed) for sealed in sealed_heads]

    async def statistics(self) -> Statistics:
        """Return sizes of the whole store, without reading documents."""
        return await self._parts.backend.statistics()

    async def checkpoint(self, name: str, reason: str = "request") -> CheckpointResult:
        """Fold the journal of a document into a new snapshot now; see ``run_checkpoint``.

        A success closes the circuit breakers of the document and of the store.
        """
        return await self._parts.keeper.attempt(check_name(name), reason)

    # ---- lives ------------------------------------------------------------------------------

    async def delete(self, name: str) -> None:
        """Delete a document; its name stays barred until ``forget`` (P9).

        On return the tombstone is durable. Those who have the document open hear
        DocumentDeleted.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to delete.
        """
        await self._parts.lives.delete(name)
        self._parts.telemetry.note(name, "deleted")
        self._parts.keeper.request_trim()

    async def forget(self, name: str) -> None:
        """Remove a tombstone, so that the name can be used again.

        Raises:
            DocumentMissing: there is no tombstone.
            Damaged: the tombstone, or what is left of the document's data.
        """
        await self._parts.lives.forget(name)
        self._parts.telemetry.gone(name)

    async def plan_salvage(self, name: str, *, unverified: bool = False) -> SalvagePlan:
        """Find out how much of a damaged document can be saved; changes nothing.

        What a live document has in memory counts too.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to save.
            Poisoned, FoldFailed: as ``plan_elsewhere``.
        """
        return await self._parts.lives.plan_salvage(name, unverified=unverified)

    async def salvage(self, planned: SalvagePlan) -> Head:
        """Put what a plan saves in the place of the damaged document; see ``carry_out``.

        Those who have the document open hear DocumentFailed and load it again.
        """
        return await self._parts.lives.salvage(planned)

    async def set_aside(self, planned: SalvagePlan) -> None:
        """Set aside a damaged document of which nothing can be saved; see ``give_up``.

        Its name is free: whoever opens it finds nothing, and whoever has its content gives it
        back.
        """
        await self._parts.lives.set_aside(planned)

    async def list_set_aside(self) -> Sequence[SetAside]:
        """Return the damaged documents whose place salvaged ones have taken."""
        return await self._parts.lives.list_set_aside()

    async def discard_set_aside(self, document_id: int) -> bool:
        """Give up the rows and chunks of one that was set aside; False when there is none."""
        is_discarded = await self._parts.lives.discard_set_aside(document_id)
        self._parts.keeper.request_trim()
        return is_discarded

    # ---- operators --------------------------------------------------------------------------

    @property
    def observation(self) -> Observation:
        """Where an operator looks; nothing is loaded or written for it."""
        return self._parts.observation

    @property
    def telemetry(self) -> Telemetry:
        """Where it is said what happens to documents; never fails and never waits."""
        return self._parts.telemetry

    async def set_read_only(self, name: str | None, reason: str, by: str) -> Switch:
        """Take no update from now on: of a document or, with None, of any.

        On return that is durable, and holds after a restart. What was handed in before becomes
        durable; what is handed in from now on is refused with ReadOnlyNow, also what comes from
        the quarantine. Checkpoints, deleting, salvage and trimming go on. One that is read-only
        already gets the new reason.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to switch.
            Damaged: the head is not what was written.
        """
        return await self._parts.switches.set(name, reason, by)

    async def lift_read_only(self, name: str | None) -> Switch | None:
        """Take updates again, durably; return the switch that was lifted, None without one.

        Listeners of its documents hear ``switched``. That of the store and those of documents
        are lifted one by one.

        Raises:
            DocumentMissing, DocumentDeleted, Damaged: as ``set_read_only``.
        """
        return await self._parts.switches.lift(name)

    def read_only(self, document: Document | None) -> Switch | None:
        """Return the switch of an open document, its own or the store's; or, with None, that."""
        if document is None:
            return self._parts.switches.of_store
        return self._parts.switches.find(document.name, document.head.document_id)

    async def compact(self, name: str) -> CompactOutcome:
        """Checkpoint a document now, whatever its breaker says; that is closed first.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to fold.
            Damaged: the head is not what was written.
        """
        return await self._parts.acts.compact(name)

    async def list_due(self) -> Sequence[Head]:
        """Return what ``compact_due`` would compact, also of documents that nobody has opened."""
        return await self._parts.acts.list_due()

    async def compact_due(self) -> Sequence[CompactOutcome]:
        """Compact one after the other all documents whose checkpoint is due; may take long."""
        return await self._parts.acts.compact_due()

    async def load_now(self, name: str) -> None:
        """Load a document that is stored, and leave it to rest in memory.

        Raises:
            DocumentMissing: nothing is stored under the name.
            Damaged, Poisoned, DocumentDeleted, FoldFailed, TrialFailed: as ``open_document``.
        """
        await self._parts.unmended.mend(check_name(name))
        await self._parts.acts.load_now(name)

    async def unload(self, name: str) -> UnloadResult:
        """Let a document that nobody uses leave memory at once."""
        return await self._parts.acts.unload(name)

    async def truncate_wal(self) -> SpaceChange:
        """Give the WAL's room back to the disk; commits wait meanwhile."""
        return await self._parts.acts.truncate_wal()

    async def vacuum(self) -> SpaceChange:
        """Give free pages back to the disk; all commits wait until everything is written anew.

        Raises:
            NoRoom, StoreFull: the disk has not the room that this takes; nothing was changed.
        """
        return await self._parts.acts.vacuum()

    async def audit(self, record: AuditRecord) -> int:
        """Keep what an operator did, durably; return its number. Its own number is not used."""
        return await self._parts.acts.audit(record)

    async def list_audit(
        self, *, before: int | None = None, limit: int = 100, document: str | None = None
    ) -> AuditPage:
        """Return what operators did, newest first: all, or to one document."""
        return await read_audit(self._parts.backend, before=before, limit=limit, document=document)

    # ---- people -----------------------------------------------------------------------------

    @property
    def sessions(self) -> SessionBook:
        """Who is admitted to which document."""
        return self._parts.sessions

    @property
    def quarantine(self) -> Quarantine:
        """Updates that were refused, kept for a person to look at."""
        return self._parts.quarantine

    @property
    def traces_keeper(self) -> TraceKeeper:
        """Stores what was said to ``telemetry``, by itself."""
        return self._parts.traces_keeper

    # ---- life -------------------------------------------------------------------------------

    @property
    def committer_state(self) -> CommitterState:
        """How commits go; see CommitterState."""
        return self._parts.committer.state

    @property
    def failing_because(self) -> str | None:
        """Why storage does not take writes at the moment; None when it does."""
        return self._parts.condition.failing_because

    @property
    def failing_since_s(self) -> float | None:
        """Since when it does not, on the event loop's clock; None when it does."""
        return self._parts.condition.failing_since_s

    def is_failing_for(self, name: str) -> bool:
        """Say whether updates of this document wait for storage that fails.

        Those of every document do while appends fail; while only a snapshot finds no room, those
        of the documents that have an oversized update under way; and while what is stored cannot
        be read, those of the documents that wait for it.
        """
        return self._parts.condition.is_failing_for(name)

    def degradations(self) -> list[Degradation]:
        """Return everything that is not well; empty on a good day."""
        return self._parts.condition.degradations(self._clock_ms())

    @property
    def trial_counts(self) -> TrialCounts:
        """How much was tried before it was integrated, and how much waits for that."""
        return self._parts.trials.counts

    @property
    def store_breaker(self) -> Breaker:
        """The breaker before all checkpoints, opened by what is no document's fault."""
        return self._parts.keeper.store_breaker

    @property
    def scrub_state(self) -> ScrubState | None:
        """How far the scrubber is and what it has found; None when it is off."""
        return None if self._parts.scrubber is None else self._parts.scrubber.state

    def breaker(self, name: str) -> Breaker:
        """Return the breaker before the checkpoints of one document."""
        return self._parts.keeper.breaker(name)

    def has_journal_alarm(self, name: str) -> bool:
        """Say whether a journal has grown far beyond where its checkpoint was due."""
        return self._parts.keeper.has_alarm(name)

    async def wait_settled(self) -> None:
        """Wait until everything submitted so far is durable or refused."""
        await self._parts.wait_settled()

    async def wait_broken(self) -> None:
        """Wait until the store cannot go on, and raise why; for supervisors.

        A background task has died of a defect, or another process writes now.
        """
        await self._parts.wait_broken()

    async def close(self) -> None:
        """Make everything submitted durable, then release the backend."""
        await self._parts.close()
