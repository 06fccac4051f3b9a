"""Updates that were refused, kept within bounds for a person to look at (P5, P6)."""

import asyncio
import functools
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from yjs_store.errors import EntryMissing, StoreError
from yjs_store.limits import (
    CLEANING_ROWS_STEP,
    LIST_PAGE_MAX,
    QUARANTINE_BYTES_MAX,
    QUARANTINE_ENTRIES_MAX,
    QUARANTINE_ENTRIES_PER_DOCUMENT_MAX,
    QUARANTINE_KEPT_MS,
    QUARANTINE_WAITING_BYTES_MAX,
    QUARANTINE_WAITING_MAX,
    QUARANTINE_WRITES_PER_DOCUMENT_AND_MINUTE,
    QUARANTINE_WRITES_PER_MINUTE,
)
from yjs_store.quarantine_format import make_entry, seal_entry, seen_again, shown_entry
from yjs_store.quarantine_records import QuarantineBounds, QuarantineRecords
from yjs_store.records import QuarantineEntry, Receipt

log = structlog.get_logger("yjs_store.quarantine")

_MINUTE_S = 60.0


@dataclass(slots=True)
class QuarantineState:
    """What an operator wants to know: how many were kept, how many only counted since the start.

    ``dropped_because`` is why the last one was not kept.
    """

    kept: int = 0
    dropped: int = 0
    dropped_because: str | None = None


@dataclass(slots=True)
class _Waiting:
    document: str
    update: bytes
    reason: str
    sender: str
    done: "asyncio.Future[int | None]" = field(default_factory=asyncio.Future)


class WriteRate:
    """How many writes a minute has had, in all and by document. Pure: time is an argument."""

    def __init__(self) -> None:
        self._began_s = float("-inf")
        self._writes: Counter[str] = Counter()

    def take(self, document: str, now_s: float) -> bool:
        """Count a write; False, and nothing counted, when the minute has had enough."""
        if now_s - self._began_s >= _MINUTE_S:
            self._began_s = now_s
            self._writes.clear()
        if (
            self._writes.total() >= QUARANTINE_WRITES_PER_MINUTE
            or self._writes[document] >= QUARANTINE_WRITES_PER_DOCUMENT_AND_MINUTE
        ):
            return False
        self._writes[document] += 1
        return True


