"""The orderly end: everything received is stored and receipted, then everybody is sent home."""

import asyncio

import pytest
from relay_support import (
    EMPTY_STATE_VECTOR,
    AsgiSocket,
    GatedBackend,
    deadline,
    retries_at_once,
    text_of,
    text_update,
    typed,
    wait_frames_received,
)

from relay import drain as drain_module
from relay.drain import drain
from relay.hub import Hub
from relay.limits import CONNECTION_UNSAVED_UPDATES_MAX
from relay.wire import y_websocket as wire
from yjs_store import Store, StoreFailing


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "DRAIN_QUIET_S", 0.02)


async def test_a_hub_without_connections_drains_at_once(hub: Hub, store: Store) -> None:
    async with deadline():
        assert await drain(hub, store)
    assert hub.is_draining


async def test_a_burst_right_before_the_drain_is_stored_and_receipted(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 9: 20 to 41 of 300 edits survived a stop right after them."""
    letters = "x" * 300
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        assert isinstance(await writer.next(), wire.SyncStep1)
        assert isinstance(await reader.next(), wire.SyncStep1)
        backend.append_gate.clear()
        for update in typed(letters):
            writer.send_update(update)
        draining = asyncio.create_task(drain(hub, store))
        await backend.wait_appends(1)
        assert not draining.done()
        assert writer.updates == reader.updates == []
        backend.append_gate.set()
        async with deadline():
            assert await draining
        assert hub.connection_count == 0, "everybody is on the way home"
        for socket in (writer, reader):
            assert await socket.wait_closed() == (1001, "the server is stopping")
            assert text_of(*socket.updates) == letters
    assert text_of(await store.load("doc")) == letters


async def test_a_burst_far_over_the_bound_of_its_connection_is_stored_to_the_last(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """A connection at its bound seems quiet, but is only waiting for a slow disk."""
    letters = "x" * (4 * CONNECTION_UNSAVED_UPDATES_MAX)
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        backend.append_gate.clear()
        other = asyncio.create_task(store.append("other", text_update("on its way to the disk")))
        await backend.wait_appends(1)
        for update in typed(letters):
            writer.send_update(update)
        await wait_frames_received(hub, CONNECTION_UNSAVED_UPDATES_MAX)
        draining = asyncio.create_task(drain(hub, store))
        # The disk takes longer than what counts as quiet.
        done, _ = await asyncio.wait({draining}, timeout=5 * drain_module.DRAIN_QUIET_S)
        assert not done
        backend.append_gate.set()
        async with deadline():
            assert await draining
            await other
        assert (await writer.wait_closed())[0] == 1001
    assert text_of(await store.load("doc")) == letters


async def test_what_arrives_while_it_still_reads_is_stored(hub: Hub, store: Store) -> None:
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        draining = asyncio.create_task(drain(hub, store))
        await asyncio.sleep(0)
        assert hub.is_draining
        writer.send_update(text_update("sent before it could know"))
        async with deadline():
            assert await draining
        await writer.wait_closed()
        assert text_of(*writer.updates) == "sent before it could know"
    assert text_of(await store.load("doc")) == "sent before it could know"


async def test_reading_ends_though_a_client_never_stops(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "DRAIN_READING_MAX_S", 0.1)
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()

        async def chatter() -> None:
            while True:
                writer.send(wire.encode_sync_step_1(EMPTY_STATE_VECTOR))
                await writer.next()

        chattering = asyncio.create_task(chatter())
        async with deadline():
            assert await drain(hub, store)
        assert (await writer.wait_closed())[0] == 1001
        chattering.cancel()
        await asyncio.gather(chattering, return_exceptions=True)


async def test_a_newcomer_is_sent_elsewhere(hub: Hub, store: Store, backend: GatedBackend) -> None:
    hub.is_draining = True
    async with AsgiSocket.open(hub, "doc") as newcomer:
        assert await newcomer.wait_closed() == (1001, "the server is stopping")
        assert newcomer.sent == []
    assert backend.loads == []


@retries_at_once
async def test_storage_that_does_not_take_the_last_edits_is_an_unclean_end(
    hub: Hub, store: Store, backend: GatedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: said aloud, and nobody had a receipt."""
    monkeypatch.setattr(drain_module, "DRAIN_STORING_MAX_S", 0.1)
    backend.append_error = StoreFailing("I/O error")
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        writer.send_update(text_update("not stored"))
        await backend.wait_appends(2)
        async with deadline():
            assert not await drain(hub, store)
        assert (await writer.wait_closed())[0] == 1001
        assert writer.updates == []


async def test_a_client_that_does_not_read_is_not_waited_for_without_end(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "DRAIN_SENDING_MAX_S", 0.1)
    async with AsgiSocket.open(hub, "doc") as stuck:
        await stuck.next()
        stuck.reading.clear()
        async with deadline():
            assert await drain(hub, store)
        assert hub.connection_count == 1
