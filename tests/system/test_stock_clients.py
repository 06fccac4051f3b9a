"""Stock y-websocket clients edit together, part, and meet again with equal documents."""

import asyncio
from typing import Any

import pytest
import y_py
from pycrdt import Doc, Text

from yjs_store import open_store

from .node import NodeClient, NodeProcess, step
from .peers import Peer
from .server import RunningServer

SECOND = 1.0
GOING_AWAY = 1001


async def pair(node: NodeProcess, server: RunningServer, document: str) -> list[NodeClient]:
    """Two clients of one document, each by one of the two addresses a document has."""
    return [
        await node.join("ann", f"{server.url}/ws", document),
        await node.join("bob", server.url, document),
    ]


async def wait_equal(ann: NodeClient, bob: NodeClient) -> dict[str, Any]:
    """Wait until both hold the same document with nothing missing; returns its content."""
    await ann.wait(equalTo=bob)
    content = await ann.content()
    assert content == await bob.content()
    return content


async def test_text_typed_at_once_ends_equal(node: NodeProcess, server: RunningServer) -> None:
    ann, bob = await pair(node, server, "text")
    await asyncio.gather(
        *(ann.edit(step("insert", "text", at=0, text=f"a{i};")) for i in range(50)),
        *(bob.edit(step("insert", "text", at=0, text=f"b{i};")) for i in range(50)),
    )
    await asyncio.gather(ann.wait(textLength=2 * (10 * 3 + 40 * 4)), wait_equal(ann, bob))
    pieces = (await ann.content())["text"].split(";")
    assert sorted(pieces) == sorted(["", *(f"{who}{i}" for who in "ab" for i in range(50))])


async def test_map_and_array_changed_at_once_end_equal(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "map-and-array")
    await asyncio.gather(
        *(ann.edit(step("set", "map", key=f"ann-{i}", value=i)) for i in range(20)),
        *(bob.edit(step("set", "map", key=f"bob-{i}", value=[i, None])) for i in range(20)),
        *(ann.edit(step("set", "map", key="both", value=f"ann {i}")) for i in range(20)),
        *(bob.edit(step("set", "map", key="both", value=f"bob {i}")) for i in range(20)),
        *(ann.edit(step("push", "array", values=[f"ann-{i}"])) for i in range(20)),
        *(bob.edit(step("insert", "array", at=0, values=[{"bob": i}, True])) for i in range(20)),
    )
    await asyncio.gather(*(one.edit(step("unset", "map", key="ann-3")) for one in (ann, bob)))
    content = await wait_equal(ann, bob)
    kept = {f"ann-{i}": i for i in range(20) if i != 3} | {f"bob-{i}": [i, None] for i in range(20)}
    assert {k: v for k, v in content["map"].items() if k != "both"} == kept
    assert content["map"]["both"] in {"ann 19", "bob 19"}
    assert [v for v in content["array"] if isinstance(v, str)] == [f"ann-{i}" for i in range(20)]
    assert [v["bob"] for v in content["array"] if isinstance(v, dict)] == [*range(19, -1, -1)]


async def test_rich_text_formatted_at_once_ends_equal(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "rich")
    await ann.edit(step("insert", "rich", at=0, text="one two three"))
    await bob.wait(content={"rich": [{"insert": "one two three"}]})
    await asyncio.gather(
        ann.edit(step("format", "rich", at=0, length=7, attributes={"bold": True})),
        bob.edit(step("format", "rich", at=4, length=9, attributes={"color": "red"})),
        ann.edit(step("embed", "rich", at=0, value={"image": "one.png"})),
        bob.edit(step("delete", "rich", at=3, length=1)),
    )
    content = await wait_equal(ann, bob)
    assert content["rich"] == [
        {"insert": {"image": "one.png"}},
        {"insert": "one", "attributes": {"bold": True}},
        {"insert": "two", "attributes": {"bold": True, "color": "red"}},
        {"insert": " three", "attributes": {"color": "red"}},
    ]


async def test_nested_types_changed_at_once_end_equal(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "nested")
    tree = {"$": "map", "entries": {"title": {"$": "text", "text": "plan"}, "rows": {"$": "array"}}}
    heading = {"$": "xml", "tag": "h1", "children": [{"$": "xml-text", "text": "Plan"}]}
    await ann.edit(
        step("set", "map", key="page", value=tree),
        step("insert", "xml", at=0, values=[heading]),
    )
    await wait_equal(ann, bob)
    paragraph = {"$": "xml", "tag": "p", "attributes": {"dir": "ltr"}}
    await asyncio.gather(
        ann.edit(step("insert", "map", "page", "title", at=4, text=" A")),
        bob.edit(step("insert", "map", "page", "title", at=0, text="B ")),
        ann.edit(step("push", "map", "page", "rows", values=[{"$": "map", "entries": {"n": 1}}])),
        bob.edit(step("attribute", "xml", 0, name="id", value="top")),
        bob.edit(step("insert", "xml", at=1, values=[paragraph])),
    )
    await bob.wait(content={"xml": '<h1 id="top">Plan</h1><p dir="ltr"></p>'})
    await bob.wait(content={"map": {"page": {"title": "B plan A", "rows": [{"n": 1}]}}})
    await bob.edit(
        step("set", "map", "page", "rows", 0, key="n", value={"$": "bytes", "hex": "ff"})
    )
    await wait_equal(ann, bob)


