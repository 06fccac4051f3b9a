"""The ASGI application: routes over a hub and its store."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.admin.routes import admin_routes
from relay.admin_gate import AdminGate
from relay.admission import Admission
from relay.auth.origins import Origins
from relay.auth_routes import auth_routes
from relay.clock import now_ms
from relay.debug.page_routes import page_routes
from relay.debug.routes import DebugRoutes
from relay.endpoint import WebsocketEndpoint
from relay.hub import Hub
from relay.readiness import readiness
from relay.tracing import NO_TRACING, Tracing
from yjs_store import Store


def create_app(
    hub: Hub,
    store: Store,
    admission: Admission,
    origins: Origins,
    admin: AdminGate | None = None,
    debug: DebugRoutes | None = None,
    tracing: Tracing = NO_TRACING,
) -> ASGIApp:
    """Return the application; the caller opens and closes what it is given.

    Without ``admin`` there are no admin routes, whoever asks. ``debug`` are the routes that are
    only looked at. ``tracing`` hears of who is let in and of what operators do.
    """

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        troubles = [each.trouble for each in store.degradations()]
        found = readiness(troubles, is_draining=hub.is_draining)
        return JSONResponse(found.as_json(), 200 if found.is_ready else 503)

    http = Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            *auth_routes(admission, origins, now_ms, lambda: hub.is_storage_failing),
            *page_routes(),
            *([] if admin is None else admin_routes(admin, store, hub, tracing)),
        ]
    )
    # It would send whoever asks, with a credential perhaps, to the host that the request names.
    http.router.redirect_slashes = False
    websocket = WebsocketEndpoint(hub, admission, origins, tracing)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Every websocket path is a document or is refused with a reason, so there is nothing
            # to route; a router would turn some away before they could be told why.
            await websocket(scope, receive, send)
        elif debug is not None and debug.serves(scope["path"]):
            await debug(scope, receive, send)
        else:
            await http(scope, receive, send)

    return app
