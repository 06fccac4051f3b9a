"""A room with its document, over a real store: durable before visible, and what ends it."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_support import (
    EMPTY_STATE_VECTOR,
    EMPTY_UPDATE,
    GatedBackend,
    Member,
    deadline,
    decode_awareness_states,
    encode_awareness_states,
    fresh_hub,
    retries_at_once,
    run_ready_tasks,
    state_vector_of,
    text_of,
    text_update,
    typed,
)

from relay import awareness as awareness_module
from relay import outbox as outbox_module
from relay import room as room_module
from relay.errors import MalformedMessage
from relay.hub import Hub
from relay.limits import AWARENESS_TIMEOUT_S
from relay.wire import y_websocket as wire
from yjs_store import Damaged, Store, StoreFailing, WriterSuperseded

STEP_1 = wire.encode_sync_step_1(EMPTY_STATE_VECTOR)


async def joined(hub: Hub, name: str = "doc") -> Member:
    """Join, and take what a new connection is sent."""
    member = await Member.join(hub, name)
    member.messages()
    return member


def awareness(*entries: tuple[int, int, str]) -> bytes:
    return wire.encode_awareness(encode_awareness_states(*entries))


# ---- joining ------------------------------------------------------------------------------------


async def test_a_new_connection_is_asked_for_what_the_document_lacks(
    hub: Hub, store: Store
) -> None:
    update = text_update("known")
    await store.append("doc", update)
    member = await Member.join(hub, "doc")
    (message,) = member.messages()
    assert isinstance(message, wire.SyncStep1)
    assert message.state_vector == state_vector_of(update)


async def test_a_new_connection_is_told_of_the_others(hub: Hub) -> None:
    first = await joined(hub)
    first.send(awareness((1, 1, '"a"')))
    second = await Member.join(hub, "doc")
    assert awareness((1, 1, '"a"')) in second.frames()


async def test_a_sync_step_1_is_answered_with_what_its_sender_lacks(hub: Hub, store: Store) -> None:
    """Field note 29: a cold document must not be answered as an empty one."""
    first, second = typed("ab")
    await store.append("doc", first)
    await store.append("doc", second)
    member = await joined(hub)
    member.send(STEP_1, wire.encode_sync_step_1(state_vector_of(first)))
    everything, missing = member.messages()
    assert isinstance(everything, wire.SyncStep2)
    assert text_of(everything.update) == "ab"
    assert isinstance(missing, wire.SyncStep2)
    assert text_of(first, missing.update) == "ab"
    assert text_of(missing.update) == ""


async def test_a_sync_step_1_of_an_empty_document_is_answered_all_the_same(hub: Hub) -> None:
    """It is what sets `synced` in the client."""
    member = await joined(hub)
    member.send(STEP_1)
    assert member.frames() == [wire.encode_sync_step_2(EMPTY_UPDATE)]


async def test_pending_structs_are_served_and_wait_for_their_predecessor(hub: Hub) -> None:
    """Field note 2, P2."""
    a, b, c = typed("abc")
    writer, reader = await joined(hub), await joined(hub)
    writer.send_update(a)
    writer.send_update(c)
    assert text_of(await reader.next_update()) == "a"
    late = await joined(hub)
    late.send(STEP_1)
    answer = await late.next()
    assert isinstance(answer, wire.SyncStep2)
    assert text_of(answer.update, b) == "abc"


# ---- durable before visible (P1) ----------------------------------------------------------------


async def test_nothing_is_visible_before_it_is_durable(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """P1: no broadcast, no echo, no answer, and no newcomer sees what could still be lost."""
    writer, reader = await joined(hub), await joined(hub)
    backend.append_gate.clear()
    update = text_update("precious")
    writer.send_update(update)
    await backend.wait_appends(1)
    reader.send(STEP_1)
    writer.send(wire.encode_sync_step_2(update))
    newcomer = await Member.join(hub, "doc")
    newcomer.send(STEP_1)
    await run_ready_tasks()
    for member in (writer, reader, newcomer):
        assert member.frames() == []
    backend.append_gate.set()
    await store.wait_settled()
    echo, repeated = writer.messages()
    assert (echo, repeated) == (wire.Update(update), wire.Update(update))
    answer, broadcast = reader.messages()
    assert isinstance(answer, wire.SyncStep2)
    assert text_of(answer.update) == "precious"
    assert broadcast == wire.Update(update)
    asked, answer, *_ = newcomer.messages()
    assert isinstance(asked, wire.SyncStep1)
    assert asked.state_vector == state_vector_of(update)
    assert isinstance(answer, wire.SyncStep2)
    assert text_of(answer.update) == "precious"
    assert text_of(await store.load("doc")) == "precious"


async def test_an_update_gathered_behind_a_commit_is_not_answered_from_either(
    hub: Hub, backend: GatedBackend, store: Store
) -> None:
    """What is asked between two commits is answered with the first, never with the second."""
    first, second = typed("ab")
    writer, reader = await joined(hub), await joined(hub)
    backend.append_gate.clear()
    writer.send_update(first)
    await backend.wait_appends(1)
    writer.send_update(second)
    reader.send(STEP_1)
    await run_ready_tasks()
    assert reader.frames() == []
    backend.append_gate.set()
    answer = await reader.next()
    assert isinstance(answer, wire.SyncStep2)
    assert text_of(answer.update) == "a"
    await store.wait_settled()
    assert text_of(answer.update, *(m.update for m in reader.messages())) == "ab"


async def test_awareness_does_not_wait_for_the_disk(hub: Hub, backend: GatedBackend) -> None:
    writer, reader = await joined(hub), await joined(hub)
    backend.append_gate.clear()
    writer.send_update(text_update("slow"))
    await backend.wait_appends(1)
    writer.send(awareness((1, 1, '"a"')))
    assert reader.frames() == [awareness((1, 1, '"a"'))]


async def test_nothing_of_a_write_that_storage_never_took_is_seen(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 8: no receipt before the write."""
    writer, reader = await joined(hub), await joined(hub)
    backend.append_error = WriterSuperseded("doc")
    writer.send_update(text_update("lost"))
    code, _ = await writer.wait_ending()
    assert code == 4500
    assert (await reader.wait_ending())[0] == 4500
    assert writer.frames() == reader.frames() == []
    backend.append_error = None
    assert await store.head("doc") is None


