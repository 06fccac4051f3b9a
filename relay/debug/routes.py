"""`/debug/…`, `/metrics` and `/openapi.json`: to look at, never to change anything.

::

    GET /debug/storage                                              models.Storage
    GET /debug/documents?prefix=&sort=&after=&limit=&trouble=1      models.DocumentPage
    GET /debug/documents/{document}                                 models.Document
    GET /debug/me                                                   models.Me
    GET /debug/stream?document=                                     server-sent events
    GET /metrics                                                    for Prometheus
    GET /openapi.json                                               OpenAPI 3.1, for everybody
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from relay.admin.operations import ADMIN_OPERATIONS
from relay.auth.grants import BadRequest
from relay.debug import models
from relay.debug.gate import ObserverGate
from relay.debug.looking import Looker, NoDocument, Page
from relay.debug.openapi import openapi_json
from relay.debug.operations import OPERATIONS
from relay.debug.process_facts import package_version
from relay.debug.sharing import TooManyLooks
from relay.debug.stream import TooManyWatchers, Watchers
from relay.http_answers import Handler, answer, refuse, with_json_errors
from relay.limits import DEBUG_ANSWERS_MAX, DEBUG_PAGE, DEBUG_PAGE_MAX, STREAM_STALLED_S
from relay.paths import document_name_after
from yjs_store import NameRefused, Order, check_name

_DOCUMENT: Final = "/debug/documents/"
_HEADERS: Final = {"Cache-Control": "no-store"}


class DebugRoutes:
    """An ASGI application for its paths alone.

    Polled often, so a path is looked up here and not by a router, which takes as long as all else.
    """

    def __init__(
        self, looker: Looker, watchers: Watchers, gate: ObserverGate, *, may_act: bool
    ) -> None:
        """Serve what ``looker`` sees; ``may_act`` when the admin routes are on."""
        self._looker = looker
        self._watchers = watchers
        self._gate = gate
        self._may_act = may_act
        self._document = self._handled(self._answer_document)
        self._handlers = {
            "/debug/storage": self._handled(self._answer_storage),
            "/debug/documents": self._handled(self._answer_documents),
            "/debug/me": self._handled(self._answer_me),
            "/debug/stream": self._handled(self._answer_stream),
            "/metrics": self._handled(self._answer_metrics),
            "/openapi.json": self._handled(self._answer_openapi),
        }

    def _handled(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except NoDocument:
                return refuse(404, "not_found", "there is no such document")
            except TooManyLooks:
                return refuse(503, "busy", "too much is looked at; try again", Retry_After="1")
            except TooManyWatchers:
                return refuse(503, "busy", "too many watch; ask now and then", Retry_After="10")

        return with_json_errors(handle, lambda: self._looker.is_storage_failing)

    def serves(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return path in self._handlers or path.startswith(_DOCUMENT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request for one of its paths."""
        if scope["method"] not in ("GET", "HEAD"):
            response = refuse(
                405, "method_not_allowed", "this is only looked at", Allow="GET, HEAD"
            )
        else:
            handler = self._handlers.get(scope["path"], self._document)
            response = await handler(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer_storage(self, request: Request) -> Response:
        await self._gate.check(request)
        return _Made(await self._looker.storage())

    async def _answer_documents(self, request: Request) -> Response:
        await self._gate.check(request)
        try:
            return _Made(await self._looker.documents(_page(request.scope["query_string"])))
        except ValueError:
            raise BadRequest("after is the `next` of another page of the same order") from None

    async def _answer_document(self, request: Request) -> Response:
        await self._gate.check(request)
        name = document_name_after(_DOCUMENT.encode(), request.scope["raw_path"])
        return _Made(await self._looker.document(name))

    async def _answer_me(self, request: Request) -> Response:
        observer = await self._gate.recognise(request)
        may_act = self._may_act and observer.is_admin
        return answer(models.Me(by=observer.by, may_act=may_act).model_dump())

    async def _answer_stream(self, request: Request) -> Response:
        await self._gate.check(request)
        name = request.query_params.get("document")
        if name is not None:
            try:
                check_name(name)
            except NameRefused as error:
                raise BadRequest(str(error)) from None
        self._watchers.enter()
        return _Stream(self._watchers, _events(self._watchers, name, self._gate, request))

    async def _answer_metrics(self, request: Request) -> Response:
        await self._gate.check(request)
        body, content_type = await self._looker.metrics(request.headers.get("accept", ""))
        return _Made(body, content_type)

    async def _answer_openapi(self, _: Request) -> Response:
        return _Made(self._description)

    @functools.cached_property
    def _description(self) -> bytes:
        # Made for who asks first: no start of a server waits for it.
        described = (*OPERATIONS, *(ADMIN_OPERATIONS if self._may_act else ()))
        return openapi_json(package_version(), described)


class _Made(Response):
    """Bytes that were made before; the headers are put together without a look at each."""

    def __init__(self, body: bytes, content_type: str = "application/json") -> None:
        self._content_type = content_type.encode("latin-1")
        super().__init__(body)

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Set the headers, given none."""
        self.raw_headers = [
            (b"content-length", str(len(self.body)).encode()),
            (b"content-type", self._content_type),
            (b"cache-control", b"no-store"),
        ]


class _Stream(EventSourceResponse):
    """Counted as long as it is sent, however that ends."""

    def __init__(self, watchers: Watchers, events: AsyncIterator[ServerSentEvent]) -> None:
        super().__init__(events, headers=_HEADERS, send_timeout=STREAM_STALLED_S)
        self._watchers = watchers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # One that reads too slowly, or is gone, is nothing to be told of.
        try:
            with contextlib.suppress(SendTimeoutError, OSError):
                await super().__call__(scope, receive, send)
        finally:
            self._watchers.leave()


async def _events(
    watchers: Watchers, name: str | None, gate: ObserverGate, request: Request
) -> AsyncIterator[ServerSentEvent]:
    async for event, data in watchers.watch(name, lambda: gate.check(request)):
        yield ServerSentEvent(data.decode(), event=event)


@functools.lru_cache(maxsize=DEBUG_ANSWERS_MAX)
def _page(query: bytes) -> Page:
    asked = QueryParams(query)
    try:
        order = Order(asked.get("sort", Order.NAME.value))
    except ValueError:
        raise BadRequest(f"sort is one of {', '.join(each.value for each in Order)}") from None
    trouble = asked.get("trouble", "0")
    if trouble not in ("0", "1"):
        raise BadRequest("trouble is 0 or 1")
    return Page(
        prefix=asked.get("prefix", ""),
        after=asked.get("after"),
        limit=_limit(asked.get("limit", str(DEBUG_PAGE))),
        order=order,
        trouble_only=trouble == "1",
    )


def _limit(text: str) -> int:
    if len(text) <= len(str(DEBUG_PAGE_MAX)) and text.isascii() and text.isdigit():
        limit = int(text)
        if 1 <= limit <= DEBUG_PAGE_MAX:
            return limit
    raise BadRequest(f"limit is a whole number from 1 to {DEBUG_PAGE_MAX}")
