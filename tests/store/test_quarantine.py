"""yjs_store.quarantine: refused updates are kept for a person, and a flood of them costs little."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yjs_store import (
    EntryMissing,
    QuarantineEntry,
    Store,
    StoreFull,
    UpdateRefused,
    open_store,
    quarantine,
    quarantine_format,
)
from yjs_store.limits import QUARANTINE_KEPT_MS, QUARANTINE_TEXT_MAX
from yjs_store.quarantine import WriteRate

from .clock import Clock
from .editing import letters, read
from .stores import WatchedBackend, lose_entry, raw, store_over, url

REASON = "it is nested too deeply"
SENDER = "ann at 192.0.2.1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path, clock: Clock) -> AsyncIterator[Store]:
    where = "memory:" if request.param == "memory" else url(path)
    async with open_store(where, clock_ms=clock) as store:
        yield store


async def put(store: Store, update: bytes, document: str = "notes") -> int | None:
    return await store.quarantine.put(document, update, REASON, SENDER)


async def kept(store: Store) -> list[tuple[str, bytes | None]]:
    entries = await store.quarantine.list()
    return [(each.document, (await store.quarantine.get(each.entry_id)).data) for each in entries]


async def test_what_was_put_is_listed_and_given_back_whole(store: Store, clock: Clock) -> None:
    entry_id = await put(store, b"bad")
    assert entry_id is not None
    expected = QuarantineEntry(
        entry_id=entry_id,
        document="notes",
        reason=REASON,
        sender=SENDER,
        created_ms=clock.now_ms,
        seen_ms=clock.now_ms,
        seen_count=1,
        byte_length=3,
        hash=hashlib.sha256(b"bad").digest(),
        data=None,
    )
    assert await store.quarantine.list() == [expected]
    found = await store.quarantine.get(entry_id)
    assert (found.data, found.problem, found.hash) == (b"bad", None, expected.hash)


async def test_the_same_update_of_the_same_document_is_counted_not_kept_twice(
    store: Store, clock: Clock
) -> None:
    first = await put(store, b"bad")
    clock.now_ms += 7
    assert await store.quarantine.put("notes", b"bad", "another reason", "bob") == first
    other = await put(store, b"bad", "plans")
    assert other != first
    entry, _ = await store.quarantine.list()
    assert (entry.seen_count, entry.seen_ms - entry.created_ms) == (2, 7)
    assert (entry.reason, entry.sender) == ("another reason", "bob")
    assert await kept(store) == [("notes", b"bad"), ("plans", b"bad")]


async def test_of_an_update_above_the_bound_hash_and_length_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_format, "QUARANTINE_ENTRY_BYTES_MAX", 4)
    large = await put(store, b"large")
    assert large is not None
    entry = await store.quarantine.get(large)
    assert (entry.byte_length, entry.data, entry.problem) == (5, None, None)
    assert entry.hash == hashlib.sha256(b"large").digest()
    with pytest.raises(EntryMissing, match="only its hash and length"):
        await store.quarantine.release(large)


async def test_texts_are_cut_to_their_bound_and_to_what_can_be_stored(store: Store) -> None:
    hostile = "\udc80" + "x" * 2 * QUARANTINE_TEXT_MAX
    await store.quarantine.put("notes", b"bad", hostile, hostile)
    (entry,) = await store.quarantine.list()
    assert len(entry.reason) == len(entry.sender) == QUARANTINE_TEXT_MAX
    assert entry.problem is None


async def test_the_oldest_entries_of_a_document_go_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "QUARANTINE_ENTRIES_PER_DOCUMENT_MAX", 2)
    await put(store, b"0", "plans")
    for update in (b"1", b"2", b"3"):
        await put(store, update)
    assert await kept(store) == [("plans", b"0"), ("notes", b"2"), ("notes", b"3")]


async def test_the_oldest_entries_of_all_go_first_by_number(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "QUARANTINE_ENTRIES_MAX", 2)
    for number in range(4):
        await put(store, b"%d" % number, f"document {number}")
    assert await kept(store) == [("document 2", b"2"), ("document 3", b"3")]


async def test_the_oldest_entries_of_all_go_first_by_bytes_but_never_the_newest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "QUARANTINE_BYTES_MAX", 10)
    for update in (b"1111", b"2222", b"333"):
        await put(store, update)
    assert await kept(store) == [("notes", b"2222"), ("notes", b"333")]
    await put(store, b"4" * 11)
    assert await kept(store) == [("notes", b"4" * 11)]


async def test_what_was_not_seen_for_its_time_is_removed(store: Store, clock: Clock) -> None:
    await put(store, b"old")
    await put(store, b"seen again")
    clock.now_ms += 1
    await put(store, b"seen again")
    clock.now_ms += QUARANTINE_KEPT_MS
    assert await store.quarantine.remove_old() == 1
    assert await kept(store) == [("notes", b"seen again")]


async def test_what_is_removed_in_several_steps_is_all_removed(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "CLEANING_ROWS_STEP", 2)
    for number in range(5):
        await put(store, b"%d" % number)
    clock.now_ms += QUARANTINE_KEPT_MS + 1
    assert await store.quarantine.remove_old() == 5
    assert await kept(store) == []


# ---- a flood ------------------------------------------------------------------------------------


async def test_a_flood_is_counted_and_only_a_bounded_part_of_it_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "QUARANTINE_WRITES_PER_DOCUMENT_AND_MINUTE", 5)
    answers = [await put(store, b"%d" % number) for number in range(50)]
    assert answers[5:] == [None] * 45
    assert await put(store, b"bad", "plans") is not None
    assert (store.quarantine.state.kept, store.quarantine.state.dropped) == (6, 45)
    assert store.quarantine.state.dropped_because == "too many in a minute"
    assert len(await store.quarantine.list()) == 6


async def test_nobody_waits_for_a_flood_and_its_memory_is_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "QUARANTINE_WAITING_MAX", 3)
    monkeypatch.setattr(quarantine, "QUARANTINE_WAITING_BYTES_MAX", 10)
    # Without an await in between: the task that writes has not run.
    by_number = [store.quarantine.put("a", b"%d" % number, "", "") for number in range(5)]
    assert [each.done() for each in by_number] == [False, False, False, True, True]
    assert None not in await asyncio.gather(*by_number[:3])
    by_bytes = [store.quarantine.put("b", b"%d" % number * 6, "", "") for number in range(2)]
    assert [each.done() for each in by_bytes] == [False, True]
    await asyncio.gather(*by_bytes)
    assert await put(store, b"then there is room again", "c") is None
    assert await put(store, b"again", "c") is not None


def test_a_minute_later_there_are_writes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "QUARANTINE_WRITES_PER_DOCUMENT_AND_MINUTE", 1)
    monkeypatch.setattr(quarantine, "QUARANTINE_WRITES_PER_MINUTE", 3)
    rate = WriteRate()
    assert [rate.take(name, 100.0) for name in "aabbcd"] == [True, False, True, False, True, False]
    assert not rate.take("a", 159.9)
    assert rate.take("a", 160.0)


async def test_storage_that_fails_costs_the_entry_and_nothing_else(path: Path) -> None:
    backend = WatchedBackend(path)
    async with store_over(backend) as store:
        failing = True
        put_entry = backend.quarantine.put

        async def fail(*arguments: object) -> int:
            if failing:
                raise StoreFull("no room left")
            return await put_entry(*arguments)  # type: ignore[arg-type]

        backend.quarantine.put = fail  # type: ignore[assignment,method-assign]
        assert await put(store, b"bad") is None
        assert store.quarantine.state.dropped_because == "no room left"
        await store.append("notes", letters("a")[0])
        failing = False
        assert await put(store, b"bad") is not None


async def test_a_store_that_closes_while_storage_fails_does_not_wait_for_the_rest(
    path: Path,
) -> None:
    backend = WatchedBackend(path)
    tries = 0

    async def fail(*_: object) -> int:
        nonlocal tries
        tries += 1
        raise StoreFull("no room left")

    async with store_over(backend) as store:
        backend.quarantine.put = fail  # type: ignore[assignment,method-assign]
        waiting = [store.quarantine.put("notes", b"%d" % n, "", "") for n in range(9)]
    assert await asyncio.gather(*waiting) == [None] * 9
    assert tries <= 2  # closing may begin only after the first


async def test_what_waits_when_the_store_is_closed_is_written(path: Path) -> None:
    async with open_store(url(path)) as store:
        waiting = store.quarantine.put("notes", b"bad", REASON, SENDER)
    assert waiting.done()
    assert await store.quarantine.put("notes", b"late", REASON, SENDER) is None
    async with open_store(url(path)) as store:
        assert await kept(store) == [("notes", b"bad")]


# ---- what a person does with it -----------------------------------------------------------------


async def test_a_released_update_is_in_its_document_and_no_longer_in_quarantine(
    store: Store,
) -> None:
    a, b = letters("ab")
    await store.append("notes", a)
    entry_id = await put(store, b)
    assert entry_id is not None
    receipt = await store.quarantine.release(entry_id)
    assert (receipt.document, receipt.seq) == ("notes", 2)
    assert read(await store.load("notes")) == read(a, b)
    assert await store.quarantine.list() == []


async def test_what_is_refused_again_stays(store: Store) -> None:
    entry_id = await put(store, b"bad")
    assert entry_id is not None
    with pytest.raises(UpdateRefused):
        await store.quarantine.release(entry_id)
    assert await kept(store) == [("notes", b"bad")]


async def test_what_was_discarded_is_gone(store: Store) -> None:
    entry_id = await put(store, b"bad")
    assert entry_id is not None
    assert await store.quarantine.discard(entry_id)
    assert not await store.quarantine.discard(entry_id)
    with pytest.raises(EntryMissing):
        await store.quarantine.get(entry_id)
    with pytest.raises(EntryMissing):
        await store.quarantine.release(entry_id)


async def test_a_list_of_one_document_goes_on_after_an_entry(store: Store) -> None:
    for update in (b"1", b"2", b"3"):
        await put(store, update)
        await put(store, update, "plans")
    first, second = await store.quarantine.list(document="notes", limit=2)
    (third,) = await store.quarantine.list(after=second.entry_id, document="notes")
    hashes = [each.hash for each in (first, second, third)]
    assert hashes == [hashlib.sha256(each).digest() for each in (b"1", b"2", b"3")]


# ---- damage (P4) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "in_list"),
    [
        ("document = 'plans'", True),
        ("reason = 'none'", True),
        ("sender = 'bob'", True),
        ("created_ms = created_ms + 1", True),
        ("seen_ms = seen_ms + 1", True),
        ("seen_count = 9", True),
        ("byte_length = 9", True),
        ("hash = zeroblob(32)", True),
        ("checksum = zeroblob(16)", True),
        ("document = CAST(x'ff' AS TEXT)", True),
        ("data = x'00'", False),
    ],
)
async def test_a_damaged_entry_says_so_and_is_not_released(
    path: Path, change: str, in_list: bool
) -> None:
    async with open_store(url(path)) as store:
        for update in letters("ab"):
            await put(store, update)
    with raw(path) as connection:
        connection.execute(f"UPDATE quarantine SET {change} WHERE id = 1")
    async with open_store(url(path)) as store:
        damaged, sound = await store.quarantine.list()
        assert (damaged.problem is not None) is in_list
        assert sound.problem is None
        entry = await store.quarantine.get(1)
        assert entry.problem is not None
        assert entry.data is None
        with pytest.raises(EntryMissing, match=entry.problem):
            await store.quarantine.release(1)
        await store.quarantine.release(2)
        assert await store.quarantine.discard(1)
        assert await store.quarantine.list() == []


async def test_a_damaged_entry_gives_way_to_the_same_update_when_it_comes_again(
    path: Path,
) -> None:
    async with open_store(url(path)) as store:
        await put(store, b"bad")
    with raw(path) as connection:
        connection.execute("UPDATE quarantine SET reason = 'none'")
    async with open_store(url(path)) as store:
        await put(store, b"bad")
        (entry,) = await store.quarantine.list()
        assert (entry.reason, entry.problem, entry.seen_count) == (REASON, None, 1)


async def test_an_entry_that_its_index_does_not_know_can_be_discarded(path: Path) -> None:
    async with open_store(url(path)) as store:
        await put(store, b"bad")
        await put(store, b"worse")
    lose_entry(path, "quarantine_by_content", b"notes")
    async with open_store(url(path)) as store:
        for entry_id in (1, 2):
            assert await store.quarantine.discard(entry_id)
        assert await store._parts.backend.audit() == []
