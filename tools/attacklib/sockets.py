"""An attacker's sockets: raw TCP on asyncio protocols, which count what becomes of them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Self, cast

from system.raw_socket import close_code, opening_handshake


class Socket(asyncio.Protocol):
    """One TCP connection; it reads, and throws away, only while it is told to."""

    def __init__(self, *, is_reading: bool) -> None:
        loop = asyncio.get_running_loop()
        self.answer = b""
        self.lost: asyncio.Future[None] = loop.create_future()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.received_bytes = 0
        self._received: asyncio.Future[None] = loop.create_future()
        self._wanted_bytes = 0
        self._tail = b""
        self._is_reading = is_reading
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._tail = (self._tail + data)[-200:]
        if 0 < self._wanted_bytes <= self.received_bytes and not self._received.done():
            self._received.set_result(None)
        if b"\r\n\r\n" in data and not self.answer:
            self.answer, _, self._tail = data.partition(b"\r\n\r\n")
            if not self.opened.done():
                self.opened.set_result(None)
            if not self._is_reading:
                self.pause()

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.lost, self.opened):
            if not future.done():
                future.set_result(None)
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # ---- for attacks ------------------------------------------------------------------------

    @property
    def is_lost(self) -> bool:
        return self.lost.done()

    def write(self, data: bytes) -> None:
        assert self._transport is not None, "connected"
        self._transport.write(data)

    async def write_all(self, data: bytes) -> None:
        """Write, and wait until little of it is left here, or the socket is lost."""
        self.write(data)
        await self._writable.wait()

    async def wait_received(self, size: int) -> None:
        """Wait until the server has sent so much, or the socket is lost."""
        self._wanted_bytes = size
        await asyncio.wait({self._received, self.lost}, return_when=asyncio.FIRST_COMPLETED)

    def pause(self) -> None:
        """Read no more."""
        assert self._transport is not None, "connected"
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def take_some(self) -> None:
        """Read once."""
        assert self._transport is not None, "connected"
        if not self._transport.is_closing():
            self._transport.resume_reading()
            asyncio.get_running_loop().call_later(0.001, self.pause)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def outcome(self) -> str:
        """How the server ended it, as far as it said."""
        status = self.answer.split(b" ")[1:2]
        if status and status[0] != b"101":
            return f"HTTP {status[0].decode()}"
        code = close_code(self._tail) if status else None
        # The tail may begin in the middle of a frame, and then says anything.
        if code is not None and not 1000 <= code < 5000:
            code = None
        return str(code or ("cut" if self.is_lost else "open"))


class Sockets:
    """All sockets of an attack; closed together."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.all: list[Socket] = []
        self.refused = 0

    async def open(self, *, is_reading: bool = True, greeting: bytes = b"") -> Socket | None:
        """Open one and say the greeting; None when it was refused at once."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(10):
                _, socket = await loop.create_connection(
                    lambda: Socket(is_reading=is_reading), "127.0.0.1", self._port
                )
        except (OSError, TimeoutError):
            self.refused += 1
            return None
        self.all.append(socket)
        if greeting:
            socket.write(greeting)
        return socket

    async def websocket(self, document: str, *, is_reading: bool = True) -> Socket | None:
        """Open a websocket; None when it was refused at once."""
        greeting = opening_handshake(self._port, document)
        socket = await self.open(is_reading=is_reading, greeting=greeting)
        if socket is not None:
            try:
                async with asyncio.timeout(20):
                    await socket.opened
            except TimeoutError:
                return None
        return socket

    async def websockets(
        self, count: int, document: str, *, is_reading: bool = True, at_once: int = 100
    ) -> Sequence[Socket]:
        """Open many, some at a time."""
        opened: list[Socket] = []
        while count > 0:
            size = min(at_once, count)
            batch = (self.websocket(document, is_reading=is_reading) for _ in range(size))
            opened += [one for one in await asyncio.gather(*batch) if one is not None]
            count -= size
        return opened

    async def look(self) -> None:
        """Let those that do not read see whether they were ended."""
        for socket in self.all:
            socket.resume()
        await asyncio.sleep(0.5)

    def outcomes(self) -> dict[str, int]:
        """How many ended how."""
        counts = Counter(socket.outcome for socket in self.all)
        if self.refused:
            counts["refused"] = self.refused
        return dict(counts.most_common())

    def abort(self) -> None:
        for socket in self.all:
            socket.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()
        await asyncio.sleep(0)
