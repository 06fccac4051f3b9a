"""JSON answers of the routes that need a credential: never cached, errors in one shape."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.auth.grants import AdmissionRefused, Unauthorized
from relay.crowd import network_of
from relay.endings import ending_for
from relay.errors import BadDocumentName, CloseCode
from yjs_store import StoreError

log = structlog.get_logger("relay.http")

Handler = Callable[[Request], Awaitable[Response]]

# For the codes that the errors of a store end a websocket with.
_STATUS_OF = {CloseCode.BAD_REQUEST: 400, CloseCode.DELETED: 410, CloseCode.TOO_MANY: 429}


def answer(content: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """Return an answer that nobody keeps."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse(content, status, {"Cache-Control": "no-store", **named})


def refuse(status: int, word: str, text: str, **headers: str) -> Response:
    """Return a refusal: a word for programs, and a text for people."""
    return answer({"error": word, "message": text}, status, **headers)


def requester(request: Request) -> str:
    """Return whom a request is counted for; see ``network_of``."""
    return network_of(request.client.host if request.client else "unknown")


def with_json_errors(
    handler: Handler, is_storage_failing: Callable[[], bool] = lambda: False
) -> Handler:
    """Let a handler raise what it is refused by.

    Who is asked again and again says whether it is logged already that storage fails.
    """

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Unauthorized as error:
            return refuse(error.status, error.word, str(error), WWW_Authenticate="Bearer")
        except AdmissionRefused as error:
            return refuse(error.status, error.word, str(error))
        except BadDocumentName as error:
            return refuse(400, "bad_request", str(error))
        except StoreError as error:
            code, reason = ending_for(error)
            is_known = code == CloseCode.STORAGE_FAILING and is_storage_failing()
            say = log.debug if is_known else log.warning
            say("request failed", path=request.url.path[:200], error=str(error))
            return refuse(_STATUS_OF.get(code, 503), "storage", reason)

    return handle
