"""uvicorn's HTTP protocol with bounds: sockets, time and bytes of a request, a response unread."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from relay.limits import (
    PATH_BYTES_MAX,
    PIPELINED_REQUESTS_MAX,
    REFUSED_BODY_BYTES,
    REQUEST_HEAD_BYTES_MAX,
    REQUEST_URL_BYTES_MAX,
)
from relay.transport_bounds import TransportBounds


class HttpProtocol(HttpToolsProtocol):
    """One socket until it becomes a websocket.

    A request is whole, its body too, in time from when the socket was opened or the request
    began; a response of which nothing is read is not waited for.
    """

    def __init__(self, *arguments: Any, bounds: TransportBounds, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._is_head_whole = False
        self._is_request_whole = True
        self._refused_bytes = 0
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a socket, or drop it at once where there are too many."""
        super().connection_made(transport)
        host = self.client[0] if self.client else "unknown"
        if self._bounds.sockets.enter(self, host) is not None:
            transport.abort()
            return
        self._watch(self._bounds.request_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear of the end."""
        self._stop_watching()
        self._bounds.sockets.leave(self)
        super().connection_lost(exc)

    # ---- reading ----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket, and drop a client whose head or refused body has no end."""
        if self.transport.is_closing():
            return
        if self._timer is None:
            self._watch(self._bounds.request_s)
        if not self._is_head_whole:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._is_head_whole and self._head_bytes > REQUEST_HEAD_BYTES_MAX:
            self._refuse("The request has too large a head.")
        elif not self._is_request_whole and self._has_answered:
            self._refused_bytes += len(data)
            if self._refused_bytes > REFUSED_BODY_BYTES:
                self.transport.close()

    def _refuse(self, why: str) -> None:
        if not self.transport.is_closing():
            self.send_400_response(why)

    def send_400_response(self, msg: str) -> None:
        """Refuse, and cut a client that does not take what is left."""
        super().send_400_response(msg)
        if self.transport.get_write_buffer_size():
            self._stop_watching()
            self._timer = self.loop.call_later(
                self._bounds.response_stalled_s, self.transport.abort
            )

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._is_request_whole = False
        self._refused_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's path and query."""
        super().on_url(url)
        if len(self.url) > REQUEST_URL_BYTES_MAX:
            raise ValueError("the path is too long")

    def on_headers_complete(self) -> None:
        """Start the application."""
        self._is_head_whole = True
        path = self.url.partition(b"?")[0]
        if len(path) > PATH_BYTES_MAX and not self.parser.should_upgrade():
            raise ValueError("the path is too long")
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED_REQUESTS_MAX:
            raise ValueError("too many requests at once")

    def on_message_complete(self) -> None:
        """Hear that the request is whole."""
        super().on_message_complete()
        self._is_head_whole = False
        self._is_request_whole = True
        self._head_bytes = 0
        self._stop_watching()
        if not self._has_answered:
            self._watch(self._bounds.response_stalled_s)

    def on_response_complete(self) -> None:
        """Go on to the next request, or wait for one."""
        if self._is_request_whole:
            self._stop_watching()
        super().on_response_complete()
        if self._is_request_whole and self.transport.get_write_buffer_size():
            self._watch(self._bounds.response_stalled_s)

    def handle_websocket_upgrade(self) -> None:
        """Become a websocket."""
        self._stop_watching()
        super().handle_websocket_upgrade()
        self._bounds.sockets.hand_over(self, self.transport.get_protocol())

    @property
    def _had_request(self) -> bool:
        # uvicorn says that there always is one.
        return bool(self.cycle)

    @property
    def _has_answered(self) -> bool:
        return self._had_request and self.cycle.response_complete

    # ---- time -------------------------------------------------------------------------------

    def _watch(self, seconds: float) -> None:
        self._stop_watching()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(seconds, self._end_time)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_time(self) -> None:
        """Drop a request that is not whole, or a response nobody reads; wait for the others."""
        self._timer = None
        unsent_bytes = self.transport.get_write_buffer_size()
        is_stalled = 0 < self._unsent_bytes <= unsent_bytes
        if not self._is_request_whole or not self._had_request or is_stalled:
            self.transport.abort() if unsent_bytes else self.transport.close()
        elif unsent_bytes or not self.cycle.response_complete:
            self._watch(self._bounds.response_stalled_s)

    def timeout_keep_alive_handler(self) -> None:
        """Close a socket on which no request came; also one that does not take the last answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()
