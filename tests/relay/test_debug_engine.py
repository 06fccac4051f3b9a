"""Looking at a real store and real rooms: nothing is loaded or written, and nothing reads zero."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pycrdt
import pytest
from observing import StoreObservation
from relay_support import (
    ORIGINS,
    AsgiSocket,
    Doc,
    GatedBackend,
    anonymous_admission,
    text_update,
)

from relay.app import create_app
from relay.auth.anonymous import Anonymous
from relay.config import Settings
from relay.debug.gate import ObserverGate
from relay.debug.setup import make_debug_endpoint
from relay.hub import Hub
from yjs_store import Store


@pytest.fixture
async def client(hub: Hub, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    gate = ObserverGate(Anonymous(), None, None, lambda: 0.0)
    endpoint = make_debug_endpoint(Settings(), hub, store, StoreObservation(store), gate)
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, None, endpoint.routes)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    await endpoint.close()


async def get(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_polling_loads_no_document_and_changes_nothing_that_is_stored(
    client: httpx.AsyncClient, hub: Hub, store: Store, backend: GatedBackend, tmp_path: Path
) -> None:
    """Field note 23."""
    for name in ("a", "b", "c"):
        await store.append(name, text_update(name))
    before = list(backend.loads), list(backend.appends), await store.statistics()
    heads = await store.list_heads()
    for _ in range(20):
        for path in ("storage", "documents", "documents/a", "documents/b", "documents/none", "me"):
            assert (await client.get(f"/debug/{path}")).status_code in (200, 404)
        assert (await client.get("/metrics")).status_code == 200
    assert (backend.loads, backend.appends, await store.statistics()) == before
    assert await store.list_heads() == heads
    assert (hub.room_count, hub.connection_count) == (0, 0)


def in_text(doc: Doc) -> None:
    doc["text"] = pycrdt.Text("x")


def in_map(doc: Doc) -> None:
    doc["anything"] = pycrdt.Map({"key": "value"})


def in_nested(doc: Doc) -> None:
    doc["blocks"] = pycrdt.Array([pycrdt.Map({"children": pycrdt.Array([pycrdt.Text("x")])})])


def in_xml(doc: Doc) -> None:
    fragment = doc.get("prosemirror", type=pycrdt.XmlFragment)
    fragment.children.append(pycrdt.XmlElement("paragraph"))


@pytest.mark.parametrize("edit", [in_text, in_map, in_nested, in_xml])
async def test_no_counter_reads_zero_for_a_document_of_another_shape(
    client: httpx.AsyncClient, hub: Hub, edit: Callable[[Doc], None]
) -> None:
    """Field note 27: what is counted are updates, rows and bytes, never what is in a document."""
    doc: Doc = pycrdt.Doc()
    edit(doc)
    update = doc.get_update()
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send_update(update)
        while not any(each == update for each in socket.updates):
            await socket.next()
        found = await get(client, "/debug/documents/doc")
        storage = await get(client, "/debug/storage")
        (listed,) = (await get(client, "/debug/documents"))["documents"]
    assert (found["last_seq"], found["journal"]["rows"], found["mode"]) == (1, 1, "sql")
    assert found["journal"]["bytes"] >= len(update)
    assert {key: found[key] for key in listed if key != "is_live"} == {
        key: value for key, value in listed.items() if key != "is_live"
    }
    assert storage["commits"]["commits"] == storage["commits"]["rows"] == 1
    assert storage["sizes"]["journal_rows"] == 1
    assert storage["process"]["frames_received"] == 1
