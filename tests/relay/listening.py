"""A server in this process on a real socket, with bounds that a test chooses."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import uvicorn
from relay_support import deadline
from starlette.types import ASGIApp

from relay.proxies import Networks
from relay.socket_server import SocketServer
from relay.transport import Transport
from relay.transport_bounds import TransportBounds


class _Server(SocketServer):
    def __init__(self, config: uvicorn.Config, handshake_s: float) -> None:
        super().__init__(config, handshake_s)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()


class Listening:
    """Where it listens, and what is connected."""

    def __init__(self, port: int, server: uvicorn.Server) -> None:
        self.port = port
        self._server = server

    @property
    def protocols(self) -> list[Any]:
        return list(self._server.server_state.connections)

    async def wait_count(self, count: int) -> None:
        """Wait until there are so many connections."""
        await wait_until(lambda: len(self.protocols) == count)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until a condition of the server in it holds."""
    async with deadline():
        while not condition():  # noqa: ASYNC110  (there is nobody to set an event)
            await asyncio.sleep(0)


@asynccontextmanager
async def listening(
    app: ASGIApp,
    bounds: TransportBounds | None = None,
    *,
    proxies: Networks = (),
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> AsyncIterator[Listening]:
    transport = Transport(bounds or TransportBounds(), proxies, tls)
    config = transport.make_config(app, backlog=100)
    for name, value in options.items():
        setattr(config, name, value)
    server = _Server(config, transport.bounds.request_s)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.has_started.wait()
        try:
            yield Listening(listener.getsockname()[1], server)
        finally:
            server.should_exit = server.force_exit = True
            async with deadline():
                await serving


class Raw:
    """A TCP connection; everything sent is sent as it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Self]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with deadline():
                yield cls(reader, writer)
        finally:
            writer.transport.abort()

    @classmethod
    @asynccontextmanager
    async def websocket(cls, port: int, path: str = "/ws/doc") -> AsyncIterator[Self]:
        async with cls.open(port) as raw:
            await raw.send(handshake(path))
            answer = await raw.head()
            assert b" 101 " in answer.splitlines()[0], answer
            yield raw

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, data: bytes) -> int:
        """Send the same bytes until the server ends the connection; return how many it took."""
        sent = 0
        try:
            while not self.writer.transport.is_closing():
                await self.send(data)
                sent += len(data)
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        return sent

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything until the server ends the connection, in whichever way it does."""
        received = b""
        try:
            while data := await self.reader.read(65536):
                received += data
        except ConnectionError:
            pass
        return received


def handshake(path: str = "/ws/doc") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def frame(first_byte: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """A client's frame, masked with zeros; ``length`` is what it claims to carry."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes((first_byte, 0x80 | size))
    elif size < 65536:
        head = bytes((first_byte, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first_byte, 0xFF)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


def close_code(received: bytes) -> int:
    """The code of the close frame with which the bytes from a server end."""
    at = received.rindex(b"\x88")
    assert received[at + 1] == len(received) - at - 2, received[-200:]
    return int.from_bytes(received[at + 2 : at + 4])
