"""A connection whose answers wait: none is lost, none ends more than its connection (P5, P6)."""

import asyncio
from typing import Any, NoReturn

import pytest
import structlog
from relay_support import (
    EMPTY_STATE_VECTOR,
    AsgiSocket,
    GatedBackend,
    Member,
    deadline,
    run_ready_tasks,
    text_of,
    text_update,
    typed,
    wait_frames_received,
)

from relay import outbox as outbox_module
from relay.errors import CloseCode
from relay.hub import Hub
from relay.limits import ANSWERS_BYTES_MAX, SIGN_OF_LIFE_S
from relay.live_room import LiveRoom
from relay.wire import y_websocket as wire
from yjs_store import Document, Store

STEP_1 = wire.encode_sync_step_1(EMPTY_STATE_VECTOR)
LETTERS = "many small edits"
OTHERS = "others who have not read what they asked for"


@pytest.fixture
async def large(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document large enough to wait for, and a queue that a few edits fill."""
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 5)
    await store.append("doc", text_update("x" * 100_000, client_id=9))


def let_nobody_have_answers(hub: Hub) -> None:
    hub._bounds.answers.note_made(OTHERS, ANSWERS_BYTES_MAX)


def let_all_have_answers(hub: Hub) -> None:
    hub._bounds.answers.note_read(OTHERS)


async def fall_behind(hub: Hub, store: Store, writer: AsgiSocket, reader: AsgiSocket) -> None:
    """Let what a reader does not read be collapsed; no answer is made."""
    for socket in (writer, reader):
        await socket.next()
    let_nobody_have_answers(hub)
    reader.reading.clear()
    for update in typed(LETTERS):
        writer.send_update(update)
        await wait_frames_received(hub, hub.frames_received + 1)
        await store.wait_settled()
        await run_ready_tasks()


def the(hub: Hub, socket: AsgiSocket) -> Any:
    """Return the connection of a socket."""
    (found,) = (each for each in hub._connections if each._task is socket.task)
    return found


async def until_all_is_read(hub: Hub, reader: AsgiSocket) -> None:
    async with deadline():
        while len(the(hub, reader).outbox) or the(hub, reader).queued_frames:
            await run_ready_tasks()
    await run_ready_tasks()


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("asks_first", [True, False])
async def test_who_asks_and_has_fallen_behind_gets_both_answers_once(
    hub: Hub, store: Store, *, asks_first: bool
) -> None:
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        await fall_behind(hub, store, writer, reader)
        received = hub.frames_received
        if asks_first:
            reader.send(STEP_1)
            await wait_frames_received(hub, received + 1)
        reader.reading.set()
        await until_all_is_read(hub, reader)
        if not asks_first:
            reader.send(STEP_1)
            await wait_frames_received(hub, received + 1)
        assert the(hub, reader).answers_due
        had = len(reader.updates)
        writer.send_update(text_update("y", client_id=8))
        await wait_frames_received(hub, received + 2)
        await store.wait_settled()
        let_all_have_answers(hub)
        await reader.wait_text(text_of(await store.load("doc")))
        await until_all_is_read(hub, reader)
        assert the(hub, reader).answers_due == 0
        sent = [message for frame in reader.sent for message in wire.decode(frame)]
        assert sum(isinstance(each, wire.SyncStep2) for each in sent) == 1
        # Once from what it last had: what came before and after that is whole without the answer.
        without = [each.update for each in sent if isinstance(each, wire.Update)]
        known = text_update("x" * 100_000, client_id=9)
        assert text_of(known, *without) == text_of(await store.load("doc"))
        assert len(reader.updates) - had <= 3
    assert hub.connection_count == 0


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("asks_first", [True, False])
async def test_two_answers_that_wait_for_one_commit_end_nothing(
    hub: Hub, store: Store, backend: GatedBackend, *, asks_first: bool
) -> None:
    writer, reader = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    let_nobody_have_answers(hub)
    for update in typed(LETTERS):
        writer.send_update(update)
        await store.wait_settled()
    seen = reader.messages()
    assert reader.connection.outbox.collapses == 1
    backend.append_gate.clear()
    appends = len(backend.appends)
    writer.send_update(text_update("y", client_id=8))
    await backend.wait_appends(appends + 1)
    if asks_first:
        reader.send(STEP_1)
    reader.room.resync(reader.connection)
    if not asks_first:
        reader.send(STEP_1)
    backend.append_gate.set()
    await store.wait_settled()
    let_all_have_answers(hub)
    async with deadline():
        while reader.connection.answers_due:
            await run_ready_tasks()
    reader.room.resync(reader.connection)
    seen += reader.messages()
    updates = [each.update for each in seen if isinstance(each, wire.Update)]
    known = text_update("x" * 100_000, client_id=9)
    assert text_of(known, *updates) == text_of(await store.load("doc"))
    await store.append("doc", text_update("z", client_id=7))


@pytest.mark.usefixtures("large")
async def test_cursors_are_not_kept_back_by_an_answer_that_waits(hub: Hub) -> None:
    reader = await Member.join(hub, "doc")
    reader.frames()
    let_nobody_have_answers(hub)
    reader.send(b"\x01\x06\x01\x05\x01\x02{}")
    reader.send(STEP_1)
    reader.connection.outbox.resync_from = EMPTY_STATE_VECTOR
    reader.frames()
    reader.connection.outbox.leave_out_awareness([5], lambda _: True)
    reader.room.resync(reader.connection)
    assert [type(each) for each in reader.messages()] == [wire.Awareness]
    assert reader.connection.outbox.resync_from == EMPTY_STATE_VECTOR


@pytest.mark.usefixtures("large")
async def test_who_is_gone_while_an_answer_waits_is_forgotten(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as goes:
        await goes.next()
        let_nobody_have_answers(hub)
        goes.send(STEP_1)
        await wait_frames_received(hub, 1)
        goes.is_gone = True
        goes.disconnect(1006)
        hub.tick(asyncio.get_running_loop().time() + SIGN_OF_LIFE_S)
        async with deadline():
            await goes.task
    assert hub.connection_count == 0


@pytest.mark.usefixtures("large")
async def test_an_answer_that_waits_for_a_commit_ends_with_its_room(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    writer, reader = await Member.join(hub, "doc"), await Member.join(hub, "doc")
    backend.append_gate.clear()
    appends = len(backend.appends)
    writer.send_update(text_update("y", client_id=8))
    await backend.wait_appends(appends + 1)
    reader.send(STEP_1)
    reader.room.close()
    backend.append_gate.set()
    await store.wait_settled()
    await store.append("doc", text_update("z", client_id=7))


def fail(*_: object) -> NoReturn:
    raise RuntimeError("a defect")


async def test_a_defect_in_making_an_answer_ends_its_connection_alone(
    hub: Hub, store: Store, backend: GatedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        await writer.next()
        await reader.next()
        backend.append_gate.clear()
        writer.send_update(text_update("typed"))
        await backend.wait_appends(1)
        reader.send(STEP_1)
        await wait_frames_received(hub, 2)
        monkeypatch.setattr(Document, "diff", fail)
        with structlog.testing.capture_logs() as logs:
            backend.append_gate.set()
            code, _ = await reader.wait_closed()
        assert code == CloseCode.INTERNAL_ERROR
        (said,) = (each for each in logs if each["log_level"] == "error")
        assert said["exc_info"]
        assert said["document"] == "doc"
        monkeypatch.undo()
        await writer.wait_text("typed")
        await store.append("doc", text_update("z", client_id=7))


async def test_a_defect_in_what_writes_to_a_socket_leaves_nothing_behind(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 5)
    monkeypatch.setattr(LiveRoom, "resync", fail)
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        await fall_behind(hub, store, writer, reader)
        with structlog.testing.capture_logs() as logs:
            reader.reading.set()
            async with deadline():
                await reader.task
        (said,) = (each for each in logs if each["log_level"] == "error")
        assert said["exc_info"]
        assert hub.connection_count == 1
        # Nobody hears of what a client that is gone once had.
        assert not hub._bounds.answers._waiting
