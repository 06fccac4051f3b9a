"""yjs_store.vouching: a document that was written unguarded hurts nobody but itself."""

import os
from pathlib import Path

import pytest

from yjs_store import CheckDepth, Poisoned, Store, StoreFull, Trouble, crdt, plan_check, run_check
from yjs_store.backend import Backend
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.limits import BREAKER_FAILURES_TO_OPEN

from .editing import letters, read
from .intents import append, fresh, opened
from .poison import DEEP_VALUE, PANIC_FIRST, PANIC_SECOND, nested_types, one_letter_each
from .sqlite_versions import make_version_1
from .stores import Counting, Failing, WatchedBackend, store_over, url

POISONED: dict[str, list[bytes]] = {
    "a deep value": [DEEP_VALUE],
    "nested types": [nested_types(100_000)],
    "a panic": [PANIC_FIRST, PANIC_SECOND],
}
SOUND: dict[str, list[bytes]] = {"sound": letters("abc")}


async def write_unguarded(path: Path, documents: dict[str, list[bytes]]) -> None:
    """Rows as an import writes them, by the way of the backend."""
    async with opened(SqliteBackend(path)) as backend:
        for name, updates in documents.items():
            head = await append(backend, fresh(name), *updates)
            await backend.distrust(head.document_id)


async def check_only_the_poisoned_are_refused(store: Store) -> None:
    pid = os.getpid()
    for name in POISONED:
        for _ in range(2):
            with pytest.raises(Poisoned) as caught:
                await store.open_document(name)
            assert caught.value.document == name
        for use in (store.load(name), store.checkpoint(name), store.append(name, letters("a")[0])):
            with pytest.raises(Poisoned):
                await use
    shown = {each.document for each in store.degradations() if each.trouble is Trouble.DAMAGE}
    assert shown == POISONED.keys()
    assert read(await store.load("sound")).text == "abc"
    assert (await store.append("sound", letters("abcd")[3])).seq == 4
    assert (await store.append("new", letters("a")[0])).seq == 1
    assert os.getpid() == pid


async def test_documents_written_unguarded_are_tried_before_their_first_use(path: Path) -> None:
    """Field note 18, for what is stored already."""
    await write_unguarded(path, POISONED | SOUND)
    async with store_over(WatchedBackend(path)) as store:
        await check_only_the_poisoned_are_refused(store)
    async with store_over(backend := WatchedBackend(path)) as store:
        await check_only_the_new_refusals(store, backend)


async def check_only_the_new_refusals(store: Store, backend: Backend) -> None:
    """After a restart: who has passed is not tried again, and who has not is."""
    with pytest.raises(Poisoned):
        await store.open_document("a deep value")
    pid = store._parts.trials.long.process.worker.pid
    head = await store.head("sound")
    assert head is not None
    assert not await backend.is_unvouched(head.document_id)
    assert read(await store.load("sound")).text == "abcd"
    assert store._parts.trials.long.process.worker.pid == pid


async def test_the_documents_of_an_older_store_are_tried_before_their_first_use(
    path: Path,
) -> None:
    make_version_1(path, POISONED | SOUND)
    async with store_over(WatchedBackend(path)) as store:
        await check_only_the_poisoned_are_refused(store)


async def test_a_poisoned_document_that_is_deleted_is_no_trouble_any_more(path: Path) -> None:
    await write_unguarded(path, {"n": [DEEP_VALUE]})
    async with store_over(WatchedBackend(path)) as store:
        with pytest.raises(Poisoned):
            await store.open_document("n")
        assert [each.document for each in store.degradations()] == ["n"]
        await store.delete("n")
        assert store.degradations() == []


async def test_a_checkpoint_reads_no_poisoned_document_however_often_it_is_asked_for(
    path: Path,
) -> None:
    """P5; and one that must not be read is no checkpoint that is tried again."""
    await write_unguarded(path, {"n": [DEEP_VALUE]} | SOUND)
    async with store_over(backend := WatchedBackend(path)) as store:
        loads = backend.before["load"] = Counting()
        for _ in range(BREAKER_FAILURES_TO_OPEN):
            with pytest.raises(Poisoned):
                await store.checkpoint("n")
        assert [each.trouble for each in store.degradations()] == [Trouble.DAMAGE]
        loads.count = 0
        assert (await store.checkpoint("sound")).published
        assert loads.count == 1


async def test_a_disk_that_is_full_keeps_nobody_from_reading(path: Path) -> None:
    """P8."""
    await write_unguarded(path, SOUND)
    backend = WatchedBackend(path)
    async with store_over(backend) as store:
        backend.before["vouch"] = Failing(StoreFull("no room"), times=1)
        assert read(await store.load("sound")).text == "abc"
        assert read(await store.load("sound")).text == "abc"
        head = await store.head("sound")
        assert head is not None
        assert not await backend.is_unvouched(head.document_id)


async def test_a_check_names_what_is_poisoned(path: Path) -> None:
    await write_unguarded(path, POISONED | SOUND)
    plan = await plan_check(url(path))
    reports = [
        report for checked in run_check(plan, CheckDepth.DECODED) for report in checked.reports
    ]
    names = {each.document: each.problem for each in reports}
    assert names.keys() == POISONED.keys() | SOUND.keys()
    assert {name for name, problem in names.items() if problem} == POISONED.keys()


async def test_rows_of_many_structs_from_an_older_store_are_loaded_in_pieces(path: Path) -> None:
    """They took a time quadratic to their number, at each load: 17 s for these."""
    update = one_letter_each(100_000)
    make_version_1(path, {"n": [update]})
    async with store_over(WatchedBackend(path)) as store, store.document("n") as document:
        assert len(document._paced.replica._updates) > 300
        assert len(crdt.parse_state_vector(document.state_vector())) == 1
        assert (await document.append(letters("a")[0])).seq == 2
