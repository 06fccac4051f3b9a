"""The shell around rooms: loaded once, unloaded when that is safe, looked after in time."""

import asyncio

import pytest
from relay_support import (
    EMPTY_STATE_VECTOR,
    GatedBackend,
    Member,
    deadline,
    encode_awareness_states,
    oversized_update,
    reopened_hub,
    retries_at_once,
    run_ready_tasks,
    text_of,
    text_update,
)

from relay import hub as hub_module
from relay import live_room as live_room_module
from relay.errors import CloseCode
from relay.hub import Hub
from relay.limits import (
    AWARENESS_TIMEOUT_S,
    OUTBOX_STALLED_S,
    ROOM_GRACE_S,
    SIGN_OF_LIFE_S,
    STORAGE_FAILING_CLOSE_S,
)
from relay.wire import y_websocket as wire
from yjs_store import DocumentDeleted, Store, StoreFailing, WriterSuperseded

STEP_1 = wire.encode_sync_step_1(EMPTY_STATE_VECTOR)


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def served_text(member: Member) -> str:
    """Ask for the whole document; return its text."""
    member.messages()
    member.send(STEP_1)
    answer = await member.next()
    assert isinstance(answer, wire.SyncStep2)
    return text_of(answer.update)


# ---- loading ------------------------------------------------------------------------------------


async def test_a_room_loads_once_however_many_join_at_the_same_moment(
    store: Store, backend: GatedBackend
) -> None:
    await store.append("doc", text_update("cold"))
    backend.loads.clear()
    backend.load_gate.clear()
    async with reopened_hub(backend) as hub:
        joining = [asyncio.create_task(Member.join(hub, "doc")) for _ in range(50)]
        await backend.wait_loads(1)
        await run_ready_tasks()
        backend.load_gate.set()
        async with deadline():
            members = await asyncio.gather(*joining)
        assert backend.loads == ["doc"]
        assert len({id(member.room) for member in members}) == 1
        assert hub.room_count == 1
        assert hub.connection_count == 50
        for member in members:
            # Field note 29: nobody sees an empty document first.
            assert await served_text(member) == "cold"


async def test_many_documents_can_be_opened_at_once(hub: Hub, store: Store) -> None:
    """Field note 31."""
    names = [f"doc {number}" for number in range(50)]
    members = await asyncio.gather(*(Member.join(hub, name) for name in names))
    for number, member in enumerate(members):
        member.send_update(text_update(str(number)))
    await store.wait_settled()
    assert [text_of(await store.load(name)) for name in names] == [str(n) for n in range(50)]


async def test_a_name_with_nothing_stored_is_not_created_by_looking(hub: Hub, store: Store) -> None:
    member = await Member.join(hub, "looked at")
    assert await served_text(member) == ""
    assert await store.head("looked at") is None


