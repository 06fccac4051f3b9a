"""P7: who lost the store to another changes nothing, and is told."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from store.intents import (
    append,
    assembled,
    delete,
    fresh,
    intent,
    opened,
    publish,
    published,
    salvage,
    stage,
    trim_all,
)

from yjs_store import Head, WriterSuperseded, format
from yjs_store.backend import Backend
from yjs_store.format import check_head
from yjs_store.observing_records import StoredNote

from .places import Place


@pytest.fixture
async def superseded(place: Place) -> AsyncIterator[tuple[Backend, Head]]:
    """A writer that lost the store to another, and the head it still believes in."""
    async with opened(place.backend()) as old:
        head = await publish(old, await append(old, fresh("n"), b"one"))
        head = await append(old, head, b"two")
        aside = await append(old, fresh("aside"), b"three")
        await salvage(old, aside)
        tombstone = await delete(old, await append(old, fresh("gone"), b"four"))
        await trim_all(old)
        assert tombstone.document_id
        place.release()
        async with opened(place.backend()):
            yield old, head


async def _tombstone(backend: Backend) -> Head:
    sealed = await backend.load_head("gone")
    assert sealed is not None
    return sealed.head


async def _forget(backend: Backend, _head: Head) -> object:
    return await backend.forget(await _tombstone(backend))


async def _discard_set_aside(backend: Backend, _head: Head) -> object:
    (aside,) = await backend.list_set_aside()
    return await backend.discard_set_aside(aside.document_id)


def _note(head: Head) -> StoredNote:
    return StoredNote(b"data", b"checksum", head.document_id)


WRITES: dict[str, Callable[[Backend, Head], Awaitable[object]]] = {
    "append": lambda backend, head: backend.append([intent(head)]),
    "append to a new one": lambda backend, _: backend.append([intent(fresh("new"))]),
    "append to both": lambda backend, head: backend.append([intent(fresh("new")), intent(head)]),
    "create": lambda backend, _: backend.create(format.seal_head(fresh("new"))),
    "create a taken name": lambda backend, _: backend.create(format.seal_head(fresh("n"))),
    "stage": stage,
    "publish": lambda backend, head: backend.publish(
        head, format.seal_head(published(head, head.snapshot_id or 0))
    ),
    "delete": delete,
    "forget": _forget,
    "trim": lambda backend, _: backend.trim(check_head),
    "replace": lambda backend, head: backend.replace(
        head.document_id, format.seal_head(published(fresh("n"), 1)), "why", 0
    ),
    "discard_set_aside": _discard_set_aside,
    "add_checkpoint": lambda backend, head: backend.observing.add_checkpoint(_note(head)),
    "add_traces": lambda backend, head: backend.observing.add_traces([_note(head)]),
    "add_act": lambda backend, head: backend.observing.add_act("n", _note(head)),
    "set_switch": lambda backend, head: backend.observing.set_switch(_note(head)),
    "lift_switch": lambda backend, head: backend.observing.lift_switch(head.document_id),
    "truncate_wal": lambda backend, _: backend.truncate_wal(),
    "vacuum": lambda backend, _: backend.vacuum(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_superseded_writer_changes_nothing_and_is_told_that_the_store_is_lost_to_it(
    superseded: tuple[Backend, Head],
    place: Place,
    write: Callable[[Backend, Head], Awaitable[object]],
) -> None:
    """Field note 16 and P7."""
    old, head = superseded
    before = place.held()
    with pytest.raises(WriterSuperseded) as raised:
        await write(old, head)
    assert raised.value.document is None
    assert place.held() == before


async def test_a_superseded_writer_discards_nothing_of_the_new_one(place: Place) -> None:
    async with opened(place.backend()) as old:
        head = await append(old, fresh("n"), b"one")
        await stage(old, head)
        place.release()
        async with opened(place.backend()) as new:
            staged = await stage(new, head)
            await new.publish(head, format.seal_head(published(head, staged)))
            await old.discard(staged)
            assert await assembled(new, "n") == [b"folded"]


async def test_a_superseded_writer_can_read(superseded: tuple[Backend, Head]) -> None:
    old, _ = superseded
    assert await assembled(old, "n") == [b"folded", b"two"]


async def test_what_the_former_staged_the_new_writer_has_retired(place: Place) -> None:
    async with opened(place.backend()) as old:
        head = await append(old, fresh("n"), b"one")
        staged = await stage(old, head)
        place.release()
        async with opened(place.backend()) as new:
            with pytest.raises(WriterSuperseded):
                await new.publish(head, format.seal_head(published(head, staged)))
            assert await assembled(new, "n") == [b"one"]


async def test_each_open_takes_the_next_epoch(place: Place) -> None:
    epochs = []
    for _ in range(3):
        async with opened(place.backend()):
            epochs.append(place.held().epoch)
    assert epochs == [1, 2, 3]
