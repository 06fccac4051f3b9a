"""The websocket endpoint: frames in, frames out, and an end with a code and a reason."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
import structlog
from relay_support import (
    EMPTY_STATE_VECTOR,
    AsgiSocket,
    GatedBackend,
    anonymous_admission,
    deadline,
    decode_awareness_states,
    encode_awareness_states,
    retries_at_once,
    run_ready_tasks,
    storage_failing,
    text_of,
    text_update,
    typed,
    wait_frames_received,
)

from relay import connection as connection_module
from relay import outbox as outbox_module
from relay.auth.anonymous import Anonymous
from relay.auth.grants import DeciderUnavailable, Grant
from relay.errors import CloseCode
from relay.hub import Hub
from relay.limits import (
    CLOSING_S,
    CONNECTION_UNSAVED_BYTES_MAX,
    CONNECTION_UNSAVED_UPDATES_MAX,
    MESSAGES_PER_FRAME_MAX,
    OUTBOX_BYTES_MAX,
    OUTBOX_FRAMES_MAX,
    OUTBOX_STALLED_S,
    SIGN_OF_LIFE_S,
)
from relay.outbox import Outbox
from relay.wire import y_websocket as wire
from yjs_store import Damaged, Store, StoreFailing, WriterSuperseded

STEP_1 = wire.encode_sync_step_1(EMPTY_STATE_VECTOR)
SECRET = "the words of the document"


async def test_a_client_edits_and_another_sees_it(hub: Hub, store: Store) -> None:
    async with AsgiSocket.open(hub, "doc") as ann, AsgiSocket.open(hub, "doc") as ben:
        assert await ann.next() == wire.SyncStep1(EMPTY_STATE_VECTOR)
        ann.send(STEP_1)
        assert await ann.next() == wire.SyncStep2(b"\x00\x00")
        ann.send_update(text_update("hello"))
        await ben.wait_text("hello")
        await ann.wait_text("hello")
    assert text_of(await store.load("doc")) == "hello"
    assert hub.connection_count == 0


async def test_the_socket_is_accepted_before_anything_else(hub: Hub, backend: GatedBackend) -> None:
    """Only then does a client see a close code."""
    backend.load_gate.clear()
    async with AsgiSocket.open(hub, "doc") as socket:
        await backend.wait_loads(1)
        assert socket.accepted
        backend.load_gate.set()
        await socket.next()
    async with AsgiSocket(hub, "/ws/") as refused:
        await refused.wait_closed()
        assert refused.accepted


async def test_what_a_client_sends_while_its_document_loads_is_not_lost(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    backend.load_gate.clear()
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send_update(text_update("early"))
        await backend.wait_loads(1)
        backend.load_gate.set()
        await socket.wait_text("early")


async def test_everything_sent_before_a_disconnect_is_stored(hub: Hub, store: Store) -> None:
    """Field note 8: the last client leaves right after its last edit."""
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        for update in typed("x" * 1000):
            socket.send_update(update)
        socket.disconnect()
        async with deadline():
            await socket.task
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "x" * 1000


async def test_everything_sent_before_a_disconnect_is_stored_though_nothing_can_be_echoed(
    hub: Hub, store: Store
) -> None:
    """Field note 8: that its receipts cannot be sent is no reason to drop what it has sent."""
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        for update in typed("x" * 1000):
            socket.send_update(update)
        socket.is_gone = True
        socket.disconnect(1001)
        async with deadline():
            await socket.task
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "x" * 1000


async def test_a_disconnect_removes_the_connections_cursors_and_no_others(hub: Hub) -> None:
    """Field note 21."""
    async with AsgiSocket.open(hub, "doc") as stays:
        await stays.next()
        async with AsgiSocket.open(hub, "doc") as goes:
            await goes.next()
            states = [(1, 1, '"a"'), (2, 1, '"b"')]
            goes.send(wire.encode_awareness(encode_awareness_states(*states)))
            assert isinstance(await stays.next(), wire.Awareness)
        message = await stays.next()
        assert isinstance(message, wire.Awareness)
        gone = decode_awareness_states(message.payload)
        assert sorted(gone) == [(1, 1, "null"), (2, 1, "null")]
        assert hub.connection_count == 1


# ---- bounds (P6) --------------------------------------------------------------------------------


async def test_a_flat_out_writer_is_read_only_as_far_as_the_disk_follows(
    hub: Hub, store: Store, backend: GatedBackend
) -> None:
    """Field notes 30 and 32."""
    letters = "x" * (2 * CONNECTION_UNSAVED_UPDATES_MAX)
    backend.append_gate.clear()
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        for update in typed(letters):
            writer.send_update(update)
        await wait_frames_received(hub, CONNECTION_UNSAVED_UPDATES_MAX)
        assert hub.frames_received == CONNECTION_UNSAVED_UPDATES_MAX
        backend.append_gate.set()
        await writer.wait_text(letters)
    assert text_of(await store.load("doc")) == letters


async def test_a_writer_that_waits_for_the_disk_can_still_be_closed(
    hub: Hub, backend: GatedBackend
) -> None:
    backend.append_gate.clear()
    async with AsgiSocket.open(hub, "doc") as writer:
        await writer.next()
        for update in typed("x" * CONNECTION_UNSAVED_UPDATES_MAX):
            writer.send_update(update)
        await wait_frames_received(hub, CONNECTION_UNSAVED_UPDATES_MAX)
        backend.append_error = WriterSuperseded("doc")
        backend.append_gate.set()
        code, reason = await writer.wait_closed()
        assert code == 4500
        assert reason


async def test_a_slow_reader_is_collapsed_and_ends_with_the_document(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field notes 20 and 30."""
    monkeypatch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", 5)
    letters = "slow readers lose nothing"
    async with AsgiSocket.open(hub, "doc") as writer, AsgiSocket.open(hub, "doc") as reader:
        await writer.next()
        await reader.next()
        reader.reading.clear()
        for update in typed(letters):
            writer.send_update(update)
            await store.wait_settled()
            await run_ready_tasks()
        await writer.wait_text(letters)
        reader.reading.set()
        await reader.wait_text(letters)
        assert len(reader.updates) < len(letters)