async def test_edits_made_offline_meet_when_both_come_back(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "offline")
    await ann.edit(step("insert", "text", at=0, text="shared."))
    await bob.wait(content={"text": "shared."})
    await ann.go_offline()
    await ann.edit(step("insert", "text", at=7, text=" Ann was away."))
    await ann.edit(step("set", "map", key="ann", value=1), step("delete", "text", at=0, length=1))
    await bob.edit(step("insert", "text", at=0, text="Bob stayed. "))
    await bob.go_offline()
    await bob.edit(step("push", "array", values=["bob too"]))
    await bob.go_online()
    await ann.go_online()
    await asyncio.gather(ann.wait(synced=True), bob.wait(synced=True))
    content = await wait_equal(ann, bob)
    assert content["text"] == "Bob stayed. hared. Ann was away."
    assert (content["map"], content["array"]) == ({"ann": 1}, ["bob too"])


async def test_clients_carry_on_by_themselves_after_a_restart_of_the_server(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "restart")
    await ann.edit(step("insert", "text", at=0, text="before"))
    await bob.wait(content={"text": "before"})
    await server.stop()
    await asyncio.gather(*(one.wait(lost=GOING_AWAY, connected=False) for one in (ann, bob)))
    await ann.edit(step("insert", "text", at=6, text=", while it was down"))
    await server.start(port=server.port)
    await asyncio.gather(ann.wait(synced=True), bob.wait(synced=True))
    await bob.edit(step("insert", "text", at=0, text="after, "))
    assert (await wait_equal(ann, bob))["text"] == "after, before, while it was down"


async def test_awareness_of_each_is_seen_by_the_other(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "awareness")
    await ann.announce({"user": "Ann", "cursor": {"at": 3}})
    await bob.announce({"user": "Bob"})
    await bob.wait(
        state={"clientId": ann.client_id, "equals": {"user": "Ann", "cursor": {"at": 3}}}
    )
    await ann.wait(state={"clientId": bob.client_id, "equals": {"user": "Bob"}})
    late = await node.join("late", server.url, "awareness")
    await late.wait(sees=[ann.client_id, bob.client_id])
    await ann.announce({"user": "Ann", "cursor": None})
    await late.wait(state={"clientId": ann.client_id, "equals": {"user": "Ann", "cursor": None}})


@pytest.mark.parametrize("leave", [NodeClient.go_offline, NodeClient.cut_socket, NodeClient.close])
async def test_awareness_is_gone_within_a_second_of_a_disconnect(
    node: NodeProcess, server: RunningServer, leave: Any
) -> None:
    ann, bob = await pair(node, server, "leaving")
    await ann.announce({"user": "Ann"})
    await bob.wait(sees=[ann.client_id])
    await leave(ann)
    await bob.wait(unsees=[ann.client_id], within_s=SECOND)
    assert list(await bob.awareness()) == [bob.client_id]


async def test_awareness_of_a_killed_client_is_gone_within_a_second(
    node: NodeProcess, server: RunningServer
) -> None:
    other = await NodeProcess.start()
    ann = await other.join("ann", server.url, "killed")
    bob = await node.join("bob", server.url, "killed")
    await ann.announce({"user": "Ann"})
    await bob.wait(sees=[ann.client_id])
    await other.kill()
    await bob.wait(unsees=[ann.client_id], within_s=SECOND)
    assert list(await bob.awareness()) == [bob.client_id]


async def test_pycrdt_and_y_py_read_what_stock_clients_wrote(
    node: NodeProcess, server: RunningServer
) -> None:
    ann, bob = await pair(node, server, "readers")
    await ann.edit(step("insert", "text", at=0, text="naïve café, 汉字 and 😀"))
    await bob.wait(content={"text": "naïve café, 汉字 and 😀"})
    await asyncio.gather(
        ann.edit(step("delete", "text", at=0, length=7)),
        bob.edit(step("insert", "text", at=0, text="<<")),
    )
    text = (await wait_equal(ann, bob))["text"]
    async with Peer.join(server.url, "readers") as peer:
        served = peer.updates[0]
    await server.stop()
    async with open_store(server.store_url) as store:
        stored = await store.load("readers")
    for update in (served, stored):
        assert text_by_pycrdt(update) == text_by_y_py(update) == text
        assert (await node.decode(update))["content"]["text"] == text


def text_by_pycrdt(update: bytes) -> str:
    doc: Doc[Text] = Doc()
    doc.apply_update(update)
    return str(doc.get("text", type=Text))


def text_by_y_py(update: bytes) -> str:
    doc = y_py.YDoc()
    y_py.apply_update(doc, update)
    return str(doc.get_text("text"))