# ---- broadcast and echo -------------------------------------------------------------------------


async def test_what_gathers_during_a_commit_goes_out_as_one_frame(
    hub: Hub, backend: GatedBackend, store: Store
) -> None:
    first, *others = typed("abcdef")
    writer, reader = await joined(hub), await joined(hub)
    backend.append_gate.clear()
    writer.send_update(first)
    await backend.wait_appends(1)
    for update in others:
        writer.send_update(update)
    backend.append_gate.set()
    await store.wait_settled()
    one, rest = reader.messages()
    assert one == wire.Update(first)
    assert isinstance(rest, wire.Update)
    assert text_of(first, rest.update) == "abcdef"
    assert backend.appends == ["doc", "doc"]
    assert writer.messages() == [one, rest]


async def test_without_echo_the_only_sender_of_a_row_is_left_out(
    quiet_hub: Hub, store: Store
) -> None:
    writer, reader = await joined(quiet_hub), await joined(quiet_hub)
    update = text_update("hello")
    writer.send_update(update)
    assert await reader.next_update() == update
    await store.wait_settled()
    assert writer.frames() == []


async def test_without_echo_each_sender_of_a_common_row_gets_what_others_wrote(
    quiet_hub: Hub, store: Store, backend: GatedBackend
) -> None:
    ann, ben = await joined(quiet_hub), await joined(quiet_hub)
    by_ann, by_ben = text_update("ann", client_id=1), text_update("ben", client_id=2)
    backend.append_gate.clear()
    ann.send_update(text_update("", client_id=3))
    ann.send_update(by_ann)
    ben.send_update(by_ben)
    backend.append_gate.set()
    await store.wait_settled()
    assert text_of(by_ann, *(m.update for m in ann.messages())) == text_of(by_ann, by_ben)
    assert text_of(by_ben, *(m.update for m in ben.messages())) == text_of(by_ann, by_ben)


async def test_without_echo_nothing_comes_back_to_its_sender(quiet_hub: Hub, store: Store) -> None:
    update = text_update("known")
    await store.append("doc", update)
    member = await joined(quiet_hub)
    member.send(wire.encode_sync_step_2(update))
    await store.wait_settled()
    assert member.frames() == []


