"""`/debug/stream`: the answers again and again while somebody watches, as server-sent events.

Each watcher takes the answer that all share, at its own pace: nothing waits for a slow one, and
nothing is made when nobody watches.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

from relay.auth.grants import AdmissionRefused, DeciderUnavailable, TooManyAsking
from relay.debug.looking import Looker, NoDocument
from relay.debug.sharing import TooManyLooks
from relay.endings import ending_for
from relay.limits import STREAM_CLIENTS_MAX, STREAM_PACE_S, STREAM_QUIET_S, STREAM_UNDECIDED_S
from yjs_store import StoreError

# Event and data; the identity changes with what it is of.
Event = tuple[str, bytes]


class TooManyWatchers(Exception):
    """As many as may be watch already."""


class Watchers:
    """Counts who watches, and tells each what is new."""

    def __init__(
        self,
        looker: Looker,
        clock_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._looker = looker
        self._clock_s = clock_s
        self._sleep = sleep or self._sleep_unless_over
        self._over = asyncio.Event()
        self.count = 0

    def enter(self) -> None:
        """Count one who is about to watch; pair with ``leave``.

        Raises:
            TooManyWatchers: there are too many.
        """
        if self.count >= STREAM_CLIENTS_MAX:
            raise TooManyWatchers
        self.count += 1

    def leave(self) -> None:
        """Count one no more."""
        self.count -= 1

    def end(self) -> None:
        """Let every stream come to its end; the server is about to stop."""
        self._over.set()

    async def _sleep_unless_over(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    async def watch(
        self, document: str | None, check: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[Event]:
        """Give an event now and then, at most one a second, until ``check`` refuses or it is over.

        Without a change there is one every STREAM_QUIET_S, since ages go on. An error of storage
        is an event, too: who watches wants to see that above all. While nobody decides whether
        they still may, they are told that and nothing else, and ``check`` is asked ever less often.
        """
        told: Hashable = None
        told_s = 0.0
        undecided_s = STREAM_PACE_S
        while not self._over.is_set():
            try:
                await check()
            except (DeciderUnavailable, TooManyAsking) as refusal:
                yield "undecided", _text(str(refusal))
                await self._sleep(undecided_s)
                undecided_s = min(2 * undecided_s, STREAM_UNDECIDED_S)
                told = None  # What they have is older than they know, by then.
                continue
            except AdmissionRefused as refusal:
                yield "refused", _text(str(refusal))
                return
            undecided_s = STREAM_PACE_S
            version = self._looker.version
            if told is None or version != told or self._clock_s() - told_s >= STREAM_QUIET_S:
                told, told_s = version, self._clock_s()
                yield await self._look(document)
            await self._sleep(STREAM_PACE_S)

    async def _look(self, document: str | None) -> Event:
        try:
            if document is None:
                return "storage", await self._looker.storage()
            return "document", await self._looker.document(document)
        except NoDocument:
            return "gone", b"{}"
        except TooManyLooks:
            return "busy", b"{}"
        except StoreError as error:
            return "unavailable", _text(ending_for(error)[1])


def _text(message: str) -> bytes:
    return json.dumps({"message": message}).encode()
