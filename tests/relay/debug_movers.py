"""What moves each field of the debug JSON: real acts on a real store and real rooms.

A mover says which fields of a document's page or of the store's it moves and, where that is known
beforehand, to what.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pycrdt
from debug_world import EAGER, World, opened
from relay_support import (
    deadline,
    encode_awareness_states,
    oversized_update,
    run_ready_tasks,
    text_update,
    typed,
)

from relay.limits import TICK_S
from relay.wire.lib0 import write_var_bytes, write_var_uint
from yjs_store import (
    Damaged,
    FoldFailed,
    StoreError,
    StoreFull,
    StoreUnavailable,
    UpdateRefused,
)
from yjs_store.limits import (
    BREAKER_FAILURES_TO_OPEN,
    INLINE_WORK_MAX,
    JOURNAL_ALARM_FACTOR,
    SNAPSHOT_CHUNK_BYTES,
    TRACE_BURST,
    TYPE_NESTING_MAX,
)

GARBAGE = b"\xff\xff"
Act = Callable[[World], Awaitable[None]]


class _Changed:
    """Stands for any value that was not there before."""

    def __repr__(self) -> str:
        return "another value"


CHANGED: Final = _Changed()


async def nothing(_: World) -> None:
    """Nothing was done before."""


@dataclass(frozen=True)
class Mover:
    """``before`` is done before the first look, ``act`` before the second."""

    act: Act
    of_document: Mapping[str, Any]
    of_storage: Mapping[str, Any]
    before: Act = nothing
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.act.__name__


MOVERS: list[Mover] = []


def moves(
    of_document: Mapping[str, Any] | None = None,
    of_storage: Mapping[str, Any] | None = None,
    before: Act = nothing,
    **options: Any,
) -> Callable[[Act], Act]:
    """Enter an act into the table."""

    def enter(act: Act) -> Act:
        MOVERS.append(Mover(act, of_document or {}, of_storage or {}, before, options))
        return act

    return enter


def changed(*paths: str) -> dict[str, Any]:
    return dict.fromkeys(paths, CHANGED)


def percentiles(path: str) -> dict[str, Any]:
    return changed(*(f"{path}.{name}" for name in ("p50", "p90", "p99", "count", "mean")))


# ---- what acts are made of -----------------------------------------------------------------------


def bytes_update(length: int, client_id: int = 5) -> bytes:
    """An update of bytes that do not compress."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
    doc["map"] = pycrdt.Map({"bytes": Random(length).randbytes(length)})
    return doc.get_update()


def suspect_update(client_id: int = 77) -> bytes:
    """An update that is tried before anybody sees it."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
    doc["map"] = pycrdt.Map({str(number): number for number in range(INLINE_WORK_MAX + 1)})
    return doc.get_update()


def nested_update(depth: int) -> bytes:
    """An update of so many arrays, each within the one before."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=78)
    inner = doc.get("nested", type=pycrdt.Array)
    for _ in range(depth):
        inner.append(pycrdt.Array())
        inner = inner[0]
    return doc.get_update()


