"""Backend.distrust and vouch: which documents nobody has tried is kept beside them."""

from store.intents import append, fresh, opened, salvage

from yjs_store.backend import Backend
from yjs_store.format import check_head, seal_head
from yjs_store.heads import tombstone

from .places import Place


async def test_what_is_written_by_the_way_of_all_updates_needs_no_trial(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    assert not await backend.is_unvouched(head.document_id)


async def test_a_document_is_distrusted_until_somebody_vouches_for_it(place: Place) -> None:
    async with opened(place.backend()) as backend:
        head = await append(backend, fresh("n"), b"one")
        other = await append(backend, fresh("m"), b"one")
        await backend.distrust(head.document_id)
        await backend.distrust(head.document_id)
    async with opened(place.backend()) as backend:
        assert await backend.is_unvouched(head.document_id)
        assert not await backend.is_unvouched(other.document_id)
        await append(backend, head, b"two")
        assert await backend.is_unvouched(head.document_id)
        await backend.vouch(head.document_id)
        await backend.vouch(head.document_id)
    async with opened(place.backend()) as backend:
        assert not await backend.is_unvouched(head.document_id)


async def test_what_takes_the_place_of_a_distrusted_document_is_another(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    await backend.distrust(head.document_id)
    after = await salvage(backend, head)
    assert not await backend.is_unvouched(after.document_id)


async def test_a_forgotten_document_leaves_nothing_behind(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    await backend.distrust(head.document_id)
    deleted = tombstone(head, 5)
    await backend.delete(head, seal_head(deleted))
    while await backend.trim(check_head):
        pass
    assert await backend.forget(deleted)
    assert not await backend.is_unvouched(head.document_id)