async def test_a_repeated_update_is_receipted_without_being_stored_again(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    update = text_update("known")
    await store.append("doc", update)
    member, other = await joined(hub), await joined(hub)
    member.send(wire.encode_sync_step_2(update))
    assert await member.next_update() == update
    await store.wait_settled()
    assert backend.appends == ["doc"]
    assert other.frames() == []


async def test_documents_do_not_see_each_other(hub: Hub, store: Store) -> None:
    one, two = await joined(hub, "one"), await joined(hub, "two")
    one.send(awareness((1, 1, '"a"')))
    one.send_update(text_update("one"))
    await store.wait_settled()
    assert two.frames() == []


# ---- awareness ----------------------------------------------------------------------------------


async def test_awareness_reaches_everybody_its_sender_included(hub: Hub) -> None:
    ann, ben = await joined(hub), await joined(hub)
    ann.send(awareness((1, 1, '"a"')))
    assert ann.frames() == ben.frames() == [awareness((1, 1, '"a"'))]


async def test_leaving_tells_the_others_of_exactly_its_clients(hub: Hub) -> None:
    """Field note 21."""
    ann, ben, cem = [await joined(hub) for _ in range(3)]
    ann.send(awareness((1, 1, '"a"'), (2, 1, '"b"')))
    ben.send(awareness((3, 1, '"c"')))
    for member in (ann, ben, cem):
        member.frames()
        member.room.resync(member.connection)
        member.frames()
    ann.leave()
    for member in (ben, cem):
        (message,) = member.messages()
        assert isinstance(message, wire.Awareness)
        gone = decode_awareness_states(message.payload)
        assert sorted(gone) == [(1, 1, "null"), (2, 1, "null")]
    assert ann.frames() == []
    late = await Member.join(hub, "doc")
    assert awareness((3, 1, '"c"')) in late.frames()


async def test_time_tells_everybody_of_clients_that_are_gone(hub: Hub) -> None:
    ann, ben = await joined(hub), await joined(hub)
    ann.send(awareness((1, 1, '"a"')))
    ben.frames()
    now_s = asyncio.get_running_loop().time()
    ben.room.tick(now_s + AWARENESS_TIMEOUT_S - 1)
    assert ben.frames() == []
    ben.room.tick(now_s + AWARENESS_TIMEOUT_S + 1)
    assert ben.frames() == [awareness((1, 1, "null"))]


# ---- bad input (P5) -----------------------------------------------------------------------------


async def test_a_refused_update_ends_only_its_sender_and_is_not_stored(
    hub: Hub, store: Store
) -> None:
    """Field note 17: it is not acknowledged; field note 18: it is not passed on."""
    bad, good = await joined(hub), await joined(hub)
    update = text_update("good")
    good.send_update(update)
    bad.send_update(b"\x01\x01no update")
    code, reason = await bad.wait_ending()
    assert code == 4422
    assert reason
    assert bad.frames() == []
    assert await good.next_update() == update
    await store.wait_settled()
    assert good.frames() == []
    assert not good.connection.is_ending
    assert text_of(await store.load("doc")) == "good"


async def test_a_state_vector_that_does_not_decode_ends_only_its_sender(hub: Hub) -> None:
    bad, good = await joined(hub), await joined(hub)
    good.send_update(text_update("good"))
    await good.next()
    bad.send(wire.encode_sync_step_1(b"\x05\x01"))
    assert (await bad.wait_ending())[0] == 4400
    assert not good.connection.is_ending


async def test_a_client_may_have_as_much_as_the_document(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the document's own state vector says, however many have written to it."""
    monkeypatch.setattr(room_module, "STATE_VECTOR_CLIENTS_MAX", 0)
    update = text_update("a")
    await store.append("doc", update)
    member = await joined(hub)
    member.send(wire.encode_sync_step_1(state_vector_of(update)))
    assert isinstance(await member.next(), wire.SyncStep2)
    with pytest.raises(MalformedMessage, match="2 clients"):
        member.send(wire.encode_sync_step_1(b"\x02\x01\x01\x02\x01"))


async def test_a_malformed_frame_reaches_nobody(hub: Hub, store: Store) -> None:
    bad, good = await joined(hub), await joined(hub)
    with pytest.raises(MalformedMessage):
        bad.send(wire.encode_update(text_update("half")) + b"\x63")
    await store.wait_settled()
    assert good.frames() == []
    assert await store.head("doc") is None


# ---- slow readers (P6) --------------------------------------------------------------------------


def read(member: Member, count: int) -> list[bytes]:
    """Do as the writing task does: send what is queued, then what was left out of it."""
    updates = []
    for _ in range(count):
        frame = member.connection.outbox.pop()
        if frame is None:
            member.room.resync(member.connection)
            frame = member.connection.outbox.pop()
        if frame is None:
            break
        (message,) = wire.decode(frame)
        if isinstance(message, wire.Update | wire.SyncStep2):
            updates.append(message.update)
    return updates


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.text("ab", min_size=1, max_size=8), st.integers(1, 5)), max_size=20))
async def test_a_slow_readers_final_state_equals_the_document(course: list[str | int]) -> None:
    """Field notes 20 and 30: never without bound, and never silently less."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 3)
        await _write_and_read_slowly(course)


async def _write_and_read_slowly(course: list[str | int]) -> None:
    async with fresh_hub() as (hub, store):
        writer, reader = await joined(hub), await joined(hub)
        updates = iter(typed("".join(part for part in course if isinstance(part, str))))
        seen: list[bytes] = []
        for part in course:
            if isinstance(part, int):
                seen += read(reader, part)
                continue
            for _ in part:
                writer.send_update(next(updates))
                await store.wait_settled()
                assert len(reader.connection.outbox) <= 3
        seen += read(reader, 1000)
        if any(isinstance(part, str) for part in course):
            assert text_of(*seen) == text_of(await store.load("doc"))
        writer.leave()
        reader.leave()


async def test_a_resync_waits_for_what_is_durable(
    hub: Hub, store: Store, backend: GatedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 1)
    a, b, c = typed("abc")
    writer, reader = await joined(hub), await joined(hub)
    for update in (a, b):
        writer.send_update(update)
        await store.wait_settled()
    backend.append_gate.clear()
    writer.send_update(c)
    await backend.wait_appends(3)
    assert read(reader, 10) == [a]
    assert reader.connection.outbox.collapses == 1
    backend.append_gate.set()
    await store.wait_settled()
    seen = read(reader, 10)
    assert text_of(a, *seen) == "abc"


async def test_a_slow_reader_gets_all_awareness_states_when_it_has_read(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 1)
    writer, reader = await joined(hub), await joined(hub)
    writer.send_update(text_update("a"))
    await store.wait_settled()
    writer.send(awareness((1, 1, '"a"')))
    writer.send(awareness((1, 2, '"b"'), (2, 1, '"c"')))
    assert len(reader.connection.outbox) == 1
    reader.frames()
    reader.room.resync(reader.connection)
    assert reader.messages()[-1] == wire.decode(awareness((1, 2, '"b"'), (2, 1, '"c"')))[0]


async def test_what_a_slow_reader_is_to_hear_of_cursors_is_bounded(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: of clients that come and go, and of such as nobody has seen."""
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 1)
    monkeypatch.setattr(outbox_module, "AWARENESS_LEFT_OUT_MAX", 20)
    monkeypatch.setattr(awareness_module, "AWARENESS_CLOCKS_MAX", 10)
    writer, reader = await joined(hub), await joined(hub)
    writer.send_update(text_update("a"))
    await store.wait_settled()
    for client in range(1, 100):
        writer.send(awareness((client, 1, '"a"')))
        writer.send(awareness((client, 2, "null")))
        writer.send(awareness((client + 1, 1, "null")))
    _, stale = reader.connection.outbox.take_resync()
    assert len(stale) <= 20
    assert stale >= set(range(90, 100))