class MeasuredOutbox(Outbox):
    """An outbox that remembers the most bytes it held."""

    __slots__ = ()
    most_bytes = 0

    def push(self, frame: bytes, now_s: float) -> None:
        super().push(frame, now_s)
        MeasuredOutbox.most_bytes = max(MeasuredOutbox.most_bytes, self._bytes)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> type[MeasuredOutbox]:
    monkeypatch.setattr(connection_module, "Outbox", MeasuredOutbox)
    MeasuredOutbox.most_bytes = 0
    return MeasuredOutbox


@pytest.mark.parametrize(("frames", "asks_per_frame"), [(1, MESSAGES_PER_FRAME_MAX), (200, 1)])
async def test_a_client_that_asks_for_the_document_and_does_not_read_fills_no_memory(
    hub: Hub, store: Store, measured: type[MeasuredOutbox], frames: int, asks_per_frame: int
) -> None:
    """P5, P6: a frame of 4 KB asks a thousand times for everything there is."""
    update = text_update("x" * 100_000)
    await store.append("doc", update)
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        socket.reading.clear()
        for _ in range(frames):
            socket.send(STEP_1 * asks_per_frame)
        await run_ready_tasks(5000)
        socket.reading.set()
    assert measured.most_bytes <= OUTBOX_BYTES_MAX + 2 * len(update)


@pytest.mark.parametrize(("frames", "asks_per_frame"), [(2, MESSAGES_PER_FRAME_MAX), (900, 1)])
async def test_a_client_that_asks_who_is_here_and_does_not_read_fills_no_memory(
    hub: Hub, measured: type[MeasuredOutbox], frames: int, asks_per_frame: int
) -> None:
    """P5, P6: a byte asks for all the awareness states."""
    state = '"' + "x" * 120 + '"'
    async with AsgiSocket.open(hub, "doc") as other, AsgiSocket.open(hub, "doc") as socket:
        for client in range(100):
            other.send(wire.encode_awareness(encode_awareness_states((client, 1, state))))
        await run_ready_tasks()
        socket.reading.clear()
        for _ in range(frames):
            socket.send(b"\x03" * asks_per_frame)
        await run_ready_tasks(5000)
        socket.reading.set()
    assert measured.most_bytes <= OUTBOX_BYTES_MAX + 100 * 256


async def test_a_client_that_repeats_itself_and_does_not_read_fills_no_memory(
    hub: Hub, store: Store, measured: type[MeasuredOutbox]
) -> None:
    """P5, P6: what was known already is echoed, each time."""
    update = text_update("x" * 100_000)
    await store.append("doc", update)
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        socket.reading.clear()
        for _ in range(200):
            socket.send(wire.encode_sync_step_2(update))
            await run_ready_tasks()
        await store.wait_settled()
        socket.reading.set()
    assert measured.most_bytes <= OUTBOX_BYTES_MAX + CONNECTION_UNSAVED_BYTES_MAX + 2 * len(update)


