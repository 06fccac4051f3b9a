"""Backend.replace and discard_set_aside: a damaged document makes room and is kept."""

from dataclasses import replace

import pytest
from store.intents import (
    append,
    assembled,
    fresh,
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
from yjs_store.limits import TRIM_ROWS_STEP
from yjs_store.records import SetAside, SnapshotState

from .places import Held, Place


def parts_of(held: Held, document_id: int) -> tuple[object, ...]:
    """Everything that is held under a key but the head."""
    snapshots = {key: each for key, each in held.snapshots.items() if each[0] == document_id}
    return (
        {key: row for key, row in held.rows.items() if key[0] == document_id},
        snapshots,
        {key: data for key, data in held.chunks.items() if key[0] in snapshots},
    )


async def untrimmed(backend: Backend, name: str = "n") -> Head:
    """A document with dead rows, a retired snapshot, a published one, and live rows."""
    head = await publish(backend, await append(backend, fresh(name), b"one"))
    head = await publish(backend, await append(backend, head, b"two"))
    return await append(backend, head, b"three")


async def test_another_takes_the_place_of_a_document(backend: Backend) -> None:
    head = await untrimmed(backend)
    after = await salvage(backend, head)
    assert after.document_id != head.document_id
    stored = await backend.load("n")
    assert stored is not None
    assert format.assemble(stored) == (after, [b"salvaged"])
    assert await backend.load_by_id(after.document_id) == stored
    assert await backend.load_by_id(head.document_id) is None
    await append(backend, after, b"four")
    assert await assembled(backend, "n") == [b"salvaged", b"four"]
    assert [sealed.head.name for sealed in await backend.list_heads("", None, 9)] == ["n"]
    assert (await backend.statistics()).documents == 1


async def test_a_document_can_be_set_aside_for_none(backend: Backend, place: Place) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one", b"two"))
    before = place.held()
    assert await backend.replace(head.document_id, None, "broken", 5) is None
    after = place.held()
    assert (after.rows, after.chunks) == (before.rows, before.chunks)
    assert await backend.load("n") is None
    with pytest.raises(WriterSuperseded):
        await backend.replace(head.document_id, None, "broken", 5)
    await append(backend, fresh("n", bytes(16)), b"anew")
    assert await assembled(backend, "n") == [b"anew"]


async def test_what_was_set_aside_is_listed(backend: Backend) -> None:
    assert list(await backend.list_set_aside()) == []
    heads = [await append(backend, fresh(name), b"one") for name in ("b", "a")]
    after = await salvage(backend, heads[0])
    await salvage(backend, heads[1])
    await salvage(backend, after)
    assert list(await backend.list_set_aside()) == [
        SetAside(head.document_id, head.name, head.uid, "it was damaged", 77)
        for head in (*heads, after)
    ]


async def test_everything_of_it_stays_as_it_is(backend: Backend, place: Place) -> None:
    """Retired parts too: they may be all that can be read of it."""
    head = await untrimmed(backend)
    before = parts_of(place.held(), head.document_id)
    await salvage(backend, head)
    await trim_all(backend)
    assert parts_of(place.held(), head.document_id) == before


@pytest.mark.parametrize("state", [SnapshotState.STAGED, SnapshotState.RETIRED])
async def test_it_stays_whatever_is_said_of_its_snapshot(
    place: Place, state: SnapshotState
) -> None:
    async with opened(place.backend()) as backend:
        head = await untrimmed(backend)
        assert head.snapshot_id is not None
        await salvage(backend, head)
        place.set_state(head.snapshot_id, state)
        chunks = place.held().chunks
    async with opened(place.backend()) as backend:
        await trim_all(backend)
        assert place.held().chunks == chunks


async def test_it_is_listed_and_kept_after_reopening(place: Place) -> None:
    async with opened(place.backend()) as backend:
        head = await untrimmed(backend)
        await salvage(backend, head)
    before = place.held()
    async with opened(place.backend()) as backend:
        (aside,) = await backend.list_set_aside()
        assert aside.document_id == head.document_id
        await trim_all(backend)
        assert await assembled(backend, "n") == [b"salvaged"]
    assert parts_of(place.held(), head.document_id) == parts_of(before, head.document_id)


async def test_a_document_whose_head_is_damaged_can_be_set_aside(
    backend: Backend, place: Place
) -> None:
    head = await untrimmed(backend)
    before = parts_of(place.held(), head.document_id)
    manager = place.harmed_head(head, cut_seq=head.last_seq)
    manager.__enter__()
    await salvage(backend, head)
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"salvaged"]
    assert parts_of(place.held(), head.document_id) == before


