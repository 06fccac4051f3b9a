"""The open store: documents by name over one backend."""

import contextlib
import functools
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence

from yjs_store import format
from yjs_store.acts import Acts
from yjs_store.backend import Backend
from yjs_store.breaker import Breaker
from yjs_store.checkpointer import Checkpointer
from yjs_store.cleaner import Cleaner
from yjs_store.committer import Committer, CommitterState
from yjs_store.condition import Condition
from yjs_store.document import Document
from yjs_store.errors import DocumentDeleted, DocumentMissing, MendingAwaited
from yjs_store.facts import (
    AuditPage,
    AuditRecord,
    CompactOutcome,
    SpaceChange,
    Switch,
    UnloadResult,
)
from yjs_store.health import Degradation
from yjs_store.keeper import Keeper
from yjs_store.limits import LIST_PAGE_MAX
from yjs_store.lives import Lives
from yjs_store.loading import Loading, load_for_trial
from yjs_store.names import check_name
from yjs_store.observing import Observation
from yjs_store.observing_reading import read_audit
from yjs_store.opened import OpenDocuments
from yjs_store.oversized import OversizedGuard
from yjs_store.policy import CheckpointPolicy
from yjs_store.quarantine import Quarantine
from yjs_store.records import CheckpointResult, Head, Receipt, SetAside, Statistics
from yjs_store.salvage import SalvagePlan
from yjs_store.scrubber import Scrubber, ScrubState
from yjs_store.sessions import SessionBook
from yjs_store.supervising import wait_first_broken
from yjs_store.switches import Switches
from yjs_store.telemetry import Telemetry
from yjs_store.trace_keeper import TraceKeeper
from yjs_store.trials import TrialCounts, Trials
from yjs_store.unmended import Unmended
from yjs_store.vouching import Vouching


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
        self._backend = backend
        self._clock_ms = clock_ms
        self._telemetry = Telemetry(clock_ms, timer_s)
        self._committer = Committer(backend, timer_s)
        self._switches = Switches(backend, clock_ms, self._apply_switches, self._telemetry)
        self._guard = OversizedGuard(self._store_oversized)
        self._trials = Trials(functools.partial(load_for_trial, backend))
        self._vouching = Vouching(backend, self._trials)
        loading = Loading(
            backend,
            self._committer,
            self._guard,
            self._trials,
            self._vouching,
            clock_ms,
            make_uid,
            self._document_settled,
            self._telemetry,
            self._switches,
        )
        self._opened = OpenDocuments(loading.load)
        self._checkpointer = Checkpointer(
            backend,
            self._committer,
            self._opened,
            clock_ms,
            self._vouching.check,
            self._telemetry,
        )
        self._keeper = Keeper(
            policy, self._run_checkpoint, self._trim, chance, self._telemetry.note
        )
        self._unmended = Unmended(self._keeper)
        self._sessions = SessionBook(backend.sessions, clock_ms)
        self._quarantine = Quarantine(backend.quarantine, self.append, clock_ms)
        self._cleaner = Cleaner(
            {"sessions": self._sessions.remove_expired, "quarantine": self._quarantine.remove_old}
        )
        self._scrubber = (
            Scrubber(backend, scrub_bytes_per_s, clock_ms) if scrub_bytes_per_s else None
        )
        self._lives = Lives(
            backend,
            self._committer,
            self._opened,
            self._checkpointer,
            clock_ms,
            make_uid,
            self._forget_life,
            self._trim,
            self._switches,
            self._telemetry,
        )
        self._condition = Condition(
            self._committer,
            self._guard,
            self._trials,
            self._keeper,
            self._vouching,
            self._sessions,
            self._scrubber,
            self._switches,
            self._telemetry,
            self._opened,
        )
        self._acts = Acts(
            backend, self._committer, self._opened, self._keeper, self._telemetry, timer_s
        )
        self.traces_keeper = TraceKeeper(backend, self._telemetry)
        """Stores what was said to ``telemetry``, by itself."""
        self._observation = Observation(
            backend,
            self._committer,
            self._opened,
            self._keeper,
            self._trials,
            self._vouching,
            self._scrubber,
            self._switches,
            self._condition,
            self._telemetry,
            clock_ms,
            clock_ms(),
        )

    async def begin(self) -> None:
        """Read what must be known before the first document is opened; once, by ``open_store``.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        await self._switches.load()

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
        await self._unmended.mend(check_name(name))
        return await self._opened.open(name)

    def release_document(self, document: Document) -> None:
        """Say that one user is done; after the last, the document may leave memory."""
        self._opened.release(document)

    @contextlib.asynccontextmanager
    async def document(self, name: str) -> AsyncIterator[Document]:
        """Open a document for the length of a ``with`` block."""
        document = await self.open_document(name)
        try:
            yield document
        finally:
            self.release_document(document)

    def _document_settled(self, document: Document) -> None:
        if document.error is None:
            self._keeper.consider(document.head)
            for reason in document.take_wishes():
                self._keeper.request(document.name, reason)
        elif isinstance(document.error, MendingAwaited):
            self._unmended.add(document.name)
        self._opened.drop_when_unused(document)

    # ---- by name ----------------------------------------------------------------------------

    async def append(self, name: str, update: bytes) -> Receipt:
        """Store one update; on return it survives a power cut (P1).

        Raises:
            UpdateRefused: it does not decode or is too large; nothing was stored.
            Damaged, Poisoned, DocumentDeleted: as ``open_document``.
        """
        async with self.document(name) as document:
            return await document.append(update)

    async def load(self, name: str) -> bytes:
        """Return everything durable of a document as one update, pending included.

        Raises:
            DocumentMissing, DocumentDeleted: there is none.
            Damaged, Poisoned: as ``open_document``.
            FoldFailed, TrialFailed: a process that had to read it was ended; another try may do.
        """
        stored = await self._backend.load(check_name(name))
        if stored is None:
            raise DocumentMissing(name)
        if format.check_head(stored.sealed_head).deleted_ms is not None:
            raise DocumentDeleted(name)
        await self._vouching.check(stored)
        return await self._checkpointer.folds.whole(stored)

    async def head(self, name: str) -> Head | None:
        """Return the head of a document or of its tombstone; None when there is neither.

        Raises:
            Damaged: the head is not what was written.
        """
        check_name(name)
        sealed = await self._backend.load_head(name)
        return None if sealed is None else format.check_head(sealed)

    async def list_heads(
        self, prefix: str = "", after: str | None = None, limit: int = LIST_PAGE_MAX
    ) -> Sequence[Head]:
        """Return heads in name order, tombstones among them, after the name ``after``.

        Raises:
            Damaged: one of the heads is not what was written.
        """
        sealed_heads = await self._backend.list_heads(prefix, after, min(limit, LIST_PAGE_MAX))
        return [format.check_head(sealed) for sealed in sealed_heads]

    async def statistics(self) -> Statistics:
        """Return sizes of the whole store, without reading documents."""
        return await self._backend.statistics()

    async def checkpoint(self, name: str, reason: str = "request") -> CheckpointResult:
        """Fold the journal of a document into a new snapshot now; see ``run_checkpoint``.

        A success closes the circuit breakers of the document and of the store.
        """
        return await self._keeper.attempt(check_name(name), reason)

    async def _run_checkpoint(
        self, name: str, reason: str, extra: bytes | None = None, live: Head | None = None
    ) -> CheckpointResult:
        result = await self._checkpointer.run(name, reason, extra, live)
        self._keeper.request_trim()
        return result

    async def _store_oversized(self, document: Document, update: bytes) -> Head:
        """Make an update durable as part of a new snapshot; return the head that has it."""
        result = await self._run_checkpoint(document.name, "oversized", update, document.head)
        return result.head

    async def _trim(self) -> bool:
        return await self._backend.trim(format.check_head)

    # ---- lives ------------------------------------------------------------------------------

    async def delete(self, name: str) -> None:
        """Delete a document; its name stays barred until ``forget`` (P9).

        On return the tombstone is durable. Those who have the document open hear
        DocumentDeleted.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to delete.
        """
        await self._lives.delete(name)
        self._telemetry.note(name, "deleted")
        self._keeper.request_trim()

    async def forget(self, name: str) -> None:
        """Remove a tombstone, so that the name can be used again.

        Raises:
            DocumentMissing: there is no tombstone.
            Damaged: the tombstone, or what is left of the document's data.
        """
        await self._lives.forget(name)
        self._telemetry.gone(name)

    async def plan_salvage(self, name: str, *, unverified: bool = False) -> SalvagePlan:
        """Find out how much of a damaged document can be saved; changes nothing.

        What a live document has in memory counts too.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to save.
            Poisoned, FoldFailed: as ``plan_elsewhere``.
        """
        return await self._lives.plan_salvage(name, unverified=unverified)

    async def salvage(self, planned: SalvagePlan) -> Head:
        """Put what a plan saves in the place of the damaged document; see ``carry_out``.

        Those who have the document open hear DocumentFailed and load it again.
        """
        return await self._lives.salvage(planned)

    async def set_aside(self, planned: SalvagePlan) -> None:
        """Set aside a damaged document of which nothing can be saved; see ``give_up``.

        Its name is free: whoever opens it finds nothing, and whoever has its content gives it
        back.
        """
        await self._lives.set_aside(planned)

    def _forget_life(self, name: str) -> None:
        """Forget what was found out of a life of a document that is over."""
        self._unmended.drop(name)
        self._vouching.drop(name)
        self._keeper.drop(name)
        self._telemetry.unloadable.pop(name, None)

    async def list_set_aside(self) -> Sequence[SetAside]:
        """Return the damaged documents whose place salvaged ones have taken."""
        return await self._lives.list_set_aside()

    async def discard_set_aside(self, document_id: int) -> bool:
        """Give up the rows and chunks of one that was set aside; False when there is none."""
        is_discarded = await self._lives.discard_set_aside(document_id)
        self._keeper.request_trim()
        return is_discarded

    # ---- operators --------------------------------------------------------------------------

    @property
    def observation(self) -> Observation:
        """Where an operator looks; nothing is loaded or written for it."""
        return self._observation

    @property
    def telemetry(self) -> Telemetry:
        """Where it is said what happens to documents; never fails and never waits."""
        return self._telemetry

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
        return await self._switches.set(name, reason, by)

    async def lift_read_only(self, name: str | None) -> Switch | None:
        """Take updates again, durably; return the switch that was lifted, None without one.

        Listeners of its documents hear ``switched``. That of the store and those of documents
        are lifted one by one.

        Raises:
            DocumentMissing, DocumentDeleted, Damaged: as ``set_read_only``.
        """
        return await self._switches.lift(name)

    def read_only(self, document: Document | None) -> Switch | None:
        """Return the switch of an open document, its own or the store's; or, with None, that."""
        if document is None:
            return self._switches.of_store
        return self._switches.find(document.name, document.head.document_id)

    def _apply_switches(self) -> None:
        for document in self._opened.in_memory():
            document.bar(self._switches.reason_for(document.head))

    async def compact(self, name: str) -> CompactOutcome:
        """Checkpoint a document now, whatever its breaker says; that is closed first.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to fold.
            Damaged: the head is not what was written.
        """
        return await self._acts.compact(name)

    async def list_due(self) -> Sequence[Head]:
        """Return what ``compact_due`` would compact, also of documents that nobody has opened."""
        return await self._acts.list_due()

    async def compact_due(self) -> Sequence[CompactOutcome]:
        """Compact one after the other all documents whose checkpoint is due; may take long."""
        return await self._acts.compact_due()

    async def load_now(self, name: str) -> None:
        """Load a document that is stored, and leave it to rest in memory.

        Raises:
            DocumentMissing: nothing is stored under the name.
            Damaged, Poisoned, DocumentDeleted, FoldFailed, TrialFailed: as ``open_document``.
        """
        await self._unmended.mend(check_name(name))
        await self._acts.load_now(name)

    async def unload(self, name: str) -> UnloadResult:
        """Let a document that nobody uses leave memory at once."""
        return await self._acts.unload(name)

    async def truncate_wal(self) -> SpaceChange:
        """Give the WAL's room back to the disk; commits wait meanwhile."""
        return await self._acts.truncate_wal()

    async def vacuum(self) -> SpaceChange:
        """Give free pages back to the disk; all commits wait until everything is written anew.

        Raises:
            NoRoom, StoreFull: the disk has not the room that this takes; nothing was changed.
        """
        return await self._acts.vacuum()

    async def audit(self, record: AuditRecord) -> int:
        """Keep what an operator did, durably; return its number. Its own number is not used."""
        return await self._acts.audit(record)

    async def list_audit(
        self, *, before: int | None = None, limit: int = 100, document: str | None = None
    ) -> AuditPage:
        """Return what operators did, newest first: all, or to one document."""
        return await read_audit(self._backend, before=before, limit=limit, document=document)

    # ---- people -----------------------------------------------------------------------------

    @property
    def sessions(self) -> SessionBook:
        """Who is admitted to which document."""
        return self._sessions

    @property
    def quarantine(self) -> Quarantine:
        """Updates that were refused, kept for a person to look at."""
        return self._quarantine

    # ---- life -------------------------------------------------------------------------------

    @property
    def committer_state(self) -> CommitterState:
        """How commits go; see CommitterState."""
        return self._committer.state

    @property
    def failing_because(self) -> str | None:
        """Why storage does not take writes at the moment; None when it does."""
        return self._condition.failing_because

    @property
    def failing_since_s(self) -> float | None:
        """Since when it does not, on the event loop's clock; None when it does."""
        return self._condition.failing_since_s

    def is_failing_for(self, name: str) -> bool:
        """Say whether updates of this document wait for storage that fails.

        Those of every document do while appends fail; while only a snapshot finds no room, those
        of the documents that have an oversized update under way; and while what is stored cannot
        be read, those of the documents that wait for it.
        """
        return self._condition.is_failing_for(name)

    def degradations(self) -> list[Degradation]:
        """Return everything that is not well; empty on a good day."""
        return self._condition.degradations(self._clock_ms())

    @property
    def trial_counts(self) -> TrialCounts:
        """How much was tried before it was integrated, and how much waits for that."""
        return self._trials.counts

    @property
    def store_breaker(self) -> Breaker:
        """The breaker before all checkpoints, opened by what is no document's fault."""
        return self._keeper.store_breaker

    @property
    def scrub_state(self) -> ScrubState | None:
        """How far the scrubber is and what it has found; None when it is off."""
        return None if self._scrubber is None else self._scrubber.state

    def breaker(self, name: str) -> Breaker:
        """Return the breaker before the checkpoints of one document."""
        return self._keeper.breaker(name)

    def has_journal_alarm(self, name: str) -> bool:
        """Say whether a journal has grown far beyond where its checkpoint was due."""
        return self._keeper.has_alarm(name)

    async def wait_settled(self) -> None:
        """Wait until everything submitted so far is durable or refused."""
        await self._committer.wait_idle()
        while self._guard.is_busy or self._trials.is_busy:
            await self._trials.wait_idle()
            await self._committer.wait_idle()
            await self._guard.wait_idle()
            await self._committer.wait_idle()

    async def wait_broken(self) -> None:
        """Wait until the store cannot go on, and raise why; for supervisors.

        A background task has died of a defect, or another process writes now.
        """
        parts = [
            self._committer.wait_stopped(),
            self._committer.wait_superseded(),
            self._keeper.wait_stopped(),
            self._guard.wait_broken(),
            self._sessions.wait_stopped(),
            self._quarantine.wait_stopped(),
            self._cleaner.wait_stopped(),
            self._trials.wait_broken(),
        ]
        if self._scrubber is not None:
            parts.append(self._scrubber.wait_stopped())
        await wait_first_broken(parts)

    async def close(self) -> None:
        """Make everything submitted durable, then release the backend."""
        if self._scrubber is not None:
            await self._scrubber.close()
        await self._cleaner.close()
        await self._sessions.close()
        await self._quarantine.close()
        await self._keeper.close()
        self._guard.begin_closing()
        self._trials.begin_closing()
        self._committer.begin_closing()
        # Before the committer stops: an update that is found to be oversized only when its
        # round is folded is published between two commits.
        await self.wait_settled()
        await self._committer.close()
        await self._trials.close()
        await self._checkpointer.close()
        await self._opened.close()
        await self.traces_keeper.close()
        await self._backend.close()
