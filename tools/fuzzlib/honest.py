"""Honest clients beside the attackers: they type, wait for receipts, and keep what they are sent.

Nothing here decodes an update: what attackers make the server relay must not hurt the fuzzer.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from benchlib.process_accounts import processor_wait_s

from fuzzlib.encoding import Id, one, sized, text
from fuzzlib.frames import PING, frame
from fuzzlib.lib0 import read_sync
from fuzzlib.sockets import NotOpened, Session

TYPING_S: Final = 0.1
RETURN_S: Final = 0.2
STEP_2: Final = 1
PROBE_S: Final = 0.02
TICK_S: Final = 0.002


class Bystander:
    """One person who types into a document, over all connections that it takes."""

    def __init__(self, port: Callable[[], int], document: str, client: int) -> None:
        self.client = client
        # The state of a document as it was joined, and each update since then.
        self.received: list[bytes] = []
        self.latencies_s: list[float] = []
        self.closes: list[tuple[int, str]] = []
        # Clocks that have been typed, and those for which there is a receipt.
        self.typed = 0
        self.confirmed = 0
        self._port = port
        self._document = document
        self._waiting: dict[bytes, tuple[float, int, bytes]] = {}
        self._session: Session | None = None
        self._synced = asyncio.Event()
        self._all_confirmed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._typing = True
        self._numbers = 0
        self._seen = 0

    async def join(self) -> None:
        """Connect and synchronize; from then on it types.

        Raises:
            NotOpened: it could not.
        """
        await self._connect()
        self._task = asyncio.create_task(self._live())

    @property
    def received_bytes(self) -> int:
        """How much it was sent."""
        return sum(map(len, self.received))

    @property
    def is_connected(self) -> bool:
        """Whether its connection is there."""
        return self._session is not None and self._session.is_open

    def oldest_wait_s(self) -> float:
        """For how long the oldest of what it typed has had no receipt."""
        now_s = time.monotonic()
        return max((now_s - began_s for began_s, _, _ in self._waiting.values()), default=0.0)

    def take_worst_s(self) -> float:
        """Return the longest wait for a receipt since this was last asked."""
        worst_s = max([*self.latencies_s[self._seen :], self.oldest_wait_s()], default=0.0)
        self._seen = len(self.latencies_s)
        return worst_s

    async def wait_receipts(self, count: int, within_s: float) -> None:
        """Wait for so many more receipts, at most so long."""
        wanted = len(self.latencies_s) + count
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while len(self.latencies_s) < wanted:  # noqa: ASYNC110
                    await asyncio.sleep(TYPING_S)

    async def stop_typing(self, within_s: float) -> bool:
        """Type no more, and wait for all receipts; returns whether they came."""
        self._typing = False
        if self._waiting:
            self._all_confirmed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._all_confirmed.wait()
        return not self._waiting

    async def say_last(self, within_s: float) -> bool:
        """Type once more and wait for the receipt: what it was sent before that, it has."""
        if self._session is not None and self._session.is_open:
            await self._session.send_frame(self._type())
        return await self.stop_typing(within_s)

    async def leave(self) -> None:
        """End everything."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.cut()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(TYPING_S)
            session = self._session
            if session is None or not session.is_open:
                await self._come_back()
            elif self._typing:
                await session.send_frame(self._type())

    async def _come_back(self) -> None:
        if self._session is not None:
            self.closes.append((self._session.close_code or 0, self._session.close_reason))
            await self._session.cut()
            self._session = None
        await asyncio.sleep(RETURN_S)
        try:
            await self._connect()
        except NotOpened:
            return
        for _, _, update in list(self._waiting.values()):
            if self._session is not None:
                await self._session.send_frame(b"\0\2" + sized(update))

    async def _connect(self) -> None:
        self._synced.clear()
        self._session = await Session.open(self._port(), self._document, self._take)
        await self._session.send_frame(b"\0\0\1\0")
        ended = asyncio.create_task(self._session.ended.wait())
        synced = asyncio.create_task(self._synced.wait())
        await asyncio.wait({ended, synced}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        synced.cancel()

    def _type(self) -> bytes:
        self._numbers += 1
        token = f"<{self.client}.{self._numbers}>"
        origin: Id | None = (self.client, self.typed - 1) if self.typed else None
        update = one(self.client, self.typed, text(token, origin=origin))
        self.typed += len(token)
        self._waiting[token.encode()] = (time.monotonic(), self.typed, update)
        return b"\0\2" + sized(update)

    def _take(self, message: bytes) -> None:
        step, update = read_sync(message)
        if update is None:
            return
        self.received.append(update)
        now_s = time.monotonic()
        for token in [token for token in self._waiting if token in update]:
            began_s, clock, _ = self._waiting.pop(token)
            self.latencies_s.append(now_s - began_s)
            self.confirmed = max(self.confirmed, clock)
        if not self._waiting:
            self._all_confirmed.set()
        if step == STEP_2:
            self._synced.set()


class Prober:
    """Pings a server all the time: how long a ping waits is how long its event loop was busy."""

    def __init__(self) -> None:
        # How long each ping took, less what the fuzzer itself was late in that time, and what the
        # server waited for a processor: a busy machine is nobody's finding.
        self.waits_s: list[float] = []
        self._process_id = 0
        self._began_s: float | None = None
        self._starved_s = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting_s(self) -> float:
        """For how long the ping that is under way has waited."""
        if self._began_s is None:
            return 0.0
        starved_s = processor_wait_s(self._process_id) - self._starved_s
        return max(0.0, time.monotonic() - self._began_s - starved_s)

    def start(self, port: int, process_id: int) -> None:
        """Begin, with a server that has just been started."""
        self._process_id = process_id
        self._task = asyncio.create_task(self._probe(port))

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _probe(self, port: int) -> None:
        session = await Session.open(port, "probed", lambda message: None)
        try:
            while session.is_open:
                session.ponged.clear()
                self._starved_s = processor_wait_s(self._process_id)
                self._began_s = time.monotonic()
                await session.send(frame(PING, b"probe"))
                own_s = await _wait_measured(session.ponged, session.ended)
                self.waits_s.append(max(0.0, self.waiting_s - own_s))
                self._began_s = None
                await asyncio.sleep(PROBE_S)
        finally:
            await session.cut()


async def _wait_measured(*events: asyncio.Event) -> float:
    """Wait for one of the events; return for how long this process's own loop was late."""
    late_s = 0.0
    while not any(event.is_set() for event in events):
        began_s = time.monotonic()
        await asyncio.sleep(TICK_S)
        late_s += max(0.0, time.monotonic() - began_s - 2 * TICK_S)
    return late_s
