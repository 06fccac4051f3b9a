"""Checkpoints of an open store: one at a time for each document, published between commits."""

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import replace

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.checkpoint import Staged, run_checkpoint
from yjs_store.committer import Committer
from yjs_store.errors import WriterSuperseded
from yjs_store.fold_process import FoldProcess
from yjs_store.heads import published_head
from yjs_store.opened import OpenDocuments
from yjs_store.records import CheckpointResult, Head


class Checkpointer:
    """Runs ``run_checkpoint``; the heads of documents in memory move with what is published."""

    def __init__(
        self,
        backend: Backend,
        committer: Committer,
        opened: OpenDocuments,
        clock_ms: Callable[[], int],
    ) -> None:
        self.folds = FoldProcess()
        self._backend = backend
        self._committer = committer
        self._opened = opened
        self._clock_ms = clock_ms
        self._locks = weakref.WeakValueDictionary[str, asyncio.Lock]()

    def lock(self, name: str) -> asyncio.Lock:
        """Return the lock of a document: who has it knows that nothing of it is staged."""
        # The dict lets go of a lock when nobody holds or awaits it any more.
        return self._locks.setdefault(name, asyncio.Lock())

    async def run(
        self, name: str, reason: str, extra: bytes | None = None, live: Head | None = None
    ) -> CheckpointResult:
        """See ``run_checkpoint``."""
        async with self.lock(name):
            return await run_checkpoint(
                self._backend,
                self.folds,
                name,
                reason,
                self._clock_ms(),
                self._publish,
                extra=extra,
                live=live,
            )

    async def _publish(self, staged: Staged) -> Head:
        return await self._committer.run_exclusive(lambda: self._publish_between_commits(staged))

    async def _publish_between_commits(self, staged: Staged) -> Head:
        name = staged.source.name
        sealed = await self._backend.load_head(name)
        if sealed is None and staged.source.document_id != 0:
            raise WriterSuperseded(name)
        before = staged.source if sealed is None else format.check_head(sealed)
        after = published_head(before, staged, self._clock_ms())
        if sealed is None:
            document_id = await self._backend.create(format.seal_head(after))
            after = replace(after, document_id=document_id)
        else:
            await self._backend.publish(before, format.seal_head(after))
        document = await self._opened.find(name)
        if document is not None:
            document.head = after
        return after

    async def close(self) -> None:
        """End the fold process."""
        await self.folds.close()
