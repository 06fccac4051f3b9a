"""yjs_store.observing: what is seen of an open store; looking loads and writes nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yjs_store import (
    CheckpointPolicy,
    ContentFacts,
    Damaged,
    NameRefused,
    Order,
    Store,
    StoreFull,
    TraceEvent,
    read_audit,
    read_document,
    read_documents,
    read_traces,
)
from yjs_store.backend import Backend
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.breaker import BreakerState
from yjs_store.observing import Observation

from .editing import Editor, letters
from .stores import Failing, Gate, Recorder, WatchedBackend, raw, store_over

A, B, C = letters("abc")
SMALL = CheckpointPolicy(rows_max=2, rows_per_snapshot_mib=0, bytes_min=1 << 30)


class Clock:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def any_backend(request: pytest.FixtureRequest, path: Path) -> Backend:
    return MemoryBackend() if request.param == "memory" else WatchedBackend(path)


@pytest.fixture
async def any_store(any_backend: Backend, clock: Clock) -> AsyncIterator[Store]:
    async with store_over(any_backend, clock_ms=clock) as store:
        yield store


@pytest.fixture
def observation(store: Store) -> Observation:
    return store.observation


# ---- a document ---------------------------------------------------------------------------------


async def test_of_a_name_under_which_nothing_is_there_is_nothing_to_tell(any_store: Store) -> None:
    facts = await any_store.observation.document_facts("n")
    assert (facts.head, facts.snapshot, facts.live, facts.damage) == (None, None, None, None)
    assert (facts.checkpoints, facts.content, facts.quarantined) == ((), None, 0)
    assert facts.breaker.state is BreakerState.CLOSED
    with pytest.raises(NameRefused):
        await any_store.observation.document_facts("")


async def test_a_document_in_memory_tells_how_it_was_loaded_and_saved(
    any_store: Store, clock: Clock
) -> None:
    await any_store.append("n", A)
    await any_store.unload("n")
    async with any_store.document("n") as document:
        loaded = (await any_store.observation.document_facts("n")).live
        assert loaded is not None
        assert (loaded.loaded_ms, loaded.users, loaded.saves) == (clock.ms, 1, 0)
        assert loaded.load_ms > 0
        assert (loaded.saved_ms, loaded.save_ms, loaded.durable_seq) == (None, None, 1)
        clock.ms += 1000
        await document.append(B)
        saved = (await any_store.observation.document_facts("n")).live
        assert saved is not None
        assert (saved.saved_ms, saved.saves, saved.durable_seq) == (clock.ms, 1, 2)
        assert saved.save_ms is not None
        assert saved.save_ms > 0
        assert saved.loaded_ms == clock.ms - 1000


async def test_what_is_on_its_way_is_told(store: Store, backend: WatchedBackend) -> None:
    gate = backend.before["append"] = Gate()
    async with store.document("n") as document:
        document.submit(A, Recorder())
        await gate.wait_reached()
        document.submit(B, Recorder())
        document.submit(C, Recorder())
        live = (await store.observation.document_facts("n")).live
        assert live is not None
        assert (live.in_flight, live.gathered, live.gathered_bytes) == (1, 2, len(B) + len(C))
        assert (await store.observation.store_facts()).waiting_documents == 0
        gate.open()
        await document.wait_settled()
        live = (await store.observation.document_facts("n")).live
        assert live is not None
        assert (live.in_flight, live.gathered, live.gathered_bytes) == (0, 0, 0)


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.filterwarnings("ignore:The .initial. parameter is deprecated:DeprecationWarning")
async def test_saves_that_storage_refuses_are_told_of_the_documents_that_wait(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 10: the document says that its edits are not durable, and why."""
    await store.append("other", A)
    observation, version = store.observation, store.observation.version
    failing = backend.before["append"] = Failing(StoreFull("no room"))
    async with store.document("n") as document:
        recorder = Recorder()
        document.submit(A, recorder)
        await backend.wait_failures(2)
        live = (await observation.document_facts("n")).live
        assert live is not None
        assert live.failures_in_row >= 1
        assert (live.error, live.in_flight) == ("no room", 1)
        other = (await observation.document_facts("other")).live
        assert other is not None
        assert other.failures_in_row == 0
        facts = await observation.store_facts()
        assert facts.failures_in_row >= 1
        assert facts.failing_because == "no room"
        assert facts.failing_since_ms is not None
        troubled = await observation.documents(is_troubled=True)
        assert [each.name for each in troubled.documents] == []  # nothing is stored of it yet
        assert observation.version > version
        failing.mend()
        await document.wait_settled()
    facts = await observation.store_facts()
    assert (facts.failures_in_row, facts.failing_because, facts.failing_since_ms) == (0, None, None)


