"""What can be known of connections, rooms and the hub, and how long a broadcast takes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from relay_support import (
    AsgiSocket,
    GatedBackend,
    Member,
    deadline,
    encode_awareness_states,
    run_ready_tasks,
    text_update,
    typed,
)

from relay.auth.live_sessions import Judged, LiveSessions
from relay.delivery import Delivery
from relay.errors import CloseCode
from relay.facts import ConnectionFacts, RoomFacts
from relay.hub import Hub
from relay.limits import OUTBOX_FRAMES_MAX
from relay.outbox import Outbox
from relay.wire import y_websocket as wire
from relay.wire.lib0 import write_var_bytes, write_var_uint
from yjs_store import Permission, Session, SessionStatus, Store, Tally


def room_of(hub: Hub, name: str = "doc") -> RoomFacts:
    room = hub.room_facts(name, 500)
    assert room is not None
    return room


def facts_of(hub: Hub, connection_id: int) -> ConnectionFacts:
    return next(c for c in room_of(hub).connections if c.connection_id == connection_id)


def awareness(client: int) -> bytes:
    payload = encode_awareness_states((client, 1, "{}"))
    return write_var_uint(1) + write_var_bytes(payload)


# ---- counts ------------------------------------------------------------------------------------


def test_a_broadcast_takes_as_long_as_its_last_socket() -> None:
    tally = Tally()
    delivery = Delivery(tally, 10.0)
    for _ in range(3):
        delivery.expect()
    delivery.handed_over(10.1)
    delivery.given_up()
    assert not delivery.is_over
    assert tally.distribution().count == 0
    delivery.handed_over(12.0)
    assert delivery.is_over
    assert tally.distribution().total == pytest.approx(2.0)


def test_a_broadcast_that_its_last_socket_never_gets_is_not_counted() -> None:
    tally = Tally()
    delivery = Delivery(tally, 0.0)
    delivery.expect()
    delivery.given_up()
    assert delivery.is_over
    assert tally.distribution().count == 0


def test_the_oldest_frame_is_the_next_one() -> None:
    outbox = Outbox()
    assert outbox.oldest_s is None
    outbox.push(b"first", 1.0)
    outbox.push_awareness(b"second", 2.0)
    outbox.push_update(b"third", lambda: b"", 3.0)
    assert (outbox.oldest_s, outbox.byte_length) == (1.0, 16)
    outbox.pop()
    assert (outbox.popped_s, outbox.oldest_s, outbox.byte_length) == (1.0, 2.0, 11)
    outbox.clear()
    assert (outbox.oldest_s, outbox.byte_length) == (None, 0)


# ---- in a room -----------------------------------------------------------------------------------


async def test_who_reads_at_once_lags_by_nothing(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send_update(text_update("x"))
        await socket.wait_text("x")
        await run_ready_tasks()
        (facts,) = room_of(hub).connections
    assert (facts.queued_frames, facts.queued_bytes, facts.lag_s) == (0, 0, 0.0)
    assert (facts.is_collapsed, facts.unsaved_updates) == (False, 0)
    assert facts.permission is Permission.WRITE
    assert facts.user == "anonymous"
    assert facts.session_id
    assert facts.peer == "127.0.0.1:9"


async def test_what_waits_for_a_reader_is_counted_and_so_is_for_how_long(hub: Hub) -> None:
    loop = asyncio.get_running_loop()
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        await writer.next()
        await reader.next()
        await run_ready_tasks()
        (before,) = [c for c in room_of(hub).connections if c.connection_id == 2]
        reader.reading.clear()
        began_s = loop.time()
        for update in typed("abc"):
            writer.send_update(update)
            await run_ready_tasks()
        await writer.wait_text("abc")
        facts = facts_of(hub, 2)
        assert (before.queued_frames, before.lag_s) == (0, 0.0)
        # One is with the socket; each frame has at least its update.
        assert facts.queued_frames >= 1
        assert facts.queued_bytes > 0
        assert 0 < facts.lag_s <= loop.time() - began_s
        assert facts_of(hub, 1).queued_frames == 0
        queues = hub.queue_facts()
        assert (queues.queued_frames, queues.collapsed) == (facts.queued_frames, 0)
        reader.reading.set()
        await reader.wait_text("abc")
        await run_ready_tasks()
        assert facts_of(hub, 2).lag_s == 0.0


async def test_a_reader_that_is_collapsed_is_seen_and_stays_counted_when_it_is_gone(
    hub: Hub,
) -> None:
    member = await Member.join(hub, "doc")
    for _ in range(OUTBOX_FRAMES_MAX):
        member.connection.outbox.push_update(b"x", lambda: b"\x00", 0.0)
    assert room_of(hub).connections[0].is_collapsed
    queues = hub.queue_facts()
    assert (queues.collapsed, queues.collapses) == (1, 1)
    member.leave()
    hub.dismiss(member.connection)
    queues = hub.queue_facts()
    assert (queues.collapsed, queues.collapses) == (0, 1)


async def test_updates_are_unsaved_until_the_disk_has_them(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    member = await Member.join(hub, "doc")
    backend.append_gate.clear()
    member.send_update(text_update("x"))
    assert room_of(hub).connections[0].unsaved_updates == 1
    assert hub.queue_facts().unsaved_updates == 1
    backend.open_gates()
    await store.wait_settled()
    assert room_of(hub).connections[0].unsaved_updates == 0


async def test_cursors_are_counted_for_the_room_and_for_who_speaks_for_them(hub: Hub) -> None:
    first, second = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    first.send(awareness(1), awareness(2))
    second.send(awareness(3))
    room = room_of(hub)
    assert room.awareness_clients == 3
    assert [each.awareness_clients for each in room.connections] == [2, 1]
    first.leave()
    assert room_of(hub).awareness_clients == 1


async def test_no_more_connections_are_told_of_than_wanted(hub: Hub) -> None:
    for _ in range(3):
        await Member.join(hub, "doc")
    room = hub.room_facts("doc", 2)
    assert room is not None
    assert (len(room.connections), room.connection_count) == (2, 3)
    assert hub.room_size("doc") == 3


async def test_nothing_is_known_of_a_room_that_is_not_there_and_none_is_made(
    hub: Hub, backend: GatedBackend
) -> None:
    """Field note 23."""
    assert hub.room_facts("doc", 500) is None
    assert hub.room_size("doc") is None
    assert (hub.room_count, backend.loads) == (0, [])


# ---- in the hub ----------------------------------------------------------------------------------


async def test_the_hub_counts_who_is_there_and_how_they_went(hub: Hub) -> None:
    before = hub.facts()
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send_update(text_update("x"))
        await socket.wait_text("x")
        facts = hub.facts()
        assert (facts.connections, facts.rooms, facts.frames_received) == (1, 1, 1)
        hub.end_all(CloseCode.BAD_REQUEST, "enough")
        await socket.wait_closed()
    assert (before.connections, before.rooms, before.closed) == (0, 0, {})
    assert hub.facts().closed == {4400: 1}
    assert hub.facts().connections == 0
    hub.is_draining = True
    assert hub.facts().is_draining


async def test_connections_are_counted_by_what_they_may_do(hub: Hub) -> None:
    first, second = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    first.connection.permission = Permission.READ
    counts = hub.queue_facts().by_permission
    assert counts == {Permission.READ: 1, Permission.WRITE: 1}
    second.connection.permission = Permission.READ
    assert hub.queue_facts().by_permission == {Permission.READ: 2}


async def test_one_broadcast_of_a_room_is_measured_from_durable_to_its_last_socket(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.live_room.BROADCAST_MEASURED_S", 0.0)
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        await writer.next()
        await reader.next()
        reader.reading.clear()
        first, second = typed("ab")
        writer.send_update(first)
        await writer.wait_text("a")
        # While that one is on its way, the next is not measured.
        writer.send_update(second)
        await writer.wait_text("ab")
        assert hub.facts().broadcast_s.count == 0
        reader.reading.set()
        await reader.wait_text("ab")
        await run_ready_tasks()
        assert hub.facts().broadcast_s.count == 1


@pytest.mark.parametrize("how", ["ended", "lost"])
async def test_a_reader_that_goes_leaves_the_next_broadcast_to_be_measured(
    hub: Hub, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.live_room.BROADCAST_MEASURED_S", 0.0)
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        reader = await Member.join(hub, "doc")
        goes: dict[str, Callable[[], None]] = {
            "ended": lambda: reader.connection.end(CloseCode.FORBIDDEN, "over"),
            "lost": reader.connection.lose,
        }
        first, second = typed("ab")
        writer.send_update(first)
        await writer.wait_text("a")
        assert hub.facts().broadcast_s.count == 0
        goes[how]()
        writer.send_update(second)
        await writer.wait_text("ab")
        async with deadline():
            while hub.facts().broadcast_s.count < 1:
                await run_ready_tasks()


async def test_how_late_a_tick_was_is_known(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.facts().tick_late_s == 0.0
    times = iter([10.0, 15.5])
    monkeypatch.setattr("relay.hub._now_s", lambda: next(times, 15.5))
    monkeypatch.setattr("relay.hub.TICK_S", 0.0)
    ticked = asyncio.Event()
    hub.call_each_tick(ticked.set)
    running = asyncio.create_task(hub._run_ticks())
    async with deadline():
        await ticked.wait()
    lateness_s = hub.facts().tick_late_s
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert lateness_s == 5.5


def test_the_frame_of_a_test_is_awareness() -> None:
    (message,) = wire.decode(awareness(1))
    assert isinstance(message, wire.Awareness)


async def test_not_every_broadcast_is_measured(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs a microsecond, which is much where somebody types fast."""
    monkeypatch.setattr("relay.live_room.BROADCAST_MEASURED_S", 1e9)
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        for update in typed("abc"):
            writer.send_update(update)
            await run_ready_tasks()
        await writer.wait_text("abc")
        await run_ready_tasks()
        assert hub.facts().broadcast_s.count == 1


