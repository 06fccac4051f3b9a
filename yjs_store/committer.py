"""Group commit over all documents.

While one commit is on its way to disk, whatever arrives for any document gathers; when it is
done, all of that becomes the next commit. There is no timer. Between two commits the committer
runs other writes that must see no append in flight (publish, delete).
"""

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from yjs_store.backend import Backend
from yjs_store.errors import Damaged, StoreClosed, StoreError, WriterSuperseded
from yjs_store.limits import COMMIT_BYTES_MAX, COMMIT_FOLD_S
from yjs_store.records import Append
from yjs_store.retrying import Retrier, StorageState
from yjs_store.tallies import ROW_BOUNDS, Tally

_Result = TypeVar("_Result")


class Elsewhere(enum.Enum):
    """The type of ELSEWHERE, what a Source says of a round that others store."""

    ELSEWHERE = enum.auto()


# What Damaged says of a whole file.
_EVERY_DOCUMENT: Final = "*"

ELSEWHERE: Final = Elsewhere.ELSEWHERE


class Source(Protocol):
    """A document with updates to store."""

    def fold(self) -> Append | Elsewhere | None:
        """Turn what has gathered into one row; called when nothing is in flight.

        None when there is nothing to store; ELSEWHERE when it is being stored another way, and
        will be settled by that.
        """

    def settled(self, append: Append | None, document_id: int) -> None:
        """Hear that the row is durable; with None that there was nothing to store."""

    def failed(self, error: StoreError) -> None:
        """Hear that the row was not stored and will not be."""


class Committed(Protocol):
    """Who hears of every commit; see Telemetry.committed."""

    def __call__(self, commit_s: float, rows: int, error: StoreError | None = None) -> None:
        """Hear how long it took and, when storage refused it, why; neither raises nor waits."""


@dataclass(slots=True)
class CommitterState(StorageState):
    """What an operator wants to know of commits."""

    commits: int = 0
    rows: int = 0


@dataclass(slots=True)
class _Exclusive:
    work: Callable[[], Awaitable[None]]
    done: "asyncio.Future[None]" = field(default_factory=asyncio.Future)


