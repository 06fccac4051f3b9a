"""What all connections of one process share: their number, its rooms, its memory, its time."""

import asyncio

import pytest
from relay_support import (
    AsgiSocket,
    GatedBackend,
    Member,
    deadline,
    encode_awareness_states,
    run_ready_tasks,
    text_of,
    text_update,
    typed,
)

from relay import awareness as awareness_module
from relay import connection as connection_module
from relay import hub as hub_module
from relay import live_room as live_room_module
from relay.answers import Answers
from relay.hub import Hub
from relay.hub_bounds import HubBounds
from relay.incoming import IncomingBytes
from relay.limits import ASKED_BURST, AWARENESS_BYTES_PER_CONNECTION_MAX, MESSAGES_PER_FRAME_MAX
from relay.wire import y_websocket as wire
from relay.wire.lib0 import write_var_bytes, write_var_uint
from yjs_store import Store

STEP_1 = wire.encode_sync_step_1(b"\x00")
EMPTY_UPDATE = wire.encode_update(b"\x00\x00")
QUERY = b"\x03"


class Bounded:
    """A hub with bounds of its own."""

    def __init__(self, store: Store, **bounds: object) -> None:
        self.hub = Hub(store, HubBounds(**bounds))  # type: ignore[arg-type]

    async def __aenter__(self) -> Hub:
        return self.hub

    async def __aexit__(self, *_: object) -> None:
        await self.hub.close()


# ---- how many -----------------------------------------------------------------------------------


async def test_a_connection_too_many_is_told_and_may_come_back(store: Store) -> None:
    async with Bounded(store, connections_max=1) as hub:
        async with AsgiSocket.open(hub, "doc"):
            async with AsgiSocket.open(hub, "doc") as second:
                assert await second.wait_closed() == (4529, "too many connections")
                assert second.accepted
                assert second.sent == []
            await asyncio.wait({second.task})
        async with AsgiSocket.open(hub, "doc") as third:
            assert await third.next() == wire.SyncStep1(b"\x00")


async def test_a_connection_too_many_of_one_address_is_told(store: Store) -> None:
    async with (
        Bounded(store, connections_per_address_max=1) as hub,
        AsgiSocket.open(hub, "doc"),
        AsgiSocket.open(hub, "doc") as second,
    ):
        assert await second.wait_closed() == (4529, "too many connections from this address")


async def test_a_document_too_many_is_refused_while_the_others_are_in_use(store: Store) -> None:
    async with (
        Bounded(store, documents_max=1) as hub,
        AsgiSocket.open(hub, "one") as first,
        AsgiSocket.open(hub, "two") as second,
    ):
        assert (await second.wait_closed())[0] == 4529
        first.send(STEP_1)
        assert await first.next() == wire.SyncStep1(b"\x00")
        async with AsgiSocket.open(hub, "one") as another:
            assert await another.next() == wire.SyncStep1(b"\x00")


async def test_a_document_nobody_is_in_makes_place_for_another(store: Store) -> None:
    async with Bounded(store, documents_max=2) as hub:
        for name in ("one", "two", "three", "four"):
            async with AsgiSocket.open(hub, name) as socket:
                socket.send_update(text_update(name))
                await socket.wait_text(name)
            await store.wait_settled()
            assert hub.room_count <= 2
        async with AsgiSocket.open(hub, "one") as socket:
            socket.send(STEP_1)
            await socket.wait_text("one")


async def test_who_is_refused_for_documents_does_not_make_the_hub_search_each_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    is_unused_since = live_room_module.LiveRoom.is_unused_since

    def look(room: live_room_module.LiveRoom, before_s: float) -> bool:
        looks.append(room.name)
        return is_unused_since(room, before_s)

    monkeypatch.setattr(live_room_module.LiveRoom, "is_unused_since", look)
    async with Bounded(store, documents_max=1) as hub, AsgiSocket.open(hub, "one") as first:
        await first.next()
        for _ in range(5):
            async with AsgiSocket.open(hub, "two") as second:
                assert (await second.wait_closed())[0] == 4529
        assert len(looks) <= 2
        first.disconnect()
        await asyncio.wait({first.task})
        hub.tick(asyncio.get_running_loop().time())
        async with AsgiSocket.open(hub, "two") as second:
            assert await second.next() == wire.SyncStep1(b"\x00")