async def test_a_client_that_is_gone_with_its_queue_full_is_forgotten_at_once(hub: Hub) -> None:
    """It is read no further, so nobody would hear of its disconnect but by sending to it."""
    async with AsgiSocket.open(hub, "doc") as stays, AsgiSocket.open(hub, "doc") as goes:
        await stays.next()
        await goes.next()
        goes.send(wire.encode_awareness(encode_awareness_states((1, 1, '"a"'))))
        await stays.next()
        await goes.next()
        goes.reading.clear()
        for _ in range(OUTBOX_FRAMES_MAX + 10):
            goes.send(b"\x03")
        await run_ready_tasks(5000)
        goes.is_gone = True
        goes.reading.set()
        goes.disconnect(1006)
        async with deadline():
            await goes.task
        assert await stays.next() == wire.Awareness(encode_awareness_states((1, 1, "null")))
        assert hub.connection_count == 1


async def test_a_reader_that_takes_nothing_is_aborted_without_a_close_frame(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as stuck:
        await stuck.next()
        stuck.reading.clear()
        stuck.send(STEP_1)
        await run_ready_tasks()
        with structlog.testing.capture_logs() as logs:
            hub.tick(asyncio.get_running_loop().time() + OUTBOX_STALLED_S + 1)
        async with deadline():
            await stuck.task
        assert stuck.closed is None
        assert hub.connection_count == 0
        assert [entry["event"] for entry in logs] == ["connection aborted: too slow"]


async def test_who_is_to_be_closed_and_takes_nothing_is_soon_aborted(hub: Hub) -> None:
    """Or one who is revoked would be sent the rest of a large document, at 1 KiB a second."""
    async with AsgiSocket.open(hub, "doc") as stuck:
        await stuck.next()
        stuck.reading.clear()
        stuck.send(STEP_1)
        await run_ready_tasks()
        (connection,) = hub._connections
        connection.end(CloseCode.UNAUTHORIZED, "the session was revoked")
        now_s = asyncio.get_running_loop().time()
        hub.tick(now_s)
        await run_ready_tasks()
        assert not stuck.task.done()
        hub.tick(now_s + CLOSING_S)
        async with deadline():
            await stuck.task
        assert stuck.closed is None
        assert hub.connection_count == 0


async def test_who_is_closed_with_the_rest_of_its_queue_has_time_for_that(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as slow:
        await slow.next()
        slow.reading.clear()
        slow.send(STEP_1)
        await run_ready_tasks()
        hub.end_all(CloseCode.GOING_AWAY, "the server is stopping")
        now_s = asyncio.get_running_loop().time()
        hub.tick(now_s)
        hub.tick(now_s + CLOSING_S)
        slow.reading.set()
        assert await slow.wait_closed() == (1001, "the server is stopping")


async def test_who_waits_for_its_document_can_be_closed(hub: Hub, backend: GatedBackend) -> None:
    """A revocation holds at once, also before the room is open."""
    backend.load_gate.clear()
    async with AsgiSocket.open(hub, "doc") as waits:
        await backend.wait_loads(1)
        (connection,) = hub._connections
        connection.end(CloseCode.UNAUTHORIZED, "the session was revoked")
        assert await waits.wait_closed() == (4401, "the session was revoked")
        async with deadline():
            await waits.task
        assert hub.connection_count == 0
    backend.load_gate.set()
    async with AsgiSocket.open(hub, "doc") as comes:
        assert isinstance(await comes.next(), wire.SyncStep1)


async def test_who_waits_to_be_admitted_can_be_closed(hub: Hub) -> None:
    class Slow(Anonymous):
        async def judge(self, credential: str, document: str | None) -> Grant:
            await asyncio.Event().wait()
            raise AssertionError

    admission = anonymous_admission(hub)
    admission.authority = Slow()
    async with AsgiSocket.open(hub, "doc") as waits:
        await run_ready_tasks()
        hub.end_all(CloseCode.GOING_AWAY, "the server is stopping")
        assert await waits.wait_closed() == (1001, "the server is stopping")


async def test_a_reader_that_takes_what_there_is_is_not_aborted(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        hub.tick(asyncio.get_running_loop().time() + OUTBOX_STALLED_S + 1)
        assert await socket.next() == wire.Awareness(b"\x00")
        assert not socket.task.done()


async def test_each_frame_counts_as_a_sign_of_life(hub: Hub, backend: GatedBackend) -> None:
    clock = asyncio.get_running_loop().time
    backend.load_gate.clear()
    async with AsgiSocket.open(hub, "doc") as socket:
        await backend.wait_loads(1)
        admitted_s = clock()
        backend.load_gate.set()
        assert isinstance(await socket.next(), wire.SyncStep1)
        hub.tick(admitted_s + SIGN_OF_LIFE_S)
        await run_ready_tasks()
        assert len(socket.sent) == 1
        hub.tick(clock() + SIGN_OF_LIFE_S)
        assert await socket.next() == wire.Awareness(b"\x00")


async def test_a_cancellation_by_anybody_else_is_passed_on(hub: Hub) -> None:
    socket = AsgiSocket.open(hub, "doc")
    await socket.next()
    socket.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await socket.task
    assert hub.connection_count == 0


async def test_a_client_that_is_gone_in_the_middle_of_a_frame_is_forgotten(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        socket.is_gone = True
        socket.send(STEP_1)
        await run_ready_tasks()
        socket.disconnect(1006)
        async with deadline():
            await socket.task
    assert hub.connection_count == 0


# ---- endings and their log lines ----------------------------------------------------------------


async def ended(socket: AsgiSocket, level: str = "warning") -> tuple[int, str, dict[str, Any]]:
    """Wait for the end; return its code, reason and log line."""
    with structlog.testing.capture_logs() as logs:
        code, reason = await socket.wait_closed()
    (entry,) = [entry for entry in logs if entry["event"] == "connection closed"]
    assert (entry["code"], entry["reason"]) == (code, reason)
    assert entry["log_level"] == level
    assert entry["peer"] == "127.0.0.1:9"
    return code, reason, entry


async def test_a_text_frame_is_unsupported(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send_text(SECRET)
        code, reason, entry = await ended(socket)
    assert (code, reason) == (1003, "y-websocket messages are binary frames, not text")
    assert entry["document"] == "doc"
    assert SECRET not in str(entry)


async def test_a_malformed_frame_ends_its_sender_with_its_length_in_the_log(hub: Hub) -> None:
    frame = wire.encode_update(text_update(SECRET))[:-1]
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send(frame)
        code, reason, entry = await ended(socket)
    assert code == 4400
    assert "reaches 1 bytes too far" in reason
    assert entry["document"] == "doc"
    assert entry["frame_bytes"] == len(frame)
    assert SECRET not in str(entry)


async def test_awareness_over_its_bound_ends_its_sender(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send(wire.encode_awareness(b"\xff\xff\xff\x7f"))
        code, reason, _ = await ended(socket)
    assert code == 4400
    assert reason == "awareness of 268435455 clients in one message"


async def test_a_refused_update_ends_its_sender_with_its_length_in_the_log(
    hub: Hub, store: Store
) -> None:
    update = text_update(SECRET)[:-1]
    async with AsgiSocket.open(hub, "doc") as socket:
        socket.send_update(update)
        code, reason, entry = await ended(socket)
        assert socket.updates == []
    assert code == 4422
    assert reason
    assert entry["update_bytes"] == len(update)
    assert SECRET not in str(entry)
    assert await store.head("doc") is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/", "the document name is empty"),
        ("/ws/", "the document name is empty"),
        ("/ws/a%00b", "the document name has a control character"),
        ("/a%0Ab", "the document name has a control character"),
        ("/ws/%zz", "the path has a broken percent-encoding"),
        ("/ws/%ff", "the path is not UTF-8"),
        ("/ws/" + "x" * 1025, "the document name has 1025 bytes; the bound is 1024"),
    ],
)
async def test_a_path_without_a_document_is_refused_for_good(
    hub: Hub, backend: GatedBackend, path: str, reason: str
) -> None:
    """Field note 22."""
    async with AsgiSocket(hub, path) as socket:
        code, told, entry = await ended(socket)
    assert (code, told) == (4400, reason)
    assert entry["document"] is None
    assert socket.sent == []
    assert backend.loads == []
    assert hub.room_count == 0


async def test_a_deleted_document_is_refused_for_good(hub: Hub, store: Store) -> None:
    await store.append("doc", text_update("x"))
    async with AsgiSocket.open(hub, "doc") as here:
        await here.next()
        await store.delete("doc")
        assert await here.wait_closed() == (4410, "the document was deleted")
    async with AsgiSocket.open(hub, "doc") as late:
        code, reason, _ = await ended(late)
    assert (code, reason) == (4410, "the document was deleted")
    assert late.sent == []


async def test_a_damaged_document_is_refused_for_a_while(hub: Hub, backend: GatedBackend) -> None:
    """P4: an operator can mend it; until then it is not served as an empty one."""
    backend.load_error = Damaged("doc", "row 3", "checksum a", "b")
    async with AsgiSocket.open(hub, "doc") as socket:
        code, reason, _ = await ended(socket)
    assert code == 4502
    assert "damaged" in reason
    assert socket.sent == []


async def test_storage_that_does_not_answer_is_a_matter_of_time(
    hub: Hub, backend: GatedBackend
) -> None:
    backend.load_error = StoreFailing("I/O error")
    async with AsgiSocket.open(hub, "doc") as socket:
        code, reason, _ = await ended(socket, "debug")
    assert (code, reason) == (4503, "storage is failing")
    backend.load_error = None
    async with AsgiSocket.open(hub, "doc") as again:
        await again.next()


@pytest.mark.parametrize("is_said", [True, False])
@retries_at_once
async def test_that_storage_fails_is_not_said_again_for_each_who_comes(
    hub: Hub, store: Store, backend: GatedBackend, is_said: bool
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if is_said:
            await stack.enter_async_context(storage_failing(hub, store, backend))
        backend.load_error = StoreFailing("I/O error")
        with structlog.testing.capture_logs() as logs:
            for _ in range(5):
                async with AsgiSocket.open(hub, "doc") as socket:
                    assert (await socket.wait_closed())[0] == 4503
        backend.load_error = None
    said = [(entry["event"], entry["log_level"]) for entry in logs]
    assert said.count(("document not opened", "debug" if is_said else "warning")) == 5
    assert said.count(("connection closed", "debug")) == 5


async def test_that_nobody_decides_is_not_said_again_for_each_who_comes(hub: Hub) -> None:
    """The hook has said so when it began."""

    class Down(Anonymous):
        async def judge(self, credential: str, document: str | None) -> Grant:
            raise DeciderUnavailable("who decides about admission does not answer")

    admission = anonymous_admission(hub)
    admission.authority = Down()
    with structlog.testing.capture_logs() as logs:
        async with AsgiSocket.open(hub, "doc") as socket:
            assert (await socket.wait_closed())[0] == 4504
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("connection closed", "debug")
    ]


async def test_who_was_in_and_is_closed_while_storage_fails_is_in_the_log(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        hub.end_all(CloseCode.STORAGE_FAILING, "storage is failing; your last edits wait for it")
        code, _, entry = await ended(socket)
    assert (code, entry["document"]) == (4503, "doc")


async def test_what_comes_after_the_offence_does_not_count(hub: Hub, store: Store) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        socket.send(b"\x63")
        socket.send_update(text_update("too late"))
        assert (await socket.wait_closed())[0] == 4400
        async with deadline():
            await socket.task
    await store.wait_settled()
    assert await store.head("doc") is None


async def test_an_offence_does_not_undo_what_came_before(hub: Hub, store: Store) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        socket.send_update(text_update("in time"))
        socket.send(b"\x63")
        await socket.wait_closed()
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "in time"


async def test_a_frame_over_the_bound_is_logged_though_the_websocket_layer_ends_it(
    hub: Hub,
) -> None:
    async with AsgiSocket.open(hub, "doc") as socket:
        await socket.next()
        with structlog.testing.capture_logs() as logs:
            socket.disconnect(4413)
            async with deadline():
                await socket.task
    (entry,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (entry["event"], entry["code"], entry["document"]) == ("connection failed", 4413, "doc")


async def test_a_client_that_goes_as_clients_do_leaves_no_warning(hub: Hub) -> None:
    with structlog.testing.capture_logs() as logs:
        for code in (1000, 1001, 1005, 1006):
            async with AsgiSocket.open(hub, "doc") as socket:
                await socket.next()
                socket.disconnect(code)
    assert {entry["log_level"] for entry in logs} == {"info"}
    closed = [entry["code"] for entry in logs if entry["event"] == "connection closed"]
    assert closed == [1001] * 4


async def test_log_lines_hold_what_json_can(hub: Hub) -> None:
    async with AsgiSocket.open(hub, "Zürich/🚲") as socket:
        socket.send(b"\x63")
        _, _, entry = await ended(socket)
    assert json.loads(json.dumps(entry))["document"] == "Zürich/🚲"
