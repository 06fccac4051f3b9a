"""What anyone saw, or has a receipt for, is there after the server ended, however it ended."""

import asyncio
import fcntl
import signal
import sqlite3
import struct
import termios
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from yjs_store import open_store

from .conftest import StartServer
from .node import NodeProcess, step
from .peers import Peer, document_of, text_of
from .server import RunningServer
from .waiting import DEADLINE_S
from .ywire import AwarenessEntry, query_awareness, step1

GOING_AWAY = 1001
BURST_EDITS = 300
STORING_FAILED = r"\[(warning|error) .*(busy|lock|stor)"


async def stored_text(server: RunningServer, document: str) -> str:
    """The text of a stored document, read by the engine after the server ended."""
    async with open_store(server.store_url) as store:
        return str(text_of(document_of(await store.load(document))))


async def wait_delivered(peer: Peer) -> None:
    """Wait until the other end's TCP stack has acknowledged every byte written so far."""
    transport = peer.socket.transport
    connection = transport.get_extra_info("socket")

    def unacknowledged() -> int:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        return transport.get_write_buffer_size() + struct.unpack("i", answer)[0]

    async with asyncio.timeout(DEADLINE_S):
        # The kernel announces this to nobody.
        while unacknowledged():  # noqa: ASYNC110
            await asyncio.sleep(0)


# ------------------------------------------------------------------- ending


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_burst_right_before_the_end_is_stored_to_the_last_edit(
    server: RunningServer, how: signal.Signals
) -> None:
    """Field note 9: 20 to 41 of 300 edits were kept, as writes were nobody's tasks."""
    async with Peer.join(server.url, "burst") as peer:
        for i in range(BURST_EDITS):
            await peer.insert(4 * i, f"{i:03};")
        await wait_delivered(peer)
        server.terminate(how)
        code, reason = await peer.wait_closed()
        echoed = peer.text
    await server.wait_ended()
    assert (code, bool(reason)) == (GOING_AWAY, True)
    text = "".join(f"{i:03};" for i in range(BURST_EDITS))
    assert text.startswith(echoed)
    assert await stored_text(server, "burst") == text


async def test_a_burst_that_waits_in_the_socket_when_sigterm_comes_is_stored(
    server: RunningServer,
) -> None:
    """Field note 9: it was received before the drain began, though not read yet."""
    async with Peer.join(server.url, "burst") as peer:
        server.freeze()
        for i in range(BURST_EDITS):
            await peer.insert(4 * i, f"{i:03};")
        await wait_delivered(peer)
        server.terminate()
        server.thaw()
        assert (await peer.wait_closed())[0] == GOING_AWAY
    await server.wait_ended()
    assert await stored_text(server, "burst") == "".join(f"{i:03};" for i in range(BURST_EDITS))


