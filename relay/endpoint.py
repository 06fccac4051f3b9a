"""The websocket endpoint: reads frames into the room, writes the outbox, closes with a reason."""

import asyncio
import contextlib

import structlog
from starlette.types import Message, Receive, Scope, Send

from relay.admission import Admission
from relay.auth.credentials import SUBPROTOCOL, client_details, websocket_credential
from relay.auth.origins import Origins, is_origin_allowed
from relay.connection import Connection, Ending
from relay.endings import ending_for
from relay.errors import CloseCode, RelayError
from relay.hub import Hub
from relay.live_room import LiveRoom
from relay.paths import document_name
from relay.tracing import NO_TRACING, Tracing
from relay.websocket_protocol import SENDING_PROGRESS
from yjs_store import StoreError

log = structlog.get_logger("relay.endpoint")

# RFC 6455: protocol error, text that is not UTF-8. And ours for messages above a bound.
_PROTOCOL_FAILURES = frozenset(
    {
        1002,
        1007,
        CloseCode.BAD_REQUEST,
        CloseCode.TOO_LARGE,
        CloseCode.TOO_SLOW,
        CloseCode.TOO_MANY,
    }
)
# Clients come again and again until these are over.
_OUTAGES = frozenset({CloseCode.STORAGE_FAILING, CloseCode.ADMISSION_UNAVAILABLE})


