"""Checkpoints of an open store: one at a time for each document, published between commits."""

import asyncio
import contextlib
import functools
import weakref
from collections.abc import Callable
from dataclasses import replace

from yjs_store import format
from yjs_store.attempts import Attempt
from yjs_store.backend import Backend
from yjs_store.checkpoint import Staged, Vouch, run_checkpoint
from yjs_store.committer import Committer
from yjs_store.errors import (
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    StoreClosed,
    StoreError,
    WriterSuperseded,
)
from yjs_store.fold_process import FoldProcess
from yjs_store.heads import published_head
from yjs_store.observing_format import seal_checkpoint
from yjs_store.observing_records import StoredNote
from yjs_store.opened import OpenDocuments
from yjs_store.records import CheckpointResult, Head, StoredDocument
from yjs_store.telemetry import Telemetry


class Checkpointer:
    """Runs ``run_checkpoint``; the heads of documents in memory move with what is published."""

    def __init__(
        self,
        backend: Backend,
        committer: Committer,
        opened: OpenDocuments,
        clock_ms: Callable[[], int],
        vouch: Vouch,
        telemetry: Telemetry,
    ) -> None:
        self.folds = FoldProcess()
        self._backend = backend
        self._committer = committer
        self._opened = opened
        self._clock_ms = clock_ms
        self._vouch = vouch
        self._telemetry = telemetry
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
            attempt = Attempt(reason, self._clock_ms(), self._telemetry.timer_s)
            try:
                result = await run_checkpoint(
                    self._backend,
                    self.folds,
                    name,
                    reason,
                    attempt.started_ms,
                    functools.partial(self._publish, attempt),
                    functools.partial(self._look_and_vouch, attempt),
                    extra=extra,
                    live=live,
                )
            except (DocumentDeleted, DocumentMissing, StoreClosed):
                raise
            except StoreError as error:
                self._telemetry.checkpoint_failed(name, attempt.failed(error), error)
                raise
            if attempt.record is not None:
                self._telemetry.published(name, attempt.record)
            return result

    async def _look_and_vouch(self, attempt: Attempt, stored: StoredDocument) -> None:
        # What cannot be believed is found by others, and said.
        with contextlib.suppress(Damaged):
            attempt.source = format.check_head(stored.sealed_head)
        await self._vouch(stored)

    async def _publish(self, attempt: Attempt, staged: Staged) -> Head:
        return await self._committer.run_exclusive(
            lambda: self._publish_between_commits(attempt, staged)
        )

    async def _publish_between_commits(self, attempt: Attempt, staged: Staged) -> Head:
        name = staged.source.name
        sealed = await self._backend.load_head(name)
        if sealed is None and staged.source.document_id != 0:
            raise WriterSuperseded(name)
        before = staged.source if sealed is None else format.check_head(sealed)
        after = published_head(before, staged, self._clock_ms())
        note = self._note_of(attempt, staged, after)
        if sealed is None:
            document_id = await self._backend.create(format.seal_head(after), note)
            after = replace(after, document_id=document_id)
        else:
            await self._backend.publish(before, format.seal_head(after), note)
        document = await self._opened.find(name)
        if document is not None:
            document.head = after
            document.content = staged.content
        return after

    def _note_of(self, attempt: Attempt, staged: Staged, after: Head) -> StoredNote | None:
        """Return what is kept of a success with it; it must not fail for that."""
        try:
            attempt.record = attempt.published(staged, after)
            return seal_checkpoint(after.name, after.document_id, attempt.record)
        except Exception:  # noqa: BLE001  (fail-open: a defect in this stops no checkpoint)
            self._telemetry.faults += 1
            return None

    async def close(self) -> None:
        """End the fold process."""
        await self.folds.close()