async def test_a_document_that_cannot_be_loaded_is_loaded_anew_by_the_next(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    backend.load_error = StoreFailing("I/O error")
    for _ in range(2):
        with pytest.raises(StoreFailing):
            await Member.join(hub, "doc")
        assert hub.room_count == 0
    backend.load_error = None
    assert await served_text(await Member.join(hub, "doc")) == ""


async def test_one_who_gives_up_waiting_does_not_take_the_room_from_the_others(
    hub: Hub, backend: GatedBackend
) -> None:
    backend.load_gate.clear()
    impatient = asyncio.create_task(Member.join(hub, "doc"))
    patient = asyncio.create_task(Member.join(hub, "doc"))
    await backend.wait_loads(1)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    backend.load_gate.set()
    async with deadline():
        member = await patient
    assert await served_text(member) == ""
    assert backend.loads == ["doc"]


# ---- unloading ----------------------------------------------------------------------------------


async def test_an_empty_room_is_unloaded_after_the_grace(hub: Hub, store: Store) -> None:
    member = await Member.join(hub, "doc")
    member.send_update(text_update("x"))
    await store.wait_settled()
    member.leave()
    left_s = now_s()
    hub.tick(left_s + ROOM_GRACE_S - 1)
    assert hub.room_count == 1
    hub.tick(left_s + ROOM_GRACE_S + 1)
    assert hub.room_count == 0
    assert await served_text(await Member.join(hub, "doc")) == "x"


async def test_a_room_with_somebody_in_it_stays_loaded(hub: Hub) -> None:
    member = await Member.join(hub, "doc")
    other = await Member.join(hub, "doc")
    other.leave()
    hub.tick(now_s() + 1000 * ROOM_GRACE_S)
    assert hub.room_count == 1
    assert await served_text(member) == ""


async def test_a_rejoin_within_the_grace_begins_it_anew(hub: Hub) -> None:
    first = await Member.join(hub, "doc")
    first.leave()
    again = await Member.join(hub, "doc")
    assert again.room is first.room
    again.leave()
    hub.tick(now_s() + ROOM_GRACE_S - 1)
    assert hub.room_count == 1


async def test_a_room_that_is_still_loading_stays(hub: Hub, backend: GatedBackend) -> None:
    backend.load_gate.clear()
    joining = asyncio.create_task(Member.join(hub, "doc"))
    await backend.wait_loads(1)
    hub.tick(now_s() + 1000 * ROOM_GRACE_S)
    assert hub.room_count == 1
    backend.load_gate.set()
    async with deadline():
        assert await served_text(await joining) == ""


async def test_a_room_stays_for_those_who_are_about_to_enter(
    store: Store, backend: GatedBackend
) -> None:
    """Its document is loaded, and they have not had their turn since."""
    hub = Hub(store, room_grace_s=0)
    backend.load_gate.clear()
    joining = asyncio.create_task(Member.join(hub, "doc"))
    await backend.wait_loads(1)
    (opening,) = [task for task in asyncio.all_tasks() if task.get_name() == "open doc"]
    opening.add_done_callback(lambda _: hub.tick(now_s() + 1))
    backend.load_gate.set()
    async with deadline():
        member = await joining
    assert hub.room_count == 1
    assert await served_text(member) == ""
    await hub.close()


async def test_the_grace_begins_when_the_last_one_leaves(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_s = now_s()
    monkeypatch.setattr(live_room_module, "_now_s", lambda: clock_s)
    member = await Member.join(hub, "doc")
    clock_s += 1000 * ROOM_GRACE_S
    member.leave()
    hub.tick(clock_s + ROOM_GRACE_S - 1)
    assert hub.room_count == 1
    hub.tick(clock_s + ROOM_GRACE_S)
    assert hub.room_count == 0


async def test_a_room_is_never_unloaded_with_unsaved_bytes(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 8."""
    member = await Member.join(hub, "doc")
    backend.append_gate.clear()
    member.send_update(text_update("last words"))
    await backend.wait_appends(1)
    member.send_update(text_update("!", client_id=2))
    member.leave()
    hub.tick(now_s() + 1000 * ROOM_GRACE_S)
    assert hub.room_count == 1
    backend.append_gate.set()
    await store.wait_settled()
    hub.tick(now_s() + 1000 * ROOM_GRACE_S)
    assert hub.room_count == 0
    assert sorted(text_of(await store.load("doc"))) == sorted("last words!")


async def test_a_hub_with_no_grace_unloads_at_the_next_tick(store: Store) -> None:
    hub = Hub(store, room_grace_s=0)
    member = await Member.join(hub, "doc")
    member.leave()
    hub.tick(now_s())
    assert hub.room_count == 0
    await hub.close()


# ---- the end of a document ----------------------------------------------------------------------


async def test_a_document_that_failed_is_loaded_anew_by_the_next_who_joins(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 19: nobody stays connected to nothing."""
    await store.append("doc", text_update("durable"))
    members = [await Member.join(hub, "doc") for _ in range(2)]
    loads = len(backend.loads)
    backend.append_error = WriterSuperseded("doc")
    members[0].send_update(text_update("not stored", client_id=2))
    for member in members:
        code, reason = await member.wait_ending()
        assert 4500 <= code <= 4599
        assert reason
    backend.append_error = None
    # Without waiting for a tick, and while the others are still on their way out.
    again = await Member.join(hub, "doc")
    assert again.room is not members[0].room
    assert len(backend.loads) == loads + 1
    assert await served_text(again) == "durable"
    again.send_update(text_update(" and more", client_id=3))
    await store.wait_settled()
    for member in members:
        member.leave()
    hub.tick(now_s() + 1)
    assert hub.room_count == 1
    assert sorted(await served_text(again)) == sorted("durable and more")


async def test_a_failed_room_is_forgotten_at_the_next_tick(hub: Hub, backend: GatedBackend) -> None:
    member = await Member.join(hub, "doc")
    backend.append_error = WriterSuperseded("doc")
    member.send_update(text_update("x"))
    await member.wait_ending()
    assert hub.room_count == 1
    hub.tick(now_s())
    assert hub.room_count == 0
    member.leave()


async def test_a_deleted_document_is_not_joined_again(hub: Hub, store: Store) -> None:
    """P9."""
    await store.append("doc", text_update("x"))
    member = await Member.join(hub, "doc")
    await store.delete("doc")
    assert (await member.wait_ending())[0] == CloseCode.DELETED == 4410
    with pytest.raises(DocumentDeleted):
        await Member.join(hub, "doc")
    await store.forget("doc")
    assert await served_text(await Member.join(hub, "doc")) == ""


# ---- time ---------------------------------------------------------------------------------------


async def test_a_connection_that_was_sent_nothing_gets_a_sign_of_life(hub: Hub) -> None:
    """A stock client closes a socket on which nothing came for 30 s; pings do not count."""
    member = await Member.join(hub, "doc")
    member.frames()
    start_s = member.connection.last_sent_s
    hub.tick(start_s + SIGN_OF_LIFE_S - 0.1)
    assert member.frames() == []
    hub.tick(start_s + SIGN_OF_LIFE_S)
    assert member.frames() == [wire.SIGN_OF_LIFE]
    hub.tick(start_s + SIGN_OF_LIFE_S + 1)
    assert member.frames() == []
    hub.tick(start_s + 2 * SIGN_OF_LIFE_S)
    assert member.frames() == [wire.SIGN_OF_LIFE]


async def test_a_connection_that_was_sent_something_needs_no_sign_of_life(hub: Hub) -> None:
    member = await Member.join(hub, "doc")
    member.frames()
    member.connection.last_sent_s += 10
    hub.tick(member.connection.last_sent_s + SIGN_OF_LIFE_S - 1)
    assert member.frames() == []


async def test_a_connection_that_waits_for_its_document_gets_signs_of_life_too(
    hub: Hub, backend: GatedBackend
) -> None:
    backend.load_gate.clear()
    task = asyncio.current_task()
    assert task is not None
    connection = hub.admit("tester", task)
    joining = asyncio.create_task(hub.join("doc", connection))
    await backend.wait_loads(1)
    hub.tick(connection.last_sent_s + SIGN_OF_LIFE_S)
    assert connection.outbox.pop() == wire.SIGN_OF_LIFE
    backend.load_gate.set()
    async with deadline():
        await joining


async def test_a_reader_that_takes_nothing_is_aborted(hub: Hub) -> None:
    """P6: its socket is dropped, since it would not take a close frame either."""
    serving = asyncio.create_task(asyncio.Event().wait())
    stalled = await Member.join(hub, "doc", serving)
    since_s = now_s()
    hub.tick(since_s)
    stalled.connection.sending_since_s = since_s
    hub.tick(stalled.connection.sending_since_s + OUTBOX_STALLED_S)
    assert not stalled.connection.is_aborted
    hub.tick(stalled.connection.sending_since_s + OUTBOX_STALLED_S + 1)
    assert stalled.connection.is_aborted
    assert stalled.connection.ending is not None
    assert stalled.connection.ending.code == CloseCode.TOO_SLOW == 4508
    await asyncio.gather(serving, return_exceptions=True)
    assert serving.cancelled()


async def test_a_stalled_reader_gets_no_signs_of_life(hub: Hub) -> None:
    stalled = await Member.join(hub, "doc")
    stalled.frames()
    stalled.connection.sending_since_s = now_s()
    for second in range(60):
        hub.tick(stalled.connection.sending_since_s + second)
    assert stalled.frames() == []


async def test_a_tick_removes_awareness_that_was_not_renewed(hub: Hub) -> None:
    ann, ben = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    ann.send(wire.encode_awareness(encode_awareness_states((1, 1, '"a"'))))
    ben.frames()
    hub.tick(now_s() + AWARENESS_TIMEOUT_S + 1)
    gone = wire.encode_awareness(encode_awareness_states((1, 1, "null")))
    assert gone in ben.frames()


@retries_at_once
async def test_storage_that_fails_for_long_has_its_clients_closed_and_their_edits_kept(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """P8."""
    writer, reader = await Member.join(hub, "doc"), await Member.join(hub, "other")
    writer.messages()
    backend.append_error = StoreFailing("I/O error")
    writer.send_update(text_update("kept"))
    await backend.wait_appends(2)
    since_s = store.committer_state.failing_since_s
    assert since_s is not None
    hub.tick(since_s + STORAGE_FAILING_CLOSE_S - 1)
    assert not writer.connection.is_ending
    hub.tick(since_s + STORAGE_FAILING_CLOSE_S + 1)
    for member in (writer, reader):
        code, reason = await member.wait_ending()
        assert code == CloseCode.STORAGE_FAILING == 4503
        assert "storage" in reason
        assert wire.encode_update(text_update("kept")) not in member.frames()
        member.leave()
        hub.dismiss(member.connection)
    hub.tick(since_s + 1000 * ROOM_GRACE_S)
    assert hub.room_count == 1, "the room with unsaved edits, and no other"
    backend.append_error = None
    await store.wait_settled()
    assert store.committer_state.failing_since_s is None
    assert text_of(await store.load("doc")) == "kept"
    hub.tick(since_s + 2000 * ROOM_GRACE_S)
    assert hub.room_count == 0


@retries_at_once
async def test_only_those_who_wait_are_closed_when_just_a_large_update_finds_no_room(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """P8, and P5: the edits of the others are stored, so nothing is said to them."""
    paster, other = await Member.join(hub, "pasted"), await Member.join(hub, "other")
    backend.is_full = True
    paster.send_update(oversized_update())
    await backend.wait_refusals(2)
    since_s = store.failing_since_s
    assert since_s is not None
    assert store.committer_state.failing_since_s is None
    hub.tick(since_s + STORAGE_FAILING_CLOSE_S - 1)
    assert not paster.connection.is_ending
    hub.tick(since_s + STORAGE_FAILING_CLOSE_S + 1)
    assert (await paster.wait_ending())[0] == CloseCode.STORAGE_FAILING
    other.messages()
    other.send_update(text_update("stored"))
    assert await other.next_update() == text_update("stored")
    backend.is_full = False
    await store.wait_settled()
    assert store.failing_since_s is None
    assert await store.load("pasted") == oversized_update()


async def test_ticks_come_by_themselves(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    ticked = asyncio.Event()
    monkeypatch.setattr(hub_module, "TICK_S", 0)
    monkeypatch.setattr(Hub, "tick", lambda _hub, _now_s: ticked.set())
    hub = Hub(hub._store)
    async with deadline():
        await ticked.wait()
    await hub.close()


async def test_a_defect_of_the_timers_is_handed_to_the_supervisor(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field note 19: no exception is swallowed."""

    def fail(_hub: Hub, _now_s: float) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(hub_module, "TICK_S", 0)
    monkeypatch.setattr(Hub, "tick", fail)
    hub = Hub(store)
    async with deadline():
        with pytest.raises(ZeroDivisionError, match="a defect"):
            await hub.wait_broken()
    await hub.close()


# ---- the end ------------------------------------------------------------------------------------


async def test_wait_empty_waits_for_the_last_connection(hub: Hub) -> None:
    async with deadline():
        await hub.wait_empty()
    one, two = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    waiting = asyncio.create_task(hub.wait_empty())
    hub.dismiss(one.connection)
    hub.dismiss(one.connection)
    await run_ready_tasks()
    assert not waiting.done()
    assert hub.connection_count == 1
    hub.dismiss(two.connection)
    async with deadline():
        await waiting


async def test_end_all_closes_everybody_after_what_is_queued(hub: Hub) -> None:
    members = [await Member.join(hub, name) for name in ("one", "two")]
    hub.end_all(CloseCode.GOING_AWAY, "the server is stopping")
    for member in members:
        assert await member.wait_ending() == (1001, "the server is stopping")
        assert len(member.frames()) == 1


async def test_close_lets_go_of_rooms_that_are_still_loading(
    store: Store, backend: GatedBackend
) -> None:
    hub = Hub(store)
    backend.load_gate.clear()
    joining = asyncio.create_task(Member.join(hub, "doc"))
    await backend.wait_loads(1)
    joining.cancel()
    closing = asyncio.create_task(hub.close())
    await run_ready_tasks()
    assert not closing.done()
    backend.load_gate.set()
    async with deadline():
        await closing
    assert hub.room_count == 0
    await asyncio.gather(joining, return_exceptions=True)
