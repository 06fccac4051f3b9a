"""The open store: documents by name over one backend."""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence

from yjs_store import crdt, format
from yjs_store.assembling import assemble_cut
from yjs_store.backend import Backend
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.breaker import Breaker
from yjs_store.checkpointer import Checkpointer
from yjs_store.cleaner import Cleaner
from yjs_store.committer import Committer, CommitterState
from yjs_store.document import Document
from yjs_store.errors import (
    Damaged,
    DocumentDeleted,
    DocumentFailed,
    DocumentMissing,
    FoldFailed,
    MendingAwaited,
    StoreError,
    UpdateRefused,
    WriterSuperseded,
)
from yjs_store.heads import fresh_head, tombstone
from yjs_store.health import Degradation, Trouble
from yjs_store.keeper import Keeper
from yjs_store.limits import (
    KIB,
    LIST_PAGE_MAX,
    MEASURE_BYTES_MIN,
    SCRUB_BYTES_PER_S,
)
from yjs_store.names import check_name
from yjs_store.opened import OpenDocuments
from yjs_store.oversized import OversizedGuard
from yjs_store.policy import CheckpointPolicy
from yjs_store.quarantine import Quarantine
from yjs_store.records import (
    CheckpointResult,
    Head,
    Receipt,
    SetAside,
    Statistics,
    StoredDocument,
)
from yjs_store.salvage import SalvagePlan, plan
from yjs_store.salvaging import carry_out, give_up, load_remains
from yjs_store.scrubber import Scrubber, ScrubState
from yjs_store.sessions import SessionBook
from yjs_store.trials import TrialCounts, Trials
from yjs_store.urls import sqlite_path
from yjs_store.vouching import Vouching

