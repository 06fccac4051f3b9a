"""Answers that everybody shares who asks for the same at about the same time.

However often and by however many the endpoint is polled: each answer is made once in a while, once
for all who wait, one after the other in the order in which they were asked for, and all of them
together take a small share of the event loop's time.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from relay.allowance import Allowance
from relay.limits import (
    DEBUG_ANSWERS_MAX,
    DEBUG_BURST_S,
    DEBUG_READING_CHARGED_S_MAX,
    DEBUG_READING_S,
    DEBUG_SHARED_S,
    DEBUG_STALE_S,
    DEBUG_WAITING_MAX,
)

_Facts = TypeVar("_Facts")


class TooManyLooks(Exception):
    """So many different answers are under way that another one is refused; try again."""


class _Entry:
    __slots__ = ("made_s", "task")

    def __init__(self, task: "asyncio.Task[bytes]") -> None:
        self.task = task
        self.made_s: float | None = None


class SharedAnswers:
    """Those that are made of one ``share`` of the time; ``clock_s`` is the event loop's."""

    def __init__(
        self,
        share: float,
        clock_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        shared_s: float = DEBUG_SHARED_S,
    ) -> None:
        self._clock_s = clock_s
        self._sleep = sleep
        self._shared_s = shared_s
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._under_way = 0
        # Fair: who came first is served first.
        self._turn = asyncio.Lock()
        self._time = Allowance(share, DEBUG_BURST_S, clock_s())
        self._rest_until_s = 0.0

    async def get(
        self,
        key: Hashable,
        gather: Callable[[], Awaitable[_Facts]],
        render: Callable[[_Facts], bytes],
    ) -> bytes:
        """Return the answer for ``key``, at most DEBUG_SHARED_S old.

        While the time for making answers is spent, it may be up to DEBUG_STALE_S old.

        ``gather`` waits for what is to be known, ``render`` makes bytes of it at once.

        Raises:
            TooManyLooks: too many different ones are under way.
            what they raise: to all who wait; it is tried again for the next one.
        """
        entry = self._entries.get(key)
        if entry is None or self._is_over(entry):
            entry = self._begin(key, gather, render)
        if entry.task.done():
            return entry.task.result()
        # Who gives up leaves the others what they wait for.
        return await asyncio.shield(entry.task)

    def _is_over(self, entry: _Entry) -> bool:
        if entry.made_s is None:
            return False
        now_s = self._clock_s()
        age_s = now_s - entry.made_s
        return age_s >= (DEBUG_STALE_S if now_s < self._rest_until_s else self._shared_s)

    def _begin(
        self,
        key: Hashable,
        gather: Callable[[], Awaitable[_Facts]],
        render: Callable[[_Facts], bytes],
    ) -> _Entry:
        if self._under_way >= DEBUG_WAITING_MAX:
            raise TooManyLooks
        self._under_way += 1
        entry = _Entry(asyncio.create_task(self._make(gather, render)))
        self._entries[key] = entry
        self._entries.move_to_end(key)
        entry.task.add_done_callback(lambda _: self._end(key, entry))
        self._drop_oldest()
        return entry

    async def _make(
        self, gather: Callable[[], Awaitable[_Facts]], render: Callable[[_Facts], bytes]
    ) -> bytes:
        async with self._turn:
            # Looked at when it is this one's turn: what was made meanwhile has cost time.
            while (rest_s := self._rest_until_s - self._clock_s()) > 0:
                await self._sleep(rest_s)
            facts = await self._gather(gather)
            began_s = self._clock_s()
            try:
                return render(facts)
            finally:
                self._charge(self._clock_s() - began_s)

    async def _gather(self, gather: Callable[[], Awaitable[_Facts]]) -> _Facts:
        began_s = self._clock_s()
        try:
            return await gather()
        finally:
            # Also for what is not there: it was looked for.
            reading_s = max(self._clock_s() - began_s, DEBUG_READING_S)
            self._charge(min(reading_s, DEBUG_READING_CHARGED_S_MAX))

    def _charge(self, spent_s: float) -> None:
        now_s = self._clock_s()
        self._rest_until_s = now_s + self._time.take(spent_s, now_s)

    def _end(self, key: Hashable, entry: _Entry) -> None:
        self._under_way -= 1
        entry.made_s = self._clock_s()
        is_good = not entry.task.cancelled() and entry.task.exception() is None
        if not is_good and self._entries.get(key) is entry:
            del self._entries[key]

    def _drop_oldest(self) -> None:
        surplus = len(self._entries) - DEBUG_ANSWERS_MAX
        if surplus > 0:
            made = [key for key, each in self._entries.items() if each.made_s is not None]
            for key in made[:surplus]:
                del self._entries[key]

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [each.task for each in self._entries.values() if not each.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._entries.clear()
