"""What a request for an act asks for, read strictly: what is not understood is not done."""

from collections.abc import Collection, Mapping
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request

from relay.admin.models import ActRequest
from relay.auth.grants import BadRequest
from relay.errors import CloseCode, RelayError
from relay.limits import ACT_BODY_BYTES_MAX, ACT_REASON_MAX, ADMIN_PAGE_MAX

# So that what is read fits into the integers of SQLite.
DIGITS_MAX: Final = 18


class BodyRefused(RelayError):
    """The body is none that an act takes; ``status`` is the answer's."""

    code = CloseCode.BAD_REQUEST

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def query(request: Request, known: Collection[str]) -> Mapping[str, str]:
    """Return the parameters of a request.

    Raises:
        BadRequest: one is not among ``known``, or comes twice. A dry run that is misspelled must
            not become the act itself.
    """
    asked: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise BadRequest(f"there is no parameter {name[:40]!r}")
        if name in asked:
            raise BadRequest(f"{name} is given more than once")
        asked[name] = value
    return asked


def flag(asked: Mapping[str, str], name: str) -> bool:
    """Return a parameter that is 1, or 0 when it is missing.

    Raises:
        BadRequest: it is something else.
    """
    value = asked.get(name, "0")
    if value not in ("0", "1"):
        raise BadRequest(f"{name} is 0 or 1")
    return value == "1"


def number(name: str, text: str) -> int:
    """Return a whole number.

    Raises:
        BadRequest: it is none.
    """
    if len(text) > DIGITS_MAX or not (text.isascii() and text.isdigit()):
        raise BadRequest(f"{name} is a whole number")
    return int(text)


def limit(asked: Mapping[str, str]) -> int:
    """Return how many are to be listed.

    Raises:
        BadRequest: it is no number from 1 to ADMIN_PAGE_MAX.
    """
    found = number("limit", asked.get("limit", str(ADMIN_PAGE_MAX)))
    if not 1 <= found <= ADMIN_PAGE_MAX:
        raise BadRequest(f"limit is a whole number from 1 to {ADMIN_PAGE_MAX}")
    return found


async def reason(request: Request, asked: Mapping[str, str]) -> str | None:
    """Return why it is to be done: by the body, else by the query.

    Raises:
        BadRequest, BodyRefused: it is not understood.
    """
    in_body = await _reason_in_body(request)
    in_query = asked.get("reason")
    if in_query is not None and len(in_query) > ACT_REASON_MAX:
        raise BadRequest(f"reason has more than {ACT_REASON_MAX} characters")
    return in_query if in_body is None else in_body


async def _reason_in_body(request: Request) -> str | None:
    body = await _body(request)
    if not body:
        return None
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise BodyRefused(415, "the body is JSON, and its type application/json")
    try:
        return ActRequest.model_validate_json(body).reason
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(map(str, first["loc"]))[:40] or "the body"
        raise BadRequest(f"{where}: {first['msg'][:200]}") from error


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > ACT_BODY_BYTES_MAX:
            raise BodyRefused(413, f"the body has more than {ACT_BODY_BYTES_MAX} bytes")
    return body
