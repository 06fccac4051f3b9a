"""Waits for conditions with a deadline, looking again after each change; nothing here sleeps."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Far beyond what a loaded two-core machine needs: reaching it means that something is stuck.
DEADLINE_S = 60.0


class NotReached(AssertionError):
    """A condition did not come true before its deadline."""


class Changes:
    """A point that announces changes, for tasks that wait until a condition holds."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def announce(self) -> None:
        """Let every waiting task look at its condition again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(
        self,
        condition: Callable[[], T],
        what: str,
        *,
        within_s: float = DEADLINE_S,
        now: Callable[[], str] = lambda: "",
    ) -> T:
        """Return the condition's first true value.

        Raises:
            NotReached: it did not come true in time; says what was waited for and what is so now.
        """
        try:
            async with asyncio.timeout(within_s):
                while not (value := condition()):
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
                return value
        except TimeoutError:
            raise NotReached(f"not within {within_s} s: {what}; {now()}") from None
