"""yjs_store.switches: read-only documents and stores, on both backends, until lifted."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from yjs_store import (
    DocumentDeleted,
    DocumentMissing,
    ReadOnlyNow,
    Store,
    StoreFull,
    Switch,
    open_store,
)
from yjs_store.backend import Backend
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.memory_storage import MemoryStorage
from yjs_store.backends.sqlite import SqliteBackend

from .editing import letters, read
from .stores import Recorder, WatchedBackend, raw, store_over, submit, url

A, B, C = letters("abc")
CLOCK_MS = 1_000

MakeBackend = Callable[[], Backend]


@pytest.fixture(params=["memory", "sqlite"])
def again(request: pytest.FixtureRequest, path: Path) -> MakeBackend:
    """Makes a backend over the same storage each time."""
    storage = MemoryStorage()
    return lambda: MemoryBackend(storage) if request.param == "memory" else SqliteBackend(path)


@pytest.fixture
async def store(again: MakeBackend) -> AsyncIterator[Store]:
    async with store_over(again(), clock_ms=lambda: CLOCK_MS) as store:
        yield store


async def test_a_read_only_document_takes_nothing_and_others_do(store: Store) -> None:
    await store.append("n", A)
    async with store.document("n") as document:
        switch = await store.set_read_only("n", "moving house", "ann")
        assert switch == Switch("n", "moving house", "ann", CLOCK_MS)
        assert store.read_only(document) == switch
        recorder = await submit(document, B)
        assert [(update, str(error)) for update, error in recorder.refusals] == [
            (B, "document 'n' is read-only for now: moving house")
        ]
    with pytest.raises(ReadOnlyNow):
        await store.append("n", B)
    await store.append("m", B)
    assert read(await store.load("n")) == read(A)


async def test_what_was_handed_in_before_becomes_durable(store: Store) -> None:
    await store.append("n", A)
    recorder = Recorder()
    async with store.document("n") as document:
        document.submit(B, recorder)
        await store.set_read_only("n", "w", "ann")
        document.submit(C, recorder)
        await document.wait_settled()
    assert [update for update, *_ in recorder.receipts] == [B]
    assert [update for update, _ in recorder.refusals] == [C]


async def test_it_holds_after_a_restart_until_it_is_lifted(again: MakeBackend) -> None:
    async with store_over(again()) as store:
        await store.append("n", A)
        await store.set_read_only("n", "w", "ann")
    async with store_over(again()) as store:
        with pytest.raises(ReadOnlyNow):
            await store.append("n", B)
        lifted = await store.lift_read_only("n")
        assert lifted is not None
        assert (lifted.document, lifted.reason, lifted.by) == ("n", "w", "ann")
        assert await store.lift_read_only("n") is None
        await store.append("n", B)
    async with store_over(again()) as store:
        await store.append("n", C)
        assert read(await store.load("n")) == read(A, B, C)


async def test_a_store_opened_by_its_url_knows_its_switches(path: Path) -> None:
    async with open_store(url(path)) as store:
        await store.append("n", A)
        await store.set_read_only("n", "w", "ann")
    async with open_store(url(path)) as store:
        with pytest.raises(ReadOnlyNow):
            await store.append("n", B)


async def test_a_read_only_store_takes_nothing_not_even_a_new_document(
    again: MakeBackend,
) -> None:
    async with store_over(again()) as store:
        await store.append("n", A)
        async with store.document("n") as document:
            switch = await store.set_read_only(None, "the disk is copied", "ann")
            assert store.read_only(None) == store.read_only(document) == switch
            assert document.is_read_only
    async with store_over(again()) as store:
        for name in ("n", "new"):
            with pytest.raises(ReadOnlyNow, match="the disk is copied"):
                await store.append(name, B)
        assert await store.lift_read_only(None) is not None
        for name in ("n", "new"):
            await store.append(name, B)


async def test_the_switch_of_a_document_outlives_that_of_the_store(store: Store) -> None:
    await store.append("n", A)
    await store.append("m", A)
    await store.set_read_only("n", "own", "ann")
    await store.set_read_only(None, "all", "ann")
    await store.lift_read_only(None)
    await store.append("m", B)
    with pytest.raises(ReadOnlyNow, match="own"):
        await store.append("n", B)
    assert store.observation.switches.document_count == 1


async def test_listeners_hear_of_each_change_once(store: Store) -> None:
    await store.append("n", A)
    recorder = Recorder()
    async with store.document("n") as document:
        document.listen(recorder)
        await store.set_read_only("n", "w", "ann")
        await store.set_read_only("n", "another reason", "bob")
        await store.set_read_only(None, "all", "ann")
        await store.lift_read_only("n")
        assert recorder.switches == [True]
        await store.lift_read_only(None)
    assert recorder.switches == [True, False]
    assert not recorder.failures


async def test_only_what_is_stored_is_switched(store: Store) -> None:
    async with store.document("fresh"):
        with pytest.raises(DocumentMissing):
            await store.set_read_only("fresh", "w", "ann")
    await store.append("n", A)
    await store.delete("n")
    with pytest.raises(DocumentDeleted):
        await store.set_read_only("n", "w", "ann")


async def test_operators_go_on_with_a_read_only_document(store: Store) -> None:
    """Checkpoints, deleting and forgetting; and P9: with its life goes its switch."""
    await store.append("n", A)
    await store.set_read_only("n", "w", "ann")
    assert (await store.checkpoint("n")).published
    assert read(await store.load("n")) == read(A)
    await store.delete("n")
    await store.forget("n")
    await store.append("n", B)


async def test_salvage_goes_on_and_the_new_life_is_read_only_too(store: Store) -> None:
    await store.append("n", A)
    await store.set_read_only("n", "w", "ann")
    head = await store.salvage(await store.plan_salvage("n"))
    assert head.document_id != 0
    with pytest.raises(ReadOnlyNow, match="w"):
        await store.append("n", B)
    assert await store.lift_read_only("n") is not None
    await store.append("n", B)


async def test_what_cannot_be_made_durable_is_not_switched(path: Path) -> None:
    """P8: it would not hold after a restart; and what cannot be lifted durably stays."""
    backend = WatchedBackend(path)
    async with store_over(backend) as store:
        await store.append("n", A)

        async def full() -> None:
            raise StoreFull("no room")

        observing = backend.observing
        set_switch, lift_switch = observing.set_switch, observing.lift_switch
        observing.set_switch = observing.lift_switch = lambda _: full()  # type: ignore
        with pytest.raises(StoreFull):
            await store.set_read_only("n", "w", "ann")
        await store.append("n", B)
        observing.set_switch = set_switch  # type: ignore[method-assign]
        await store.set_read_only("n", "w", "ann")
        with pytest.raises(StoreFull):
            await store.lift_read_only("n")
        with pytest.raises(ReadOnlyNow):
            await store.append("n", C)
        observing.lift_switch = lift_switch  # type: ignore[method-assign]


async def test_a_damaged_switch_still_holds(path: Path) -> None:
    """What must not be written to is not for a wrong bit to decide."""
    async with store_over(SqliteBackend(path)) as store:
        await store.append("n", A)
        await store.set_read_only("n", "w", "ann")
    with raw(path) as connection:
        connection.execute("UPDATE switches SET data = X'7b7d'")
    async with store_over(SqliteBackend(path)) as store:
        with pytest.raises(ReadOnlyNow, match="damaged"):
            await store.append("n", B)
        await store.lift_read_only("n")
        await store.append("n", B)


async def test_switches_that_cannot_be_read_stop_no_document_and_are_said(path: Path) -> None:
    async with store_over(SqliteBackend(path)) as store:
        await store.append("n", A)
    with raw(path) as connection:
        connection.execute("DROP TABLE switches")
    async with store_over(SqliteBackend(path)) as store:
        await store.append("n", B)
        (degradation,) = store.degradations()
        assert degradation.document is None
        assert "switches" in degradation.reason


async def test_a_switch_ends_with_the_life_of_its_document(store: Store) -> None:
    await store.append("n", A)
    await store.set_read_only("n", "under review", "ann")
    await store.delete("n")
    assert store.observation.switches.document_count == 0
    assert (await store.observation.document_facts("n")).read_only is None
    with pytest.raises(DocumentDeleted):
        await store.set_read_only("n", "under review", "ann")
    await store.forget("n")
    await store.append("n", B)
    assert read(await store.load("n")) == read(B)