async def test_bursts_in_many_documents_right_before_sigterm_are_stored(
    server: RunningServer,
) -> None:
    """Field note 9, for writers of documents that have nothing to do with each other."""
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(Peer.join(server.url, f"burst-{i}")) for i in range(15)
        ]
        for i in range(BURST_EDITS // len(peers)):
            for peer in peers:
                await peer.insert(3 * i, f"{i:02};")
        for peer in peers:
            await wait_delivered(peer)
        server.terminate()
        assert {(await peer.wait_closed())[0] for peer in peers} == {GOING_AWAY}
    await server.wait_ended()
    text = "".join(f"{i:02};" for i in range(20))
    for i in range(15):
        assert await stored_text(server, f"burst-{i}") == text


async def test_a_draining_server_takes_no_new_connection(server: RunningServer) -> None:
    async with Peer.join(server.url, "draining") as peer:
        server.terminate()
        await peer.wait_closed()
        with pytest.raises((OSError, InvalidHandshake)):
            await connect(f"{server.url}/ws/draining", proxy=None)
    await server.wait_ended()


async def test_an_echo_survives_a_kill_at_the_moment_it_arrives(server: RunningServer) -> None:
    async with Peer.join(server.url, "echoed") as peer:
        await peer.wait_confirmed(await peer.insert(0, "echoed"))
        await server.kill()
    assert await stored_text(server, "echoed") == "echoed"


# ------------------------------------------------------------------- content


@pytest.mark.parametrize("end", [RunningServer.stop, RunningServer.kill])
async def test_deletions_survive_though_they_move_no_clock(
    server: RunningServer, end: Callable[[RunningServer], Awaitable[None]]
) -> None:
    """Field note 1: a save that asks only whether the state vector moved skips them."""
    async with Peer.join(server.url, "deletions") as peer:
        await peer.wait_confirmed(await peer.insert(0, "keep, drop, keep"))
    await end(server)
    await server.start()
    async with Peer.join(server.url, "deletions") as peer:
        state_vector = peer.doc.get_state()
        deletion = await peer.delete(4, 10)
        await peer.wait_confirmed(deletion)
        assert peer.doc.get_state() == state_vector
    await end(server)
    await server.start()
    async with Peer.join(server.url, "deletions") as peer:
        assert peer.text == "keep, keep"
    await server.stop()
    async with open_store(server.store_url) as store:
        await store.checkpoint("deletions")
    assert await stored_text(server, "deletions") == "keep, keep"


async def test_deletions_of_a_stock_client_survive_a_restart(
    node: NodeProcess, server: RunningServer
) -> None:
    """Field note 1, as an editor's user meets it."""
    ann = await node.join("ann", server.url, "deletions")
    await ann.edit(step("insert", "text", at=0, text="abc"))
    bob = await node.join("bob", server.url, "deletions")
    await ann.edit(step("delete", "text", at=1, length=1))
    await bob.wait(content={"text": "ac"})
    await asyncio.gather(ann.close(), bob.close())
    await server.restart()
    late = await node.join("late", server.url, "deletions")
    assert (await late.content())["text"] == "ac"
    async with Peer.join(server.url, "deletions") as peer:
        assert peer.text == "ac"


async def test_what_waits_for_a_predecessor_is_kept_until_it_arrives(
    node: NodeProcess, server: RunningServer
) -> None:
    """Field note 2: a, c and d, then a restart, then a checkpoint, then b, read as JavaScript."""
    writer = document_of()
    made: list[bytes] = []
    watching = writer.observe(lambda event: made.append(event.update))
    for letter in "abcd":
        text_of(writer).insert(len(text_of(writer)), letter)
    writer.unobserve(watching)
    a, b, c, d = made

    async with Peer.join(server.url, "pending") as peer:
        for update in (a, c, d):
            await peer.send_update(update)
        await peer.until(
            lambda: document_reads(peer.updates, b) == "abcd", "a, c and d come back as they are"
        )
        assert peer.text == "a"
    await server.stop()
    async with open_store(server.store_url) as store:
        await store.checkpoint("pending")
        kept = await store.load("pending")
    described = await node.decode(kept)
    assert described["content"]["text"] == (await node.decode(a, c, d))["content"]["text"] == "a"
    assert described["pending"]

    await server.start()
    stock = await node.join("ann", server.url, "pending")
    async with Peer.join(server.url, "pending") as late:
        await late.send_update(b)
        in_order = await node.decode(a, c, d, b)
        assert in_order["content"]["text"] == "abcd"
        await stock.wait(content=in_order["content"])
    await server.restart()
    again = await node.join("again", server.url, "pending")
    described = await again.dump()
    assert (described["content"]["text"], described["pending"]) == ("abcd", False)


async def test_what_waits_for_a_predecessor_passes_live_checkpoints(
    start_server: StartServer,
) -> None:
    """Field note 2, with the server's own checkpoints in between."""
    server = await start_server("--checkpoint-rows", "2")
    writer = document_of()
    made: list[bytes] = []
    watching = writer.observe(lambda event: made.append(event.update))
    for i in range(40):
        text_of(writer).insert(len(text_of(writer)), f"{i};")
    writer.unobserve(watching)
    # The first half arrives in order, then every second one of the rest, then what was left out.
    late = made[21::2]
    async with Peer.join(server.url, "pending") as peer:
        for update in (*made[:20], *made[20::2]):
            await send_and_wait_for_one_echo(peer, update)
    await server.restart()
    async with Peer.join(server.url, "pending") as peer:
        for update in late:
            await peer.send_update(update)
        await peer.wait_text(str(text_of(writer)))


async def send_and_wait_for_one_echo(peer: Peer, update: bytes) -> None:
    count = len(peer.updates)
    await peer.send_update(update)
    await peer.until(lambda: len(peer.updates) > count, "an echo")


def document_reads(updates: list[bytes], missing: bytes) -> str:
    """The text of these updates once the missing one is there too."""
    return str(text_of(document_of(*updates, missing)))


# ------------------------------------------------------------------- failing storage


@contextmanager
def nobody_can_write(server: RunningServer) -> Iterator[None]:
    """Hold the database's write lock, so that every commit of the server fails meanwhile."""
    database = sqlite3.connect(server.store_path, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")
    finally:
        database.close()


async def test_nothing_is_echoed_or_relayed_before_it_is_stored(server: RunningServer) -> None:
    """Field note 8: receipts were sent before the write."""
    async with AsyncExitStack() as stack:
        ann = await stack.enter_async_context(Peer.join(server.url, "locked"))
        bob = await stack.enter_async_context(Peer.join(server.url, "locked"))
        late = await stack.enter_async_context(Peer.open(server.url, "locked"))
        await late.until(lambda: late.messages, "it was let in")
        await ann.wait_confirmed(await ann.insert(0, "stored, "))
        with nobody_can_write(server):
            update = await ann.insert(8, "not yet")
            # What was sent after the update is answered, so the server has read the update.
            await ann.announce(AwarenessEntry(1, 1, '"fence"'))
            for peer in (ann, bob):
                await peer.until(lambda peer=peer: 1 in peer.awareness, "the fence")
                assert peer.text == "stored, "
            await late.send(step1() + query_awareness())
            await late.until(lambda: 1 in late.awareness, "the fence")
            assert late.text in {"", "stored, "}
        for peer in (ann, bob, late):
            await peer.wait_confirmed(update)


async def test_a_burst_before_sigterm_is_stored_though_storage_fails_meanwhile(
    server: RunningServer,
) -> None:
    """Field notes 8 and 9 at once: nothing comes in while nothing can be stored, so all is quiet.

    What was received is more than a connection may have under way: the rest is still to be read
    when storage works again.
    """
    edits = 4 * BURST_EDITS
    async with Peer.join(server.url, "burst") as peer:
        with nobody_can_write(server):
            server.freeze()
            for i in range(edits):
                await peer.insert(5 * i, f"{i:04};")
            await wait_delivered(peer)
            server.terminate()
            server.thaw()
            await server.wait_log(STORING_FAILED)
        assert (await peer.wait_closed())[0] == GOING_AWAY
    await server.wait_ended()
    assert await stored_text(server, "burst") == "".join(f"{i:04};" for i in range(edits))


async def test_while_nothing_can_be_stored_newcomers_are_told_to_come_again(
    server: RunningServer,
) -> None:
    """Nobody is let in whose session is not stored, or it could not be revoked."""
    with nobody_can_write(server):
        async with Peer.open(server.url, "shut") as peer:
            assert await peer.wait_closed() == (4503, "storage is failing")
    async with Peer.join(server.url, "shut") as peer:
        await peer.wait_confirmed(await peer.insert(0, "open"))


async def test_a_failed_write_is_tried_again_though_the_last_client_left(
    start_server: StartServer,
) -> None:
    """Field note 8: nobody retried it, and the room went with the last client."""
    server = await start_server("--room-grace-s", "0")
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(Peer.join(server.url, "left"))
        await peer.wait_confirmed(await peer.insert(0, "stored, "))
        with nobody_can_write(server):
            await peer.insert(8, "and kept")
            await peer.send(query_awareness())
            await stack.aclose()
            await server.wait_log(STORING_FAILED)
    async with Peer.join(server.url, "left") as peer:
        await peer.wait_text("stored, and kept")
        await server.kill()
    assert await stored_text(server, "left") == "stored, and kept"
