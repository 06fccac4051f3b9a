"""Admin routes: not there unless switched on; then for an admin credential alone."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from admin_table import HEADERS, METHODS, ROUTES, TOKEN, filled
from relay_support import (
    ORIGINS,
    GatedBackend,
    anonymous_admission,
    document_of,
    make_store,
    run_ready_tasks,
    text_of,
    text_update,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.admin.operations import ADMIN_OPERATIONS, DOCUMENT_ACTS
from relay.admin.routes import admin_routes
from relay.admin_gate import AdminGate
from relay.app import create_app
from relay.auth.anonymous import Anonymous
from relay.debug.routes import DebugRoutes
from relay.errors import ConfigError
from relay.hub import Hub
from yjs_store import Permission, Session, SessionStatus, Store
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.opening import now_ms
from yjs_store.records import Append, StoredDocument

RAW_PATH = "x-raw-path"
DOCUMENT_ACT_NAMES = sorted(DOCUMENT_ACTS)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "admin-token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
async def client(hub: Hub, store: Store, token_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    gate = AdminGate(Anonymous(), token_file)
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, gate)
    transport = httpx.ASGITransport(taking_raw_paths(app))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/admin/sessions/"), ("GET", "/health/live/"), ("POST", "/auth/session/x/")],
)
async def test_nobody_is_sent_to_the_host_that_a_request_names(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    """A redirection is made of the Host header, and repeats a POST with its credential."""
    response = await client.request(method, path, headers=HEADERS | {"Host": "evil.example"})
    assert response.status_code == 404
    assert "location" not in response.headers


async def test_each_route_needs_the_admin_credential(client: httpx.AsyncClient) -> None:
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    twice = [*HEADERS.items(), *HEADERS.items()]
    for method, path in ROUTES:
        assert (await client.request(method, path)).status_code == 401
        assert (await client.request(method, path, headers=wrong)).status_code == 401
        assert (await client.request(method, path, headers=twice)).status_code == 400
        assert (await client.request(method, path, headers=HEADERS)).status_code in (200, 404)


async def test_who_is_not_let_in_is_told_nothing_of_what_else_is_wrong(
    client: httpx.AsyncClient,
) -> None:
    for method, path in ROUTES:
        for query in ("?dry_run=2", "?nothing=1"):
            response = await client.request(method, path + query, content=b"{" * 9000)
            assert response.status_code == 401


class CountingBackend(GatedBackend):
    """Counts whatever is asked of it."""

    def __init__(self, backend: SqliteBackend) -> None:
        super().__init__(backend)
        self.asked: list[str] = []

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        self.asked.append("append")
        return await super().append(appends)

    async def load(self, name: str) -> StoredDocument | None:
        self.asked.append("load")
        return await super().load(name)

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return super().__getattr__(name)


@pytest.fixture
async def counting(tmp_path: Path) -> AsyncIterator[tuple[CountingBackend, Store, Hub]]:
    backend = CountingBackend(SqliteBackend(tmp_path / "counted.db"))
    await backend.open()
    store = make_store(backend)
    hub = Hub(store)
    await run_ready_tasks()
    yield backend, store, hub
    await hub.close()
    await store.close()


NOWHERE = [("GET", "/admin"), ("GET", "/admin/"), ("GET", "/admin/sessions/"), ("PUT", "/admin/x")]


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES + NOWHERE} | {"//admin/audit"}))
async def test_switched_off_nothing_is_there_before_anything_is_looked_at(
    counting: tuple[CountingBackend, Store, Hub], path: str
) -> None:
    """Byte for byte as where there never was anything, and no storage is touched."""
    backend, store, hub = counting
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, None)
    shown: list[list[tuple[str, str]]] = [[], list(HEADERS.items()), [*HEADERS.items()] * 2]
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    backend.asked.clear()
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        for method in METHODS:
            for headers in shown:
                asked = [*headers, ("Origin", "http://localhost")]
                nowhere = await client.request(method, "/there/is/nothing", headers=asked)
                for query in ("", "?dry_run=1"):
                    response = await client.request(
                        method, path + query, headers=asked, content=b'{"reason": "x"}'
                    )
                    assert response.status_code == nowhere.status_code == 404
                    assert response.headers == nowhere.headers
                    assert response.content == nowhere.content
    assert backend.asked == []
    await store.head("one that is asked")
    assert backend.asked == ["load_head"]


async def test_each_route_is_there_for_its_method_alone(client: httpx.AsyncClient) -> None:
    for operation in ADMIN_OPERATIONS:
        same = {each.method.upper() for each in ADMIN_OPERATIONS if each.path == operation.path}
        for method in METHODS:
            response = await client.request(method, filled(operation), headers=HEADERS)
            if method in same or (method == "HEAD" and "GET" in same):
                assert response.status_code in (200, 404)
            else:
                assert response.status_code == 405
                assert set(response.headers["Allow"].split(", ")) >= same


def test_each_route_that_is_there_is_described(hub: Hub, store: Store, token_file: Path) -> None:
    routes = admin_routes(AdminGate(Anonymous(), token_file), store, hub)
    described = {each.path for each in ADMIN_OPERATIONS}
    for route in routes:
        if route.path == "/admin/documents/":
            acts = {f"/admin/documents/{{document}}/{act}" for act in DOCUMENT_ACT_NAMES}
            assert acts <= described
            described -= acts
        else:
            assert route.path in described
            described.discard(route.path)
    assert described == set()


async def test_sessions_are_listed_and_revoked(client: httpx.AsyncClient, store: Store) -> None:
    now = now_ms()
    for name, user in (("one", "ann"), ("two", "bob")):
        await store.sessions.start(
            Session(
                *(name, user, "doc", Permission.WRITE, SessionStatus.ACTIVE, {"peer": "x"}),
                *(now, now, now + 60_000),
            ),
            None,
        )

    async def listed(query: str = "") -> list[tuple[str, str]]:
        answer = await client.get(f"/admin/sessions{query}", headers=HEADERS)
        return [(each["session"], each["status"]) for each in answer.json()["sessions"]]

    assert await listed() == [("one", "active"), ("two", "active")]
    assert await listed("?user=bob") == [("two", "active")]
    assert await listed("?after=one&document=doc") == [("two", "active")]
    assert await listed("?limit=1") == [("one", "active")]
    answer = await client.post("/admin/sessions/one/revoke", headers=HEADERS)
    assert (answer.json()["result"], answer.json()["document"]) == ("revoked", "doc")
    answer = await client.post("/admin/sessions/one/revoke", headers=HEADERS)
    assert answer.json()["result"] == "noop"
    assert (await client.post("/admin/sessions/none/revoke", headers=HEADERS)).status_code == 404
    assert await listed() == [("two", "active")]
    assert await listed("?ended=1") == [("one", "revoked"), ("two", "active")]


async def test_quarantine_is_listed_exported_released_and_discarded(
    client: httpx.AsyncClient, store: Store
) -> None:
    good, bad = text_update("released"), b"\xff\xff"
    numbers = [await store.quarantine.put("doc", each, "why", "who") for each in (good, bad)]
    listed = (await client.get("/admin/quarantine", headers=HEADERS)).json()["entries"]
    assert [each["number"] for each in listed] == numbers
    assert listed[0]["reason"] == "why"
    exported = await client.get(f"/admin/quarantine/{numbers[0]}", headers=HEADERS)
    assert exported.content == good
    assert exported.headers["Content-Type"] == "application/octet-stream"
    path = "/admin/quarantine/{}/{}"
    answer = await client.post(path.format(numbers[0], "release"), headers=HEADERS)
    assert (answer.json()["document"], answer.json()["facts"]["seq"]) == ("doc", 1)
    assert text_of(await store.load("doc")) == "released"
    answer = await client.post(path.format(numbers[1], "release"), headers=HEADERS)
    assert (answer.status_code, answer.json()["error"]) == (422, "refused")
    answer = await client.post(path.format(numbers[1], "discard"), headers=HEADERS)
    assert (answer.json()["document"], answer.json()["result"]) == ("doc", "discarded")
    for number in numbers:
        answer = await client.post(path.format(number, "release"), headers=HEADERS)
        assert answer.status_code == 404
        answer = await client.post(path.format(number, "discard"), headers=HEADERS)
        assert answer.json()["result"] == "noop"
    assert document_of(good).get_update() == good


@pytest.mark.parametrize(
    "path",
    [
        "/admin/quarantine/" + "9" * 30,
        "/admin/quarantine/" + "9" * 5000,
        "/admin/quarantine/-1",
        "/admin/quarantine/x",
        "/admin/quarantine/%D9%A3",
        "/admin/quarantine?after=x",
        "/admin/quarantine?limit=" + "9" * 5000,
        "/admin/sessions?limit=-1",
        "/admin/sessions?limit=0",
        "/admin/sessions?limit=1001",
        "/admin/sessions?ended=yes",
        "/admin/sessions?user=a&user=b",
        "/admin/audit?before=x",
        "/admin/audit?befor=1",
        "/admin/set-aside?limit=1",
    ],
)
async def test_what_is_not_understood_is_not_listed(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers=HEADERS)).status_code == 400


def test_a_gate_that_nobody_could_pass_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--admin-token-file"):
        AdminGate(Anonymous(), None)
    for content in ("", "short", "two\nlines of a token, long enough"):
        (tmp_path / "file").write_text(content)
        with pytest.raises(ConfigError):
            AdminGate(Anonymous(), tmp_path / "file")
    with pytest.raises(ConfigError):
        AdminGate(Anonymous(), tmp_path / "missing")


# ---- what is hostile, or a slip ------------------------------------------------------------------

COMPACT = "/admin/documents/doc/compact"


NO_NAMES = [
    *("", "%", "%2", "%zz", "a%", "%ff", "%C3%28", "%ED%A0%80", "%00", "a%0Ab", "%7F", "%C2%85"),
    *("x" * 1025, "%41" * 1025, "%C3%BC" * 513),
]


@pytest.mark.parametrize("act", DOCUMENT_ACT_NAMES)
async def test_what_is_no_name_is_not_acted_upon(
    client: httpx.AsyncClient, store: Store, act: str
) -> None:
    for name in NO_NAMES:
        response = await post_raw(client, f"/admin/documents/{name}/{act}")
        assert (response.status_code, response.json()["error"]) == (400, "bad_request"), name
    assert (await store.list_audit()).acts == ()


async def test_a_name_is_decoded_once(client: httpx.AsyncClient, store: Store) -> None:
    for name in ("a/b", "..", ".", "a//b", "ü", "%", "%2F", "a b", "x" * 1024, "compact"):
        await store.append(name, text_update("text"))
        path = f"/admin/documents/{quote(name, safe='')}/compact?dry_run=1"
        answer = (await post_raw(client, path)).json()
        assert (answer["document"], answer["result"]) == (name, "would_compact")


async def test_what_is_no_act_is_not_there(client: httpx.AsyncClient) -> None:
    for path in (
        "/admin/documents/a/b/compact",
        "/admin/documents/compact",
        "/admin/documents/a/compact/",
        "/admin/documents/a/Compact",
        "/admin/documents/a/c%6Fmpact",
        "/admin/documents%2Fa/compact",
        "/admin/documents/a/nothing",
        "/admin/store/compact",
        "/admin//compact-due",
    ):
        assert (await post_raw(client, path)).status_code == 404, path


SLIPS = [
    ("?dry_run=true", b"", "", 400),
    ("?dry_run=", b"", "", 400),
    ("?dryrun=1", b"", "", 400),
    ("?DRY_RUN=1", b"", "", 400),
    ("?dry_run=1&dry_run=0", b"", "", 400),
    ("?unverified=1", b"", "", 400),
    ("?reason=" + "x" * 501, b"", "", 400),
    ("", b'{"reason": "y"}', "text/plain", 415),
    ("", b'{"reason": "y"}', "", 415),
    ("", b"{", "application/json", 400),
    ("", b"[]", "application/json", 400),
    ("", b"null", "application/json", 400),
    ("", b'{"reason": 5}', "application/json", 400),
    ("", b'{"dry_run": true}', "application/json", 400),
    ("", b'{"reason": "\\ud800"}', "application/json", 400),
    ("", b'{"reason": "\xff"}', "application/json", 400),
    ("", b"[" * 8000, "application/json", 400),
    ("", b'{"reason": "' + b"x" * 501 + b'"}', "application/json", 400),
    ("", b" " * 8193, "application/json", 413),
]


async def test_what_is_not_understood_is_not_done(client: httpx.AsyncClient, store: Store) -> None:
    await store.append("doc", text_update("text"))
    for query, body, content_type, status in SLIPS:
        headers = HEADERS | ({"Content-Type": content_type} if content_type else {})
        response = await client.post(COMPACT + query, headers=headers, content=body)
        assert response.status_code == status, response.text
        assert set(response.json()) == {"error", "message"}
    head = await store.head("doc")
    assert head is not None
    assert head.journal_rows == 1
    assert (await store.list_audit()).acts == ()


@pytest.mark.parametrize("reason", ["", "x" * 500, "\U0001f600" * 500, "a\nb\0c"])
async def test_a_reason_is_kept_with_the_act(
    client: httpx.AsyncClient, store: Store, reason: str
) -> None:
    await store.append("doc", text_update("text"))
    response = await client.post(COMPACT, headers=HEADERS, json={"reason": reason})
    assert response.json()["result"] == "compacted"
    for act in (await store.list_audit()).acts:
        assert act.facts["asked"] == {"reason": reason}


async def post_raw(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Ask by a path that is sent as it is."""
    raw_path, _, query = path.partition("?")
    return await client.post(f"/?{query}", headers=HEADERS | {RAW_PATH: raw_path})


def taking_raw_paths(app: ASGIApp) -> ASGIApp:
    """The client would correct what it is given; the server hands on what was sent."""

    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope["headers"]:
            if name == RAW_PATH.encode():
                scope |= {"raw_path": value, "path": unquote(value.decode("ascii"))}
        await app(scope, receive, send)

    return take


@pytest.mark.parametrize("is_on", [True, False])
async def test_the_description_has_the_admin_routes_where_they_are_on(*, is_on: bool) -> None:
    """Where they are off, nothing says that there could be any."""
    routes = DebugRoutes(None, None, None, may_act=is_on)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(routes)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        described = (await client.get("/openapi.json")).json()
    paths = {path for path in described["paths"] if path.startswith("/admin")}
    assert paths == ({each.path for each in ADMIN_OPERATIONS} if is_on else set())
    assert ("ActAnswer" in described["components"]["schemas"]) is is_on
