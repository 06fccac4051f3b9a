"""A trivial y-websocket server that keeps nothing: what the load generator can do at most.

Run as a server: `python -m benchlib.echo_sink`. What comes in one turn of the event loop goes
out as one frame to all in the room, sender included, as the relay does it.
"""

import asyncio
from typing import cast

import pycrdt
import uvloop
from websockets.http11 import Request
from websockets.server import ServerProtocol

from benchlib import websocket_frames as ws
from benchlib import y_websocket as wire

# merge_updates of many at once grows faster than their number.
_SLICE = 64


class _Room:
    def __init__(self) -> None:
        self.transports: set[asyncio.Transport] = set()
        self._gathered: list[bytes] = []

    def gather(self, update: bytes) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._send)
        self._gathered.append(update)

    def _send(self) -> None:
        updates, self._gathered = self._gathered, []
        while len(updates) > 1:
            updates = [
                pycrdt.merge_updates(*updates[start : start + _SLICE])
                for start in range(0, len(updates), _SLICE)
            ]
        frame = ws.make_server_frame(ws.BINARY, wire.encode_update(updates[0]))
        for transport in self.transports:
            transport.write(frame)


class _SinkConnection(asyncio.Protocol):
    def __init__(self, rooms: dict[str, _Room]) -> None:
        self._rooms = rooms
        self._handshake: ServerProtocol | None = ServerProtocol()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if self._handshake is not None:
            head, mark, data = data.partition(b"\r\n\r\n")
            if not mark:
                self._rest = head
                return
            self._accept(self._handshake, head + mark)
        frames, self._rest = ws.split_frames(data)
        for opcode, payload in frames:
            if opcode == ws.BINARY:
                self._on_frame(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._handshake is None:
            self._room.transports.discard(self._transport)

    def _accept(self, handshake: ServerProtocol, head: bytes) -> None:
        handshake.receive_data(head)
        request = cast("Request", handshake.events_received()[0])
        handshake.send_response(handshake.accept(request))
        self._transport.writelines(handshake.data_to_send())
        self._handshake = None
        self._room = self._rooms.setdefault(request.path, _Room())
        self._room.transports.add(self._transport)

    def _on_frame(self, payload: bytes) -> None:
        for step, body in wire.read_sync_messages(payload):
            if step == wire.STEP_1:
                self._transport.write(ws.make_server_frame(ws.BINARY, wire.NOTHING_NEW))
            else:
                self._room.gather(body)


async def _serve() -> None:
    rooms: dict[str, _Room] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: _SinkConnection(rooms), "127.0.0.1", 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(f"listening on ws://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