def deleted_update() -> bytes:
    """The deletion of what ``text_update`` of client 1 writes."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=2)
    doc.apply_update(text_update("text"))
    before = doc.get_state()
    doc.get("text", type=pycrdt.Text).clear()
    return doc.get_update(before)


def awareness(client: int) -> bytes:
    payload = encode_awareness_states((client, 1, "{}"))
    return write_var_uint(1) + write_var_bytes(payload)


async def written(world: World) -> None:
    await world.store.append("doc", text_update("text"))


async def folded(world: World) -> None:
    await written(world)
    await world.store.checkpoint("doc")


async def folded_and_written(world: World) -> None:
    await folded(world)
    await world.store.append("doc", text_update("more", 3))


async def connected(world: World) -> None:
    await world.connect()


async def stored_and_connected(world: World) -> None:
    await written(world)
    await world.connect()


async def spoil(world: World) -> None:
    """Damage the one row of the document."""
    world.change_file("UPDATE journal SET data = x'00'")


async def fail_checkpoints(world: World, error: StoreError) -> None:
    """Try as often as it takes for a breaker to open."""
    world.backend.stage_error = error
    for _ in range(BREAKER_FAILURES_TO_OPEN):
        with contextlib.suppress(type(error)):
            await world.store.checkpoint("doc")


# ---- documents: what is stored -------------------------------------------------------------------


async def another_is_stored(world: World) -> None:
    await written(world)
    await world.store.append("b", text_update("b"))


@moves({"name": "b"}, before=another_is_stored)
async def another_document_is_looked_at(world: World) -> None:
    world.looked_at = "b"


@moves(
    {
        "mode": "sql",
        "last_seq": 1,
        "journal.rows": 1,
        **changed("journal.bytes", "created_ms", "updated_ms", "writes"),
    },
    {
        "sizes.documents": 1,
        "sizes.journal_rows": 1,
        "commits.commits": 1,
        "commits.rows": 1,
        "commits.updates": 1,
        **changed("sizes.journal_bytes", "sizes.wal_bytes", "commits.update_bytes"),
        **percentiles("commits.batch_rows"),
        **percentiles("commits.duration_ms"),
        **changed("commits.fsync_ms.count", "commits.fsync_ms.mean"),
    },
    before=connected,
)
async def the_first_append(world: World) -> None:
    await written(world)


@moves(
    {
        "cut_seq": 4,
        "snapshot.cut_seq": 4,
        "snapshot.chunks": 3,
        "snapshot.codecs": ["raw", "zstd"],
        "checkpoints[].cut_seq": 4,
        "checkpoints[].reason": "by hand",
        "checkpoints[].journal_rows_before": 3,
        **changed(
            *("snapshot_bytes", "snapshot.id", "snapshot.raw_bytes", "snapshot.stored_bytes"),
            *("snapshot.checksum", "snapshot.created_ms"),
            *("checkpoints[].number", "checkpoints[].started_ms", "checkpoints[].duration_ms"),
            *("checkpoints[].journal_bytes_before", "checkpoints[].snapshot_bytes_before"),
            *("checkpoints[].snapshot_bytes_after", "checkpoints[].stored_bytes_after"),
        ),
    },
    {
        "checkpoints.published": 2,
        **changed(
            *("sizes.snapshot_bytes", "checkpoints.duration_ms.count"),
            "checkpoints.duration_ms.mean",
        ),
    },
    before=folded,
)
async def a_second_checkpoint(world: World) -> None:
    await world.store.append("doc", text_update("more", 3))
    # What does not compress, and what does.
    await world.store.append("doc", bytes_update(SNAPSHOT_CHUNK_BYTES + 1000))
    await world.store.append("doc", text_update("x" * SNAPSHOT_CHUNK_BYTES, 6))
    await world.store.checkpoint("doc", "by hand")


@moves(of_storage=percentiles("checkpoints.duration_ms"))
async def the_first_checkpoint(world: World) -> None:
    await folded(world)


@moves(
    {"checkpoints[].journal_rows_after": 1, **changed("checkpoints[].journal_bytes_after")},
    before=folded_and_written,
)
async def rows_come_while_a_checkpoint_is_made(world: World) -> None:
    disk = world.backend
    disk.is_staging.clear()
    disk.stage_gate.clear()
    checkpoint = asyncio.create_task(world.store.checkpoint("doc"))
    async with deadline():
        await disk.is_staging.wait()
        await world.store.append("doc", text_update("meanwhile", 4))
        disk.stage_gate.set()
        await checkpoint


@moves(
    {"checkpoints[].result": "failed", **changed("checkpoints[].error")},
    {"checkpoints.failed": 1},
    before=folded_and_written,
)
async def a_checkpoint_fails(world: World) -> None:
    world.backend.stage_error = FoldFailed("doc", "it died")
    with contextlib.suppress(FoldFailed):
        await world.store.checkpoint("doc")
    await world.store.traces_keeper.flush()


@moves(
    {
        "health": "degraded",
        "breaker.state": "open",
        "breaker.failures_in_row": BREAKER_FAILURES_TO_OPEN,
        **changed("because", "breaker.reason", "breaker.since_ms", "breaker.trial_ms"),
    },
    {
        "process.state": "degraded",
        "degradations[].document": "doc",
        **changed(
            *("degradations[].trouble", "degradations[].reason"),
            *("degradations[].since_ms", "degradations[].trial_ms"),
        ),
    },
    before=written,
)
async def checkpoints_of_a_document_fail(world: World) -> None:
    await fail_checkpoints(world, FoldFailed("doc", "it died"))


@moves(
    of_storage={
        "checkpoints.breaker.state": "open",
        "checkpoints.breaker.failures_in_row": BREAKER_FAILURES_TO_OPEN,
        "checkpoints.due": 1,
        **changed(
            *("checkpoints.breaker.reason", "checkpoints.breaker.since_ms"),
            "checkpoints.breaker.trial_ms",
        ),
    },
    before=written,
    policy=EAGER,
)
async def checkpoints_fail_of_the_store(world: World) -> None:
    await fail_checkpoints(world, StoreFull("no room"))
    # One is due, and none is tried while the breaker is open.
    for update in typed("due", 9):
        await world.store.append("due", update)


@moves({"journal.is_alarming": True}, before=written, policy=EAGER)
async def a_journal_grows_while_checkpoints_fail(world: World) -> None:
    world.backend.stage_error = FoldFailed("doc", "it died")
    for update in typed("x" * 2 * JOURNAL_ALARM_FACTOR, 9):
        await world.store.append("doc", update)


@moves({"oversized_count": 1})
async def an_update_goes_round_the_journal(world: World) -> None:
    await world.store.append("doc", oversized_update())


@moves(
    {
        "content.seq": 5,
        "content.clients": 3,
        "content.deleted_clocks": 4,
        **changed("content.clocks", "content.deleted_share", "content.pending_bytes"),
    },
    before=folded,
)
async def others_write_and_delete_and_one_is_ahead(world: World) -> None:
    await world.store.append("doc", text_update("three", 3))
    await world.store.append("doc", deleted_update())
    first, _, third = typed("abc", 4)
    await world.store.append("doc", first)
    await world.store.append("doc", third)
    await world.store.checkpoint("doc")


@moves(
    of_storage={"sizes.deleted_documents": 1, "sizes.documents": 0},
    of_document=changed("deleted_ms"),
    before=written,
)
async def a_document_is_deleted(world: World) -> None:
    await world.store.delete("doc")


async def much_is_stored(world: World) -> None:
    await world.store.append("doc", bytes_update(1_000_000))


@moves(of_storage=changed("sizes.free_bytes"), before=much_is_stored)
async def what_is_deleted_is_trimmed(world: World) -> None:
    await world.store.delete("doc")
    while await world.store._parts.trim():
        pass


@moves(of_storage=changed("sizes.file_bytes", "process.memory_bytes"))
async def much_is_written_to_the_file(world: World) -> None:
    for client_id in range(1, 40):
        await world.store.append(f"doc {client_id}", bytes_update(1_000_000, client_id))
    await world.store.truncate_wal()


# ---- documents: what is not well ----------------------------------------------------------------


@moves({"health": "unavailable", **changed("because")}, before=written)
async def a_row_is_damaged(world: World) -> None:
    await world.store.unload("doc")
    await spoil(world)
    with contextlib.suppress(Damaged):
        await world.store.open_document("doc")


@moves(changed("unreadable"), before=folded)
async def the_history_is_damaged(world: World) -> None:
    world.change_file("UPDATE checkpoints SET data = x'00'")


@moves(of_storage={"set_aside": 1}, before=written)
async def a_damaged_document_is_salvaged(world: World) -> None:
    await spoil(world)
    await world.store.salvage(await world.store.plan_salvage("doc"))


@moves({"is_unvouched": True}, {"unvouched": 1}, before=written)
async def a_document_is_from_before_the_guard(world: World) -> None:
    world.change_file("INSERT INTO unvouched SELECT id FROM documents")


@moves({"quarantined": 1}, {"quarantined": 1, "commits.refused": 1}, before=written)
async def an_update_is_refused(world: World) -> None:
    socket = await world.connect()
    socket.send_update(GARBAGE)
    await socket.wait_closed()


@moves(
    {"read_only.reason": "audit", "read_only.by": "ann", **changed("read_only.since_ms")},
    {"read_only_documents": 1},
    before=written,
)
async def a_document_becomes_read_only(world: World) -> None:
    await world.store.set_read_only("doc", "audit", "ann")


@moves(
    of_storage={
        "read_only.reason": "audit",
        "read_only.by": "ann",
        **changed("read_only.since_ms"),
    }
)
async def the_store_becomes_read_only(world: World) -> None:
    await world.store.set_read_only(None, "audit", "ann")


@moves({"traces[].event": "loaded", **changed("traces[].at_ms", "traces[].facts")})
async def something_happens(world: World) -> None:
    await written(world)


@moves(changed("traces_dropped"), changed("traces_dropped"), before=written)
async def events_rain(world: World) -> None:
    for _ in range(2 * TRACE_BURST):
        with contextlib.suppress(UpdateRefused):
            await world.store.append("doc", GARBAGE)


# ---- documents: in memory ------------------------------------------------------------------------


async def stored_at_rest(world: World) -> None:
    await written(world)
    await world.store.unload("doc")


@moves(of_storage=percentiles("load_ms"))
async def a_document_is_loaded(world: World) -> None:
    await world.store.open_document("doc")


@moves(
    {"is_live": True},
    {
        "process.connections": 1,
        "process.rooms": 1,
        "process.open_documents": 1,
        "sessions": 1,
    },
    before=stored_at_rest,
)
async def a_client_connects(world: World) -> None:
    await world.connect()


@moves(
    {"connection_count": 2, "live.connection_count": 2, "live.users": 2},
    before=stored_and_connected,
)
async def others_use_the_document_too(world: World) -> None:
    await world.connect(document="doc")
    await world.store.open_document("doc")


async def opened_alone(world: World) -> None:
    world.documents.append(await world.store.open_document("doc"))


@moves(changed("live.loaded_ms", "live.load_duration_ms"), before=opened_alone)
async def it_is_loaded_again(world: World) -> None:
    world.store.release_document(world.documents.pop())
    await world.store.unload("doc")
    await written(world)
    await world.store.open_document("doc")


@moves(
    {
        "live.saving.last_durable_seq": 1,
        "live.saving.saves": 1,
        **changed("live.saving.last_saved_ms", "live.saving.last_save_duration_ms"),
    },
    changed("process.frames_received"),
    before=connected,
)
async def somebody_types(world: World) -> None:
    world.clients[""].send_update(text_update("x"))
    await world.clients[""].wait_text("x")


@moves(of_storage=percentiles("process.broadcast_lag_ms"), before=connected)
async def somebody_types_and_another_reads(world: World) -> None:
    reader = await world.connect()
    reader.send_update(text_update("x"))
    await reader.wait_text("x")


@moves(
    {"health": "failing", **changed("live.saving.failures_in_row", "live.saving.error")},
    {
        "process.state": "failing",
        **changed(
            *("commits.failures_in_row", "commits.failing_since_ms", "commits.failing_because"),
        ),
    },
    before=stored_and_connected,
)
async def the_disk_takes_nothing(world: World) -> None:
    world.backend.append_error = StoreUnavailable("no disk")
    world.clients[""].send_update(text_update("x", 3))


@moves(
    {
        "live.saving.in_flight_updates": 1,
        "live.saving.waiting_updates": 2,
        "live.connections[].unsaved_updates": 3,
        **changed("live.saving.waiting_bytes"),
    },
    {"commits.queue": 1},
    before=connected,
)
async def the_disk_takes_its_time(world: World) -> None:
    writer, other = world.clients[""], await world.connect(document="other")
    world.backend.append_gate.clear()
    first, *rest = typed("xyz")
    writer.send_update(first)
    await world.backend.wait_appends(1)
    for update in rest:
        writer.send_update(update)
    other.send_update(text_update("x"))


@moves({"live.saving.on_trial_updates": 1}, changed("trials.waiting_bytes"), before=connected)
async def a_suspect_waits_for_its_trial(world: World) -> None:
    world.backend.load_gate.clear()
    world.clients[""].send_update(suspect_update())


@moves({"live.awareness_clients": 2, "live.connections[].awareness_clients": 2}, before=connected)
async def cursors_are_shown(world: World) -> None:
    world.clients[""].send(awareness(1), awareness(2))


async def ann_is_connected(world: World) -> None:
    await world.connect("ann")


@moves(
    {
        "live.connections[].user": "bob",
        "live.connections[].peer": "192.0.2.1:77",
        "live.connections[].permission": "read",
        **changed(
            *("live.connections[].id", "live.connections[].session"),
            "live.connections[].joined_ms",
        ),
    },
    before=ann_is_connected,
    is_guarded=True,
)
async def bob_comes_and_ann_goes(world: World) -> None:
    await world.connect("bob", ("192.0.2.1", 77))
    await world.leave("ann")


@moves(
    changed(
        *("live.connections[].queued_frames", "live.connections[].queued_bytes"),
        "live.connections[].lag_ms",
    ),
    before=connected,
)
async def a_reader_stalls(world: World) -> None:
    world.clients[""].reading.clear()
    writer = await world.connect()
    for update in typed("abc"):
        writer.send_update(update)
        await run_ready_tasks()


@moves({"live.connections[].is_collapsed": True}, before=connected)
async def a_reader_misses_very_much(world: World) -> None:
    world.clients[""].reading.clear()
    for client_id in range(100, 110):
        await world.store.append("doc", bytes_update(900_000, client_id))


# ---- the store and the process -------------------------------------------------------------------


@moves({"snapshot.age_ms": CHANGED}, changed("at_ms", "process.uptime_ms"), before=folded)
async def time_passes(_: World) -> None:
    pass


@moves(of_storage=changed("commits.per_s", "commits.updates_per_s"))
async def somebody_looks_again(world: World) -> None:
    await written(world)


@moves(of_storage=changed("process.event_loop_lag_ms"))
async def the_loop_is_held_up(_: World) -> None:
    until_s = time.monotonic() + TICK_S + 0.2
    while time.monotonic() < until_s:
        pass


@moves(of_storage={"backend": "memory"})
async def the_store_is_another_kind(world: World) -> None:
    elsewhere = await world.sockets.enter_async_context(opened(world.directory, in_memory=True))
    world.client = elsewhere.client


@moves(of_storage={"trials.done": 1}, before=written)
async def a_suspect_is_tried(world: World) -> None:
    await world.store.append("doc", suspect_update())


@moves(of_storage={"trials.refused": 1}, before=written)
async def a_suspect_is_refused(world: World) -> None:
    with contextlib.suppress(UpdateRefused):
        await world.store.append("doc", nested_update(TYPE_NESTING_MAX + 1))


@moves(of_storage=changed("trials.processes_died"), before=written)
async def a_trial_process_is_killed(world: World) -> None:
    trial = asyncio.create_task(world.store.append("doc", suspect_update()))
    workers = [lane.process.worker for lane in world.store._parts.trials._lanes]
    async with deadline():
        # It tells nobody when it begins.
        while not (pids := [each.pid for each in workers if each.pid is not None]):  # noqa: ASYNC110
            await asyncio.sleep(0)
    os.kill(pids[0], signal.SIGKILL)
    with contextlib.suppress(StoreError):
        await trial


@moves(
    of_storage={
        "scrubber.documents": 1,
        **changed(
            *("scrubber.passes", "scrubber.bytes"),
            *("scrubber.started_ms", "scrubber.finished_ms"),
        ),
    },
    scrub_bytes_per_s=1e9,
)
async def everything_is_read_again(world: World) -> None:
    await written(world)


@moves(of_storage={"scrubber.damaged": 1}, before=written, scrub_bytes_per_s=1e9)
async def the_scrubber_finds_damage(world: World) -> None:
    await spoil(world)
