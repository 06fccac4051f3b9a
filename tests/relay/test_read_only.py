"""A document that an operator has switched to read-only: writers are readers until it is lifted."""

import pytest
from relay_support import GatedBackend, Member, run_ready_tasks, state_vector_of, text_of, typed

from relay.hub import Hub
from relay.wire import y_websocket as wire
from yjs_store import Store

A, B, C = typed("abc")


async def joined(hub: Hub) -> Member:
    """Join, and take what a new connection is sent."""
    member = await Member.join(hub, "doc")
    member.messages()
    return member


@pytest.fixture(autouse=True)
async def stored(store: Store) -> None:
    await store.append("doc", A)


async def test_writers_are_refused_without_a_word_and_nobody_is_closed(
    hub: Hub, store: Store
) -> None:
    writer, reader = await joined(hub), await joined(hub)
    await store.set_read_only("doc", "moving house", "ann")
    writer.send_update(B)
    writer.send(wire.encode_sync_step_2(B))
    await store.wait_settled()
    assert (writer.messages(), reader.messages()) == ([], [])
    assert writer.connection.ending is reader.connection.ending is None
    assert not writer.connection.must_wait, "what was refused counts as answered"
    assert text_of(await store.load("doc")) == "a"
    # Whoever comes meanwhile is served.
    late = await joined(hub)
    late.send(wire.encode_sync_step_1(b"\x00"))
    assert [type(message) for message in late.messages()] == [wire.SyncStep2]
    late.send_update(B)
    assert late.connection.ending is None


async def test_awareness_goes_on(hub: Hub, store: Store) -> None:
    """Field note 25: and the cursors of all still show."""
    writer, reader = await joined(hub), await joined(hub)
    await store.set_read_only("doc", "w", "ann")
    frame = wire.encode_awareness(b"\x01\x07\x01\x02{}")
    writer.send(frame)
    assert reader.frames() == [frame]


async def test_when_it_is_lifted_writers_are_asked_for_what_they_typed(
    hub: Hub, store: Store
) -> None:
    writer, other, reader = await joined(hub), await joined(hub), await joined(hub)
    reader.connection.may_write = False
    await store.set_read_only("doc", "w", "ann")
    writer.send_update(B)
    await store.lift_read_only("doc")
    asked = wire.SyncStep1(state_vector_of(A))
    assert (writer.messages(), other.messages(), reader.messages()) == ([asked], [asked], [])
    writer.send(wire.encode_sync_step_2(B), wire.encode_update(C))
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "abc"
    assert text_of(A, await other.next_update()) == "abc"


async def lifted_meanwhile(hub: Hub, store: Store, backend: GatedBackend) -> Member:
    """Switch it on and off while an update of the writer waits for the disk."""
    writer = await joined(hub)
    backend.append_gate.clear()
    writer.send_update(B)
    await backend.wait_appends(2)
    await store.set_read_only("doc", "w", "ann")
    await store.lift_read_only("doc")
    return writer


async def test_who_is_asked_is_asked_from_what_is_durable(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """P1: what is on its way when it is lifted is seen by nobody yet."""
    writer = await lifted_meanwhile(hub, store, backend)
    assert writer.messages() == []
    backend.append_gate.set()
    await store.wait_settled()
    asked, *rest = writer.messages()
    assert asked == wire.SyncStep1(state_vector_of(A, B))
    assert [type(message) for message in rest] == [wire.Update]


async def test_a_room_that_is_closed_before_that_moment_asks_nobody(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    writer = await lifted_meanwhile(hub, store, backend)
    writer.leave()
    writer.room.close()
    backend.append_gate.set()
    await store.wait_settled()
    await run_ready_tasks()
    assert writer.messages() == []


async def test_a_read_only_store_treats_every_room_so(hub: Hub, store: Store) -> None:
    writer, stranger = await joined(hub), await Member.join(hub, "new")
    stranger.messages()
    await store.set_read_only(None, "w", "ann")
    writer.send_update(B)
    stranger.send_update(A)
    await store.wait_settled()
    assert (writer.messages(), stranger.messages()) == ([], [])
    await store.lift_read_only(None)
    assert writer.messages() == [wire.SyncStep1(state_vector_of(A))]
    assert stranger.messages() == [wire.SyncStep1(b"\x00")]