async def test_a_broadcast_is_handed_over_with_its_own_frame_and_not_with_those_before(
    hub: Hub,
) -> None:
    member = await Member.join(hub, "doc")
    connection = member.connection
    member.frames()
    tally = Tally()
    delivery = Delivery(tally, 0.0)
    connection.send(b"being sent")
    assert connection.outbox.pop() == b"being sent"
    connection.sending_since_s = 1.0
    connection.send(b"before")
    connection.outbox.push_update(b"broadcast", lambda: b"", 1.0)
    connection.expect(delivery)
    connection.note_sent(2.0, 10)
    assert connection.outbox.pop() == b"before"
    connection.note_sent(3.0, 6)
    assert tally.distribution().count == 0
    assert connection.outbox.pop() == b"broadcast"
    connection.note_sent(4.0, 9)
    assert tally.distribution().total == 4.0


@pytest.mark.parametrize("permission", Permission)
async def test_a_connection_may_do_what_its_session_says(hub: Hub, permission: Permission) -> None:
    session = Session("s", "ann", "doc", permission, SessionStatus.ACTIVE, {}, 0, 0, 1)
    member = await Member.join(hub, "doc")
    live = LiveSessions(hub.ask_for_state)
    live.enter(member.connection, session, Judged(None, 0))
    (facts,) = room_of(hub).connections
    assert (facts.permission, facts.user, facts.session_id) == (permission, "ann", "s")
    live.update(replace(session, permission=Permission.READ), Judged(None, 0))
    assert room_of(hub).connections[0].permission is Permission.READ
