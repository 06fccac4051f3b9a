"""The guard that sends updates too large for a journal row round the journal.

Such an update is folded into a new snapshot and is durable when that is published. Its document
takes no other update meanwhile; everybody else's go on. It is an append and not a checkpoint:
no circuit breaker stands before it, and while storage does not take it, it waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from yjs_store.document import Document
from yjs_store.errors import DocumentFailed, FoldFailed, StoreError, UpdateRefused
from yjs_store.records import Head
from yjs_store.retrying import Retrier, StorageState


@dataclass(frozen=True, slots=True)
class _Run:
    """One update under way."""

    name: str
    retrier: Retrier

    @property
    def is_failing(self) -> bool:
        return self.retrier.state.failing_since_s is not None


class OversizedGuard:
    """The oversized updates under way; ``store`` makes one durable and returns the new head."""

    def __init__(self, store: Callable[[Document, bytes], Awaitable[Head]]) -> None:
        self.count = 0
        self._store = store
        self._runs: dict[asyncio.Task[None], _Run] = {}
        self._is_closing = False
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, document: Document, update: bytes) -> None:
        """Begin to store; the document is settled or failed at the end."""
        self.count += 1
        retrier = Retrier("an oversized update", StorageState())
        retrier.is_closing = self._is_closing
        task = asyncio.create_task(
            self._run(document, update, retrier), name=f"oversized {document.name}"
        )
        self._runs[task] = _Run(document.name, retrier)
        task.add_done_callback(self._runs.pop)

    async def _run(self, document: Document, update: bytes, retrier: Retrier) -> None:
        try:
            head = await retrier.run(lambda: self._store(document, update))
            await document.settled_oversized(head, update)
        except (UpdateRefused, FoldFailed) as error:
            document.refused_oversized(error)
        except StoreError as error:
            document.failed(error)
        except Exception as error:  # noqa: BLE001  (handed to the one who supervises)
            # A defect must not leave the document waiting for ever.
            document.failed(DocumentFailed(document.name, repr(error)))
            if not self._broken.done():
                self._broken.set_exception(error)

    @property
    def state(self) -> StorageState:
        """How the update fares that has waited for storage longest; in order when none does."""
        failing = [run.retrier.state for run in self._runs.values() if run.is_failing]
        return min(failing, key=lambda state: state.failing_since_s or 0.0, default=StorageState())

    @property
    def is_busy(self) -> bool:
        """Whether an oversized update is under way."""
        return bool(self._runs)

    def is_failing_for(self, name: str) -> bool:
        """Whether an oversized update of this document waits for storage that fails."""
        return any(run.is_failing for run in self._runs.values() if run.name == name)

    def failures_in_row(self, name: str) -> int:
        """Return how often storage has refused an oversized update of this document so far."""
        runs = (run for run in self._runs.values() if run.name == name)
        return max((run.retrier.state.failures_in_row for run in runs), default=0)

    async def wait_idle(self) -> None:
        """Wait until none is under way."""
        while self._runs:
            await asyncio.gather(*self._runs)

    async def wait_broken(self) -> None:
        """Wait until one has ended of a defect, and raise that; for supervisors."""
        await asyncio.shield(self._broken)

    def begin_closing(self) -> None:
        """From now on give up, aloud, what storage does not take in a few attempts."""
        self._is_closing = True
        for run in self._runs.values():
            run.retrier.is_closing = True