async def test_a_slow_reader_hears_of_the_removals_that_it_missed(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field note 21: encode removals from the clocks, or ghost cursors stay."""
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 1)
    writer, reader = await joined(hub), await joined(hub)
    writer.send(awareness((1, 1, '"a"')))
    assert reader.frames() == [awareness((1, 1, '"a"'))]
    writer.send_update(text_update("a"))
    await store.wait_settled()
    writer.leave()
    reader.frames()
    reader.room.resync(reader.connection)
    assert reader.frames()[-1:] == [awareness((1, 1, "null"))]


# ---- the end of a document ----------------------------------------------------------------------


async def test_deleting_a_document_ends_its_connections_for_good(hub: Hub, store: Store) -> None:
    """P9."""
    await store.append("doc", text_update("x"))
    members = [await joined(hub) for _ in range(3)]
    other = await joined(hub, "other")
    await store.delete("doc")
    for member in members:
        assert await member.wait_ending() == (4410, "the document was deleted")
    assert not other.connection.is_ending
    assert members[0].room.is_over


async def test_a_document_found_damaged_ends_its_connections_for_a_while(hub: Hub) -> None:
    """P4: not as one that merely must be loaded again, which would not help."""
    member = await joined(hub)
    member.room.failed(Damaged("doc", "row 3", "checksum a", "b"))
    code, reason = await member.wait_ending()
    assert code == 4502
    assert "damaged" in reason


async def test_a_superseded_writer_ends_its_connections_for_a_while(
    hub: Hub, backend: GatedBackend
) -> None:
    members = [await joined(hub) for _ in range(3)]
    backend.append_error = WriterSuperseded("doc")
    members[0].send_update(text_update("x"))
    for member in members:
        code, reason = await member.wait_ending()
        assert 4500 <= code <= 4599
        assert reason
    assert members[0].room.is_over


@retries_at_once
async def test_storage_that_fails_for_a_moment_is_only_waited_for(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """P8: nothing accepted is dropped, and nothing is acknowledged meanwhile."""
    writer, reader = await joined(hub), await joined(hub)
    backend.append_error = StoreFailing("I/O error")
    update = text_update("kept")
    writer.send_update(update)
    await backend.wait_appends(2)
    assert writer.frames() == reader.frames() == []
    assert not writer.connection.is_ending
    backend.append_error = None
    assert await reader.next_update() == update
    assert await writer.next_update() == update
    assert text_of(await store.load("doc")) == "kept"


async def test_what_is_received_after_the_documents_end_is_refused_and_not_lost_silently(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    await store.append("doc", text_update("x"))
    member = await joined(hub)
    await store.delete("doc")
    member.send_update(text_update("late", client_id=2))
    member.send(STEP_1)
    await store.wait_settled()
    assert member.frames() == []
    assert backend.appends == ["doc"]


async def test_a_room_that_is_closed_lets_what_is_under_way_become_durable(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field note 8: the last client left, and its edits with it."""
    member = await joined(hub)
    backend.append_gate.clear()
    member.send_update(text_update("last words"))
    await backend.wait_appends(1)
    member.leave()
    member.room.close()
    backend.append_gate.set()
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "last words"


async def test_a_room_whose_document_cannot_be_opened_says_so_to_all_who_wait(
    hub: Hub, backend: GatedBackend
) -> None:
    backend.load_gate.clear()
    backend.load_error = StoreFailing("I/O error")
    joining = [asyncio.create_task(Member.join(hub, "doc")) for _ in range(5)]
    await backend.wait_loads(1)
    backend.load_gate.set()
    async with deadline():
        results = await asyncio.gather(*joining, return_exceptions=True)
    assert [str(result) for result in results] == ["I/O error"] * 5
    backend.load_error = None
    assert isinstance(await Member.join(hub, "doc"), Member)


# ---- quarantine ---------------------------------------------------------------------------------


async def test_a_refused_update_is_kept_with_its_reason_and_its_sender(
    hub: Hub, store: Store
) -> None:
    member = await joined(hub)
    member.connection.user = "ann\n"
    member.connection.session_id = "one"
    member.send_update(b"bad")
    code, reason = await member.wait_ending()
    await store.quarantine.close()
    (listed,) = await store.quarantine.list()
    entry = await store.quarantine.get(listed.entry_id)
    assert (code, entry.document, entry.data) == (4422, "doc", b"bad")
    assert entry.reason in reason
    assert entry.sender == "peer 'tester', user 'ann\\n', session 'one'"


async def test_neither_what_is_no_message_nor_what_storage_refuses_is_kept(
    hub: Hub, backend: GatedBackend, store: Store
) -> None:
    member = await joined(hub)
    with pytest.raises(MalformedMessage):
        member.send(b"\x63")
    backend.append_error = WriterSuperseded("doc")
    member.send_update(text_update("good"))
    await member.wait_ending()
    await store.quarantine.close()
    assert await store.quarantine.list() == []
    assert store.quarantine.state.kept == store.quarantine.state.dropped == 0


async def test_a_quarantine_that_takes_nothing_disturbs_neither_room_nor_sender(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yjs_store.quarantine.QUARANTINE_WRITES_PER_MINUTE", 0)
    member, other = await joined(hub), await joined(hub)
    member.send_update(b"bad")
    assert (await member.wait_ending())[0] == 4422
    other.send_update(text_update("good"))
    assert text_of(await other.next_update()) == "good"
    assert store.quarantine.state.dropped == 1
