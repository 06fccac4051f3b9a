"""The ASGI application: routes over a hub and its store."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from relay.endpoint import WebsocketEndpoint
from relay.hub import Hub
from yjs_store import Store


def create_app(hub: Hub, store: Store) -> Starlette:
    """Return the application; the caller opens and closes ``hub`` and ``store``."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        because = store.committer_state.failing_because
        if hub.is_draining:
            return JSONResponse({"status": "draining"}, status_code=503)
        if because is not None:
            return JSONResponse({"status": "storage failing"}, status_code=503)
        return JSONResponse({"status": "ready"})

    websocket = WebsocketEndpoint(hub)
    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            WebSocketRoute("/ws/{document:path}", websocket),
            WebSocketRoute("/{document:path}", websocket),
        ]
    )
