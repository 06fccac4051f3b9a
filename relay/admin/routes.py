"""`/admin/…`: what operators do, and what they may list; switched off it is not there at all.

Every POST is an act: `?dry_run=1` only says what it would do, and a body `{"reason": "…"}` is kept
with it. ``{name}`` is percent-encoded as one segment.

::

    POST /admin/documents/{name}/compact | load | unload | read-only | writable
                                | delete | forget | salvage | set-aside
    POST /admin/compact-due
    POST /admin/store/read-only | writable | truncate-wal | vacuum
    POST /admin/sessions/{session}/revoke
    POST /admin/quarantine/{number}/release | discard
    POST /admin/set-aside/{number}/discard
    GET  /admin/audit?before=&limit=&document=
    GET  /admin/sessions?user=&document=&after=&limit=&ended=1
    GET  /admin/quarantine?document=&after=&limit=
    GET  /admin/quarantine/{number}                               the bytes
    GET  /admin/set-aside
"""

import functools
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from relay.admin import people_acts, salvage_acts, store_acts
from relay.admin.act import Act
from relay.admin.answering import outcome_answer, refusal_answer
from relay.admin.asking import BodyRefused, flag, limit, number, query, reason
from relay.admin.performing import Performer, Wish
from relay.admin.seam import ActableStore, Rooms
from relay.admin.table import DOCUMENT_ACTIONS, STORE_ACTIONS, document_act, store_act
from relay.admin_gate import AdminGate
from relay.clock import now_ms
from relay.http_answers import Handler, answer, refuse, with_json_errors
from relay.paths import document_in_segment
from relay.record_facts import act_facts, entry_facts, session_facts, set_aside_facts
from relay.tracing import NO_TRACING, Tracing
from yjs_store import EntryMissing, StoreError

_DOCUMENTS: Final = "/admin/documents/"
_PLAIN: Final = frozenset({"dry_run", "reason"})

# The act for a wish and its query.
_Make = Callable[[Wish, Mapping[str, str]], Awaitable[Act]]


def admin_routes(
    gate: AdminGate, store: ActableStore, rooms: Rooms, tracing: Tracing = NO_TRACING
) -> list[Route]:
    """Return the routes."""
    return _AdminRoutes(gate, store, rooms, tracing).routes()