async def test_a_snapshot_and_its_history_are_told(any_store: Store, clock: Clock) -> None:
    for update in (A, B):
        await any_store.append("n", update)
    clock.ms += 5
    await any_store.checkpoint("n", "a reason")
    await any_store.append("n", C)
    facts = await any_store.observation.document_facts("n")
    assert facts.head is not None
    assert facts.snapshot is not None
    assert facts.snapshot.manifest.snapshot_id == facts.head.snapshot_id
    (record,) = facts.checkpoints
    assert (record.reason, record.started_ms, record.error) == ("a reason", clock.ms, None)
    assert (record.cut_seq, record.journal_rows_before, record.journal_rows_after) == (2, 2, 0)
    assert (record.journal_bytes_before, record.journal_bytes_after) == (len(A) + len(B), 0)
    assert (record.snapshot_bytes_before, record.snapshot_bytes_after) == (
        0,
        facts.head.snapshot_bytes,
    )
    assert record.stored_bytes_after == facts.snapshot.manifest.stored_length
    assert record.duration_ms > 0
    assert record.content == ContentFacts(2, clients=1, clocks=2, deleted_clocks=0, pending_bytes=0)


async def test_rows_that_come_during_a_checkpoint_are_told_in_its_record(
    store: Store, backend: WatchedBackend
) -> None:
    await store.append("n", A)
    gate = backend.before["stage"] = Gate()
    checkpoint = asyncio.create_task(store.checkpoint("n"))
    await gate.wait_reached()
    await store.append("n", B)
    gate.open()
    await checkpoint
    (record,) = (await store.observation.document_facts("n")).checkpoints
    assert (record.journal_rows_before, record.journal_rows_after) == (1, 1)
    assert (record.journal_bytes_before, record.journal_bytes_after) == (len(A), len(B))


async def test_an_oversized_update_is_told_as_a_checkpoint_and_a_save(any_store: Store) -> None:
    """Also the one that creates its document."""
    editor = Editor(7)
    update = editor.write("x" * (2 * 1024 * 1024))
    async with any_store.document("n") as document:
        await document.append(update)
        facts = await any_store.observation.document_facts("n")
    assert facts.head is not None
    assert facts.head.oversized_count == 1
    assert [record.reason for record in facts.checkpoints] == ["oversized"]
    assert facts.live is not None
    assert facts.live.saves == 1
    store_facts = await any_store.observation.store_facts()
    assert (store_facts.updates, store_facts.update_bytes) == (1, len(update))


