"""Stores events of documents, and failed attempts at checkpoints, in the background.

It may fail or be slow as it likes: what waits is bounded, and nobody waits for it.
"""

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from yjs_store.backend import Backend
from yjs_store.errors import Damaged, StoreClosed, StoreError
from yjs_store.limits import TRACES_FLUSH_DOCUMENTS, TRACES_FLUSH_S
from yjs_store.observing_format import seal_checkpoint, seal_trace
from yjs_store.telemetry import Telemetry

log = structlog.get_logger("yjs_store.traces")


class TraceKeeper:
    """One task. Events of a document that is not stored stay in memory until it is."""

    def __init__(self, backend: Backend, telemetry: Telemetry) -> None:
        self._backend = backend
        self._telemetry = telemetry
        self._is_failing = False
        self._ending = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="yjs-store-traces")

    async def close(self) -> None:
        """Store what waits, once, and stop."""
        self._ending.set()
        await self._task

    async def _run(self) -> None:
        while not self._ending.is_set():
            # Not cancelled half-way: what is on its way to the disk would be stored twice.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRACES_FLUSH_S):
                    await self._ending.wait()
            await self._flush()

    async def _flush(self) -> None:
        try:
            await self.flush()
        except StoreError as error:
            # Not a word each time: that storage fails is said by those who need it.
            if not self._is_failing:
                log.warning("events wait to be stored", error=str(error))
            self._is_failing = True
        except Exception:
            # Fail-open: a defect here must not end the process that saves documents.
            self._telemetry.faults += 1
            if not self._is_failing:
                log.exception("events cannot be stored")
            self._is_failing = True
        else:
            self._is_failing = False

    async def flush(self) -> None:
        """Store what waits now, a bounded part of it at a time.

        Raises:
            StoreError: not all was stored; the rest waits.
        """
        await self._store_checkpoints()
        names = self._telemetry.traces.documents()
        for start in range(0, len(names), TRACES_FLUSH_DOCUMENTS):
            await self._store_traces(names[start : start + TRACES_FLUSH_DOCUMENTS])

    async def _store_checkpoints(self) -> None:
        failed = self._telemetry.failed_checkpoints
        while failed:
            first = failed.popleft()
            try:
                document_id = await self._find_key(first.document)
                if document_id is not None:
                    note = seal_checkpoint(first.document, document_id, first.record)
                    await self._backend.observing.add_checkpoint(note)
            except StoreError:
                failed.appendleft(first)
                raise

    async def _store_traces(self, names: Iterable[str]) -> None:
        keys = {name: await self._find_key(name) for name in names}
        known = {name: key for name, key in keys.items() if key is not None}
        # Looked at after the last await: of a document that is forgotten nothing waits any more.
        taken = [self._telemetry.traces.waiting(name) for name in known]
        notes = [
            seal_trace(waiting.document, known[waiting.document], event)
            for waiting in taken
            for event in waiting.events
        ]
        if notes:
            await self._backend.observing.add_traces(notes)
        for waiting in taken:
            self._telemetry.traces.stored(waiting)

    async def _find_key(self, name: str) -> int | None:
        try:
            sealed = await self._backend.load_head(name)
        except StoreClosed:
            raise
        except Damaged:
            return None
        return None if sealed is None else sealed.head.document_id
