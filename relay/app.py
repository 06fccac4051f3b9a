"""The ASGI application: routes over a hub and its store."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.endpoint import WebsocketEndpoint
from relay.hub import Hub
from yjs_store import Store, Trouble


def create_app(hub: Hub, store: Store) -> ASGIApp:
    """Return the application; the caller opens and closes ``hub`` and ``store``."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        # Anybody may ask: kinds of trouble, but no names and no reasons.
        troubles = list(dict.fromkeys(each.trouble for each in store.degradations()))
        if hub.is_draining:
            return JSONResponse({"status": "draining"}, status_code=503)
        if Trouble.STORAGE in troubles:
            return JSONResponse({"status": "storage failing"}, status_code=503)
        if troubles:
            # It serves, and safely; somebody should look.
            because = [trouble.value for trouble in troubles]
            return JSONResponse({"status": "degraded", "because": because})
        return JSONResponse({"status": "ready"})

    http = Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready)])
    websocket = WebsocketEndpoint(hub)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Every websocket path is a document or is refused with a reason, so there is nothing to
        # route; a router would turn some away before they could be told why.
        await (websocket if scope["type"] == "websocket" else http)(scope, receive, send)

    return app
