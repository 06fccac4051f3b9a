"""Reads documents that nobody opens, at a bounded rate, and reports what is damaged (P4)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

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
from yjs_store.records import Chunk, Extent, JournalRow, StoredDocument

log = structlog.get_logger("yjs_store.scrubber")

# Stands for the list of documents among those that are damaged; no document has this key.
_LIST_KEY: Final = 0


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
        self._seen_damaged: set[int] = set()
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
        self._seen_damaged.clear()
        unread: list[int] = []
        after_id = 0
        while extents := await self._list(after_id):
            keys = [extent.document_id for extent in extents]
            unread += [key for key in keys if not await self._look_at(key)]
            after_id = extents[-1].document_id
        for key in unread:
            await self._look_again(key)
        if _LIST_KEY not in self._seen_damaged:
            # What is in no list any more was mended or is gone; of a list that ends early nobody
            # knows what is in it.
            for key in state.damaged.keys() - self._seen_damaged:
                del state.damaged[key]
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
            except Damaged as error:
                # P4: what stands behind it cannot be listed, and can be opened all the same.
                self._note_damage(_LIST_KEY, error.document, error.problem)
                return []

    async def _look_at(self, key: int) -> bool:
        """Verify one document; False when storage does not give it."""
        byte_length = 0
        try:
            stored = await self._reader.load_by_id(key)
            if stored is not None:
                byte_length = _stored_length(stored)
                await asyncio.to_thread(format.verify, stored)
        except StoreUnavailable:
            await asyncio.sleep(SCRUB_RETRY_S)
            return False
        except Damaged as error:
            self._note_damage(key, error.document, error.problem)
        else:
            self.state.damaged.pop(key, None)
        self.state.documents += 1
        self.state.byte_length += byte_length
        # A document costs more than its bytes, so each counts as some.
        cost = max(byte_length, SCRUB_DOCUMENT_BYTES_MIN)
        await asyncio.sleep(cost / self._bytes_per_s)
        return True

    async def _look_again(self, key: int) -> None:
        """Report a document that storage gives neither now nor gave before (P4)."""
        if not await self._look_at(key):
            # It goes on giving others, or this pass would not have come to its end.
            self._note_damage(key, f"number {key}", "storage does not give it")

    def _note_damage(self, key: int, document: str, problem: str) -> None:
        if key not in self.state.damaged:
            log.error("damage found", document=document, key=key, problem=problem)
            if len(self.state.damaged) >= SCRUB_DAMAGED_MAX:
                return
        self.state.damaged[key] = (document, problem)
        self._seen_damaged.add(key)


def _stored_length(stored: StoredDocument) -> int:
    """Return what was read; what the head says of it may be damaged."""
    return sum(map(_length, stored.rows)) + sum(map(_length, stored.chunks))


def _length(part: JournalRow | Chunk) -> int:
    # P4: a damaged value may be of another type.
    data: object = part.data
    return len(data) if isinstance(data, bytes) else 0