async def test_a_checkpoint_that_fails_is_kept_beside_those_that_did_not(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    await store.append("n", A)
    backend.before["stage"] = Failing(StoreFull("no room"), times=1)
    with pytest.raises(StoreFull):
        await store.checkpoint("n", "first")
    await store.checkpoint("n", "second")
    assert (await store.observation.store_facts()).checkpoints_failed == 1
    await store.close()
    reader = SqliteReader(path)
    await reader.open()
    facts = await read_document(reader, "n")
    await reader.close()
    by_reason = {record.reason: record for record in facts.checkpoints}
    assert by_reason.keys() == {"first", "second"}
    failed = by_reason["first"]
    assert (failed.error, failed.journal_rows_before, failed.content) == ("no room", 1, None)
    assert failed.journal_bytes_before == failed.journal_bytes_after == len(A)
    assert by_reason["second"].error is None


async def test_the_content_is_known_from_the_last_fold_or_from_memory(any_store: Store) -> None:
    """Field note 27: and nothing of it reads zero."""
    editor, other = Editor(7), Editor(8)
    typed = editor.write_letters("abcd")
    for update in (*typed, editor.erase(1, 3)):
        await any_store.append("n", update)
    await any_store.append("n", other.write_letters("xyz")[1])  # waits for the one before
    await any_store.checkpoint("n")
    await any_store.unload("n")
    facts = await any_store.observation.document_facts("n")
    assert facts.live is None
    assert facts.content is not None
    assert (facts.content.seq, facts.content.deleted_clocks) == (6, 2)
    assert facts.content.pending_bytes > 0
    assert facts.content.clocks >= 4
    async with any_store.document("n") as document:
        await document.append(other.updates[0])
        await document.append(Editor(9).write("n"))
        document.when_durable(lambda: assert_bytes(document.state_vector()))
        facts = await any_store.observation.document_facts("n")
    assert facts.content is not None
    assert (facts.content.seq, facts.content.clients, facts.content.pending_bytes) == (8, 3, 0)


def assert_bytes(value: bytes) -> None:
    assert value


async def test_damage_is_told_of_its_document_and_hides_no_other(path: Path) -> None:
    async with store_over(WatchedBackend(path)) as store:
        for name in ("m", "n", "o"):
            await store.append(name, A)
        await store.checkpoint("o")
    with raw(path) as connection:
        connection.execute("UPDATE documents SET updated_ms = 5 WHERE name = 'n'")
        connection.execute("UPDATE chunks SET data = X'00'")
    async with store_over(WatchedBackend(path)) as store:
        observation = store.observation
        with pytest.raises(Damaged):
            await store.open_document("o")
        facts = await observation.document_facts("n")
        assert facts.head is None
        assert facts.damage is not None
        assert "head" in facts.damage
        page = await observation.documents()
        damaged = {each.name: each.damage is not None for each in page.documents}
        assert damaged == {"m": False, "n": True, "o": True}
        troubled = await observation.documents(is_troubled=True)
        assert [each.name for each in troubled.documents] == ["o"]
        facts = await observation.document_facts("o")
        assert facts.head is not None
        assert facts.damage is not None
        assert "chunk" in facts.damage


async def test_a_breaker_that_is_open_is_told_with_its_times(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 10."""
    await store.append("n", A)
    backend.before["stage"] = Failing(Damaged("n", "candidate", "the content", "another"))
    for _ in range(3):
        with pytest.raises(Damaged):
            await store.checkpoint("n")
    breaker = (await store.observation.document_facts("n")).breaker
    assert (breaker.state, breaker.failures_in_row) == (BreakerState.OPEN, 3)
    assert breaker.reason is not None
    assert breaker.since_ms is not None
    assert breaker.trial_ms is not None
    assert 29_000 < breaker.trial_ms - breaker.since_ms < 40_000
    (troubled,) = (await store.observation.documents(is_troubled=True)).documents
    assert (troubled.name, troubled.breaker.state) == ("n", BreakerState.OPEN)
    assert (await store.observation.store_facts()).breaker.state is BreakerState.CLOSED


# ---- the list -----------------------------------------------------------------------------------


async def test_a_list_is_given_in_pages_in_each_order(any_store: Store, clock: Clock) -> None:
    for name, updates in (("a", [A]), ("b", [A, B, C]), ("c", [A, B])):
        for update in updates:
            clock.ms += 1
            await any_store.append(name, update)
    observation = any_store.observation
    expected = {
        Order.NAME: ["a", "b", "c"],
        Order.UPDATED: ["c", "b", "a"],
        Order.BYTES: ["b", "c", "a"],
        Order.JOURNAL: ["b", "c", "a"],
    }
    for order, names in expected.items():
        found: list[str] = []
        after: str | None = None
        while True:
            page = await observation.documents(order=order, after=after, limit=2)
            found += [each.name for each in page.documents]
            after = page.following
            if after is None:
                break
        assert (found, page.total) == (names, 3)
    with pytest.raises(ValueError, match="invalid literal"):
        await observation.documents(order=Order.BYTES, after="nonsense")


async def test_an_entry_tells_what_its_process_knows(any_store: Store, clock: Clock) -> None:
    async with any_store.document("n") as document:
        for update in (A, B):
            await document.append(update)
        clock.ms += 10_000
        await document.append(C)
        await any_store.set_read_only("n", "w", "ann")
        (entry,) = (await any_store.observation.documents(prefix="n")).documents
    assert entry.live is not None
    assert entry.read_only is not None
    assert (entry.writes[-2:], sum(entry.writes)) == ((2, 1), 3)
    assert any_store.observation.writes("n") == entry.writes
    assert (entry.damage, entry.poisoned, entry.is_alarming) == (None, None, False)
    (troubled,) = (await any_store.observation.documents(is_troubled=True)).documents
    assert troubled.name == "n"


async def test_a_journal_far_beyond_its_bound_is_alarming_also_of_who_was_never_opened(
    path: Path,
) -> None:
    async with store_over(WatchedBackend(path)) as store:
        for _ in range(21):
            await store.append("n", A)
    async with store_over(WatchedBackend(path), SMALL) as store:
        assert (await store.observation.document_facts("n")).is_alarming
        (entry,) = (await store.observation.documents()).documents
        assert entry.is_alarming


# ---- the store ----------------------------------------------------------------------------------


async def test_a_store_tells_what_was_done_since_it_was_opened(
    any_store: Store, clock: Clock
) -> None:
    started_ms = clock.ms
    clock.ms += 100
    for name in ("m", "n"):
        await any_store.append(name, A)
    await any_store.checkpoint("n")
    async with any_store.document("n") as document:
        recorder = Recorder()
        document.submit(b"\xff", recorder)
        await document.wait_settled()
    facts = await any_store.observation.store_facts()
    assert facts.sizes.documents == 2
    assert (facts.commits, facts.rows, facts.updates, facts.update_bytes) == (2, 2, 2, 2 * len(A))
    assert (facts.refused, facts.checkpoints, facts.checkpoints_failed) == (1, 1, 0)
    assert (facts.commit_s.count, facts.batch_rows.count, facts.batch_rows.total) == (2, 2, 2)
    assert facts.commit_s.total > 0
    assert (facts.checkpoint_s.count, facts.load_s.count) == (1, 2)
    assert facts.fsync_s.count > 0 or facts.backend == "memory"
    assert (facts.backend, facts.schema_version) in (("memory", 0), ("sqlite", 5))
    assert (facts.open_documents, facts.started_ms) == (2, started_ms)
    assert (facts.read_only, facts.read_only_documents, facts.scrub) == (None, 0, None)
    await any_store.set_read_only(None, "w", "ann")
    facts = await any_store.observation.store_facts()
    assert facts.read_only is not None


async def test_documents_of_one_commit_are_one_batch(store: Store) -> None:
    async with store.document("m") as m, store.document("n") as n:
        m.submit(A, Recorder())
        n.submit(A, Recorder())
        await asyncio.gather(m.wait_settled(), n.wait_settled())
    facts = await store.observation.store_facts()
    assert (facts.commits, facts.rows, facts.batch_rows.count) == (1, 2, 1)


# ---- looking is free ----------------------------------------------------------------------------


async def test_looking_loads_nothing_and_writes_nothing(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 23: the watcher does not become the load."""
    for name in ("m", "n"):
        await store.append(name, A)
        await store.checkpoint(name)
    await store.unload("m")
    await store.unload("n")
    # The keeper's own work stands still here.
    trimming = backend.before["trim"] = Gate()
    await store.checkpoint("m")
    await trimming.wait_reached()
    statements: list[str] = []

    async def refuse() -> None:
        raise AssertionError("a document was loaded")

    backend.before["load"] = refuse
    await backend.execute("SELECT 1")
    write = backend._write

    async def count_writes(work: object) -> object:
        statements.append(repr(work))
        return await write(work)  # type: ignore[arg-type]

    backend._write = count_writes  # type: ignore[assignment,method-assign]
    version, traced = store.observation.version, store.telemetry.traces.documents()
    for _ in range(3):
        for name in ("m", "n", "not there"):
            await store.observation.document_facts(name)
            await store.observation.traces(name)
            store.observation.writes(name)
        for order in Order:
            await store.observation.documents(order=order, is_troubled=order is Order.NAME)
        await store.observation.store_facts()
        await store.observation.space()
        await store.list_audit()
    assert statements == []
    assert store.observation.opened.count == 0
    assert (store.observation.version, store.telemetry.traces.documents()) == (version, traced)


async def test_it_waits_for_no_commit(store: Store, backend: WatchedBackend) -> None:
    await store.append("n", A)
    gate = backend.before["append"] = Gate()
    async with store.document("n") as document:
        document.submit(B, Recorder())
        await gate.wait_reached()
        await store.observation.document_facts("n")
        await store.observation.documents()
        await store.observation.store_facts()
        gate.open()
        await document.wait_settled()


# ---- traces -------------------------------------------------------------------------------------


def told(events: tuple[TraceEvent, ...]) -> list[str]:
    return [event.event for event in events]


async def test_events_are_told_before_and_after_they_are_stored(any_store: Store) -> None:
    await any_store.append("n", A)
    await any_store.checkpoint("n")
    expected = ["loaded", "checkpoint published"]
    before = await any_store.observation.traces("n")
    assert (told(before.events), before.dropped) == (expected, 0)
    await any_store.unload("n")
    await flush(any_store)
    assert any_store.telemetry.traces.documents() == ()
    after = await any_store.observation.traces("n")
    assert told(after.events) == [*expected, "unloaded"]
    assert after.events[:2] == before.events


async def test_an_event_that_is_stored_while_somebody_looks_is_told_once(
    store: Store, backend: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append("n", A)
    list_traces = backend.observing.list_traces

    async def store_first(document_id: int, limit: int) -> object:
        await flush(store)
        return await list_traces(document_id, limit)

    monkeypatch.setattr(backend.observing, "list_traces", store_first)
    assert told((await store.observation.traces("n")).events) == ["loaded"]


async def flush(store: Store) -> None:
    """Store what waits of traces, now."""
    await store.traces_keeper.flush()


async def test_what_happens_to_a_document_is_told_but_nothing_of_its_content(
    store: Store, backend: WatchedBackend
) -> None:
    secret = Editor(7).write("secret")
    await store.append("n", secret)
    async with store.document("n") as document:
        document.submit(secret[:-1], Recorder())
        await document.wait_settled()
    backend.before["stage"] = Failing(StoreFull("no room"), times=1)
    with pytest.raises(StoreFull):
        await store.checkpoint("n")
    await store.set_read_only("n", "w", "ann")
    await store.lift_read_only("n")
    await store.salvage(await store.plan_salvage("n"))
    await store.delete("n")
    events = (await store.observation.traces("n")).events
    assert told(events) == [
        "loaded",
        "update refused",
        "checkpoint failed",
        "switched to read-only",
        "read-only was lifted",
        "document failed",
        "salvaged",
        "deleted",
    ]
    assert "secret" not in repr(events)


async def test_a_closed_store_tells_the_same(path: Path, clock: Clock) -> None:
    async with store_over(WatchedBackend(path), clock_ms=clock) as store:
        await store.append("n", A)
        await store.checkpoint("n")
        await store.unload("n")
        opened = await store.observation.document_facts("n")
        page = await store.observation.documents()
    reader = SqliteReader(path)
    await reader.open()
    try:
        assert await read_document(reader, "n") == opened
        found = await read_documents(reader)
        assert [each.head for each in found.documents] == [each.head for each in page.documents]
        assert told(await read_traces(reader, "n"))[0] == "loaded"
        assert await read_traces(reader, "not there") == ()
        assert (await read_audit(reader)).acts == ()
    finally:
        await reader.close()


async def test_p9_nothing_is_told_of_a_document_whose_name_is_free(any_store: Store) -> None:
    await any_store.append("n", A)
    await any_store.checkpoint("n")
    await flush(any_store)
    await any_store.delete("n")
    assert "deleted" in told((await any_store.observation.traces("n")).events)
    await any_store.forget("n")
    await flush(any_store)
    assert (await any_store.observation.traces("n")).events == ()
    assert sum(any_store.observation.writes("n")) == 0
    facts = await any_store.observation.document_facts("n")
    assert (facts.head, facts.checkpoints) == (None, ())