class Quarantine:
    """Refused updates by number. Obtained from ``Store.quarantine``; belongs to one event loop.

    One task writes them, one at a time. What comes faster than the bounds allow, or what storage
    does not take, is counted and not kept: nobody waits for it.
    """

    def __init__(
        self,
        records: QuarantineRecords,
        append: Callable[[str, bytes], Awaitable[Receipt]],
        clock_ms: Callable[[], int],
    ) -> None:
        self.state = QuarantineState()
        self._records = records
        self._append = append
        self._clock_ms = clock_ms
        self._rate = WriteRate()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._said_s = float("-inf")
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._run(), name="yjs-store-quarantine")

    # ---- in ---------------------------------------------------------------------------------

    def put(
        self, document: str, update: bytes, reason: str, sender: str
    ) -> "asyncio.Future[int | None]":
        """Hand over an update that was refused; need not be awaited.

        Gives the number of its entry, of the one that is there when it came before, or None when
        it was not kept.
        """
        waiting = _Waiting(document, update, reason, sender)
        because = self._find_obstacle(document, update)
        if because is not None:
            self._drop(waiting, because)
        else:
            self._waiting.append(waiting)
            self._waiting_bytes += len(update)
            self._wake.set()
        return waiting.done

    def _find_obstacle(self, document: str, update: bytes) -> str | None:
        if self._is_closing:
            return "the store is closed"
        byte_length = self._waiting_bytes + len(update)
        if (
            len(self._waiting) >= QUARANTINE_WAITING_MAX
            or byte_length > QUARANTINE_WAITING_BYTES_MAX
        ):
            return "too many wait to be written"
        if not self._rate.take(document, asyncio.get_running_loop().time()):
            return "too many in a minute"
        return None

    def _drop(self, waiting: _Waiting, because: str) -> None:
        self.state.dropped += 1
        self.state.dropped_because = because
        now_s = asyncio.get_running_loop().time()
        if now_s - self._said_s >= _MINUTE_S:
            # Not for each: a flood has thousands.
            self._said_s = now_s
            log.warning(
                "a refused update was not kept",
                document=waiting.document,
                because=because,
                dropped=self.state.dropped,
            )
        _answer(waiting, None)

    # ---- out --------------------------------------------------------------------------------

    async def list(
        self, after: int = 0, limit: int = LIST_PAGE_MAX, document: str | None = None
    ) -> Sequence[QuarantineEntry]:
        """Return entries after the number ``after``, oldest first, without their bytes."""
        found = await self._records.list(document, after, min(limit, LIST_PAGE_MAX))
        return [shown_entry(stored) for stored in found]

    async def get(self, entry_id: int) -> QuarantineEntry:
        """Return an entry with its bytes, if they were kept.

        Raises:
            EntryMissing: there is none.
        """
        stored = await self._records.get(entry_id)
        if stored is None:
            raise EntryMissing(f"the quarantine has no entry {entry_id}")
        return shown_entry(stored)

    async def discard(self, entry_id: int) -> bool:
        """Remove an entry; False when there is none."""
        return await self._records.remove(entry_id)

    async def release(self, entry_id: int) -> Receipt:
        """Hand the update to its document again; when that takes it, remove the entry.

        Raises:
            EntryMissing: there is no such entry, or its bytes were not kept or are damaged.
            UpdateRefused: it is refused again; the entry stays.
            StoreError: as ``Store.append``; the entry stays.
        """
        entry = await self.get(entry_id)
        if entry.data is None:
            why = entry.problem or "only its hash and length were kept"
            raise EntryMissing(f"entry {entry_id} of the quarantine has no bytes: {why}")
        receipt = await self._append(entry.document, entry.data)
        # A crash here leaves the entry: released again, the update is no news.
        await self._records.remove(entry_id)
        return receipt

    async def remove_old(self) -> int:
        """Remove what was not seen for QUARANTINE_KEPT_MS, in steps; return how many."""
        before_ms = self._clock_ms() - QUARANTINE_KEPT_MS
        removed = 0
        while True:
            step = await self._records.remove_before(before_ms, CLEANING_ROWS_STEP)
            removed += step
            if step < CLEANING_ROWS_STEP:
                return removed

    # ---- the task ---------------------------------------------------------------------------

    async def _run(self) -> None:
        while self._waiting or not self._is_closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._store_first()

    async def _store_first(self) -> None:
        waiting = self._waiting[0]
        try:
            entry_id = await self._store(waiting)
        except StoreError as error:
            # Not tried again: what is wrong is said louder by what matters more.
            self._drop(waiting, str(error))
            if self._is_closing:
                self._drop_rest(str(error))
                return
        else:
            self.state.kept += 1
            _answer(waiting, entry_id)
        self._waiting.popleft()
        self._waiting_bytes -= len(waiting.update)

    def _drop_rest(self, because: str) -> None:
        """Wait no longer for a disk that fails: the store is being closed."""
        self._waiting.popleft()
        while self._waiting:
            self._drop(self._waiting.popleft(), because)

    async def _store(self, waiting: _Waiting) -> int:
        make = functools.partial(
            make_entry,
            waiting.document,
            waiting.update,
            waiting.reason,
            waiting.sender,
            self._clock_ms(),
        )
        # In a thread: hashing the largest update takes a tenth of a second.
        entry = await asyncio.to_thread(make)
        return await self._records.put(
            seal_entry(entry),
            lambda stored: seen_again(stored, entry),
            QuarantineBounds(
                QUARANTINE_ENTRIES_MAX, QUARANTINE_ENTRIES_PER_DOCUMENT_MAX, QUARANTINE_BYTES_MAX
            ),
        )

    async def wait_stopped(self) -> None:
        """Wait until the task ends; raise what ended it, if that was a defect."""
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._is_closing = True
        self._wake.set()
        await self._task


def _answer(waiting: _Waiting, entry_id: int | None) -> None:
    if not waiting.done.done():
        waiting.done.set_result(entry_id)
