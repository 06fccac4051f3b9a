"""The parts of an open store, and what they ask of each other; others see only ``Store``."""

import functools
from collections.abc import Callable

from yjs_store import format
from yjs_store.acts import Acts
from yjs_store.backend import Backend
from yjs_store.checkpointer import Checkpointer
from yjs_store.cleaner import Cleaner
from yjs_store.committer import Committer
from yjs_store.condition import Condition
from yjs_store.document import Document
from yjs_store.errors import MendingAwaited
from yjs_store.keeper import Keeper
from yjs_store.lives import Lives
from yjs_store.loading import Loading, load_for_trial
from yjs_store.names import check_name
from yjs_store.observing import Observation
from yjs_store.opened import OpenDocuments
from yjs_store.oversized import OversizedGuard
from yjs_store.policy import CheckpointPolicy
from yjs_store.quarantine import Quarantine
from yjs_store.records import CheckpointResult, Head, Receipt
from yjs_store.scrubber import Scrubber
from yjs_store.sessions import SessionBook
from yjs_store.supervising import wait_first_broken
from yjs_store.switches import Switches
from yjs_store.telemetry import Telemetry
from yjs_store.trace_keeper import TraceKeeper
from yjs_store.trials import Trials
from yjs_store.unmended import Unmended
from yjs_store.vouching import Vouching


