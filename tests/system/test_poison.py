"""What would end, hang or fill the server ends its own sender's connection, and nothing else."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from store.editing import letters
from store.intents import append, fresh, opened
from store.poison import (
    CHILD_OF_A_LETTER,
    DEPTH,
    KILLERS,
    deep_value,
    nested_types,
    one_key_each,
    one_letter_each,
    paste,
    vault,
)
from websockets.asyncio.client import ClientConnection, connect

from yjs_store import CheckDepth, crdt, open_store, plan_check, run_check
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.limits import TRIAL_STACK_BYTES

from .peers import Peer, document_of, text_of
from .server import RunningServer
from .waiting import DEADLINE_S
from .ywire import update_message

UPDATE_REFUSED = 4422
DOCUMENT_DAMAGED = 4502


class Typing:
    """Two clients who type into one document for as long as the block runs."""

    def __init__(self, ann: Peer, bob: Peer) -> None:
        self.ann, self.bob = ann, bob
        self.waits_s: list[float] = []
        self._is_over = False

    async def run(self) -> None:
        while not self._is_over:
            for peer, letter in ((self.ann, "a"), (self.bob, "b")):
                began_s = time.monotonic()
                await peer.wait_confirmed(await peer.insert(0, letter))
                self.waits_s.append(time.monotonic() - began_s)

    def end(self) -> None:
        self._is_over = True


@asynccontextmanager
async def two_typing(server: RunningServer, document: str) -> AsyncIterator[Typing]:
    """Type in a document; at the end both have all that either typed, and were never closed."""
    async with (
        Peer.join(server.url, document) as ann,
        Peer.join(server.url, document) as bob,
    ):
        typing = Typing(ann, bob)
        task = asyncio.create_task(typing.run())
        try:
            yield typing
        finally:
            typing.end()
            await task
        text = str(text_of(ann.doc))
        assert len(text) == len(typing.waits_s)
        for peer in (ann, bob):
            await peer.until(lambda peer=peer: len(peer.text) == len(text), "all was seen")  # type: ignore[misc]
            assert peer.closed is None
        assert ann.text == bob.text


@pytest.mark.parametrize("what", KILLERS)
async def test_a_killer_ends_its_sender_and_nobody_else_notices(
    server: RunningServer, what: str
) -> None:
    """Field note 18: one client's bytes ended the process, or the document for everyone."""
    pid = server.process_id
    async with two_typing(server, "room") as typing:
        async with Peer.join(server.url, "room") as culprit:
            for update in KILLERS[what]:
                await culprit.send_update(update)
            code, reason = await culprit.wait_closed()
            assert (code, bool(reason)) == (UPDATE_REFUSED, True)
            assert KILLERS[what][-1] not in culprit.updates
        waited_for = len(typing.waits_s)
        await typing.ann.until(lambda: len(typing.waits_s) > waited_for + 4, "they go on")
        assert KILLERS[what][-1] not in typing.ann.updates + typing.bob.updates
    assert (server.process_id, server.is_running) == (pid, True)
    await server.restart()
    async with Peer.join(server.url, "room") as late:
        assert len(late.text) == len(typing.waits_s)


async def receipt_s(server: RunningServer, document: str, update: bytes) -> float:
    """Send an update as one who does not decode what comes back; return how long that took."""
    async with connect(f"{server.url}/ws/{document}", max_size=None, compression=None) as socket:
        began_s = time.monotonic()
        await socket.send(update_message(update))
        async with asyncio.timeout(60):
            while len(await socket.recv()) < len(update):
                pass
        return time.monotonic() - began_s


async def test_one_who_writes_within_what_is_to_come_keeps_nobody_from_writing(
    server: RunningServer,
) -> None:
    """Field note 18: no bytes told that it would fail when client 7 typed its first letter."""
    pid = server.process_id
    # The decoder of these tests fails on it as well; so none of them decodes.
    async with (
        connect(f"{server.url}/ws/room") as culprit,
        connect(f"{server.url}/ws/room") as ann,
        connect(f"{server.url}/ws/room") as bob,
    ):
        await send_and_see(culprit, [culprit, bob], CHILD_OF_A_LETTER)
        for letter in letters("abc", 7):
            await send_and_see(ann, [ann, bob], letter)
    assert (server.process_id, server.is_running) == (pid, True)
    await server.stop()
    async with open_store(server.store_url) as store:
        assert str(text_of(document_of(await store.load("room")))) == "abc"


async def send_and_see(
    sender: ClientConnection, readers: Sequence[ClientConnection], update: bytes
) -> None:
    """Send an update; wait until each of the readers has it."""
    await sender.send(update_message(update))
    async with asyncio.timeout(DEADLINE_S):
        for reader in readers:
            while update_message(update) != await reader.recv():
                pass


LARGE: Mapping[str, Callable[[], bytes]] = {
    "ten megabytes full of the letters u and v": lambda: paste("uv" * 5_000_000),
    "a value two hundred deep": lambda: deep_value(200),
    "a hundred thousand letters": lambda: one_letter_each(100_000),
    "a hundred thousand keys": lambda: one_key_each(100_000),
    "a vault of thirty megabytes": lambda: vault(30_000_000),
}


@pytest.mark.parametrize("what", LARGE)
async def test_what_is_large_and_honest_passes_and_holds_up_nobody(
    server: RunningServer, what: str
) -> None:
    """And is there after a restart, whose load takes no longer than its snapshot."""
    update = LARGE[what]()
    async with two_typing(server, "other") as typing:
        took_s = await receipt_s(server, "large", update)
        print(f"\n{what}, {len(update):,} bytes: receipt after {took_s:.2f} s;", end=" ")
        print(f"typing beside it waits at worst {1000 * max(typing.waits_s):.0f} ms")
    await server.restart()
    async with Peer.join(server.url, "other") as late:
        assert len(late.text) == len(typing.waits_s)
    await server.stop()
    async with open_store(server.store_url) as store:
        source = crdt.fold([update])[1]
        assert crdt.difference(source, await store.load("large")) is None


async def test_a_store_that_was_poisoned_before_has_one_document_less_and_says_why(
    server: RunningServer,
) -> None:
    """Field note 18: rows written below the guard, as an older version or an import has them."""
    await server.stop()
    async with opened(SqliteBackend(server.store_path)) as backend:
        head = await append(backend, fresh("poisoned"), nested_types(DEPTH))
        await backend.distrust(head.document_id)
    await server.start()
    pid = server.process_id
    async with two_typing(server, "room") as typing:
        for _ in range(2):
            async with Peer.open(server.url, "poisoned") as unlucky:
                code, reason = await unlucky.wait_closed()
                assert (code, bool(reason), unlucky.updates) == (DOCUMENT_DAMAGED, True, [])
        assert typing.waits_s
    assert (server.process_id, server.is_running) == (pid, True)
    await server.stop()
    plan = await plan_check(server.store_url)
    checked = await asyncio.to_thread(lambda: list(run_check(plan, CheckDepth.DECODED)))
    problems = {each.document: each.problem for one in checked for each in one.reports}
    assert problems.keys() == {"room", "poisoned"}
    assert problems["room"] is None
    assert "decoder" in (problems["poisoned"] or "")


async def test_a_server_has_more_stack_than_a_trial(server: RunningServer) -> None:
    limits = Path(f"/proc/{server.process_id}/limits").read_text()
    (stack_bytes,) = re.findall(r"Max stack size\s+(\d+|unlimited)", limits)
    assert stack_bytes == "unlimited" or int(stack_bytes) > TRIAL_STACK_BYTES
