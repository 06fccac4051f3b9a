"""uvicorn's websocket protocol, with the endings it leaves open closed.

What each override mends is written down in engineering/incidents.md; each goes when uvicorn
does the same by itself.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode as StandardCode
from websockets.server import ServerProtocol

from relay.errors import CloseCode
from relay.limits import FRAME_BYTES_MAX, MIB, REFUSED_FRAME_DISCARD_S

_TOO_LARGE = f"the message is too large; at most {FRAME_BYTES_MAX // MIB} MiB are taken at once"


class _Conversation(ServerProtocol):
    """The websocket layer's own state machine, with our code for a message above the bound."""

    def fail(self, code: int, reason: str = "") -> None:
        """End the connection; for good, where the same message would only come again (P5)."""
        if code == StandardCode.MESSAGE_TOO_BIG:
            code, reason = CloseCode.TOO_LARGE, _TOO_LARGE
        super().fail(code, reason)


class WebsocketProtocol(WebSocketsSansIOProtocol):
    """One websocket on the wire."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Conversation(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.conn.logger,
        )
        self._is_discarding = False

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; drop a client whose handshake cannot be parsed."""
        if self._is_discarding:
            return
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.transport.close()

    def handle_parser_exception(self) -> None:
        """Close after frames that break the protocol; what the application sends is void.

        What came whole before them still counts.
        """
        self.handle_events()
        if isinstance(self.conn.parser_exc, PayloadTooBig):
            self._refuse_payload()
        else:
            super().handle_parser_exception()
        self.disconnected = True

    def _refuse_payload(self) -> None:
        """Say so, and let the client finish: a socket closed on unread bytes takes the word back.

        Nothing of them is kept.
        """
        self._is_discarding = True
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": CloseCode.TOO_LARGE, "reason": _TOO_LARGE}
        )
        self.transport.write(b"".join(self.conn.data_to_send()))
        # The client may hang up as soon as it has read that; over TLS it finds out by itself.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # uvicorn leaves a socket open while this timer runs, and stops it when the client goes.
        self.close_timer = self.loop.call_later(REFUSED_FRAME_DISCARD_S, self.transport.close)

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on; text that is not UTF-8 ends the connection, without a crash."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError as error:
                self.frames = []
                self.conn.fail(1007, f"{error.reason} at position {error.start}")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def keepalive_timeout(self) -> None:
        """Close when a ping was not answered; what the application sends is void."""
        super().keepalive_timeout()
        self.disconnected = self.disconnected or self.close_sent