class Parts:
    """Every part of one store, begun and ended together."""

    def __init__(
        self,
        backend: Backend,
        policy: CheckpointPolicy,
        clock_ms: Callable[[], int],
        make_uid: Callable[[], bytes],
        chance: Callable[[], float],
        scrub_bytes_per_s: float,
        timer_s: Callable[[], float],
    ) -> None:
        self.backend = backend
        self.telemetry = Telemetry(clock_ms, timer_s)
        self.committer = Committer(backend, timer_s, self.telemetry.committed)
        self.switches = Switches(backend, clock_ms, self._apply_switches, self.telemetry)
        self.guard = OversizedGuard(self._store_oversized)
        self.trials = Trials(functools.partial(load_for_trial, backend), self.telemetry.tried)
        self.vouching = Vouching(backend, self.trials)
        loading = Loading(
            backend,
            self.committer,
            self.guard,
            self.trials,
            self.vouching,
            clock_ms,
            make_uid,
            self._document_settled,
            self.telemetry,
            self.switches,
        )
        self.opened = OpenDocuments(loading.load)
        self.checkpointer = Checkpointer(
            backend,
            self.committer,
            self.opened,
            clock_ms,
            self.vouching.check,
            self.telemetry,
        )
        self.keeper = Keeper(policy, self.run_checkpoint, self.trim, chance, self.telemetry.note)
        self.unmended = Unmended(self.keeper)
        self.sessions = SessionBook(backend.sessions, clock_ms)
        self.quarantine = Quarantine(backend.quarantine, self.append, clock_ms)
        self.cleaner = Cleaner(
            {"sessions": self.sessions.remove_expired, "quarantine": self.quarantine.remove_old}
        )
        self.scrubber = (
            Scrubber(backend, scrub_bytes_per_s, clock_ms) if scrub_bytes_per_s else None
        )
        self.lives = Lives(
            backend,
            self.committer,
            self.opened,
            self.checkpointer,
            clock_ms,
            make_uid,
            self._forget_life,
            self.trim,
            self.switches,
            self.telemetry,
        )
        self.condition = Condition(
            self.committer,
            self.guard,
            self.trials,
            self.keeper,
            self.vouching,
            self.sessions,
            self.scrubber,
            self.switches,
            self.telemetry,
            self.opened,
        )
        self.acts = Acts(backend, self.committer, self.opened, self.keeper, self.telemetry, timer_s)
        # Stores what was said to ``telemetry``, by itself.
        self.traces_keeper = TraceKeeper(backend, self.telemetry)
        self.observation = Observation(
            backend,
            self.committer,
            self.opened,
            self.keeper,
            self.trials,
            self.vouching,
            self.scrubber,
            self.switches,
            self.condition,
            self.telemetry,
            clock_ms,
            clock_ms(),
        )

    async def begin(self) -> None:
        """Read what must be known before the first document is opened; once.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        await self.switches.load()

    # ---- documents --------------------------------------------------------------------------

    async def open_document(self, name: str) -> Document:
        """See ``Store.open_document``."""
        await self.unmended.mend(check_name(name))
        return await self.opened.open(name)

    async def append(self, name: str, update: bytes) -> Receipt:
        """See ``Store.append``."""
        document = await self.open_document(name)
        try:
            return await document.append(update)
        finally:
            self.opened.release(document)

    # ---- what parts ask of the others --------------------------------------------------------

    def _document_settled(self, document: Document) -> None:
        if document.error is None:
            self.keeper.consider(document.head)
            for reason in document.take_wishes():
                self.keeper.request(document.name, reason)
        elif isinstance(document.error, MendingAwaited):
            self.unmended.add(document.name)
        self.opened.drop_when_unused(document)

    async def run_checkpoint(
        self, name: str, reason: str, extra: bytes | None = None, live: Head | None = None
    ) -> CheckpointResult:
        """Make one, whatever breakers say; see ``Checkpointer.run``. What is dead is trimmed."""
        result = await self.checkpointer.run(name, reason, extra, live)
        self.keeper.request_trim()
        return result

    async def _store_oversized(self, document: Document, update: bytes) -> Head:
        """Make an update durable as part of a new snapshot; return the head that has it."""
        result = await self.run_checkpoint(document.name, "oversized", update, document.head)
        return result.head

    async def trim(self) -> bool:
        """Trim one bounded step; say whether there is more."""
        return await self.backend.trim(format.check_head)

    def _forget_life(self, name: str) -> None:
        """Forget what was found out of a life of a document that is over."""
        self.unmended.drop(name)
        self.vouching.drop(name)
        self.keeper.drop(name)
        self.telemetry.unloadable.pop(name, None)

    def _apply_switches(self) -> None:
        for document in self.opened.in_memory():
            document.bar(self.switches.reason_for(document.head))

    # ---- life -------------------------------------------------------------------------------

    async def wait_settled(self) -> None:
        """Wait until everything submitted so far is durable or refused."""
        await self.committer.wait_idle()
        while self.guard.is_busy or self.trials.is_busy:
            await self.trials.wait_idle()
            await self.committer.wait_idle()
            await self.guard.wait_idle()
            await self.committer.wait_idle()

    async def wait_broken(self) -> None:
        """Wait until the store cannot go on, and raise why; see ``Store.wait_broken``."""
        parts = [
            self.committer.wait_stopped(),
            self.committer.wait_superseded(),
            self.keeper.wait_stopped(),
            self.guard.wait_broken(),
            self.sessions.wait_stopped(),
            self.quarantine.wait_stopped(),
            self.cleaner.wait_stopped(),
            self.trials.wait_broken(),
        ]
        if self.scrubber is not None:
            parts.append(self.scrubber.wait_stopped())
        await wait_first_broken(parts)

    async def close(self) -> None:
        """Make everything submitted durable, then release the backend."""
        if self.scrubber is not None:
            await self.scrubber.close()
        await self.cleaner.close()
        await self.sessions.close()
        await self.quarantine.close()
        await self.keeper.close()
        self.guard.begin_closing()
        self.trials.begin_closing()
        self.committer.begin_closing()
        # Before the committer stops: an update that is found to be oversized only when its
        # round is folded is published between two commits.
        await self.wait_settled()
        await self.committer.close()
        await self.trials.close()
        await self.checkpointer.close()
        await self.opened.close()
        await self.traces_keeper.close()
        await self.backend.close()