# ---- how much at once ---------------------------------------------------------------------------


async def test_while_the_disk_stalls_sockets_are_not_read(
    store: Store, backend: GatedBackend
) -> None:
    """P6, P8: fifty flat-out writers; what is under way is bounded, nothing is lost."""
    writers, keystrokes = 50, 40
    incoming = IncomingBytes(bytes_max=50_000)
    async with Bounded(store, incoming=incoming) as hub:
        sockets = [AsgiSocket.open(hub, f"doc-{i}") for i in range(writers)]
        for socket in sockets:
            await socket.next()
        backend.append_gate.clear()
        updates = typed("x" * keystrokes)
        for socket in sockets:
            for update in updates:
                socket.send_update(update)
        await backend.wait_appends(1)
        async with deadline():
            while not incoming.is_full:
                await run_ready_tasks()
        await run_ready_tasks(500)
        # Each may have one under way when the bound is reached; nobody is read further.
        under_way = hub.frames_received
        assert under_way < 50_000 // 256 + writers + 1
        await run_ready_tasks(500)
        assert hub.frames_received == under_way
        backend.append_gate.set()
        for socket in sockets:
            await socket.wait_text("x" * keystrokes)
        assert not incoming.is_full
        for socket in sockets:
            await socket.__aexit__(None, None, None)
    for i in range(writers):
        assert text_of(await store.load(f"doc-{i}")) == "x" * keystrokes


async def test_large_answers_wait_while_others_are_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: a hundred who ask for much and do not read."""
    monkeypatch.setattr(live_room_module, "ORDINARY_MESSAGE_BYTES", 100)
    answers = Answers(bytes_max=1000)
    async with Bounded(store, answers=answers) as hub:
        async with AsgiSocket.open(hub, "large") as writer:
            writer.send_update(text_update("x" * 2000))
            await writer.wait_text("x" * 2000)
        ann, ben = await Member.join(hub, "large"), await Member.join(hub, "large")
        ann.frames()
        ben.frames()
        ann.send(STEP_1)
        assert answers.is_full
        ben.send(STEP_1)
        assert ben.frames() == []
        assert ben.connection.must_wait
        # Small documents do not wait for large ones.
        cem = await Member.join(hub, "small")
        cem.frames()
        cem.send(STEP_1)
        assert cem.messages() == [wire.SyncStep2(b"\x00\x00")]
        assert len(ann.frames()) == 1
        ann.connection.note_sent(0.0, 2000)
        await asyncio.sleep(0)
        (answer,) = ben.messages()
        assert isinstance(answer, wire.SyncStep2)
        assert text_of(answer.update) == "x" * 2000
        assert not ben.connection.must_wait


async def test_one_who_leaves_without_reading_gives_its_place_to_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_room_module, "ORDINARY_MESSAGE_BYTES", 100)
    async with Bounded(store, answers=Answers(bytes_max=1000)) as hub:
        async with AsgiSocket.open(hub, "large") as writer:
            writer.send_update(text_update("x" * 2000))
            await writer.wait_text("x" * 2000)
        ann, ben, cem = [await Member.join(hub, "large") for _ in range(3)]
        for member in (ann, ben, cem):
            member.frames()
            member.send(STEP_1)
        assert (ben.frames(), cem.frames()) == ([], [])
        # The first who waited is gone, too: it is passed over.
        ben.leave()
        hub.dismiss(ben.connection)
        ann.leave()
        hub.dismiss(ann.connection)
        await asyncio.sleep(0)
        assert len(cem.frames()) == 1


async def test_answers_that_take_long_leave_time_to_others_and_are_made_in_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: what is asked for without end takes its share of the time, and no more."""
    monkeypatch.setattr(live_room_module, "ORDINARY_MESSAGE_BYTES", 100)
    answers = Answers()
    async with Bounded(store, answers=answers) as hub:
        async with AsgiSocket.open(hub, "large") as writer:
            writer.send_update(text_update("x" * 2000))
            await writer.wait_text("x" * 2000)
        ann = await Member.join(hub, "large")
        ann.frames()
        # As if one had just taken so long that the next has to wait a moment.
        answers.note_took(0.3, asyncio.get_running_loop().time())
        ann.send(STEP_1)
        assert ann.frames() == []
        assert ann.connection.must_wait
        await ann.connection.wait_ready()
        (answer,) = ann.messages()
        assert isinstance(answer, wire.SyncStep2)
        assert answers.may_make(asyncio.get_running_loop().time())


