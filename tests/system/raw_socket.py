"""A websocket down to its bytes, for saying what no websocket library would say."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .server import RunningServer
from .waiting import DEADLINE_S, NotReached

# Any key masks; a key of zeros leaves the payload readable.
MASK_KEY = b"\0\0\0\0"
MASKED = 0x80


class RawSocket:
    """A TCP connection to the server; everything sent is sent as it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read_to_end(self) -> bytes:
        """Return everything until the server ends the connection, in whichever way it does."""
        received = b""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while data := await self._reader.read(65536):
                    received += data
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise NotReached(
                f"the server did not end the connection; it said {received!r}"
            ) from None
        return received

    async def read_headers(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.readuntil(b"\r\n\r\n")

    def abort(self) -> None:
        """End the connection in the middle of whatever it was about."""
        self._writer.transport.abort()


@asynccontextmanager
async def raw_websocket(server: RunningServer, document: str) -> AsyncIterator[RawSocket]:
    """A connection that is a websocket already."""
    async with unupgraded_socket(server) as socket:
        await socket.send(opening_handshake(server.port, document))
        answer = await socket.read_headers()
        assert b" 101 " in answer.splitlines()[0], answer
        yield socket


@asynccontextmanager
async def unupgraded_socket(server: RunningServer) -> AsyncIterator[RawSocket]:
    """A connection on which nothing was said yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()


def opening_handshake(port: int, document: str) -> bytes:
    return (
        f"GET /ws/{document} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def frame(first_byte: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """A client's frame with this first byte; `length` is what it claims to carry."""
    size = len(payload) if length is None else length
    if size < 126:
        header = struct.pack("!BB", first_byte, MASKED | size)
    elif size < 65536:
        header = struct.pack("!BBH", first_byte, MASKED | 126, size)
    else:
        header = struct.pack("!BBQ", first_byte, MASKED | 127, size)
    return header + MASK_KEY + payload


def close_code(received: bytes) -> int | None:
    """The code of the close frame that ends these bytes from a server, which masks nothing."""
    at = 0
    while at + 2 <= len(received):
        opcode, size = received[at] & 0x0F, received[at + 1]
        at += 2
        if size == 126:
            size = int.from_bytes(received[at : at + 2])
            at += 2
        elif size == 127:
            size = int.from_bytes(received[at : at + 8])
            at += 8
        if opcode == 8:
            return int.from_bytes(received[at : at + 2])
        at += size
    return None
