"""yjs_store.telemetry, yjs_store.trace_keeper: events are kept, and never in anybody's way."""

from pathlib import Path

import pytest

from yjs_store import Store, StoreFailing, StoreFull
from yjs_store.limits import CHECKPOINTS_WAITING_MAX, TRACES_FLUSH_DOCUMENTS
from yjs_store.observing_records import StoredNote
from yjs_store.telemetry import Telemetry
from yjs_store.trace_keeper import TraceKeeper

from .editing import letters, read
from .stores import Failing, WatchedBackend, store_over

A, B, C = letters("abc")


@pytest.fixture
def keeper(store: Store) -> TraceKeeper:
    return store.traces_keeper


async def stored_events(store: Store, name: str) -> list[str]:
    """What is told of a document when nothing waits in memory."""
    assert store.telemetry.traces.waiting(name).events == ()
    return [event.event for event in (await store.observation.traces(name)).events]


async def test_a_defect_in_telemetry_stops_no_save(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail-open: it is counted, and that is all."""

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(store.telemetry.traces, "note", broken)
    monkeypatch.setattr(store.telemetry.rates, "note", broken)
    monkeypatch.setattr("yjs_store.attempts.Attempt.published", broken)
    await store.append("n", A)
    assert (await store.checkpoint("n")).published
    await store.append("n", B)
    assert read(await store.load("n")) == read(A, B)
    assert store.telemetry.faults >= 3
    assert (await store.observation.document_facts("n")).checkpoints == ()


async def test_events_of_many_documents_are_stored_in_steps(
    store: Store, keeper: TraceKeeper, backend: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No commit waits longer than for one step."""
    monkeypatch.setattr("yjs_store.trace_keeper.TRACES_FLUSH_DOCUMENTS", 2)
    steps: list[int] = []
    add_traces = backend.observing.add_traces

    async def count(notes: list[StoredNote]) -> None:
        steps.append(len({note.document_id for note in notes}))
        await add_traces(notes)

    monkeypatch.setattr(backend.observing, "add_traces", count)
    names = [f"n{number}" for number in range(5)]
    for name in names:
        await store.append(name, A)
    await keeper.flush()
    assert steps == [2, 2, 1]
    for name in names:
        assert await stored_events(store, name) == ["loaded"]
    assert TRACES_FLUSH_DOCUMENTS <= 100


async def test_events_wait_until_their_document_is_stored(
    store: Store, keeper: TraceKeeper
) -> None:
    async with store.document("n") as document:
        await keeper.flush()
        assert store.telemetry.traces.documents() == ("n",)
        await document.append(A)
        await keeper.flush()
    assert await stored_events(store, "n") == ["loaded"]


async def test_what_storage_refuses_waits_and_no_save_waits_for_it(
    store: Store, keeper: TraceKeeper, backend: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_traces, add_checkpoint = backend.observing.add_traces, backend.observing.add_checkpoint

    async def refuse(_: object) -> None:
        raise StoreFailing("the disk says no")

    monkeypatch.setattr(backend.observing, "add_traces", refuse)
    monkeypatch.setattr(backend.observing, "add_checkpoint", refuse)
    await store.append("n", A)
    backend.before["stage"] = Failing(StoreFull("no room"), times=1)
    with pytest.raises(StoreFull):
        await store.checkpoint("n")
    for _ in range(2):
        with pytest.raises(StoreFailing):
            await keeper.flush()
    await store.append("n", B)
    monkeypatch.setattr(backend.observing, "add_traces", add_traces)
    monkeypatch.setattr(backend.observing, "add_checkpoint", add_checkpoint)
    await keeper.flush()
    assert await stored_events(store, "n") == ["loaded", "checkpoint failed"]
    (record,) = (await store.observation.document_facts("n")).checkpoints
    assert record.error == "no room"


async def test_what_waits_is_stored_when_the_store_is_closed(path: Path) -> None:
    async with store_over(WatchedBackend(path)) as store:
        await store.append("n", A)
    async with store_over(WatchedBackend(path)) as store:
        assert await stored_events(store, "n") == ["loaded"]


async def test_a_store_whose_events_cannot_be_stored_is_closed_all_the_same(
    backend: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("a defect")

    async with store_over(backend) as store:
        monkeypatch.setattr(backend.observing, "add_traces", broken)
        await store.append("n", A)
    assert store.telemetry.faults == 1


def test_failed_checkpoints_that_wait_are_bounded() -> None:
    telemetry = Telemetry(lambda: 0, lambda: 0.0)
    assert telemetry.failed_checkpoints.maxlen == CHECKPOINTS_WAITING_MAX
