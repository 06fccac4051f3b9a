"""What answers before the store is open: everybody hears that they should come again.

The listener accepts from the start, so that nobody is refused by the kernel and whoever asks about
health gets an answer. Nothing of a client is read: what it has, it sends when it comes again.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.errors import CloseCode

# Opening a store takes some milliseconds, and longer only after a crash or for a new version.
_COME_AGAIN_S: Final = 1
_REASON: Final = "the server is starting"


class Front:
    """An ASGI application that becomes another one when that is there."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    def serve(self, app: ASGIApp) -> None:
        """From now on let ``app`` answer; requests that are under way end as they began."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let the application do so."""
        if self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _close(receive, send)
        else:
            await _answer(Request(scope))(scope, receive, send)


async def _close(receive: Receive, send: Send) -> None:
    await receive()
    # Accepted first: only then does a client see the code, which tells it to come again.
    await send({"type": "websocket.accept"})
    code = int(CloseCode.STORAGE_FAILING)
    await send({"type": "websocket.close", "code": code, "reason": _REASON})


def _answer(request: Request) -> Response:
    is_read = request.method in ("GET", "HEAD")
    if is_read and request.url.path == "/health/live":
        return JSONResponse({"status": "live"})
    content = {"error": "starting", "message": _REASON}
    if is_read and request.url.path == "/health/ready":
        content = {"status": "starting"}
    return JSONResponse(content, 503, {"Retry-After": str(_COME_AGAIN_S)})
