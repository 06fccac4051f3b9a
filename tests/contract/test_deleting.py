"""Backend.delete and forget: a tombstone, then nothing, then the name anew (P9)."""

from dataclasses import replace

import pytest
from store.intents import (
    append,
    assembled,
    delete,
    fresh,
    publish,
    stage,
    trim_all,
)

from yjs_store import WriterSuperseded
from yjs_store.backend import Backend
from yjs_store.format import check_head

from .places import Place


async def test_a_deleted_document_leaves_its_head_and_then_nothing(
    backend: Backend, place: Place
) -> None:
    """P9."""
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    head = await append(backend, head, b"two")
    await stage(backend, head)
    tombstone = await delete(backend, head)
    stored = await backend.load("n")
    assert stored is not None
    assert check_head(stored.sealed_head) == tombstone
    assert (stored.snapshot, stored.chunks, stored.rows) == (None, (), ())
    assert not await backend.forget(tombstone)
    await trim_all(backend)
    held = place.held()
    assert (held.rows, held.snapshots, held.chunks, held.trims) == ({}, {}, {}, set())
    assert await backend.forget(tombstone)
    assert await backend.load("n") is None
    assert await backend.load_head("n") is None


async def test_deleting_against_another_head_changes_nothing(
    backend: Backend, place: Place
) -> None:
    old = await append(backend, fresh("n"), b"one")
    head = await append(backend, old, b"two")
    before = place.held()
    for stale in (old, replace(head, uid=bytes(16)), replace(head, document_id=99)):
        with pytest.raises(WriterSuperseded):
            await delete(backend, stale)
    assert place.held() == before


async def test_a_document_is_deleted_once(backend: Backend, place: Place) -> None:
    head = await append(backend, fresh("n"), b"one")
    tombstone = await delete(backend, head)
    before = place.held()
    for stale in (head, tombstone):
        with pytest.raises(WriterSuperseded):
            await delete(backend, stale)
    assert place.held() == before


async def test_a_document_that_is_not_deleted_is_not_forgotten(
    backend: Backend, place: Place
) -> None:
    head = await append(backend, fresh("n"), b"one")
    before = place.held()
    with pytest.raises(WriterSuperseded):
        await backend.forget(head)
    assert place.held() == before


async def test_a_tombstone_of_another_life_is_not_forgotten(backend: Backend, place: Place) -> None:
    tombstone = await delete(backend, await append(backend, fresh("n"), b"one"))
    await trim_all(backend)
    before = place.held()
    for stale in (replace(tombstone, uid=bytes(16)), replace(tombstone, document_id=99)):
        with pytest.raises(WriterSuperseded):
            await backend.forget(stale)
    assert place.held() == before


async def test_a_forgotten_name_starts_anew(backend: Backend) -> None:
    tombstone = await delete(backend, await append(backend, fresh("n"), b"one"))
    await trim_all(backend)
    assert await backend.forget(tombstone)
    again = await append(backend, fresh("n", bytes(16)), b"anew")
    assert again.document_id != tombstone.document_id
    assert await assembled(backend, "n") == [b"anew"]
    with pytest.raises(WriterSuperseded):
        await backend.forget(tombstone)
