"""uvicorn's websocket protocol, with the endings it leaves open closed and its memory bounded.

What each override mends is written down in engineering/incidents.md; each goes when uvicorn
does the same by itself.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, PayloadTooBig
from websockets.frames import Frame
from websockets.http11 import Request

from relay.allowance import Allowance
from relay.errors import CloseCode
from relay.limits import (
    IDLE_FRAMES_BURST,
    IDLE_FRAMES_PER_S,
    MESSAGE_FRAGMENTS_MAX,
    MESSAGES_AFTER_CLOSE_MAX,
    PARSE_BYTES_MAX,
    PARSE_LARGE_BYTES_MAX,
    REFUSED_FRAME_DISCARD_S,
    SEND_FRAGMENT_BYTES,
    SMALL_FRAGMENT_BYTES,
)
from relay.message_watch import MessageWatch
from relay.transport_bounds import TransportBounds
from relay.websocket_conversation import TOO_LARGE_REASON, Conversation

# Where the endpoint finds a function: how much of the message that is being sent the socket has,
# and how many bytes have not left this process.
SENDING_PROGRESS = "yjs_relay.sending_progress"


class WebsocketProtocol(WebSocketsSansIOProtocol):
    """One websocket on the wire.

    Bytes are parsed a slice at a time, and no further while a message waits for the application:
    what it has not taken yet is kept as it came, and the socket is not read.
    """

    conn: Conversation

    def __init__(self, *arguments: Any, bounds: TransportBounds, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = Conversation(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.conn.logger,
        )
        self._bounds = bounds
        self._is_discarding = False
        # Deaf when too much came after a close that is no answer to it.
        self._messages_after_close = 0
        self._is_deaf = False
        self._unparsed = memoryview(b"")
        self._is_resting = False
        self._fragments_counted = 0
        self._fragment_bytes = 0
        self._queued_bytes = 0
        self._idle_frames = 0
        self._sending_bytes = 0
        self._is_lost = False
        self._linger_timer: asyncio.TimerHandle | None = None
        self.messages_received = 0
        self._allowance = Allowance(IDLE_FRAMES_PER_S, IDLE_FRAMES_BURST, self.loop.time())
        self._watch = MessageWatch(self, bounds, self.loop)

    # ---- reading ----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self._is_discarding or self._is_deaf:
            return
        if self._unparsed:
            self._unparsed = memoryview(bytes(self._unparsed) + data)
        else:
            self._unparsed = memoryview(data)
        self._parse()
        self._steer()

    def _parse(self) -> None:
        """Parse until a message waits for the application, or it is time to rest."""
        while self._unparsed and self._may_parse:
            if self._messages_after_close > MESSAGES_AFTER_CLOSE_MAX:
                # Who floods on has everybody's time no more; a timer ends the socket.
                self._is_deaf = True
                self._drop_all()
                return
            is_in_large_frame = self.conn.held_bytes >= PARSE_BYTES_MAX
            self._parse_slice(PARSE_LARGE_BYTES_MAX if is_in_large_frame else PARSE_BYTES_MAX)

    @property
    def _may_parse(self) -> bool:
        # After a close the application takes nothing, and what comes is only looked through for
        # the client's answer to it.
        return (self.queue.empty() or self.close_sent) and not self._is_resting

    def _parse_slice(self, size: int) -> None:
        held_bytes = self.held_bytes
        piece, self._unparsed = self._unparsed[:size], self._unparsed[size:]
        # memoryview: the parser only appends it to its buffer.
        super().data_received(piece)  # type: ignore[arg-type]
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            # A handshake that cannot be parsed, or is refused.
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
        if self.frames:
            self._count_fragments()
        self._queued_bytes += held_bytes + len(piece)
        if self.queue.empty():
            self._queued_bytes = 0
        if self._idle_frames:
            idle_frames, self._idle_frames = self._idle_frames, 0
            self._rest(self._allowance.take(idle_frames, self.loop.time()))

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._is_resting = True
            self.loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        """Read on after a rest, or when it is this one's turn with a large message."""
        self._is_resting = False
        self._parse()
        self._steer()

    def _steer(self) -> None:
        """Read the socket, or do not."""
        if self._is_discarding or self.transport.is_closing():
            return
        may_read = self._watch.may_go_on(self.held_bytes, self._queued_bytes)
        wants_pause = not may_read or self._is_resting or bool(self._unparsed)
        if wants_pause and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        elif not wants_pause and self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    def take_turn(self) -> None:
        """Read on: there is room for the message that is not whole."""
        self._go_on()

    @property
    def held_bytes(self) -> int:
        """What is there of a message that is not whole."""
        return self._fragment_bytes + self.conn.held_bytes

    async def receive(self) -> Any:
        """Return the next message; see the ASGI specification."""
        message = await self.queue.get()
        if self.queue.empty():
            self._queued_bytes = 0
            self._parse()
            self._steer()
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear of the end; what came before it counts.

        Not after a close, of which the application has been told; nor behind more frames without
        content than anybody may send: who floods has no more turns.
        """
        # P8: a transport of uvloop that is closed raises, and what is left may take some turns.
        self.disconnected = True
        is_over = self.close_sent or self._is_discarding or self._is_resting
        if self._unparsed and not is_over:
            self._parse_slice(PARSE_BYTES_MAX)
            if self._unparsed:
                # A read may have brought 40,000 frames, and others have their turn in between.
                self.loop.call_soon(self.connection_lost, exc)
                return
        self._is_lost = True
        self._watch.stop()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self._bounds.sockets.leave(self)
        super().connection_lost(exc)
        self._drop_all()

    def _drop_all(self) -> None:
        """Let go of what was not whole: this object is part of cycles, and may stay for a while."""
        self._unparsed = memoryview(b"")
        self.frames = []
        self._fragment_bytes = 0
        self.conn.drop_held()

    # ---- frames -----------------------------------------------------------------------------

    def handle_connect(self, event: Request) -> None:
        """Start the application."""
        super().handle_connect(event)
        # One that was refused has no application.
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[SENDING_PROGRESS] = self._sending_progress

    def _count_fragments(self) -> None:
        """Look at the fragments that came since the last time."""
        fragments = self.frames[self._fragments_counted :]
        self._fragments_counted += len(fragments)
        self._fragment_bytes += sum(map(len, fragments))
        self._idle_frames += sum(len(each) < SMALL_FRAGMENT_BYTES for each in fragments)
        if self._fragments_counted > MESSAGE_FRAGMENTS_MAX:
            self.give_up(CloseCode.BAD_REQUEST, "a message in too many fragments")

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on; text that is not UTF-8 ends the connection, without a crash."""
        if self._fragments_counted:
            self._fragment_bytes = self._fragments_counted = 0
        if self._is_discarding:
            self.frames = []
            return
        self.messages_received += 1
        self._messages_after_close += self.close_sent
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError as error:
                self.frames = []
                self.conn.fail(1007, f"{error.reason} at position {error.start}")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless the client has left or does not read: then nothing may gather."""
        self._idle_frames += 1
        if self.writable.is_set() and not self.transport.is_closing():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_pong(self, event: Frame) -> None:
        """Count it."""
        self._idle_frames += 1
        super().handle_pong(event)

    # ---- endings ----------------------------------------------------------------------------

    def handle_parser_exception(self) -> None:
        """Close after frames that break the protocol; what the application sends is void.

        What came whole before them still counts.
        """
        self.handle_events()
        if self.transport.is_closing():
            # It has left, and nobody is there to be told.
            self._drop_all()
        elif isinstance(self.conn.parser_exc, PayloadTooBig):
            self._discard(CloseCode.TOO_LARGE, TOO_LARGE_REASON)
        else:
            super().handle_parser_exception()
        self.disconnected = True

    def give_up(self, code: CloseCode, reason: str) -> None:
        """Close for what the client sends, or does not; what came whole before still counts."""
        if self._is_discarding or self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(code, reason)
        self._discard(code, reason)
        self.disconnected = True

    def _discard(self, code: CloseCode, reason: str) -> None:
        """Say so, and let the client finish: a socket closed on unread bytes takes the word back.

        Nothing of them is kept.
        """
        self._is_discarding = True
        self._drop_all()
        self._watch.stop()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        # The client may hang up as soon as it has read that; over TLS it finds out by itself.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # uvicorn leaves a socket open while this timer runs, and stops it when the client goes.
        self.close_timer = self.loop.call_later(REFUSED_FRAME_DISCARD_S, self.transport.abort)

    async def run_asgi(self) -> None:
        """Serve; then cut a client that does not take what is left, for closing waits for that."""
        await super().run_asgi()
        if not self.close_sent and self.transport.get_write_buffer_size():
            # The application has given it up without a word.
            self.transport.abort()
        elif not self._is_lost and not self._is_discarding:
            self._linger_timer = self.loop.call_later(self._bounds.linger_s, self.transport.abort)

    def shutdown(self) -> None:
        """Say that the server ends; who has left, or is leaving, is not told."""
        if self.close_sent or not self.transport.is_closing():
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Close when a ping was not answered; what the application sends is void.

        One who is in the middle of a message cannot answer: the message has its own bound.
        """
        if self.held_bytes:
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self.disconnected = self.disconnected or self.close_sent

    # ---- sending ----------------------------------------------------------------------------

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Send a message; see the ASGI specification. A large one goes in fragments."""
        data = message.get("bytes")
        if data is not None and len(data) > SEND_FRAGMENT_BYTES:
            return self._send_fragments(memoryview(data))
        return super().send(message)

    def _sending_progress(self) -> tuple[int, int]:
        return self._sending_bytes, self.transport.get_write_buffer_size()

    async def _send_fragments(self, data: memoryview) -> None:
        try:
            await self._send_each_fragment(data)
        finally:
            self._sending_bytes = 0

    async def _send_each_fragment(self, data: memoryview) -> None:
        for start in range(0, len(data), SEND_FRAGMENT_BYTES):
            await self.writable.wait()
            if self.disconnected or self.close_sent:
                raise ClientDisconnected
            piece = data[start : start + SEND_FRAGMENT_BYTES]
            is_last = start + len(piece) == len(data)
            try:
                if start == 0:
                    self.conn.send_binary(piece, fin=is_last)
                else:
                    self.conn.send_continuation(piece, fin=is_last)
            except InvalidState:
                raise ClientDisconnected from None
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._sending_bytes = start + len(piece)
