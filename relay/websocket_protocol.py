"""uvicorn's websocket protocol, with the endings it leaves open closed.

What each override mends is written down in engineering/incidents.md; each goes when uvicorn
does the same by itself.
"""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class WebsocketProtocol(WebSocketsSansIOProtocol):
    """One websocket on the wire."""

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; drop a client whose handshake cannot be parsed."""
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.transport.close()

    def handle_parser_exception(self) -> None:
        """Close after frames that break the protocol; what the application sends is void."""
        super().handle_parser_exception()
        self.disconnected = True

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
