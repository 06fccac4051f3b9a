"""The part of the contract that is about refused updates."""

from dataclasses import replace

import pytest
from store.intents import opened

from yjs_store import QuarantineEntry, WriterSuperseded
from yjs_store.backend import Backend, Reader
from yjs_store.quarantine_records import QuarantineBounds
from yjs_store.records import StoredEntry

from .places import Place

NO_BOUNDS = QuarantineBounds(1000, 1000, 1 << 30)


def stored(data: bytes | None, **facts: object) -> StoredEntry:
    entry = QuarantineEntry(
        entry_id=0,
        document="notes",
        reason="because",
        sender="ann",
        created_ms=1,
        seen_ms=1,
        seen_count=1,
        byte_length=7,
        hash=b"hash of " + (data or b"nothing"),
        data=data,
    )
    return StoredEntry(replace(entry, **facts), b"checksum")  # type: ignore[arg-type]


async def put(backend: Backend, entry: StoredEntry, bounds: QuarantineBounds = NO_BOUNDS) -> int:
    return await backend.quarantine.put(entry, again, bounds)


def again(former: StoredEntry) -> StoredEntry:
    count = former.entry.seen_count + 1
    changed = replace(former.entry, seen_count=count, seen_ms=9, reason="r", sender="s")
    return StoredEntry(changed, b"new checksum")


async def kept(reader: Reader) -> list[bytes | None]:
    found = [
        await reader.quarantine.get(each.entry.entry_id)
        for each in await reader.quarantine.list(None, 0, 1000)
    ]
    return [each.entry.data for each in found if each is not None]


async def test_what_was_put_is_there_whole_and_after_reopening(place: Place) -> None:
    async with opened(place.backend()) as backend:
        entry_id = await put(backend, stored(b"data"))
        other_id = await put(backend, stored(None))
    expected = replace(stored(b"data"), entry=replace(stored(b"data").entry, entry_id=entry_id))
    async with opened(place.backend()) as backend:
        assert await backend.quarantine.get(entry_id) == expected
    async with opened(place.reader()) as reader:
        first, second = await reader.quarantine.list(None, 0, 9)
        assert first == replace(expected, entry=replace(expected.entry, data=None))
        assert await reader.quarantine.get(other_id) == second
        assert await reader.quarantine.get(other_id + 1) is None


async def test_what_is_there_already_is_merged_and_keeps_its_data(backend: Backend) -> None:
    first = await put(backend, stored(b"data"))
    assert await put(backend, stored(b"data")) == first
    assert await put(backend, stored(b"data", document="plans")) != first
    found = await backend.quarantine.get(first)
    assert found is not None
    facts = found.entry
    assert (facts.data, facts.seen_count, facts.seen_ms) == (b"data", 2, 9)
    assert (facts.reason, facts.sender, found.checksum) == ("r", "s", b"new checksum")


async def test_what_cannot_be_merged_is_replaced(backend: Backend) -> None:
    await put(backend, stored(b"data"))
    new = stored(b"data", created_ms=5)
    entry_id = await backend.quarantine.put(new, lambda _: None, NO_BOUNDS)
    (found,) = await backend.quarantine.list(None, 0, 9)
    assert (found.entry.entry_id, found.entry.created_ms) == (entry_id, 5)


async def test_a_list_is_of_one_document_or_all_and_goes_on(backend: Backend) -> None:
    ids = [
        await put(backend, stored(b"%d" % number, document="ab"[number % 2])) for number in range(5)
    ]
    for document, after, limit, expected in (
        (None, 0, 9, ids),
        (None, ids[1], 2, ids[2:4]),
        ("a", 0, 9, ids[::2]),
        ("a", ids[0], 1, ids[2:3]),
        ("c", 0, 9, []),
    ):
        found = await backend.quarantine.list(document, after, limit)
        assert [each.entry.entry_id for each in found] == expected


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (QuarantineBounds(2, 1000, 1000), [b"333", b"4444"]),
        (QuarantineBounds(1000, 1, 1000), [b"22", b"4444"]),
        (QuarantineBounds(1000, 1000, 9), [b"22", b"333", b"4444"]),
        (QuarantineBounds(1000, 1000, 8), [b"333", b"4444"]),
        (QuarantineBounds(1000, 1000, 1), [b"4444"]),
        (QuarantineBounds(1, 1, 1), [b"4444"]),
    ],
)
async def test_the_oldest_above_a_bound_go_and_never_the_newest(
    backend: Backend, bounds: QuarantineBounds, expected: list[bytes]
) -> None:
    for data, document in ((b"1", "a"), (b"22", "b"), (b"333", "a")):
        await put(backend, stored(data, document=document))
    await put(backend, stored(b"4444", document="a"), bounds)
    assert await kept(backend) == expected


async def test_entries_are_removed_by_number_and_by_age_in_steps(backend: Backend) -> None:
    ids = [await put(backend, stored(b"%d" % seen, seen_ms=seen)) for seen in (5, 3, 8, 4)]
    assert await backend.quarantine.remove(ids[2])
    assert not await backend.quarantine.remove(ids[2])
    assert await backend.quarantine.remove_before(5, 1) == 1
    assert await backend.quarantine.remove_before(5, 9) == 1
    assert await backend.quarantine.remove_before(5, 9) == 0
    assert await kept(backend) == [b"5"]


async def test_a_number_is_not_used_again(backend: Backend) -> None:
    first = await put(backend, stored(b"1"))
    await backend.quarantine.remove(first)
    assert await put(backend, stored(b"2")) != first


async def test_a_superseded_writer_keeps_and_removes_nothing(place: Place) -> None:
    """P7."""
    async with opened(place.backend()) as former:
        entry_id = await put(former, stored(b"1"))
        place.release()
        async with opened(place.backend()) as backend:
            for call in (
                put(former, stored(b"2")),
                former.quarantine.remove(entry_id),
                former.quarantine.remove_before(99, 9),
            ):
                with pytest.raises(WriterSuperseded):
                    await call
            assert await kept(backend) == [b"1"]
