"""What is too large for a row works like any other edit; what is too large at all is refused."""

import asyncio
from contextlib import AsyncExitStack, suppress

from websockets.exceptions import ConnectionClosed

from relay.limits import FRAME_BYTES_MAX
from yjs_store import Head, open_store
from yjs_store.limits import JOURNAL_ROW_BYTES_MAX, MIB, UPDATE_BYTES_MAX

from .node import NodeClient, NodeProcess, step
from .peers import Peer, document_of, text_of
from .server import RunningServer

TOO_LARGE = 4413
LINE = "a line of what was copied somewhere else, and is pasted here\n"
PASTE_BYTES = 40_000_000
PASTE_TIMES = PASTE_BYTES // len(LINE)
PASTE = LINE * PASTE_TIMES
# An update is in memory a few times at most: as it came, in the replica, on its way to the fold
# process and back, to disk and to readers. Measured: 300 MB in all.
MEMORY_BYTES_MAX = 16 * PASTE_BYTES
# Another document's edits that had their echo while the paste was on its way. Measured: 1,340.
ROUNDS_MIN = 20


async def paste(client: NodeClient, times: int) -> None:
    await client.edit(step("paste", "text", at=0, text=LINE, times=times))


async def stored(server: RunningServer, document: str) -> tuple[str, Head]:
    """The text of a stored document and its head, read by the engine after the server ended."""
    async with open_store(server.store_url) as store:
        head = await store.head(document)
        assert head is not None
        return str(text_of(document_of(await store.load(document)))), head


async def type_until(peer: Peer, pasted: "asyncio.Task[None]") -> int:
    """Type, waiting for each echo, until the task is done; return how many came meanwhile."""
    rounds = 0
    while not pasted.done():
        rounds += 1
        await peer.wait_confirmed(await peer.insert(0, "x"))
    await pasted
    return rounds


async def test_a_paste_of_forty_megabytes_works_end_to_end_and_others_go_on(
    node: NodeProcess, server: RunningServer
) -> None:
    """P1 and P6: seen, so it is there after kill -9; nobody else waits for it."""
    ann = await node.join("ann", server.url, "pasted")
    bob = await node.join("bob", server.url, "pasted")
    async with Peer.join(server.url, "other") as other:
        await ann.edit(step("insert", "text", at=0, text="end"))
        await bob.wait(textLength=3)

        async def pasting() -> None:
            await paste(ann, PASTE_TIMES)
            await bob.wait(textLength=len(PASTE) + 3)

        rounds = await type_until(other, asyncio.create_task(pasting()))
        peak = server.memory_peak_bytes
        await server.kill()
    print(f"{rounds} rounds meanwhile; memory at most {peak / 1e6:.0f} MB")
    assert rounds >= ROUNDS_MIN
    assert peak < MEMORY_BYTES_MAX
    text, head = await stored(server, "pasted")
    assert text == PASTE + "end"
    assert head.oversized_count == 1

    await server.start(port=server.port)
    cat = await node.join("cat", server.url, "pasted")
    await cat.edit(step("insert", "text", at=0, text="new "))
    for client in (ann, bob):
        await client.wait(textLength=len(PASTE) + 7, equalTo=cat)


async def test_an_echo_of_a_large_update_survives_a_kill_at_the_moment_it_arrives(
    server: RunningServer,
) -> None:
    text = LINE * (2 * MIB // len(LINE))
    async with Peer.join(server.url, "echoed") as peer:
        peer.on_update = lambda: server.strike() if len(peer.updates) == 2 else None
        await peer.insert(0, text)
        await peer.until(lambda: peer.text == text, "the echo arrives")
        await server.kill()
    assert (await stored(server, "echoed"))[0] == text


async def test_a_kill_before_the_echo_of_a_large_update_leaves_all_of_it_or_nothing(
    server: RunningServer,
) -> None:
    """And the client, which has it still, brings it back."""
    text = LINE * (2 * MIB // len(LINE))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Peer.join(server.url, "cut"))
        await first.wait_confirmed(await first.insert(0, "before"))
        await first.insert(0, text)
        await server.kill()
    assert (await stored(server, "cut"))[0] in ("before", text + "before")
    await server.start()
    async with Peer.join(server.url, "cut") as again:
        with suppress(ConnectionClosed):
            await again.send_update(first.doc.get_update())
        await again.wait_text(text + "before")
    await server.stop()
    assert (await stored(server, "cut"))[0] == text + "before"


async def test_a_stock_client_with_too_large_a_paste_is_told_and_hurts_nobody(
    node: NodeProcess, server: RunningServer
) -> None:
    """P5: what it wrote before is kept, and the others of its document go on."""
    ann = await node.join("ann", server.url, "refused")
    bob = await node.join("bob", server.url, "refused")
    await ann.edit(step("insert", "text", at=0, text="before"))
    await bob.wait(content={"text": "before"})
    await paste(ann, FRAME_BYTES_MAX // len(LINE) + 1)
    await ann.wait(closed=True)
    status = await ann.status()
    (closed,) = [event for event in status["history"] if event["event"] == "closed"]
    assert (closed["code"], "64 MiB" in closed["reason"]) == (TOO_LARGE, True)
    assert not status["shouldConnect"]
    await bob.edit(step("insert", "text", at=6, text=", after"))
    async with Peer.join(server.url, "refused") as late:
        await late.wait_text("before, after")
    assert (await bob.status())["connected"]
    await server.stop()
    text, head = await stored(server, "refused")
    assert (text, head.oversized_count) == ("before, after", 0)


async def test_an_update_above_the_bound_in_a_frame_below_it_is_refused_as_well(
    server: RunningServer,
) -> None:
    async with Peer.join(server.url, "refused") as good, Peer.join(server.url, "refused") as bad:
        await bad.insert(0, "before")
        await bad.send_update(bytes(UPDATE_BYTES_MAX + 1))
        code, reason = await bad.wait_closed()
        assert code == TOO_LARGE
        assert str(UPDATE_BYTES_MAX) in reason
        await good.wait_text("before")
        await good.wait_confirmed(await good.insert(6, ", after"))
        assert good.text == "before, after"


async def test_large_updates_among_small_ones_arrive_in_order(server: RunningServer) -> None:
    """And come back in order, when the writer does not wait for its echoes."""
    large = "x" * (JOURNAL_ROW_BYTES_MAX + 1)
    pieces = ["a", large, "b", "c", large, "d"]
    async with Peer.join(server.url, "mixed") as writer, Peer.join(server.url, "mixed") as reader:
        at = 0
        for piece in pieces:
            await writer.insert(at, piece)
            at += len(piece)
        for peer in (reader, writer):
            await peer.wait_text("".join(pieces))
    await server.stop()
    text, head = await stored(server, "mixed")
    assert (text, head.oversized_count) == ("".join(pieces), 2)
