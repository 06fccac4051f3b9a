"""An ASGI wrapper for HTTP: bodies bounded before anybody reads them, headers on every answer."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relay.limits import REQUEST_BODY_BYTES_MAX

# Nothing is loaded from anywhere, nothing runs, nobody frames it; a page that needs more says so
# itself. For pages of its own server a browser asks again each time: what they show changes.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_RAW_HEADERS: Final = tuple(
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
)
# A year; only where the answer goes over TLS, as the browser may take it for good.
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


class Guard:
    """Wraps the application. What an answer has of these headers itself is left as it is."""

    def __init__(self, app: ASGIApp, body_bytes_max: int = REQUEST_BODY_BYTES_MAX) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; websockets and the rest pass as they are."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_secure = scope["scheme"] == "https"

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, is_secure=is_secure)
            await send(message)

        if _announced_bytes(scope) > self._body_bytes_max:
            await _too_large(scope, receive, send_guarded)
            return
        await self._app(scope, self._bounded(receive), send_guarded)

    def _bounded(self, receive: Receive) -> Receive:
        received_bytes = 0

        async def receive_bounded() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._body_bytes_max:
                # The application makes an answer of it.
                raise HTTPException(413, "the body is too large")
            return message

        return receive_bounded


def _announced_bytes(scope: Scope) -> int:
    # The HTTP parser has refused what is no number.
    return int(Headers(scope=scope).get("content-length", "0"))


def _add_headers(message: Message, *, is_secure: bool) -> None:
    # By hand, for it is done for each answer: the library's `setdefault` takes 2 us a header.
    headers = list(message.get("headers", ()))
    present = {name.lower() for name, _ in headers}
    headers += [each for each in _RAW_HEADERS if each[0] not in present]
    if is_secure and _STRICT_TRANSPORT[0] not in present:
        headers.append(_STRICT_TRANSPORT)
    message["headers"] = headers


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"error": "the body is too large"}, status_code=413)
    await response(scope, receive, send)
