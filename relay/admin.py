"""`/admin/…`: sessions and quarantine, for operators; switched off it is not there at all.

::

    GET  /admin/sessions?user=&document=&after=&limit=&ended=1    {"sessions": [{"session", …}]}
    POST /admin/sessions/{session}/revoke                         {"revoked": ["…"]}
    GET  /admin/quarantine?document=&after=&limit=                {"entries": [{"number", …}]}
    GET  /admin/quarantine/{number}                               the bytes
    POST /admin/quarantine/{number}/release                       {"document", "seq"}
    POST /admin/quarantine/{number}/discard                       {"discarded": number}
"""

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.admin_gate import AdminGate
from relay.auth.grants import BadRequest
from relay.clock import now_ms
from relay.http_answers import Handler, answer, refuse, with_json_errors
from relay.limits import ADMIN_PAGE_MAX
from relay.record_facts import entry_facts, session_facts
from yjs_store import (
    EntryMissing,
    Quarantine,
    SessionBook,
    Store,
    UpdateRefused,
)

log = structlog.get_logger("relay.admin")

# So that what is read fits into the integers of SQLite.
_DIGITS_MAX = 18


def admin_routes(gate: AdminGate, store: Store) -> list[Route]:
    """Return the routes; what changes something is logged with who asked for it."""
    return [*_session_routes(gate, store.sessions), *_quarantine_routes(gate, store.quarantine)]


def _session_routes(gate: AdminGate, sessions: SessionBook) -> list[Route]:
    async def list_sessions(request: Request) -> Response:
        await gate.check(request)
        asked = request.query_params
        found = await sessions.list(
            user=asked.get("user"),
            document=asked.get("document"),
            after=asked.get("after"),
            limit=_limit(request),
            with_ended=asked.get("ended") == "1",
        )
        return answer({"sessions": [session_facts(session, now_ms()) for session in found]})

    async def revoke(request: Request) -> Response:
        who = await gate.check(request)
        session_id = request.path_params["session"]
        revoked = await sessions.revoke(session_id=session_id)
        if not revoked:
            return refuse(404, "not_found", "there is no such session, or it is over")
        log.warning("session revoked", session=session_id, by=who)
        return answer({"revoked": [session.session_id for session in revoked]})

    return [
        _route("/admin/sessions", list_sessions, "GET"),
        _route("/admin/sessions/{session}/revoke", revoke, "POST"),
    ]


def _quarantine_routes(gate: AdminGate, quarantine: Quarantine) -> list[Route]:
    async def list_entries(request: Request) -> Response:
        await gate.check(request)
        found = await quarantine.list(
            _whole_number(request, "after", 0),
            _limit(request),
            request.query_params.get("document"),
        )
        return answer({"entries": [entry_facts(entry) for entry in found]})

    async def export(request: Request) -> Response:
        await gate.check(request)
        entry = await quarantine.get(_number(request))
        if entry.data is None:
            raise EntryMissing("its bytes were not kept")
        headers = {"Cache-Control": "no-store", "Content-Disposition": "attachment"}
        return Response(entry.data, 200, headers, "application/octet-stream")

    async def release(request: Request) -> Response:
        who = await gate.check(request)
        number = _number(request)
        try:
            receipt = await quarantine.release(number)
        except UpdateRefused as error:
            return refuse(422, "refused", str(error))
        log.warning("quarantined update released", number=number, by=who)
        return answer({"document": receipt.document, "seq": receipt.seq})

    async def discard(request: Request) -> Response:
        who = await gate.check(request)
        number = _number(request)
        if not await quarantine.discard(number):
            raise EntryMissing("there is no such entry")
        log.warning("quarantined update discarded", number=number, by=who)
        return answer({"discarded": number})

    return [
        _route("/admin/quarantine", list_entries, "GET"),
        _route("/admin/quarantine/{number}", export, "GET"),
        _route("/admin/quarantine/{number}/release", release, "POST"),
        _route("/admin/quarantine/{number}/discard", discard, "POST"),
    ]


def _route(path: str, handler: Handler, method: str) -> Route:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except EntryMissing as error:
            return refuse(404, "not_found", str(error))

    return Route(path, with_json_errors(handle), methods=[method])


def _limit(request: Request) -> int:
    return max(1, min(_whole_number(request, "limit", ADMIN_PAGE_MAX), ADMIN_PAGE_MAX))


def _whole_number(request: Request, name: str, default: int) -> int:
    return _parse(name, request.query_params.get(name, str(default)))


def _number(request: Request) -> int:
    return _parse("the number of an entry", request.path_params["number"])


def _parse(name: str, text: str) -> int:
    if len(text) > _DIGITS_MAX or not (text.isascii() and text.isdigit()):
        raise BadRequest(f"{name} is a whole number")
    return int(text)
