"""Documents within documents: what stock clients say of them reaches others, and stays."""

from typing import Any

from yjs_store import open_store

from .conftest import StartServer
from .node import NodeClient, NodeProcess, step

PAGE = {"guid": "a page", "meta": {"title": "Page v", "tags": ["v", None]}, "autoLoad": True}
OTHER = {"guid": "5f0c4a94-5a7e-4a0e-9f5a-1d1e5a0c9d10", "gc": False}
THIRD = {"guid": "third"}

EXPECTED = {
    "a page": {"meta": PAGE["meta"], "autoLoad": True, "gc": True},
    OTHER["guid"]: {"meta": None, "autoLoad": False, "gc": False},
}


def within(options: dict[str, Any]) -> dict[str, Any]:
    return {"$": "doc", "options": options}


async def documents_of(client: NodeClient) -> object:
    return (await client.dump())["subdocuments"]


async def test_sub_documents_pass_the_relay_a_restart_and_a_checkpoint(
    node: NodeProcess, start_server: StartServer
) -> None:
    """P2 and P3: with their options, of which the decoder forgets `meta`; one is deleted."""
    server = await start_server("--checkpoint-rows", "5")
    ann = await node.join("ann", server.url, "wiki")
    bob = await node.join("bob", server.url, "wiki")
    await ann.edit(step("set", "map", key="page", value=within(PAGE)))
    await ann.edit(step("push", "array", values=[1, within(OTHER), within(THIRD), "end"]))
    await ann.edit(step("delete", "array", at=2, length=1))
    for number in range(20):
        await ann.edit(step("insert", "text", at=0, text=str(number % 10)))
        await bob.wait(textLength=number + 1)
    assert await documents_of(bob) == EXPECTED
    late = await node.join("late", server.url, "wiki")
    assert await documents_of(late) == EXPECTED
    await server.restart(same_port=True)
    last = await node.join("last", server.url, "wiki")
    assert await documents_of(last) == EXPECTED
    await server.stop()
    async with open_store(server.store_url) as store:
        await store.checkpoint("wiki")
        head = await store.head("wiki")
        assert head is not None
        assert head.snapshot_bytes
    await server.start()
    read = await node.join("read", server.url, "wiki")
    assert await documents_of(read) == EXPECTED
