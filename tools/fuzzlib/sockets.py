"""A websocket client that sends whatever it is told, and reads just enough of what comes back."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Self

from fuzzlib.frames import BINARY, PONG, frame

OPEN_S: Final = 20.0
# A server that does not read any more has its reasons; the attacker goes away after this.
SEND_S: Final = 20.0
ABNORMAL: Final = 1006
_KEY: Final = "AAAAAAAAAAAAAAAAAAAAAA=="
_CONTINUED, _CLOSE, _PING, _PONG = 0, 8, 9, 10
# The bit of a frame that is the last of its message.
_LAST: Final = 0x80


class NotOpened(Exception):
    """There was no websocket to be had."""


class Session:
    """One connection. Every binary message from the server is handed to ``take``."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        take: Callable[[bytes], None],
    ) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self.ended = asyncio.Event()
        self.ponged = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._take = take
        # The fragments of a message that has not come whole yet.
        self._message = bytearray()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, port: int, document: str, take: Callable[[bytes], None]) -> Self:
        """Connect and shake hands.

        Raises:
            NotOpened: nobody listens, or the answer is no websocket.
        """
        try:
            async with asyncio.timeout(OPEN_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
                writer.write(_handshake(port, document))
                answer = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise NotOpened(f"{type(error).__name__}: {error}") from error
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            writer.transport.abort()
            raise NotOpened(repr(answer[:100]))
        return cls(reader, writer, take)

    @property
    def is_open(self) -> bool:
        """Whether the server has not ended it yet."""
        return not self.ended.is_set()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are; what cannot be sent any more is dropped."""
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.write(data)
            async with asyncio.timeout(SEND_S):
                await self._writer.drain()

    async def send_frame(self, payload: bytes) -> None:
        """Send a binary frame."""
        await self.send(frame(BINARY, payload))

    async def cut(self) -> None:
        """End it without a word; on return nothing of it runs any more."""
        self._writer.transport.abort()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while True:
                first, size = await self._reader.readexactly(2)
                if size >= 126:
                    field = await self._reader.readexactly(2 if size == 126 else 8)
                    size = int.from_bytes(field)
                payload = await self._reader.readexactly(size)
                self._handle(first, payload)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if self.close_code is None:
                self.close_code = ABNORMAL
            self.ended.set()

    def _handle(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode in (BINARY & 0x0F, _CONTINUED):
            # A large message comes in fragments.
            self._message += payload
            if first & _LAST:
                message, self._message = bytes(self._message), bytearray()
                self._take(message)
        elif opcode == _PING:
            self._writer.write(frame(PONG, payload))
        elif opcode == _PONG:
            self.ponged.set()
        elif opcode == _CLOSE and self.close_code is None:
            self.close_code = int.from_bytes(payload[:2]) if payload else 1005
            self.close_reason = payload[2:].decode(errors="replace")
            # A client that answers gets to read what is still under way.
            self._writer.write(frame(0x88, payload[:2]))


async def exchange(port: int, request: bytes, within_s: float) -> bytes:
    """Send bytes on a connection without a handshake; return what comes back in that time."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return b""
    received = bytearray()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(within_s):
            writer.write(request)
            while data := await reader.read(65536):
                received += data
    writer.transport.abort()
    return bytes(received)


def _handshake(port: int, document: str) -> bytes:
    return (
        f"GET /ws/{document} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n"
    ).encode()
