"""Group commit of changes of sessions: what is asked for at once is carried out at once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from yjs_store.errors import Damaged, SessionRefused, StoreBusy, StoreClosed, StoreError
from yjs_store.limits import (
    SESSION_CHANGES_PER_COMMIT,
    SESSION_CHANGES_WAITING_MAX,
    SESSIONS_COUNTED_MS,
    SESSIONS_FREE_SHARE,
    SESSIONS_MAX,
)
from yjs_store.records import StoredSession
from yjs_store.session_records import (
    AcknowledgeSessions,
    AddSession,
    ChangeSessions,
    RemoveSessions,
    SessionChange,
    SessionRecords,
)

Settled = Callable[[Sequence[StoredSession]], None]


def _nothing(_: Sequence[StoredSession]) -> None:
    """Let a change settle without more ado."""


@dataclass(slots=True, eq=False)
class _Waiting:
    change: SessionChange
    settled: Settled
    done: "asyncio.Future[Sequence[StoredSession]]" = field(default_factory=asyncio.Future)


class SessionCommits:
    """One task that carries changes to the backend, one commit at a time. There is no timer."""

    def __init__(self, records: SessionRecords, clock_ms: Callable[[], int]) -> None:
        self.is_closing = False
        self._records = records
        self._clock_ms = clock_ms
        self._waiting: list[_Waiting] = []
        self._taken: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._count: int | None = None
        self._live = self._added_since = self._counted_ms = 0
        self._task = asyncio.create_task(self._run(), name="yjs-store-sessions")

    async def change(
        self, change: SessionChange, settled: Settled = _nothing
    ) -> Sequence[StoredSession]:
        """Carry out a change, with others in one commit; return what it gives.

        ``settled`` is called with that as soon as it is durable, before this returns, and also
        when whoever asked has given up waiting.

        Raises:
            SessionRefused: there is no room for one more.
            StoreError: as SessionRecords.change; nothing was changed.
        """
        if len(self._waiting) >= SESSION_CHANGES_WAITING_MAX:
            raise StoreBusy(f"{SESSION_CHANGES_WAITING_MAX} changes of sessions wait already")
        return await self._add(change, settled)

    def begin(self, change: SessionChange) -> None:
        """Carry out a change for which nobody waits; it may fail, or not be made at the bound."""
        if not self.is_closing and len(self._waiting) < SESSION_CHANGES_WAITING_MAX:
            self._add(change, _nothing).add_done_callback(_forget_failure)

    def _add(
        self, change: SessionChange, settled: Settled
    ) -> "asyncio.Future[Sequence[StoredSession]]":
        if self.is_closing:
            raise StoreClosed("the store is closed")
        waiting = _Waiting(change, settled)
        self._waiting.append(waiting)
        self._wake.set()
        return waiting.done

    async def _run(self) -> None:
        try:
            while self._waiting or not self.is_closing:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._commit_some()
        finally:
            self.is_closing = True
            for waiting in (*self._taken, *self._waiting):
                _fail(waiting, StoreClosed("the store is closed"))

    async def _commit_some(self) -> None:
        """Carry out in one commit what waits; while that goes on, more gathers."""
        self._taken = self._waiting[:SESSION_CHANGES_PER_COMMIT]
        del self._waiting[: len(self._taken)]
        await self._commit(self._taken)
        self._taken = []

    async def _commit(self, taken: Sequence[_Waiting]) -> None:
        try:
            taken = await self._make_room(taken)
            outcomes = await self._records.change([waiting.change for waiting in taken])
        except StoreError as error:
            if len(taken) > 1 and isinstance(error, Damaged):
                # P4: what is wrong with the row of one must not hurt the others.
                for waiting in taken:
                    await self._commit([waiting])
                return
            for waiting in taken:
                _fail(waiting, error)
        else:
            for waiting, outcome in zip(taken, outcomes, strict=True):
                self._settle(waiting, outcome)

    async def _make_room(self, taken: Sequence[_Waiting]) -> Sequence[_Waiting]:
        """Refuse new sessions above SESSIONS_MAX, once those that are over have given way.

        From half of that on, nobody has more than a share of what is free: so a few users who ask
        for as many as they get leave each newcomer as many as each of them has.
        """
        adding = [waiting for waiting in taken if isinstance(waiting.change, AddSession)]
        if not adding:
            return taken
        if self._count is None:
            self._count = await self._records.count()
        excess = self._count + len(adding) - SESSIONS_MAX
        if excess > 0:
            (removed,) = await self._records.change([RemoveSessions(self._clock_ms(), excess)])
            self._count -= len(removed)
        refused = adding[max(SESSIONS_MAX - self._count, 0) :]
        for waiting in refused:
            _fail(waiting, SessionRefused(f"there are {SESSIONS_MAX} sessions already"))
        if self._count > SESSIONS_MAX // 2:
            _bound_shares(adding, await self._share(len(adding)))
        return [waiting for waiting in taken if waiting not in refused]

    async def _share(self, adding: int) -> int:
        """Return how many live sessions one user may have, of what places there are now."""
        now_ms = self._clock_ms()
        self._added_since += adding
        is_recent = now_ms - self._counted_ms < SESSIONS_COUNTED_MS
        if not is_recent or self._added_since > SESSIONS_MAX // 100:
            self._live = await self._records.count_live(now_ms)
            self._counted_ms, self._added_since = now_ms, adding
        free = SESSIONS_MAX - self._live - self._added_since
        return max(free // SESSIONS_FREE_SHARE, 0)

    def _settle(self, waiting: _Waiting, outcome: Sequence[StoredSession]) -> None:
        change = waiting.change
        is_thorough = isinstance(change, ChangeSessions) and change.is_thorough
        if is_thorough or isinstance(change, AcknowledgeSessions):
            # Others may have been stored beside those that were revoked: counted again when due.
            self._count = None
        if self._count is not None:
            self._count += len(outcome) if isinstance(waiting.change, AddSession) else 0
            self._count -= len(outcome) if isinstance(waiting.change, RemoveSessions) else 0
        waiting.settled(outcome)
        if not waiting.done.done():
            waiting.done.set_result(outcome)

    async def wait_stopped(self) -> None:
        """Wait until the task ends; raise what ended it, if that was a defect."""
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Carry out what waits, then stop."""
        self.is_closing = True
        self._wake.set()
        await self._task


def _bound_shares(adding: Sequence[_Waiting], share: int) -> None:
    for waiting in adding:
        change = waiting.change
        # What no credential brings back is bounded with its connection.
        if isinstance(change, AddSession) and change.stored.credential_hash is not None:
            waiting.change = replace(change, user_max=min(change.user_max, share))


def _fail(waiting: _Waiting, error: StoreError) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)


def _forget_failure(done: "asyncio.Future[Sequence[StoredSession]]") -> None:
    # It was begun for nobody who could be told.
    if not done.cancelled():
        done.exception()