class _AdminRoutes:
    def __init__(
        self, gate: AdminGate, store: ActableStore, rooms: Rooms, tracing: Tracing
    ) -> None:
        self._gate = gate
        self._store = store
        self._rooms = rooms
        self._performer = Performer(store, now_ms, tracing)

    def routes(self) -> list[Route]:
        return [
            _DocumentRoute(_DOCUMENTS, _handled(self._act_on_document), methods=["POST"]),
            _route("/admin/compact-due", self._act_on_store(_compact_due), "POST"),
            *(
                _route(
                    f"/admin/store/{action}",
                    self._act_on_store(functools.partial(store_act, action)),
                    "POST",
                )
                for action in STORE_ACTIONS
            ),
            _route("/admin/sessions/{session}/revoke", self._revoke, "POST"),
            _route("/admin/quarantine/{number}/release", self._release, "POST"),
            _route("/admin/quarantine/{number}/discard", self._discard, "POST"),
            _route("/admin/set-aside/{number}/discard", self._discard_set_aside, "POST"),
            _route("/admin/audit", self._list_acts, "GET"),
            _route("/admin/sessions", self._list_sessions, "GET"),
            _route("/admin/quarantine", self._list_quarantine, "GET"),
            _route("/admin/quarantine/{number}", self._export, "GET"),
            _route("/admin/set-aside", self._list_set_aside, "GET"),
        ]

    # ---- acts -------------------------------------------------------------------------------

    async def _act(
        self, request: Request, make: _Make, known: Collection[str] = _PLAIN
    ) -> Response:
        by = await self._gate.check(request)
        asked = query(request, known)
        wish = Wish(by, flag(asked, "dry_run"), await reason(request, asked))
        try:
            act = await make(wish, asked)
            return outcome_answer(act, wish, await self._performer.perform(act, wish))
        except StoreError as error:
            return refusal_answer(error)

    async def _act_on_document(self, request: Request) -> Response:
        found = _segments(request.scope["raw_path"])
        assert found is not None, "the route has matched"
        encoded, action = found

        async def act(wish: Wish, asked: Mapping[str, str]) -> Act:
            # The name is looked at when it is known who asks.
            name = document_in_segment(encoded)
            unverified = flag(asked, "unverified")
            return document_act(action, self._store, self._rooms, name, wish, unverified=unverified)

        known = {*_PLAIN, "unverified"} if action == "salvage" else _PLAIN
        return await self._act(request, act, known)

    def _act_on_store(self, make: Callable[[ActableStore, Wish], Act]) -> Handler:
        async def act(wish: Wish, _: Mapping[str, str]) -> Act:
            return make(self._store, wish)

        async def handle(request: Request) -> Response:
            return await self._act(request, act)

        return handle

    async def _revoke(self, request: Request) -> Response:
        async def act(*_: object) -> Act:
            return await people_acts.revoke(self._store.sessions, request.path_params["session"])

        return await self._act(request, act)

    async def _release(self, request: Request) -> Response:
        async def act(*_: object) -> Act:
            return await people_acts.release(self._store.quarantine, _number(request))

        return await self._act(request, act)

    async def _discard(self, request: Request) -> Response:
        async def act(*_: object) -> Act:
            return await people_acts.discard(self._store.quarantine, _number(request))

        return await self._act(request, act)

    async def _discard_set_aside(self, request: Request) -> Response:
        async def act(*_: object) -> Act:
            return await salvage_acts.discard_set_aside(self._store, _number(request))

        return await self._act(request, act)

    # ---- lists ------------------------------------------------------------------------------

    async def _list_acts(self, request: Request) -> Response:
        await self._gate.check(request)
        asked = query(request, ("before", "limit", "document"))
        before = number("before", asked["before"]) if "before" in asked else None
        count = limit(asked)
        page = await self._store.list_audit(
            before=before, limit=count, document=asked.get("document")
        )
        return answer(
            {
                "acts": [act_facts(act) for act in page.acts],
                "damaged": page.damaged,
                "next": page.following,
            }
        )

    async def _list_sessions(self, request: Request) -> Response:
        await self._gate.check(request)
        asked = query(request, ("user", "document", "after", "limit", "ended"))
        found = await self._store.sessions.list(
            user=asked.get("user"),
            document=asked.get("document"),
            after=asked.get("after"),
            limit=limit(asked),
            with_ended=flag(asked, "ended"),
        )
        return answer({"sessions": [session_facts(session, now_ms()) for session in found]})

    async def _list_quarantine(self, request: Request) -> Response:
        await self._gate.check(request)
        asked = query(request, ("document", "after", "limit"))
        after = number("after", asked.get("after", "0"))
        found = await self._store.quarantine.list(after, limit(asked), asked.get("document"))
        return answer({"entries": [entry_facts(entry) for entry in found]})

    async def _export(self, request: Request) -> Response:
        await self._gate.check(request)
        query(request, ())
        try:
            entry = await self._store.quarantine.get(_number(request))
        except EntryMissing as error:
            return refuse(404, "not_found", str(error))
        if entry.data is None:
            return refuse(404, "not_found", "its bytes were not kept")
        headers = {"Cache-Control": "no-store", "Content-Disposition": "attachment"}
        return Response(entry.data, 200, headers, "application/octet-stream")

    async def _list_set_aside(self, request: Request) -> Response:
        await self._gate.check(request)
        query(request, ())
        found = await self._store.list_set_aside()
        return answer({"set_aside": [set_aside_facts(each) for each in found]})


def _compact_due(store: ActableStore, _: Wish) -> Act:
    return store_acts.compact_due(store)


class _DocumentRoute(Route):
    """Matches the path as it was sent: decoded, a name may hold slashes and line ends."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Route.matches."""
        if scope["type"] != "http" or _segments(scope["raw_path"]) is None:
            return Match.NONE, {}
        found: Scope = {"endpoint": self.endpoint, "path_params": {}}
        return (Match.FULL if scope["method"] == "POST" else Match.PARTIAL), found


def _segments(raw_path: bytes) -> tuple[bytes, str] | None:
    """Return the encoded name and the act that a path names; None when it names none."""
    before, prefix, after = raw_path.partition(_DOCUMENTS.encode())
    segments = after.split(b"/")
    if before or not prefix or len(segments) != 2:
        return None
    action = segments[1].decode("latin-1")
    return (segments[0], action) if action in DOCUMENT_ACTIONS else None


def _number(request: Request) -> int:
    return number("the number", request.path_params["number"])


def _route(path: str, handler: Handler, method: str) -> Route:
    return Route(path, _handled(handler), methods=[method])


def _handled(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except BodyRefused as error:
            return refuse(error.status, "bad_request", str(error))
        except ClientDisconnect:
            # Nothing was done, and nobody reads this.
            return refuse(400, "bad_request", "the request did not come whole")

    return with_json_errors(handle)