async def test_a_document_that_is_gone_is_not_replaced(backend: Backend, place: Place) -> None:
    head = await untrimmed(backend)
    staged = await stage(backend, head)
    before = place.held()
    for document_id in (0, 99):
        with pytest.raises(WriterSuperseded):
            await backend.replace(
                document_id, format.seal_head(published(fresh("n"), staged)), "why", 0
            )
    assert place.held() == before
    await backend.discard(staged)


async def test_nothing_is_replaced_by_what_is_not_staged(backend: Backend, place: Place) -> None:
    head = await untrimmed(backend)
    discarded = await stage(backend, head)
    await backend.discard(discarded)
    before = place.held()
    for snapshot_id in (discarded, head.snapshot_id or 0, 99):
        with pytest.raises(WriterSuperseded) as raised:
            await backend.replace(
                head.document_id, format.seal_head(published(fresh("n"), snapshot_id)), "why", 0
            )
        assert raised.value.document == "n"
    assert place.held() == before
    assert await assembled(backend, "n") == [b"folded", b"three"]


async def test_who_wrote_the_former_is_refused(backend: Backend, place: Place) -> None:
    """P7: a live document that knows nothing of it does not mix with the new one."""
    head = await untrimmed(backend)
    await salvage(backend, head)
    before = place.held()
    with pytest.raises(WriterSuperseded):
        await append(backend, head, b"four")
    with pytest.raises(WriterSuperseded):
        await backend.delete(head, format.seal_head(replace(head, deleted_ms=1)))
    assert place.held() == before


async def test_a_discarded_one_is_trimmed_in_bounded_steps(backend: Backend, place: Place) -> None:
    head = await append(backend, fresh("n"), *[b"row"] * (TRIM_ROWS_STEP + 5))
    head = await publish(backend, head)
    head = await append(backend, head, b"live")
    after = await salvage(backend, head)
    kept = parts_of(place.held(), after.document_id)
    assert await backend.discard_set_aside(head.document_id)
    assert list(await backend.list_set_aside()) == []
    left = [len(place.held().rows)]
    while await backend.trim(check_head):
        left.append(len(place.held().rows))
    assert left[:2] == [TRIM_ROWS_STEP + 6, 6]
    held = place.held()
    assert parts_of(held, head.document_id) == ({}, {}, {})
    assert parts_of(held, after.document_id) == kept
    assert held.set_aside == {}
    assert await assembled(backend, "n") == [b"salvaged"]


async def test_a_discard_is_finished_after_a_restart(place: Place) -> None:
    async with opened(place.backend()) as backend:
        head = await untrimmed(backend)
        await salvage(backend, head)
        assert await backend.discard_set_aside(head.document_id)
    async with opened(place.backend()) as backend:
        assert list(await backend.list_set_aside()) == []
        await trim_all(backend)
        assert parts_of(place.held(), head.document_id) == ({}, {}, {})


async def test_what_was_not_set_aside_is_not_discarded(backend: Backend, place: Place) -> None:
    head = await untrimmed(backend)
    after = await salvage(backend, head)
    before = place.held()
    for document_id in (after.document_id, 0, 99):
        assert not await backend.discard_set_aside(document_id)
    assert place.held() == before
    assert await backend.discard_set_aside(head.document_id)
    await trim_all(backend)
    assert not await backend.discard_set_aside(head.document_id)
