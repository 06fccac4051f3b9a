"""`/auth/…`: tickets for websockets, and the renewal of sessions, for a bearer token each.

::

    POST /auth/ticket/{document}    {"ticket", "session", "permission", "expires_ms", "ttl_ms"}
    POST /auth/session/{session}    {"session", "permission", "expires_ms", "ttl_ms"}
"""

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.admission import Admission
from relay.auth.credentials import client_details, http_credential
from relay.auth.grants import Unauthorized
from relay.auth.origins import Origins, is_origin_allowed
from relay.http_answers import Handler, answer, refuse, requester, with_json_errors
from relay.paths import document_name_after

_TICKET = "/auth/ticket/"
_SESSION = "/auth/session/"


def auth_routes(
    admission: Admission,
    origins: Origins,
    clock_ms: Callable[[], int],
    is_storage_failing: Callable[[], bool],
) -> list[Route]:
    """Return the routes."""

    async def ticket(request: Request) -> Response:
        document = document_name_after(_TICKET.encode(), request.scope["raw_path"])
        token = bearer_token(request, admission)
        client = request.client
        peer = f"{client.host}:{client.port}" if client else "unknown"
        details = client_details(peer, request.headers.raw)
        issued = await admission.issue_ticket(token, document, details, requester(request))
        return answer(
            {
                "ticket": issued.text,
                "session": issued.session.session_id,
                "permission": issued.session.permission.value,
                "expires_ms": issued.expires_ms,
                "ttl_ms": issued.expires_ms - clock_ms(),
            }
        )

    async def session(request: Request) -> Response:
        token = bearer_token(request, admission)
        session_id = request.path_params["session"]
        renewed = await admission.renew(token, session_id, requester(request))
        return answer(
            {
                "session": renewed.session_id,
                "permission": renewed.permission.value,
                "expires_ms": renewed.expires_ms,
                "ttl_ms": renewed.expires_ms - clock_ms(),
            }
        )

    def route(path: str, handler: Handler) -> Route:
        pages = [Middleware(_Pages, origins=origins)]
        # OPTIONS is for the middleware, which answers what browsers ask before they send.
        methods = ["POST", "OPTIONS"]
        handled = with_json_errors(_posted(handler), is_storage_failing)
        return Route(path, handled, methods=methods, middleware=pages)

    return [
        route(f"{_TICKET}{{document:path}}", ticket),
        route(f"{_SESSION}{{session}}", session),
    ]


def _posted(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        if request.method != "POST":
            return refuse(405, "method", "only POST is answered here", Allow="POST")
        return await handler(request)

    return handle


def bearer_token(request: Request, admission: Admission) -> str:
    """Return the token of a request.

    Raises:
        BadRequest, Unauthorized: there is not exactly one.
    """
    if not admission.authority.needs_credential:
        return ""
    credential = http_credential(request.headers.raw)
    if credential is None:
        raise Unauthorized("a credential is needed")
    return credential.text


class _Pages(CORSMiddleware):
    """Lets pages of the allowed origins read the answers, and refuses all others."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        super().__init__(
            app,
            allow_methods=["POST"],
            allow_headers=["Authorization"],
            allow_private_network=True,
        )
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_origin_allowed(self._origins, scope["headers"]):
            refusal = refuse(403, "origin", "this page's origin is not allowed")
            await refusal(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """Say yes: only what is allowed comes this far."""
        return True
