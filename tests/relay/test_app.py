"""The routes: health that tells the truth (P8), and nothing else over plain HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest
from relay_support import (
    ORIGINS,
    GatedBackend,
    Member,
    anonymous_admission,
    oversized_update,
    retries_at_once,
    run_ready_tasks,
    text_update,
)

from relay.app import create_app
from relay.hub import Hub
from yjs_store import Degradation, Store, StoreFailing, Trouble


@pytest.fixture
async def client(hub: Hub, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(hub, store, anonymous_admission(hub), ORIGINS))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        yield client


async def get(client: httpx.AsyncClient, path: str) -> tuple[int, object]:
    response = await client.get(path)
    return response.status_code, response.json()


async def test_a_server_in_order_is_live_and_ready(client: httpx.AsyncClient) -> None:
    assert await get(client, "/health/live") == (200, {"status": "live"})
    assert await get(client, "/health/ready") == (200, {"status": "ready"})


async def test_a_draining_server_is_live_but_not_ready(client: httpx.AsyncClient, hub: Hub) -> None:
    hub.is_draining = True
    assert await get(client, "/health/live") == (200, {"status": "live"})
    assert await get(client, "/health/ready") == (503, {"status": "draining"})


@retries_at_once
async def test_a_server_whose_storage_fails_is_not_ready_until_it_works_again(
    client: httpx.AsyncClient, hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 10: health said "healthy" while nothing was stored."""
    member = await Member.join(hub, "doc")
    backend.append_error = StoreFailing("I/O error")
    member.send_update(text_update("x"))
    await backend.wait_appends(2)
    await run_ready_tasks()
    assert await get(client, "/health/live") == (200, {"status": "live"})
    assert await get(client, "/health/ready") == (503, {"status": "storage failing"})
    backend.append_error = None
    await store.wait_settled()
    assert await get(client, "/health/ready") == (200, {"status": "ready"})


async def test_a_server_that_serves_but_wants_looking_at_is_degraded(
    client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field note 10: also while its checkpoints have paused. Nothing confidential is said."""
    found = [
        Degradation(Trouble.CHECKPOINTS, "secret name", "reason"),
        Degradation(Trouble.CHECKPOINTS, "another", "reason"),
        Degradation(Trouble.DAMAGE, "secret name", "reason"),
    ]
    monkeypatch.setattr(store, "degradations", lambda: found)
    because = ["checkpoints have paused after failures", "stored documents are damaged"]
    assert await get(client, "/health/ready") == (200, {"status": "degraded", "because": because})


@retries_at_once
async def test_a_server_with_no_room_for_a_large_update_is_not_ready_until_there_is(
    client: httpx.AsyncClient, hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 10, for what goes round the journal."""
    member = await Member.join(hub, "doc")
    backend.is_full = True
    member.send_update(oversized_update())
    await backend.wait_refusals(1)
    assert await get(client, "/health/ready") == (503, {"status": "storage failing"})
    backend.is_full = False
    await store.wait_settled()
    assert await get(client, "/health/ready") == (200, {"status": "ready"})


async def test_looking_at_health_loads_and_stores_nothing(
    client: httpx.AsyncClient, hub: Hub, backend: GatedBackend
) -> None:
    """Field note 23."""
    for _ in range(10):
        await client.get("/health/ready")
    assert (hub.room_count, hub.connection_count) == (0, 0)
    assert backend.loads == backend.appends == []


@pytest.mark.parametrize("path", ["/", "/ws/doc", "/doc", "/health", "/health/", "/health/live/x"])
async def test_a_document_is_nothing_over_plain_http(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_health_is_only_read(client: httpx.AsyncClient) -> None:
    assert (await client.post("/health/live")).status_code == 405
