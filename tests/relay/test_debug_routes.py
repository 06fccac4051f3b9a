"""The routes that are looked at: what they answer, to whom, and that looking changes nothing."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from observing import DOCUMENT, LIVE, STORE, TRACES, FakeObservation, FakeTroubles, head
from relay_support import (
    ORIGINS,
    AsgiSocket,
    GatedBackend,
    Member,
    anonymous_admission,
    retries_at_once,
    storage_failing,
    text_update,
)

from relay.app import create_app
from relay.auth.anonymous import Anonymous
from relay.config import Settings
from relay.debug import models
from relay.debug.gate import ObserverGate
from relay.debug.setup import DebugEndpoint, make_debug_endpoint
from relay.hub import Hub
from relay.limits import DEBUG_CONNECTIONS_MAX, DEBUG_PAGE, DEBUG_PAGE_MAX
from yjs_store import Degradation, Store, StoreFailing, Trouble

GETS = [
    "/debug/storage",
    "/debug/documents",
    "/debug/documents/notes",
    "/debug/me",
    "/metrics",
    "/openapi.json",
]


@pytest.fixture
def observation() -> FakeObservation:
    made = FakeObservation()
    made.add(head("notes"))
    return made


@pytest.fixture
def troubles() -> FakeTroubles:
    return FakeTroubles()


@pytest.fixture
async def endpoint(
    hub: Hub, observation: FakeObservation, troubles: FakeTroubles
) -> AsyncIterator[DebugEndpoint]:
    gate = ObserverGate(Anonymous(), None, None, lambda: 0.0)
    made = make_debug_endpoint(Settings(), hub, troubles, observation, gate)
    yield made
    await made.close()


@pytest.fixture
async def client(
    hub: Hub, store: Store, endpoint: DebugEndpoint
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, None, endpoint.routes)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


# ---- what they answer ----------------------------------------------------------------------------


async def test_the_store_is_answered_as_its_model(
    client: httpx.AsyncClient, observation: FakeObservation, troubles: FakeTroubles
) -> None:
    observation.store = replace(STORE, commits=7)
    troubles.found = [Degradation(Trouble.DAMAGE, "notes", "a chunk")]
    found = models.Storage.model_validate(await get(client, "/debug/storage"))
    assert found.commits.commits == 7
    assert found.process.state == "degraded"
    assert [each.document for each in found.degradations] == ["notes"]
    assert found.configuration.keys() == Settings.model_fields.keys()


async def test_a_document_is_answered_as_its_model_with_those_who_are_in_its_room(
    client: httpx.AsyncClient, hub: Hub, observation: FakeObservation
) -> None:
    observation.documents_by_name["notes"] = replace(DOCUMENT, live=LIVE)
    observation.traces_of["notes"] = TRACES
    observation.writes_of["notes"] = (0,) * 29 + (4,)
    async with AsgiSocket.open(hub, "notes") as socket:
        await socket.next()
        found = models.Document.model_validate(await get(client, "/debug/documents/notes"))
    assert found.live is not None
    assert [each.user for each in found.live.connections] == ["anonymous"]
    assert found.connection_count == 1
    assert found.writes[-1] == 4
    assert [each.event for each in found.traces] == ["loaded"]


@pytest.mark.parametrize("name", ["a/b/c", "Zürich", "a b?c#d", "%2e%2e/etc", "storage", "../x"])
async def test_a_document_may_have_any_name(
    client: httpx.AsyncClient, observation: FakeObservation, name: str
) -> None:
    """Field note 22."""
    observation.add(head(name))
    path = "/debug/documents/" + _quote(name)
    assert (await get(client, path))["name"] == name


def _quote(name: str) -> str:
    return "".join(f"%{byte:02x}" for byte in name.encode())


async def test_a_document_that_nobody_knows_is_not_found_and_not_made(
    client: httpx.AsyncClient, hub: Hub, backend: GatedBackend
) -> None:
    found = await get(client, "/debug/documents/unknown", 404)
    assert found["error"] == "not_found"
    assert (hub.room_count, backend.loads) == (0, [])


async def test_a_room_without_anything_stored_is_a_fresh_document(
    client: httpx.AsyncClient, hub: Hub
) -> None:
    await Member.join(hub, "new")
    found = models.Document.model_validate(await get(client, "/debug/documents/new"))
    assert (found.mode, found.last_seq, found.created_ms) == ("fresh", 0, None)
    assert found.connection_count == 1


@pytest.mark.parametrize("path", ["", "%", "%zz", "%ff", "a%00b"])
async def test_what_is_no_name_is_refused(client: httpx.AsyncClient, path: str) -> None:
    """Field note 22."""
    await get(client, f"/debug/documents/{path}", 400)


@pytest.mark.parametrize("name", ["", "a%00b", "x" * 1025])
async def test_what_is_no_name_is_not_watched(client: httpx.AsyncClient, name: str) -> None:
    found = await get(client, f"/debug/stream?document={name}", 400)
    assert found["error"] == "bad_request"


async def test_documents_come_page_by_page(
    client: httpx.AsyncClient, observation: FakeObservation
) -> None:
    observation.documents_by_name.clear()
    observation.add(*(head(f"doc-{number:03}") for number in range(250)), head("other"))
    names: list[str] = []
    after = ""
    while True:
        page = models.DocumentPage.model_validate(
            await get(client, f"/debug/documents?prefix=doc-&limit=100{after}")
        )
        names += [each.name for each in page.documents]
        assert page.total == 251
        if page.next is None:
            break
        after = f"&after={page.next}"
    assert names == [f"doc-{number:03}" for number in range(250)]
    default = await get(client, "/debug/documents")
    assert len(default["documents"]) == DEBUG_PAGE


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["a", "b", "c"]),
        ("updated", ["b", "a", "c"]),
        ("bytes", ["c", "b", "a"]),
        ("journal", ["a", "c", "b"]),
    ],
)
async def test_documents_are_sorted(
    client: httpx.AsyncClient, observation: FakeObservation, sort: str, expected: list[str]
) -> None:
    observation.documents_by_name.clear()
    observation.add(
        head("a", updated_ms=5, journal_bytes=30, snapshot_bytes=0),
        head("b", updated_ms=9, journal_bytes=10, snapshot_bytes=50),
        head("c", updated_ms=1, journal_bytes=20, snapshot_bytes=90),
    )
    page = await get(client, f"/debug/documents?sort={sort}")
    assert [each["name"] for each in page["documents"]] == expected


async def test_a_damaged_head_is_in_the_list_and_only_it_is_in_that_of_trouble(
    client: httpx.AsyncClient, observation: FakeObservation
) -> None:
    observation.add_damaged("broken", "the head is not what was written")
    page = await get(client, "/debug/documents")
    assert [each["name"] for each in page["documents"]] == ["broken", "notes"]
    (broken,) = (await get(client, "/debug/documents?trouble=1"))["documents"]
    assert broken["health"] == "unavailable"
    assert broken["because"] == ["damaged: the head is not what was written"]


async def test_a_live_document_whose_storage_fails_is_failing_in_the_list_and_on_its_page(
    client: httpx.AsyncClient, observation: FakeObservation
) -> None:
    failing = replace(LIVE, failures_in_row=3, error="the disk is full")
    observation.add(head("quiet"))
    observation.documents_by_name["notes"] = replace(DOCUMENT, live=failing)
    page = await get(client, "/debug/documents")
    assert {each["name"]: each["health"] for each in page["documents"]} == {
        "notes": "failing",
        "quiet": "ok",
    }
    found = await get(client, "/debug/documents/notes")
    assert found["because"] == ["edits are not becoming durable: the disk is full"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        f"limit={DEBUG_PAGE_MAX + 1}",
        "limit=-1",
        "limit=x",
        "limit=%D9%A3",
        "limit=",
        "limit=" + "9" * 5000,
        "sort=colour",
        "sort=",
        "trouble=yes",
        "after=nonsense",
    ],
)
async def test_a_wrong_parameter_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await get(client, f"/debug/documents?{query}", 400))["error"] == "bad_request"


async def test_at_most_so_many_connections_are_listed(
    client: httpx.AsyncClient, hub: Hub, observation: FakeObservation
) -> None:
    observation.documents_by_name["notes"] = replace(DOCUMENT, live=LIVE)
    for _ in range(DEBUG_CONNECTIONS_MAX + 1):
        await Member.join(hub, "notes")
    found = await get(client, "/debug/documents/notes")
    assert len(found["live"]["connections"]) == DEBUG_CONNECTIONS_MAX
    assert found["live"]["connection_count"] == DEBUG_CONNECTIONS_MAX + 1


async def test_who_looks_is_told_who_they_are(client: httpx.AsyncClient) -> None:
    assert await get(client, "/debug/me") == {"by": "anybody", "may_act": False}


@pytest.mark.parametrize(
    ("is_on", "token", "expected"),
    [
        (True, "the-admin-token-of-this-test", True),
        (True, None, False),
        (False, "the-admin-token-of-this-test", False),
    ],
)
async def test_who_may_act_is_told_so_only_where_the_admin_routes_are_on(
    hub: Hub, store: Store, tmp_path: Path, is_on: bool, token: str | None, expected: bool
) -> None:
    file = tmp_path / "admin-token"
    file.write_text("the-admin-token-of-this-test")
    file.chmod(0o600)
    gate = ObserverGate(Anonymous(), file, None, lambda: 0.0)
    settings = Settings(enable_admin_routes=is_on)
    endpoint = make_debug_endpoint(settings, hub, FakeTroubles(), FakeObservation(), gate)
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, None, endpoint.routes)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        found = (await client.get("/debug/me", headers=headers)).json()
    await endpoint.close()
    assert found["may_act"] is expected


# ---- to whom -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*GETS, "/debug/stream"])
async def test_who_may_not_look_sees_nothing_and_nothing_is_looked_at(
    hub: Hub, store: Store, tmp_path: Path, path: str
) -> None:
    file = tmp_path / "observer-token"
    file.write_text("the-observer-token-of-this-test")
    file.chmod(0o600)
    gate = ObserverGate(Anonymous(), None, file, lambda: 0.0)
    observation = FakeObservation()
    endpoint = make_debug_endpoint(Settings(), hub, FakeTroubles(), observation, gate)
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, None, endpoint.routes)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        refused = await client.get(path)
        shown = {"Authorization": "Bearer the-observer-token-of-this-test"}
        seen = None if path == "/debug/stream" else await client.get(path, headers=shown)
    await endpoint.close()
    if path == "/openapi.json":
        # It describes this program and holds nothing of this server.
        assert refused.status_code == 200
        return
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json().keys() == {"error", "message"}
    assert seen is None or seen.status_code in (200, 404)
    assert seen is not None or not observation.looks


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [*GETS, "/debug/stream"])
async def test_nothing_can_be_done_by_them(
    client: httpx.AsyncClient, observation: FakeObservation, method: str, path: str
) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert not observation.looks


@pytest.mark.parametrize("path", ["/debug/x", "/debug/storage/", "/metrics/", "/debugx"])
async def test_other_paths_are_unknown(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.text) == (404, "Not Found")


async def test_when_storage_does_not_answer_that_is_said_and_nothing_of_it(
    client: httpx.AsyncClient, observation: FakeObservation
) -> None:
    observation.error = StoreFailing("I/O error in /secret/path")
    for path in ("/debug/storage", "/debug/documents", "/debug/documents/notes"):
        found = await get(client, path, 503)
        assert found == {"error": "storage", "message": "storage is failing"}
    assert (await client.get("/metrics")).status_code == 503
    observation.error = None
    await get(client, "/debug/storage")


@pytest.mark.parametrize("is_said", [True, False])
@retries_at_once
async def test_that_storage_fails_is_not_said_again_for_each_who_asks(
    client: httpx.AsyncClient,
    hub: Hub,
    store: Store,
    backend: GatedBackend,
    observation: FakeObservation,
    monkeypatch: pytest.MonkeyPatch,
    is_said: bool,
) -> None:
    """Dashboards ask each second, and so do clients for tickets."""

    async def fail(*_: object) -> None:
        raise StoreFailing("I/O error")

    observation.error = StoreFailing("I/O error")
    monkeypatch.setattr(anonymous_admission(hub), "issue_ticket", fail)
    async with contextlib.AsyncExitStack() as stack:
        if is_said:
            await stack.enter_async_context(storage_failing(hub, store, backend))
        with structlog.testing.capture_logs() as logs:
            for _ in range(5):
                assert (await client.get("/debug/storage")).status_code == 503
            ticket = await client.post("/auth/ticket/doc", headers={"Authorization": "Bearer t"})
            assert ticket.status_code == 503
    said = [entry["log_level"] for entry in logs if entry["event"] == "request failed"]
    assert said == ["debug" if is_said else "warning"] * 6


# ---- field note 23 -------------------------------------------------------------------------------


async def test_polling_loads_nothing_writes_nothing_and_looks_seldom(
    client: httpx.AsyncClient,
    hub: Hub,
    store: Store,
    backend: GatedBackend,
    observation: FakeObservation,
) -> None:
    """Field note 23: the watcher became the load."""
    await store.append("notes", text_update("x"))
    loads, appends = list(backend.loads), list(backend.appends)
    for _ in range(50):
        for path in GETS:
            assert (await client.get(path)).status_code == 200
    assert (backend.loads, backend.appends) == (loads, appends)
    assert (hub.room_count, hub.connection_count) == (0, 0)
    # One look each, for all 50; the test may take longer than one answer counts.
    assert len(observation.looks) < 50


async def test_no_content_is_in_any_answer(
    client: httpx.AsyncClient, hub: Hub, observation: FakeObservation
) -> None:
    observation.documents_by_name["notes"] = replace(DOCUMENT, live=LIVE)
    async with AsgiSocket.open(hub, "notes") as socket:
        socket.send_update(text_update("a secret of somebody"))
        await socket.wait_text("a secret of somebody")
        for path in GETS:
            assert "secret of" not in (await client.get(path)).text


# ---- for programs --------------------------------------------------------------------------------


async def test_every_route_is_described_and_everything_described_is_there(
    client: httpx.AsyncClient, endpoint: DebugEndpoint
) -> None:
    description = await get(client, "/openapi.json")
    assert description["openapi"] == "3.1.0"
    described = {path.replace("{document}", "notes") for path in description["paths"]}
    assert described == {*GETS, "/debug/stream"}
    assert all(endpoint.routes.serves(path) for path in described)
    references = set(_references(description))
    assert references <= {
        f"#/components/schemas/{name}" for name in description["components"]["schemas"]
    }
    assert "#/components/schemas/Document" in references


def _references(found: Any) -> list[str]:
    if isinstance(found, dict):
        own = [found["$ref"]] if isinstance(found.get("$ref"), str) else []
        return own + [each for value in found.values() for each in _references(value)]
    if isinstance(found, list):
        return [each for value in found for each in _references(value)]
    return []


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/debug/storage", "Storage"),
        ("/debug/documents", "DocumentPage"),
        ("/debug/documents/{document}", "Document"),
        ("/debug/me", "Me"),
    ],
)
async def test_answers_are_described_by_their_models(
    client: httpx.AsyncClient, path: str, model: str
) -> None:
    description = json.loads((await client.get("/openapi.json")).text)
    answer = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": f"#/components/schemas/{model}"}
