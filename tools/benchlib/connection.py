"""One websocket client on a bare asyncio protocol: handshake, frames, the first sync."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar, cast

from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from benchlib import websocket_frames as ws
from benchlib import y_websocket as wire
from benchlib.errors import RunFailed

CONNECT_S: Final = 30.0

SomeConnection = TypeVar("SomeConnection", bound="Connection")


class Connection(asyncio.Protocol):
    """A client that starts with nothing. Opened by ``connect``.

    ``synced`` gets the update in the server's first SyncStep2. ``finished`` is for subclasses:
    done when they have what they want, an error when the socket ends before.
    """

    def __init__(self, url: str) -> None:
        loop = asyncio.get_running_loop()
        self.url = url
        self.synced: asyncio.Future[bytes] = loop.create_future()
        self.finished: asyncio.Future[None] = loop.create_future()
        self.bytes_sent = 0
        self.bytes_received = 0
        self.frames_received = 0
        self._transport: asyncio.Transport | None = None
        self._handshake: ClientProtocol | None = ClientProtocol(parse_uri(url))
        self._rest = b""

    # ---- for everybody ----------------------------------------------------------------------

    def write(self, data: bytes | memoryview) -> None:
        """Send frames that are made already."""
        assert self._transport is not None, "connected"
        self.bytes_sent += len(data)
        self._transport.write(data)

    def send(self, message: bytes) -> None:
        """Send one message as one frame."""
        self.write(ws.make_client_frame(ws.BINARY, message))

    def close(self) -> None:
        """Leave; nobody waits for this client any more."""
        for future in (self.synced, self.finished):
            future.cancel()
        if self._transport is not None:
            self._transport.close()

    # ---- for subclasses ---------------------------------------------------------------------

    def on_open(self) -> None:
        """Begin; the handshake is done."""
        self.send(wire.ASK_FOR_ALL)

    def on_frame(self, payload: bytes) -> None:
        """Handle a binary frame."""
        for step, body in wire.read_sync_messages(payload):
            if step == wire.STEP_1:
                self.send(wire.NOTHING_NEW)
            elif step == wire.STEP_2 and not self.synced.done():
                self.synced.set_result(body)
            else:
                self.on_update(body)

    def on_update(self, update: bytes) -> None:
        """Handle an update that came after the first sync."""

    def on_text(self, payload: bytes) -> None:
        """Handle a text frame."""
        raise RunFailed(f"the server sent text: {payload[:60]!r}")

    def on_read(self) -> None:
        """Go on; all that came in one read was handled."""

    # ---- asyncio's side ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        assert self._handshake is not None, "connected once"
        self._transport = cast("asyncio.Transport", transport)
        self._handshake.send_request(self._handshake.connect())
        self._transport.writelines(self._handshake.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Handle what came in one read."""
        self.bytes_received += len(data)
        if self._rest:
            data = self._rest + data
        try:
            if self._handshake is not None:
                head, mark, data = data.partition(b"\r\n\r\n")
                if not mark:
                    self._rest = head
                    return
                self._finish_handshake(self._handshake, head + mark)
            frames, self._rest = ws.split_frames(data)
            self.frames_received += len(frames)
            for opcode, payload in frames:
                if opcode == ws.BINARY:
                    self.on_frame(payload)
                else:
                    self._on_other_frame(opcode, payload)
            self.on_read()
        except RunFailed as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who still waits."""
        self._fail(RunFailed(f"a connection was lost: {exc or 'closed by the server'}"))

    def _finish_handshake(self, handshake: ClientProtocol, head: bytes) -> None:
        handshake.receive_data(head)
        if handshake.state is not State.OPEN:
            raise RunFailed(f"the handshake failed: {head.splitlines()[0].decode()}")
        self._handshake = None
        self.on_open()

    def _on_other_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == ws.PING:
            self.write(ws.make_client_frame(ws.PONG, payload))
        elif opcode == ws.TEXT:
            self.on_text(payload)
        elif opcode == ws.CLOSE:
            code = int.from_bytes(payload[:2])
            raise RunFailed(f"the server closed with {code}: {payload[2:].decode()}")

    def _fail(self, error: RunFailed) -> None:
        for future in (self.synced, self.finished):
            if not future.done():
                future.set_exception(error)
                # Taken note of here: of the two only one has somebody who waits for it.
                future.exception()
        self.close()


async def connect(connection: SomeConnection) -> SomeConnection:
    """Open the socket of ``connection``; on return its first sync is done.

    Raises:
        RunFailed: that took too long, or the server did not want it.
    """
    loop = asyncio.get_running_loop()
    uri = parse_uri(connection.url)
    try:
        async with asyncio.timeout(CONNECT_S):
            await loop.create_connection(lambda: connection, uri.host, uri.port)
            await connection.synced
    except TimeoutError:
        connection.close()
        raise RunFailed(f"{connection.url} was not in sync within {CONNECT_S:g} s") from None
    except OSError as error:
        raise RunFailed(f"cannot connect to {connection.url}: {error}") from error
    return connection


async def wait_finished(connections: Sequence[Connection], within_s: float) -> None:
    """Wait until every connection has what it wants.

    Raises:
        RunFailed: one cannot get it, or it took too long.
    """
    done, late = await asyncio.wait(
        {connection.finished for connection in connections},
        timeout=within_s,
        return_when=asyncio.FIRST_EXCEPTION,
    )
    for future in done:
        future.result()
    if late:
        raise RunFailed(f"{len(late)} clients still waited for something after {within_s:g} s")
