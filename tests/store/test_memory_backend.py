"""yjs_store.backends.memory: what is about memory; the contract is tested in tests/contract."""

from dataclasses import replace

import pytest

from yjs_store import DocumentDeleted, DocumentMissing, StoreClosed, open_store
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.memory_storage import MemoryStorage
from yjs_store.records import SnapshotState

from .editing import letters, read
from .intents import append, assembled, fresh, opened, publish
from .stores import store_over


async def test_a_store_in_memory_does_what_a_store_does() -> None:
    async with open_store("memory:") as store:
        for update in letters("words"):
            await store.append("n", update)
        assert (await store.checkpoint("n")).published
        await store.append("n", letters("more", client_id=8)[0])
        assert read(await store.load("n")).text in ("wordsm", "mwords")
        await store.delete("n")
        with pytest.raises(DocumentDeleted):
            await store.load("n")
        await store.forget("n")
        assert list(await store.list_heads()) == []
    with pytest.raises(StoreClosed):
        await store.load("n")


async def test_each_store_in_memory_is_a_new_one() -> None:
    async with open_store("memory:") as first, open_store("memory:") as second:
        await first.append("n", letters("a")[0])
        with pytest.raises(DocumentMissing):
            await second.load("n")


async def test_a_storage_outlives_the_stores_over_it() -> None:
    storage = MemoryStorage()
    for expected in ("a", "ab", "abc"):
        update = letters("abc")[len(expected) - 1]
        async with store_over(MemoryBackend(storage)) as store:
            await store.append("n", update)
            assert read(await store.load("n")).text == expected


async def test_without_a_storage_a_backend_has_one_of_its_own() -> None:
    async with opened(MemoryBackend()) as first, opened(MemoryBackend()) as second:
        await append(first, fresh("n"), b"one")
        assert await second.load("n") is None


async def test_what_a_load_returned_does_not_change_any_more() -> None:
    async with opened(MemoryBackend()) as backend:
        head = await append(backend, fresh("n"), b"one")
        before = await backend.load("n")
        await publish(backend, await append(backend, head, b"two"))
        assert before is not None
        assert [row.data for row in before.rows] == [b"one"]
        assert before.sealed_head.head == head
        assert await assembled(backend, "n") == [b"folded"]


async def test_an_audit_finds_each_kind_of_orphan() -> None:
    storage = MemoryStorage()
    async with opened(MemoryBackend(storage)) as backend:
        head = await publish(backend, await append(backend, fresh("n"), b"one", b"two"))
        assert head.snapshot_id is not None
        assert await backend.audit() == []
        sealed = storage.heads.pop(head.document_id)
        assert sorted(await backend.audit()) == [
            "1 names that lead to no document",
            "1 snapshots of no document",
            "2 journal rows of no document",
        ]
        storage.heads[head.document_id] = replace(sealed, head=replace(head, snapshot_id=None))
        assert await backend.audit() == ["1 published snapshots that their document does not name"]
        storage.heads[head.document_id] = sealed
        storage.snapshots[head.snapshot_id].state = SnapshotState.RETIRED
        storage.ids["another"] = storage.ids.pop("n")
        assert await backend.audit() == ["1 documents without their name"]
