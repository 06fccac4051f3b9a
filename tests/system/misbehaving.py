"""A y-websocket server that misbehaves on purpose, so that what looks for that can be tested."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from .ywire import STEP1, STEP2, SYNC, UPDATE, WireError, decode_frame, step2, update_message


class MisbehavingServer:
    """Relays every update to everybody, unless it is told to do worse. Stores nothing."""

    def __init__(self) -> None:
        self.port = 0
        # Updates that are swallowed: no echo, nobody else hears of them.
        self.is_mute = False
        # Everybody is closed with this code at the next update.
        self.close_code: int | None = None
        # How many updates wait, as the debug endpoint tells it: with each look one less.
        self.waiting = 0
        # Said to everybody once, when the last of them has come in.
        self.comes_late = b""
        self._connections: list[ServerConnection] = []

    @asynccontextmanager
    async def run(self) -> AsyncIterator["MisbehavingServer"]:
        """Serve on a free port of this machine."""
        server: Server
        async with serve(
            self._serve,
            "127.0.0.1",
            0,
            compression=None,
            max_size=None,
            process_request=self._answer,
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def say(self, update: bytes) -> None:
        """Send everybody an update."""
        await asyncio.gather(*(each.send(update_message(update)) for each in self._connections))

    async def whisper(self, update: bytes) -> None:
        """Send an update only to the first who came."""
        await self._connections[0].send(update_message(update))

    async def say_in_fragments(self, update: bytes) -> None:
        """Send everybody an update, a byte in each frame."""
        message = update_message(update)
        parts = [message[at : at + 1] for at in range(len(message))]
        await asyncio.gather(*(each.send(parts) for each in self._connections))

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if not request.path.startswith("/debug/documents/"):
            return None
        saving = {"waiting_updates": 0, "in_flight_updates": 0, "on_trial_updates": self.waiting}
        if self.waiting:
            self.waiting -= 1
        elif self.comes_late:
            update, self.comes_late = self.comes_late, b""
            await self.say(update)
        content = {"live": {"saving": saving, "connections": [{"unsaved_updates": 0}]}}
        return connection.respond(HTTPStatus.OK, json.dumps(content))

    async def _serve(self, connection: ServerConnection) -> None:
        self._connections.append(connection)
        try:
            async for frame in connection:
                assert isinstance(frame, bytes)
                await self._take(connection, frame)
        except (ConnectionClosed, WireError):
            pass
        finally:
            self._connections.remove(connection)

    async def _take(self, connection: ServerConnection, frame: bytes) -> None:
        message = decode_frame(frame)
        if message.kind != SYNC:
            return
        if message.step == STEP1:
            await connection.send(step2())
        elif self.close_code is not None:
            code, self.close_code = self.close_code, None
            await asyncio.gather(*(each.close(code) for each in list(self._connections)))
        elif message.step in (UPDATE, STEP2) and not self.is_mute:
            await self.say(message.payload)
