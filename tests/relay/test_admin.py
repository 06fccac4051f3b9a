"""Admin routes: not there unless switched on; then for an admin credential alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from relay_support import ORIGINS, anonymous_admission, document_of, text_of, text_update

from relay.admin_gate import AdminGate
from relay.app import create_app
from relay.auth.anonymous import Anonymous
from relay.errors import ConfigError
from relay.hub import Hub
from yjs_store import Permission, Session, SessionStatus, Store
from yjs_store.store import now_ms

TOKEN = "the-admin-token-of-this-test"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
ROUTES = [
    ("GET", "/admin/sessions"),
    ("POST", "/admin/sessions/x/revoke"),
    ("GET", "/admin/quarantine"),
    ("GET", "/admin/quarantine/1"),
    ("POST", "/admin/quarantine/1/release"),
    ("POST", "/admin/quarantine/1/discard"),
]


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
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
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


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_needs_the_admin_credential(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await client.request(method, path)).status_code == 401
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    assert (await client.request(method, path, headers=wrong)).status_code == 401
    assert (await client.request(method, path, headers=HEADERS)).status_code in (200, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *ROUTES,
        *((method, "/admin/sessions") for method in ("HEAD", "OPTIONS", "DELETE", "TRACE", "X")),
        ("GET", "/admin"),
        ("GET", "/admin/"),
        ("GET", "/admin/sessions/"),
        ("GET", "//admin/sessions"),
        ("PUT", "/admin/x"),
    ],
)
async def test_switched_off_nothing_is_there_before_anything_is_looked_at(
    hub: Hub, store: Store, method: str, path: str
) -> None:
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, None)
    await store.close()
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        asked = {"Origin": "http://localhost", "Access-Control-Request-Method": "GET"}
        nowhere = await client.request("GET", "/there/is/nothing")
        response = await client.request(method, path, headers=HEADERS | asked)
        assert response.status_code == nowhere.status_code == 404
        assert response.headers == nowhere.headers
        assert method == "HEAD" or response.content == nowhere.content


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
    assert answer.json() == {"revoked": ["one"]}
    assert (await client.post("/admin/sessions/one/revoke", headers=HEADERS)).status_code == 404
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
    assert answer.json() == {"document": "doc", "seq": 1}
    assert text_of(await store.load("doc")) == "released"
    answer = await client.post(path.format(numbers[1], "release"), headers=HEADERS)
    assert (answer.status_code, answer.json()["error"]) == (422, "refused")
    answer = await client.post(path.format(numbers[1], "discard"), headers=HEADERS)
    assert answer.json() == {"discarded": numbers[1]}
    for number in numbers:
        for what in ("release", "discard"):
            answer = await client.post(path.format(number, what), headers=HEADERS)
            assert answer.status_code == 404
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
    ],
)
async def test_what_is_no_number_is_refused(client: httpx.AsyncClient, path: str) -> None:
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
