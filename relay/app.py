"""The ASGI application: routes over a hub and its store."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.admin import admin_routes
from relay.admin_gate import AdminGate
from relay.admission import Admission
from relay.auth.origins import Origins
from relay.auth_routes import auth_routes
from relay.clock import now_ms
from relay.endpoint import WebsocketEndpoint
from relay.hub import Hub
from yjs_store import Store, Trouble


def create_app(
    hub: Hub,
    store: Store,
    admission: Admission,
    origins: Origins,
    admin: AdminGate | None = None,
) -> ASGIApp:
    """Return the application; the caller opens and closes what it is given.

    Without ``admin`` there are no admin routes, whoever asks.
    """

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

    http = Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            *auth_routes(admission, origins, now_ms),
            *([] if admin is None else admin_routes(admin, store)),
        ]
    )
    # It would send whoever asks, with a credential perhaps, to the host that the request names.
    http.router.redirect_slashes = False
    websocket = WebsocketEndpoint(hub, admission, origins)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Every websocket path is a document or is refused with a reason, so there is nothing to
        # route; a router would turn some away before they could be told why.
        await (websocket if scope["type"] == "websocket" else http)(scope, receive, send)

    return app
