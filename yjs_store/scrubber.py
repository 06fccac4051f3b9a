"""Reads documents that nobody opens, at a bounded rate, and reports what is damaged (P4)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from yjs_store import format
from yjs_store.backend import Reader
from yjs_store.errors import Damaged, StoreUnavailable
from yjs_store.limits import (
    LIST_PAGE_MAX,
    SCRUB_DAMAGED_MAX,
    SCRUB_DOCUMENT_BYTES_MIN,
    SCRUB_FIRST_S,
    SCRUB_PASS_S,
    SCRUB_RETRY_S,
)
from yjs_store.records import Extent, StoredDocument

log = structlog.get_logger("yjs_store.scrubber")


@dataclass(slots=True)
class ScrubState:
    """What an operator wants to know; counts are of the pass under way or just done.

    ``damaged`` holds at most SCRUB_DAMAGED_MAX documents by key, with name and problem; times
    are milliseconds since 1970.
    """

    passes: int = 0
    documents: int = 0
    byte_length: int = 0
    started_ms: int | None = None
    finished_ms: int | None = None
    damaged: dict[int, tuple[str, str]] = field(default_factory=dict)


class Scrubber:
    """One task that goes through the whole store again and again."""

    def __init__(self, reader: Reader, bytes_per_s: float, clock_ms: Callable[[], int]) -> None:
        self.state = ScrubState()
        self._reader = reader
        self._bytes_per_s = bytes_per_s
        self._clock_ms = clock_ms
        self._task = asyncio.create_task(self._run(), name="yjs-store-scrubber")

    async def close(self) -> None:
        """Stop."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_stopped(self) -> None:
        """Wait until the task ends; raise what ended it, if that was a defect."""
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        # Whoever comes back after a restart goes first.
        await asyncio.sleep(SCRUB_FIRST_S)
        while True:
            begun_s = asyncio.get_running_loop().time()
            await self._run_pass()
            left_s = begun_s + SCRUB_PASS_S - asyncio.get_running_loop().time()
            await asyncio.sleep(max(left_s, SCRUB_FIRST_S))

    async def _run_pass(self) -> None:
        state = self.state
        state.documents = state.byte_length = 0
        state.started_ms, state.finished_ms = self._clock_ms(), None
        after_id = 0
        while extents := await self._list(after_id):
            for extent in extents:
                await self._look_at(extent)
            after_id = extents[-1].document_id
        state.passes += 1
        state.finished_ms = self._clock_ms()
        log.info(
            "scrubbed",
            documents=state.documents,
            byte_length=state.byte_length,
            damaged=len(state.damaged),
        )

    async def _list(self, after_id: int) -> list[Extent]:
        while True:
            try:
                return list(await self._reader.list_extents(after_id, LIST_PAGE_MAX))
            except StoreUnavailable:
                await asyncio.sleep(SCRUB_RETRY_S)

    async def _look_at(self, extent: Extent) -> None:
        key = extent.document_id
        try:
            stored = await self._load(key)
            if stored is not None:
                await asyncio.to_thread(format.verify, stored)
        except Damaged as error:
            self._note_damage(key, error)
        else:
            self.state.damaged.pop(key, None)
        self.state.documents += 1
        self.state.byte_length += extent.byte_length
        # A document costs more than its bytes, so each counts as some.
        cost = max(extent.byte_length, SCRUB_DOCUMENT_BYTES_MIN)
        await asyncio.sleep(cost / self._bytes_per_s)

    async def _load(self, key: int) -> StoredDocument | None:
        while True:
            try:
                return await self._reader.load_by_id(key)
            except StoreUnavailable:
                # Somebody else says that storage is failing.
                await asyncio.sleep(SCRUB_RETRY_S)

    def _note_damage(self, key: int, error: Damaged) -> None:
        problem = f"{error.part}: expected {error.expected}, found {error.found}"
        known = self.state.damaged.get(key)
        if known is None:
            log.error("damage found", document=error.document, key=key, problem=problem)
            if len(self.state.damaged) >= SCRUB_DAMAGED_MAX:
                return
        self.state.damaged[key] = (error.document, problem)