class WebsocketEndpoint:
    """An ASGI application for y-websocket clients."""

    def __init__(
        self, hub: Hub, admission: Admission, origins: Origins, tracing: Tracing = NO_TRACING
    ) -> None:
        self._hub = hub
        self._tracing = tracing
        self._admission = admission
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket from its handshake to its end."""
        if not is_origin_allowed(self._origins, scope["headers"]):
            await receive()
            # Not accepted, which is HTTP 403: a page from elsewhere learns nothing more.
            await send({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})
            return
        client = scope.get("client")
        peer = f"{client[0]}:{client[1]}" if client else "unknown"
        host = client[0] if client else "unknown"
        connection = self._hub.admit(peer, _current_task(), host)
        progress = scope.get("extensions", {}).get(SENDING_PROGRESS)
        if progress is not None:
            connection.sending_progress = progress
        writer: asyncio.Task[None] | None = None
        room: LiveRoom | None = None
        try:
            await receive()
            # Accepted first in every case: only then does a client see a close code.
            await send({"type": "websocket.accept", "subprotocol": _subprotocol(scope)})
            room = await self._enter_unless_ended(connection, scope)
            writer = asyncio.create_task(_write(connection, room, send))
            if room is not None:
                await self._read(connection, room, receive)
            await writer
        except asyncio.CancelledError:
            # Only abort() may cancel quietly; anybody else's wish is passed on.
            if not connection.is_aborted:
                raise
            _current_task().uncancel()
        finally:
            if room is not None:
                room.leave(connection)
            self._admission.release(connection)
            self._hub.dismiss(connection)
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _enter_unless_ended(self, connection: Connection, scope: Scope) -> LiveRoom | None:
        """Join the room, or give that up when the connection is to be closed meanwhile.

        Who decides, and a document that loads, may take long; a revocation holds at once.
        """
        entering = asyncio.create_task(self._enter_traced(connection, scope))
        entering.add_done_callback(lambda _: connection.wake_writer.set())
        try:
            while connection.ending is None and not entering.done():
                connection.wake_writer.clear()
                await connection.wake_writer.wait()
        except asyncio.CancelledError:
            room = await _stop(entering)
            if room is not None:
                room.leave(connection)
            raise
        return await _stop(entering)

    async def _enter_traced(self, connection: Connection, scope: Scope) -> LiveRoom | None:
        with self._tracing.during("admit", connection=connection.connection_id) as span:
            room = await self._enter(connection, scope)
            if room is not None:
                span.say(document=room.name, permission=connection.permission.value)
            elif connection.ending is not None:
                span.fail(str(int(connection.ending.code)))
            return room

    async def _enter(self, connection: Connection, scope: Scope) -> LiveRoom | None:
        """Join the room that the path names; None, with an ending, when that is not possible."""
        if self._hub.is_draining:
            connection.end(CloseCode.GOING_AWAY, "the server is stopping")
            return None
        if connection.excess is not None:
            connection.end(CloseCode.TOO_MANY, f"too many {connection.excess}")
            return None
        try:
            name = document_name(scope["raw_path"])
            await self._admit(connection, scope, name)
            return await self._join(connection, name)
        except RelayError as error:
            connection.end(error.code, str(error))
        except StoreError as error:
            code, reason = ending_for(error)
            # Clients come again every few seconds. That storage fails was said when it began.
            is_known = code == CloseCode.STORAGE_FAILING and self._hub.is_storage_failing
            say = log.debug if is_known else log.warning
            say("document not opened", connection=connection.connection_id, error=str(error))
            connection.end(code, reason)
        return None

    async def _join(self, connection: Connection, name: str) -> LiveRoom:
        room = await self._hub.join(name, connection)
        log.info(
            "connection opened", permission=connection.permission.value, **_who(connection, name)
        )
        return room

    async def _admit(self, connection: Connection, scope: Scope, name: str) -> None:
        credential = None
        # Where everybody is let in, what somebody shows is not even looked at.
        if self._admission.authority.needs_credential:
            credential = websocket_credential(
                scope["headers"], scope["query_string"], scope["subprotocols"]
            )
        details = client_details(connection.peer, scope["headers"])
        await self._admission.admit(connection, credential, name, details)

    async def _read(self, connection: Connection, room: LiveRoom, receive: Receive) -> None:
        """Hand frames to the room until the socket or the connection ends."""
        while True:
            message = await receive()
            # Whatever ended the connection meanwhile, nothing after that counts.
            if connection.is_ending:
                return
            if message["type"] == "websocket.disconnect":
                _log_protocol_failure(connection, room, message)
                connection.end(CloseCode.GOING_AWAY, "the client is gone")
                return
            self._hub.frames_received += 1
            self._handle(connection, room, message)
            if connection.must_wait:
                await connection.wait_ready()

    @staticmethod
    def _handle(connection: Connection, room: LiveRoom, message: Message) -> None:
        frame = message.get("bytes")
        if frame is None:
            reason = "y-websocket messages are binary frames, not text"
            connection.end(CloseCode.UNSUPPORTED_DATA, reason)
            return
        try:
            room.receive(connection, frame)
        except RelayError as error:
            connection.end(error.code, str(error), frame_bytes=len(frame))


async def _stop(entering: asyncio.Task[LiveRoom | None]) -> LiveRoom | None:
    """Return what a task has come to, which is nothing if it had to be cancelled."""
    entering.cancel()
    await asyncio.wait({entering})
    return None if entering.cancelled() else entering.result()


def _subprotocol(scope: Scope) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None, "an endpoint runs in a task"
    return task


def _who(connection: Connection, document: str | None) -> dict[str, object]:
    """Return what tells a connection from others, in every line about it."""
    return {
        "connection": connection.connection_id,
        "peer": connection.peer,
        "user": connection.user,
        "session": connection.session_id,
        "document": document,
    }


def _log_protocol_failure(connection: Connection, room: LiveRoom, message: Message) -> None:
    """Log a socket that the websocket layer itself has closed, a frame over the bound say."""
    if message.get("code") in _PROTOCOL_FAILURES:
        log.warning(
            "connection failed",
            **_who(connection, room.name),
            code=int(message["code"]),
            reason=message.get("reason", ""),
        )


async def _write(connection: Connection, room: LiveRoom | None, send: Send) -> None:
    """Send what is queued until the connection ends, then close it; a defect ends it, too."""
    document = None if room is None else room.name
    try:
        # A client that is gone makes send() raise; the reader hears of it as a disconnect.
        with contextlib.suppress(OSError):
            ending = await _send_until_ending(connection, room, send)
            await _close(connection, document, ending, send)
    except Exception:
        log.exception("connection failed: a defect", **_who(connection, document))
        connection.end(CloseCode.INTERNAL_ERROR, "the server has a defect")
        # Nobody will say so to the client, and the reader may wait for its next frame for ever.
        connection.abort()
    finally:
        # The reader may wait for the queue to empty: nobody empties it any more.
        connection.lose()


async def _send_until_ending(connection: Connection, room: LiveRoom | None, send: Send) -> Ending:
    clock = asyncio.get_running_loop().time
    outbox = connection.outbox
    while True:
        while (frame := outbox.pop()) is not None:
            connection.sending_since_s = clock()
            await send({"type": "websocket.send", "bytes": frame})
            connection.note_sent(clock(), len(frame))
        if connection.ending is not None:
            return connection.ending
        if room is not None and outbox.needs_resync:
            room.resync(connection)
        connection.wake_writer.clear()
        if not outbox:
            await connection.wake_writer.wait()


async def _close(connection: Connection, document: str | None, ending: Ending, send: Send) -> None:
    code, reason, facts, _ = ending
    say = log.info if code == CloseCode.GOING_AWAY else log.warning
    if document is None and code in _OUTAGES:
        # Why nobody is let in was said when it began.
        say = log.debug
    say(
        "connection closed",
        **_who(connection, document),
        code=int(code),
        reason=reason,
        **facts,
    )
    await send({"type": "websocket.close", "code": int(code), "reason": reason})