# ---- how often ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asking",
    [
        STEP_1,
        QUERY,
        EMPTY_UPDATE,
        wire.encode_sync_step_2(b"\x00\x00"),
        wire.encode_awareness(encode_awareness_states((1, 1, '"a"'))),
    ],
    ids=["SyncStep1", "QueryAwareness", "an empty update", "an empty SyncStep2", "awareness"],
)
async def test_one_who_only_asks_makes_the_server_rest(
    hub: Hub, store: Store, asking: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = asyncio.get_running_loop().time()
    for module in (hub_module, live_room_module):
        monkeypatch.setattr(module, "_now_s", lambda: now_s)
    monkeypatch.setattr(connection_module, "ASKED_BURST", 50)
    assert ASKED_BURST > 50
    member = await Member.join(hub, "doc")
    for _ in range(25):
        member.send(asking)
        await store.wait_settled()
        member.frames()
        assert not member.connection.must_wait
    for _ in range(50):
        member.send(asking)
    assert member.connection._is_resting
    assert member.connection.must_wait


@pytest.mark.parametrize("is_switched", [True, False])
async def test_who_may_not_write_and_does_so_without_end_rests(
    hub: Hub, store: Store, is_switched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one socket of a reader has the event loop for itself."""
    monkeypatch.setattr(connection_module, "ASKED_BURST", 50)
    member = await Member.join(hub, "doc")
    if is_switched:
        await store.append("doc", text_update("x"))
        await store.set_read_only("doc", "moving house", "ann")
    else:
        member.connection.may_write = False
    for _ in range(25):
        member.send_update(text_update("y"))
    assert not member.connection.must_wait
    for _ in range(50):
        member.send_update(text_update("y"))
    assert member.connection._is_resting
    assert member.connection.must_wait
    assert member.connection.ending is None


async def test_a_rest_ends_and_nothing_is_lost_by_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "ASKED_BURST", 5)
    monkeypatch.setattr(connection_module, "ASKED_PER_S", 1000)
    async with AsgiSocket.open(hub, "doc") as socket:
        for _ in range(50):
            socket.send(QUERY)
        socket.send_update(text_update("after all"))
        await socket.wait_text("after all")
        assert socket.closed is None


async def test_content_is_never_rested_from(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "ASKED_BURST", 5)
    member = await Member.join(hub, "doc")
    for update in typed("x" * 100):
        member.send_update(update)
        await store.wait_settled()
        member.frames()
        assert not member.connection.must_wait


async def test_many_messages_in_one_frame_cost_as_many(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "ASKED_BURST", 50)
    member = await Member.join(hub, "doc")
    member.send(QUERY * 40)
    assert not member.connection._is_resting
    member.send(QUERY * MESSAGES_PER_FRAME_MAX)
    assert member.connection._is_resting


# ---- awareness ----------------------------------------------------------------------------------


def states(*entries: tuple[int, int, int]) -> bytes:
    """An awareness frame of clients with a clock and so many bytes of state."""
    payload = write_var_uint(len(entries))
    for client, clock, size in entries:
        payload += write_var_uint(client) + write_var_uint(clock)
        payload += write_var_bytes(b'"' + b"x" * (size - 2) + b'"')
    return wire.encode_awareness(payload)


async def test_the_states_of_one_connection_are_bounded_together(hub: Hub) -> None:
    member = await Member.join(hub, "doc")
    half = AWARENESS_BYTES_PER_CONNECTION_MAX // 2
    member.send(states((1, 1, half)))
    member.send(states((1, 2, half)))
    member.send(states((2, 1, half - 100)))
    member.send(states((3, 1, 200)))
    shown = states((1, 2, half), (2, 1, half - 100))
    assert member.room._room.all_states() == shown
    assert member.connection.ending is None


async def test_a_full_room_shows_no_more_cursors_and_disturbs_nobody(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awareness_module, "AWARENESS_BYTES_PER_ROOM_MAX", 1000)
    ann, ben = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    ann.send(states((1, 1, 600)))
    ben.frames()
    ben.send(states((2, 1, 600)))
    assert ben.connection.ending is None
    assert ann.room._room.all_states() == states((1, 1, 600))
    # Whoever is in it goes on moving, and when somebody leaves there is room again.
    ann.send(states((1, 2, 700)))
    ann.leave()
    ben.send(states((2, 2, 600)))
    assert ben.room._room.all_states() == states((2, 2, 600))


async def test_the_clients_of_a_room_are_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awareness_module, "AWARENESS_CLIENTS_PER_ROOM_MAX", 2)
    ann, ben = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    ann.send(states((1, 1, 10), (2, 1, 10)))
    ben.send(states((3, 1, 10)))
    assert ann.room._room.all_states() == states((1, 1, 10), (2, 1, 10))
    ann.send(states((2, 2, 12)))
    assert ann.room._room.all_states() == states((1, 1, 10), (2, 2, 12))


async def test_in_a_large_room_news_are_joined(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """n cursors cost n*n; each is shown where it is in the end, and all of them in one message."""
    monkeypatch.setattr("relay.awareness_pace.AWARENESS_SEND_S", 0.02)
    monkeypatch.setattr("relay.awareness_pace.AWARENESS_BURST_S", 0)
    ann, ben = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    ben.frames()
    ann.send(states((1, 1, 3)))
    assert ben.frames() == [states((1, 1, 3))]
    for clock in range(2, 50):
        ann.send(states((1, clock, 3)))
    ann.send(states((2, 1, 3)))
    assert ben.frames() == []
    assert await ben.next() == wire.decode(states((1, 49, 3), (2, 1, 3)))[0]
    assert ben.frames() == []


async def test_a_cursor_that_moves_a_hundred_times_is_queued_once_for_one_who_does_not_read(
    hub: Hub,
) -> None:
    """Field note 20."""
    ann, ben = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    ben.frames()
    for clock in range(1, 101):
        ann.send(states((1, clock, 100)))
    assert ben.frames() == [states((1, 1, 100))]
    ben.room.resync(ben.connection)
    assert ben.frames() == [states((1, 100, 100))]


# ---- the whole store stalls ---------------------------------------------------------------------


async def test_a_reader_is_closed_for_the_least_rate_and_not_for_a_long_message(
    hub: Hub,
) -> None:
    """A document of 30 MB over a slow line is one frame that is under way for minutes."""
    serving = asyncio.create_task(asyncio.Event().wait())
    task: asyncio.Task[object] = serving
    member = await Member.join(hub, "doc", task)
    now_s = asyncio.get_running_loop().time()
    member.connection.sending_since_s = now_s
    taken = 0
    member.connection.sending_progress = lambda: (taken, 1000)
    for minute in range(10):
        taken += 100_000
        hub.tick(now_s + 61 * minute)
    assert not member.connection.is_aborted
    hub.tick(now_s + 61 * 11)
    hub.tick(now_s + 61 * 12)
    assert member.connection.is_aborted
    await asyncio.gather(serving, return_exceptions=True)
