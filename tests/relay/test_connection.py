"""One websocket as the hub sees it: what it owes the disk, what it is sent, why it ends."""

import asyncio

import pytest
from relay_support import deadline, run_ready_tasks

from relay.connection import Connection
from relay.endings import ending_for
from relay.errors import CloseCode
from relay.limits import (
    CLOSE_REASON_BYTES_MAX,
    CONNECTION_UNSAVED_BYTES_MAX,
    CONNECTION_UNSAVED_UPDATES_MAX,
    OUTBOX_FRAMES_MAX,
)
from relay.wire import y_websocket as wire
from yjs_store import DocumentDeleted, Receipt, StoreError, StoreFailing, UpdateRefused

RECEIPT = Receipt("doc", 1)


@pytest.fixture
async def connection() -> Connection:
    task = asyncio.current_task()
    assert task is not None
    return Connection(7, "127.0.0.1:9", 0.0, task)


def frames(connection: Connection) -> list[bytes]:
    taken = []
    while (frame := connection.outbox.pop()) is not None:
        taken.append(frame)
    return taken


# ---- what is under way to the disk --------------------------------------------------------------


async def test_the_unsaved_updates_of_a_connection_are_bounded(connection: Connection) -> None:
    for _ in range(CONNECTION_UNSAVED_UPDATES_MAX - 1):
        connection.note_submitted(b"u")
    assert not connection.must_wait
    connection.note_submitted(b"u")
    assert connection.must_wait
    connection.stored(b"u", RECEIPT, news=True)
    assert not connection.must_wait


async def test_the_unsaved_bytes_of_a_connection_are_bounded(connection: Connection) -> None:
    large = bytes(CONNECTION_UNSAVED_BYTES_MAX - 1)
    connection.note_submitted(large)
    assert not connection.must_wait
    connection.note_submitted(b"u")
    assert connection.must_wait
    connection.stored(large, RECEIPT, news=False)
    assert not connection.must_wait


async def test_wait_ready_returns_at_once_when_there_is_room(connection: Connection) -> None:
    connection.note_submitted(b"u")
    async with deadline():
        await connection.wait_ready()


async def test_wait_ready_waits_until_there_is_room(connection: Connection) -> None:
    for _ in range(CONNECTION_UNSAVED_UPDATES_MAX + 1):
        connection.note_submitted(b"u")
    waiting = asyncio.create_task(connection.wait_ready())
    await run_ready_tasks()
    connection.stored(b"u", RECEIPT, news=True)
    await run_ready_tasks()
    assert not waiting.done()
    connection.stored(b"u", RECEIPT, news=True)
    async with deadline():
        await waiting


async def test_wait_ready_does_not_outlast_the_connection(connection: Connection) -> None:
    connection.note_submitted(bytes(CONNECTION_UNSAVED_BYTES_MAX))
    waiting = asyncio.create_task(connection.wait_ready())
    await run_ready_tasks()
    assert not waiting.done()
    connection.end(CloseCode.STORAGE_FAILING, "storage is failing")
    async with deadline():
        await waiting


async def test_a_client_that_does_not_read_is_read_no_further(connection: Connection) -> None:
    """P6: what it asks for would pile up."""
    for _ in range(OUTBOX_FRAMES_MAX - 1):
        connection.send(b"answer")
    assert not connection.must_wait
    connection.send(b"answer")
    assert connection.must_wait
    waiting = asyncio.create_task(connection.wait_ready())
    await run_ready_tasks()
    assert not waiting.done()
    connection.outbox.pop()
    connection.note_sent(1.0, len(b"answer"))
    async with deadline():
        await waiting
    assert connection.last_sent_s == 1.0


# ---- what became of an update -------------------------------------------------------------------


async def test_news_is_not_echoed_here_since_the_broadcast_brings_it(
    connection: Connection,
) -> None:
    connection.note_submitted(b"news")
    connection.stored(b"news", RECEIPT, news=True)
    assert frames(connection) == []


async def test_what_was_known_already_is_echoed_as_a_receipt(connection: Connection) -> None:
    connection.note_submitted(b"known")
    connection.stored(b"known", RECEIPT, news=False)
    assert frames(connection) == [wire.encode_update(b"known")]


async def test_without_echo_what_was_known_already_is_not_echoed_either(
    connection: Connection,
) -> None:
    connection.has_echo = False
    connection.note_submitted(b"known")
    connection.stored(b"known", RECEIPT, news=False)
    assert frames(connection) == []


async def test_an_empty_update_needs_no_receipt(connection: Connection) -> None:
    connection.note_submitted(b"\x00\x00")
    connection.stored(b"\x00\x00", RECEIPT, news=False)
    assert frames(connection) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(UpdateRefused("no"), 4422), (DocumentDeleted("doc"), 4410), (StoreFailing("no"), 4503)],
)
async def test_a_refused_update_ends_its_sender_with_the_reason(
    connection: Connection, error: StoreError, code: int
) -> None:
    """Field note 17: nothing is acknowledged."""
    connection.note_submitted(b"bad")
    connection.refused(b"bad", error)
    assert connection.ending is not None
    assert int(connection.ending.code) == code
    assert connection.ending[:2] == ending_for(error)
    assert connection.ending.facts == {"update_bytes": 3}
    assert frames(connection) == []


# ---- the end ------------------------------------------------------------------------------------


async def test_only_the_first_ending_counts(connection: Connection) -> None:
    assert not connection.is_ending
    connection.end(CloseCode.BAD_REQUEST, "first", frame_bytes=3)
    connection.end(CloseCode.DELETED, "second")
    assert connection.is_ending
    assert connection.ending == (CloseCode.BAD_REQUEST, "first", {"frame_bytes": 3}, False)


async def test_ending_wakes_the_writer_and_drops_what_is_queued(connection: Connection) -> None:
    connection.send(b"queued")
    connection.wake_writer.clear()
    connection.end(CloseCode.BAD_REQUEST, "no")
    assert connection.wake_writer.is_set()
    assert frames(connection) == []


async def test_ending_with_flush_keeps_what_is_queued_and_takes_no_more(
    connection: Connection,
) -> None:
    connection.send(b"a receipt")
    connection.end(CloseCode.GOING_AWAY, "the server is stopping", flush=True)
    connection.send(b"too late")
    assert frames(connection) == [b"a receipt"]


async def test_sending_wakes_the_writer(connection: Connection) -> None:
    assert not connection.wake_writer.is_set()
    connection.send(b"frame")
    assert connection.wake_writer.is_set()
    assert frames(connection) == [b"frame"]


@pytest.mark.parametrize("character", ["x", "é", "€", "🚲"])
async def test_a_reason_is_cut_to_what_a_close_frame_carries(
    connection: Connection, character: str
) -> None:
    connection.end(CloseCode.BAD_REQUEST, character * 200)
    assert connection.ending is not None
    reason = connection.ending.reason
    assert set(reason) == {character}
    assert CLOSE_REASON_BYTES_MAX - 4 < len(reason.encode()) <= CLOSE_REASON_BYTES_MAX


async def test_abort_cancels_the_task_once() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    connection = Connection(1, "peer", 0.0, task)
    connection.abort()
    connection.abort()
    assert task.cancelling() == 1
    assert connection.is_aborted
    with pytest.raises(asyncio.CancelledError):
        await task