# Below this, checking and merging takes less time than handing it to a thread.
_ASSEMBLE_INLINE_BYTES = 64 * KIB


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970. It is shown, never used for order."""
    return time.time_ns() // 1_000_000


def new_uid() -> bytes:
    """Return the name of a new life of a document."""
    return os.urandom(format.UID_BYTES)


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
    ) -> None:
        self._backend = backend
        self._clock_ms = clock_ms
        self._make_uid = make_uid
        self._opened = OpenDocuments(self._load_document)
        self._committer = Committer(backend)
        self._checkpointer = Checkpointer(backend, self._committer, self._opened, clock_ms)
        self._guard = OversizedGuard(self._store_oversized)
        self._trials = Trials(self._load_for_trial)
        self._vouching = Vouching(backend, self._trials)
        self._keeper = Keeper(policy, self._run_checkpoint, self._trim, chance)
        # The documents that cannot be read before a checkpoint has mended them.
        self._unmended: set[str] = set()
        self._mending = asyncio.Lock()
        self._sessions = SessionBook(backend.sessions, clock_ms)
        self._quarantine = Quarantine(backend.quarantine, self.append, clock_ms)
        self._cleaner = Cleaner(
            {"sessions": self._sessions.remove_expired, "quarantine": self._quarantine.remove_old}
        )
        self._scrubber = (
            Scrubber(backend, scrub_bytes_per_s, clock_ms) if scrub_bytes_per_s else None
        )

    # ---- documents --------------------------------------------------------------------------

    async def open_document(self, name: str) -> Document:
        """Load a document, or join those who have it open; pair with ``release_document``.

        A name with nothing stored gives an empty document; it is created by its first update.

        Raises:
            Damaged: what is stored is not what was written; nothing of it is used (P4).
            Poisoned: the decoder dies on what is stored.
            DocumentDeleted: there is a tombstone.
        """
        if check_name(name) in self._unmended:
            await self._mend(name)
        return await self._opened.open(name)

    async def _mend(self, name: str) -> None:
        """Have what is stored of a document folded, and so mended, in another process."""
        async with self._mending:
            if name not in self._unmended:
                return
            try:
                await self._keeper.attempt(name, "mending")
            except FoldFailed as error:
                raise Damaged(name, "content", "Yjs updates", str(error)) from error
            self._unmended.discard(name)

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

    async def _load_document(self, name: str) -> Document:
        stored = await self._backend.load(name)
        head, updates = fresh_head(name, self._make_uid()), list[bytes]()
        if stored is not None:
            await self._vouching.check(stored)
            head, updates = await _assemble(stored)
        document = Document(
            head,
            updates,
            self._committer,
            self._clock_ms,
            self._document_settled,
            self._guard.take,
            self._trials,
        )
        if head.journal_bytes + head.snapshot_bytes > MEASURE_BYTES_MIN:
            self._trials.measure(document)
        return document

    async def _load_for_trial(self, live: Head) -> StoredDocument:
        """Read what is stored of an open document; of a new one, that it is empty."""
        stored = await self._backend.load(live.name)
        if stored is None and live.document_id == 0:
            return StoredDocument(format.seal_head(live), None, (), ())
        if stored is None or stored.sealed_head.head.uid != live.uid:
            raise WriterSuperseded(live.name)
        return stored

    def _document_settled(self, document: Document) -> None:
        if document.error is None:
            self._keeper.consider(document.head)
            if document.is_mended:
                # So that no load has to do it again.
                document.is_mended = False
                self._keeper.request(document.name, "mending")
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
            Damaged: as ``open_document``.
        """
        check_name(name)
        stored = await self._backend.load(name)
        if stored is None:
            raise DocumentMissing(name)
        await self._vouching.check(stored)
        head, updates = await _assemble(stored)
        try:
            return crdt.fold(updates)[0]
        except (UpdateRefused, crdt.IntegrationFailed) as error:
            raise Damaged(head.name, "content", "Yjs updates", str(error)) from error

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
        check_name(name)
        stored = await self._backend.load(name)
        if stored is not None:
            await self._vouching.check(stored)
        return await self._keeper.attempt(name, reason)

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

    async def delete(self, name: str) -> None:
        """Delete a document; its name stays barred until ``forget`` (P9).

        On return the tombstone is durable. Those who have the document open hear
        DocumentDeleted.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to delete.
        """
        check_name(name)
        await self._committer.run_exclusive(lambda: self._delete_between_commits(name))
        self._forget_life(name)
        self._keeper.request_trim()

    async def _delete_between_commits(self, name: str) -> None:
        sealed = await self._backend.load_head(name)
        if sealed is None:
            raise DocumentMissing(name)
        before = format.check_head(sealed)
        after = tombstone(before, self._clock_ms())
        await self._backend.delete(before, format.seal_head(after))
        document = await self._opened.find(name)
        if document is not None:
            document.failed(DocumentDeleted(name))

    async def forget(self, name: str) -> None:
        """Remove a tombstone, so that the name can be used again.

        Raises:
            DocumentMissing: there is no tombstone.
            Damaged: the tombstone, or what is left of the document's data.
        """
        check_name(name)
        sealed = await self._backend.load_head(name)
        if sealed is None:
            raise DocumentMissing(name)
        deleted = format.check_head(sealed)
        if deleted.deleted_ms is None:
            raise DocumentMissing(name)
        # With the lock no checkpoint of the former life has anything staged.
        async with self._checkpointer.lock(name):
            is_more_left = True
            while not await self._backend.forget(deleted):
                if not is_more_left:
                    raise Damaged(name, "tombstone", "nothing of its data", "some left by trimming")
                is_more_left = await self._trim()

    # ---- damage -----------------------------------------------------------------------------

    async def plan_salvage(self, name: str, *, unverified: bool = False) -> SalvagePlan:
        """Find out how much of a damaged document can be saved; changes nothing.

        What a live document has in memory counts too.

        Raises:
            DocumentMissing, DocumentDeleted: there is nothing to save.
        """
        check_name(name)
        remains = await load_remains(self._backend, name)
        document = await self._opened.find(name)
        known = list[bytes]()
        if document is not None:
            # What cannot be read in memory either is no reason to save nothing.
            with contextlib.suppress(StoreError):
                known.append(await document.whole())
        return await asyncio.to_thread(plan, remains, unverified=unverified, known=known)

    async def salvage(self, planned: SalvagePlan) -> Head:
        """Put what a plan saves in the place of the damaged document; see ``carry_out``.

        Those who have the document open hear DocumentFailed and load it again.
        """
        now_ms = self._clock_ms()
        head = await carry_out(
            self._backend, planned, self._make_uid(), now_ms, self._committer.run_exclusive
        )
        await self._begin_anew(head.name, "it was salvaged")
        return head

    async def set_aside(self, planned: SalvagePlan) -> None:
        """Set aside a damaged document of which nothing can be saved; see ``give_up``.

        Its name is free: whoever opens it finds nothing, and whoever has its content gives it
        back.
        """
        await give_up(self._backend, planned, self._clock_ms(), self._committer.run_exclusive)
        await self._begin_anew(planned.remains.sealed_head.head.name, "it was set aside")

    async def _begin_anew(self, name: str, why: str) -> None:
        """Let those who have the former life of a document open load the new one."""
        self._forget_life(name)
        document = await self._opened.find(name)
        if document is not None:
            document.failed(DocumentFailed(name, why))

    def _forget_life(self, name: str) -> None:
        """Forget what was found out of a life of a document that is over."""
        self._unmended.discard(name)
        self._vouching.drop(name)
        self._keeper.drop(name)

    async def list_set_aside(self) -> Sequence[SetAside]:
        """Return the damaged documents whose place salvaged ones have taken."""
        return await self._backend.list_set_aside()

    async def discard_set_aside(self, document_id: int) -> bool:
        """Give up the rows and chunks of one that was set aside; False when there is none."""
        is_discarded = await self._backend.discard_set_aside(document_id)
        self._keeper.request_trim()
        return is_discarded

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
        states = (self._committer.state, self._guard.state, self._trials.state)
        return next((state.failing_because for state in states if state.failing_because), None)

    def degradations(self) -> list[Degradation]:
        """Return everything that is not well; empty on a good day."""
        now_ms = self._clock_ms()
        found = self._keeper.degradations(now_ms)
        because = self.failing_because
        if because is not None:
            found.insert(0, Degradation(Trouble.STORAGE, None, because))
        because = self._sessions.watch_failing_because
        if because is not None:
            found.append(Degradation(Trouble.REVOCATIONS, None, because))
        found += [
            Degradation(Trouble.DAMAGE, error.document, str(error))
            for error in self._vouching.poisoned
        ]
        if self._scrubber is not None:
            found += [
                Degradation(Trouble.DAMAGE, name, problem)
                for name, problem in self._scrubber.state.damaged.values()
            ]
        return found

    @property
    def failing_since_s(self) -> float | None:
        """Since when it does not, on the event loop's clock; None when it does."""
        states = (self._committer.state, self._guard.state, self._trials.state)
        since_s = [state.failing_since_s for state in states if state.failing_since_s is not None]
        return min(since_s, default=None)

    def is_failing_for(self, name: str) -> bool:
        """Say whether updates of this document wait for storage that fails.

        Those of every document do while appends fail; while only a snapshot finds no room, those
        of the documents that have an oversized update under way.
        """
        is_failing = self._committer.state.failing_since_s is not None
        return is_failing or self._guard.is_failing_for(name)

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
        tasks = [
            asyncio.create_task(self._committer.wait_stopped()),
            asyncio.create_task(self._committer.wait_superseded()),
            asyncio.create_task(self._keeper.wait_stopped()),
            asyncio.create_task(self._guard.wait_broken()),
            asyncio.create_task(self._sessions.wait_stopped()),
            asyncio.create_task(self._quarantine.wait_stopped()),
            asyncio.create_task(self._cleaner.wait_stopped()),
            asyncio.create_task(self._trials.wait_broken()),
        ]
        if self._scrubber is not None:
            tasks.append(asyncio.create_task(self._scrubber.wait_stopped()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

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
        await self._backend.close()


@contextlib.asynccontextmanager
async def open_store(
    url: str,
    *,
    policy: CheckpointPolicy | None = None,
    clock_ms: Callable[[], int] = now_ms,
    make_uid: Callable[[], bytes] = new_uid,
    chance: Callable[[], float] = random.random,
    scrub_bytes_per_s: float = SCRUB_BYTES_PER_S,
) -> AsyncIterator[Store]:
    """Open the store at ``url`` (``sqlite:///relative.db``, ``sqlite:////absolute.db``).

    It is created when it does not exist. What is stored is verified in the background at
    ``scrub_bytes_per_s``, not at all with 0. At the end of the block everything submitted is
    durable. ``memory:`` is a new store each time, for tests: all of it goes at the end.

    Raises:
        StoreUnusable: it cannot be opened until a person changes something.
    """
    backend = _backend_at(url)
    await backend.open()
    store = Store(
        backend, policy or CheckpointPolicy(), clock_ms, make_uid, chance, scrub_bytes_per_s
    )
    try:
        yield store
    finally:
        await store.close()


def _backend_at(url: str) -> Backend:
    return MemoryBackend() if url == "memory:" else SqliteBackend(sqlite_path(url))


async def _assemble(stored: StoredDocument) -> tuple[Head, list[bytes]]:
    """Verify what was read; return the head and the updates, oldest first."""
    head = format.check_head(stored.sealed_head)
    if head.deleted_ms is not None:
        raise DocumentDeleted(head.name)
    if head.journal_bytes + head.snapshot_bytes <= _ASSEMBLE_INLINE_BYTES:
        return head, assemble_cut(stored)
    return head, await asyncio.to_thread(assemble_cut, stored)