class Committer:
    """One task that carries rows of all documents to the backend, one commit at a time."""

    def __init__(
        self,
        backend: Backend,
        timer_s: Callable[[], float] = time.perf_counter,
        committed: Committed = lambda commit_s, rows, error=None: None,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self.state = CommitterState()
        # Of commits that storage took: how long documents waited, tries that failed included,
        # and how many rows each had.
        self.commit_s = Tally()
        self.batch_rows = Tally(ROW_BOUNDS)
        self._timer_s = timer_s
        self._tell_committed = committed
        self._cpu_s = cpu_s
        self._retrier = Retrier("appends", self.state)
        self._backend = backend
        self._dirty: dict[Source, None] = {}
        self._resting: dict[Source, asyncio.TimerHandle] = {}
        self._committing: list[Source] = []
        self._exclusive: list[_Exclusive] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        # From here on nobody asks those who are marked: they are failed at once.
        self._has_ended = False
        self._superseded = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="yjs-store-committer")

    def mark(self, source: Source) -> None:
        """Say that ``source`` has something to fold; it will be asked once."""
        if self._has_ended:
            source.failed(StoreClosed("the store is closed"))
            return
        self._dirty[source] = None
        self._idle.clear()
        self._wake.set()

    @property
    def waiting_count(self) -> int:
        """How many documents wait for the next commit."""
        return len(self._dirty)

    def is_committing(self, source: Source) -> bool:
        """Say whether a source is in the commit under way."""
        return source in self._committing

    def mark_later(self, source: Source, rest_s: float) -> None:
        """Say the same, but that ``source`` is to rest first; not where the store is closing."""
        if rest_s <= 0 or self._retrier.is_closing or self._has_ended:
            self.mark(source)
            return
        timer = asyncio.get_running_loop().call_later(rest_s, self._end_rest, source)
        self._resting[source] = timer
        self._idle.clear()

    def _end_rest(self, source: Source) -> None:
        self._resting.pop(source).cancel()
        self.mark(source)

    async def run_exclusive(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run ``work`` while no append is in flight; return or raise what it does."""
        if self._closing:
            raise StoreClosed("the store is closed")
        results: list[_Result] = []

        async def keep_result() -> None:
            results.append(await work())

        exclusive = _Exclusive(keep_result)
        self._exclusive.append(exclusive)
        self._idle.clear()
        self._wake.set()
        await exclusive.done
        return results[0]

    async def wait_idle(self) -> None:
        """Wait until all that was marked before is settled or failed."""
        await self._idle.wait()

    def begin_closing(self) -> None:
        """From now on give up, aloud, what storage does not take in a few attempts."""
        self._retrier.is_closing = True
        for source in tuple(self._resting):
            self._end_rest(source)

    async def close(self) -> None:
        """Store what is left, then stop. Whatever cannot be stored is failed."""
        self.begin_closing()
        self._closing = True
        self._wake.set()
        await self._task

    async def wait_stopped(self) -> None:
        """Wait until the committer has stopped; raise what stopped it, if that was a defect."""
        await asyncio.shield(self._task)

    async def wait_superseded(self) -> None:
        """Wait until another process has the whole store, and raise that.

        There is no way back: this one can take no update any more, however often clients load
        their documents again.
        """
        await self._superseded.wait()
        raise WriterSuperseded(None)

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._dirty or self._exclusive:
                    for exclusive in self._take_exclusive():
                        await self._run_one(exclusive)
                    await self._commit_round()
                if not self._resting:
                    self._idle.set()
                if self._closing:
                    return
        finally:
            self._closing = self._has_ended = True
            self._abandon(StoreClosed("the committer has stopped"))

    def _abandon(self, error: StoreError) -> None:
        """Leave nobody waiting."""
        for source in (*self._committing, *self._dirty, *self._resting):
            source.failed(error)
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()
        self._dirty.clear()
        for exclusive in self._take_exclusive():
            exclusive.done.set_exception(error)
        self._idle.set()

    def _take_exclusive(self) -> list[_Exclusive]:
        taken, self._exclusive = self._exclusive, []
        return taken

    @staticmethod
    async def _run_one(exclusive: _Exclusive) -> None:
        try:
            await exclusive.work()
        except Exception as error:  # noqa: BLE001  (handed to the one who waits for it)
            if not exclusive.done.done():
                exclusive.done.set_exception(error)
        else:
            if not exclusive.done.done():
                exclusive.done.set_result(None)

    async def _commit_round(self) -> None:
        """Fold what has gathered, commit it, tell the documents."""
        folded: list[tuple[Source, Append]] = []
        self._committing = []
        byte_length = 0
        until_s = self._cpu_s() + COMMIT_FOLD_S
        for source in tuple(self._dirty):
            # Removed first: what the source gathers from here on marks it again, for the next one.
            del self._dirty[source]
            self._committing.append(source)
            append = source.fold()
            if append is None:
                source.settled(None, 0)
            elif append is not ELSEWHERE:
                folded.append((source, append))
                byte_length += append.row.byte_length
            if byte_length >= COMMIT_BYTES_MAX or self._cpu_s() > until_s:
                break
        if not folded:
            # Where nothing is to be stored nothing is waited for, and there may be more at once.
            await asyncio.sleep(0)
        while folded:
            folded = await self._commit(folded)
        self._committing = []

    async def _commit(self, folded: list[tuple[Source, Append]]) -> list[tuple[Source, Append]]:
        """Commit; return what has to be tried again because another document was refused."""
        began_s = self._timer_s()
        try:
            ids = await self._retrier.run(
                lambda: self._backend.append([append for _, append in folded])
            )
        except (WriterSuperseded, Damaged) as error:
            self._tell_committed(self._timer_s() - began_s, len(folded), error)
            lost = [
                source
                for source, append in folded
                if error.document in (None, _EVERY_DOCUMENT, append.before.name)
            ]
            for source in lost:
                source.failed(error)
            if isinstance(error, WriterSuperseded) and error.document is None:
                self._superseded.set()
            return [item for item in folded if item[0] not in lost]
        except StoreError as error:
            self._tell_committed(self._timer_s() - began_s, len(folded), error)
            for source, _ in folded:
                source.failed(error)
            return []
        self.state.commits += 1
        self.state.rows += len(folded)
        commit_s = self._timer_s() - began_s
        self.commit_s.note(commit_s)
        self._tell_committed(commit_s, len(folded))
        self.batch_rows.note(len(folded))
        for (source, append), document_id in zip(folded, ids, strict=True):
            source.settled(append, document_id)
        return []
