"""The page on a real socket, over debug routes that tell of a made-up world."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from relay.debug.models import DocumentPage, DocumentSummary
from relay.debug.page_routes import page_routes

from .world import World, changed

DEADLINE_S = 20
_SORTS = {
    "name": lambda each: each.name,
    "updated": lambda each: -each.updated_ms,
    "bytes": lambda each: -(each.snapshot_bytes + each.journal.bytes),
    "journal": lambda each: -each.journal.bytes,
}


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until a condition of the server in it holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  (there is nobody to set an event)
            await asyncio.sleep(0)


class Serving:
    """Where it listens; `tick` lets a second pass in the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.is_reachable = True
        self.is_undecided = False
        self.tells_both = True
        self._listeners: list[asyncio.Queue[str | None]] = []

    def tick(self, **changes: object) -> None:
        """Tell every stream of the store one second later, with these changes."""
        before = self.world.storage
        self.world.storage = changed(before, at_ms=before.at_ms + 1000, **changes)
        self._tell(None)

    def say(self, event: str, data: dict[str, str]) -> None:
        """Tell every stream something else."""
        self._tell(f"event: {event}\ndata: {json.dumps(data)}\n\n")

    def _tell(self, said: str | None) -> None:
        for news in self._listeners:
            news.put_nowait(said)

    @property
    def streams(self) -> int:
        """How many follow."""
        return len(self._listeners)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                *page_routes(),
                self._route("/debug/me", self._me),
                self._route("/debug/storage", self._storage),
                self._route("/debug/documents", self._documents),
                self._route("/debug/documents/{name:path}", self._document),
                self._route("/debug/stream", self._stream),
                self._route("/admin/quarantine", self._quarantine),
                self._route("/admin/quarantine/{number}", self._quarantined),
                self._route("/admin/sessions", self._sessions),
                self._route("/admin/{path:path}", self._act, "POST"),
            ]
        )

    def _route(self, path: str, handler: object, method: str = "GET") -> Route:
        async def handle(request: Request) -> Response:
            self.world.asked.append(request.scope["path"])
            token = self.world.token
            given = request.headers.get("authorization")
            is_let_in = self.world.is_open and given is None and method == "GET"
            if token is not None and not is_let_in and given != f"Bearer {token}":
                return _refusal(401, "the token is not valid")
            if self.is_undecided:
                return _refusal(503, "nobody answers", "unavailable")
            if not self.is_reachable:
                return _refusal(503, "not now")
            return await handler(request)  # type: ignore[operator]

        return Route(path, handle, methods=[method])

    async def _me(self, request: Request) -> Response:
        is_known = self.world.token is None or "authorization" in request.headers
        return JSONResponse({"by": "ada", "may_act": self.world.may_act and is_known})

    async def _storage(self, _: Request) -> Response:
        return _json(self.world.storage)

    async def _documents(self, request: Request) -> Response:
        asked = request.query_params
        found: list[DocumentSummary] = sorted(
            (
                each
                for each in self.world.listed
                if each.name.startswith(asked.get("prefix", ""))
                and (asked.get("trouble") != "1" or each.health != "ok")
            ),
            key=_SORTS[asked.get("sort", "name")],
        )
        start, limit = int(asked.get("after", 0)), int(asked.get("limit", 100))
        page = list(islice(found, start, start + limit))
        following = str(start + limit) if start + limit < len(found) else None
        total = len(self.world.listed)
        return _json(DocumentPage(documents=page, next=following, total=total))

    async def _document(self, request: Request) -> Response:
        raw = request.scope["raw_path"].decode()
        found = self.world.document(unquote(raw.removeprefix("/debug/documents/")))
        return _refusal(404, "nothing is stored under this name") if found is None else _json(found)

    async def _stream(self, request: Request) -> Response:
        if not self.world.has_stream:
            return _refusal(502, "no streams here")
        name = request.query_params.get("document")
        # A queue for each, so that nothing is missed that is told while something is sent.
        news: asyncio.Queue[str | None] = asyncio.Queue()

        async def events() -> AsyncIterator[str]:
            self._listeners.append(news)
            try:
                said: str | None = None
                while True:
                    yield said or "".join(self._news(name))
                    said = await news.get()
            finally:
                self._listeners.remove(news)

        return StreamingResponse(events(), media_type="text/event-stream")

    def _news(self, name: str | None) -> Iterator[str]:
        if name is None or self.tells_both:
            yield f"event: storage\r\ndata: {self.world.storage.model_dump_json()}\r\n\r\n"
        found = None if name is None else self.world.document(name)
        if found is not None:
            yield f"event: document\ndata: {found.model_dump_json()}\n\n"

    async def _quarantine(self, request: Request) -> Response:
        entry = {
            "number": 7,
            "document": request.query_params["document"],
            "reason": "malformed",
            "sender": "<i>ada</i>",
            "first_seen_ms": self.world.storage.at_ms - 90_000,
            "last_seen_ms": self.world.storage.at_ms - 60_000,
            "times": 3,
            "byte_length": 81,
            "sha256": "00",
            "problem": None,
        }
        is_decided = any(path.startswith("/admin/quarantine/7/") for path, _ in self.world.done)
        return JSONResponse({"entries": [] if is_decided else [entry]})

    async def _sessions(self, request: Request) -> Response:
        ended = {path.split("/")[3] for path, _ in self.world.done if path.endswith("/revoke")}
        found = [
            each
            for each in self.world.sessions
            if each["document"] == request.query_params["document"] and each["session"] not in ended
        ]
        return JSONResponse({"sessions": found[: int(request.query_params["limit"])]})

    async def _quarantined(self, _: Request) -> Response:
        return Response(b"\x00\x01refused", 200, media_type="application/octet-stream")

    async def _act(self, request: Request) -> Response:
        parts = request.scope["raw_path"].decode().split("/")
        document = unquote(parts[3]) if parts[2] == "documents" else None
        action = parts[-1]
        facts = {"journal_rows": 240, "journal_bytes": 45_600, "clients": 4}
        if request.query_params.get("dry_run") == "1":
            result = "noop" if action == "load" else f"would_{action.replace('-', '_')}"
            told = {"action": action, "document": document, "dry_run": True}
            return JSONResponse({**told, "result": result, "facts": facts})
        if self.world.refusal is not None:
            return _refusal(422, self.world.refusal)
        self.world.done.append((unquote(request.url.path), dict(request.query_params)))
        told = {"action": action, "document": document, "dry_run": False}
        after = {"journal_rows_before": 240, "journal_rows_after": 0}
        return JSONResponse({**told, "result": f"{action}ed".replace("eed", "ed"), "facts": after})


def _json(model: object) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")  # type: ignore[attr-defined]


def _refusal(status: int, message: str, word: str = "refused") -> Response:
    return JSONResponse({"error": word, "message": message}, status)


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[Serving]:
    served = Serving(world)
    server = uvicorn.Server(uvicorn.Config(served.app(), log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        served.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield served
        finally:
            server.should_exit = server.force_exit = True
            async with asyncio.timeout(DEADLINE_S):
                await task
