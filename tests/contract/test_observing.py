"""The part of the contract that is about history, traces, acts and switches."""

from collections.abc import Sequence
from dataclasses import astuple, replace

import pytest
from store.intents import (
    append,
    delete,
    deleted,
    fresh,
    opened,
    publish,
    published,
    salvage,
    stage,
    trim_all,
)

from yjs_store import Head, WriterSuperseded, format
from yjs_store.backend import Backend, Reader
from yjs_store.backends import memory_notes, sqlite_notes
from yjs_store.limits import (
    CHECKPOINTS_KEPT_PER_DOCUMENT,
    KEPT_REMOVED_STEP,
    TRACES_KEPT_PER_DOCUMENT,
)
from yjs_store.observing_records import StoredNote

from .places import Place
from .test_quarantine import NO_BOUNDS
from .test_quarantine import stored as quarantine_entry
from .test_sessions import NOW_MS, add
from .test_sessions import stored as session


def note(data: bytes, document_id: int = 0) -> StoredNote:
    return StoredNote(data, b"sum of " + data, document_id)


def data_of(notes: Sequence[StoredNote]) -> list[bytes]:
    assert [each.number for each in notes] == sorted((each.number for each in notes), reverse=True)
    assert all(each.checksum == b"sum of " + each.data for each in notes)
    return [each.data for each in notes]


async def history(reader: Reader, document_id: int) -> list[bytes]:
    return data_of(await reader.observing.list_checkpoints(document_id, 1000))


async def traces(reader: Reader, document_id: int) -> list[bytes]:
    return data_of(await reader.observing.list_traces(document_id, 1000))


async def acts(reader: Reader, document: str | None = None) -> list[bytes]:
    return data_of(await reader.observing.list_acts(document, None, 1000))


async def kept_of(reader: Reader, document_id: int) -> tuple[list[bytes], list[bytes], bool]:
    switch = await reader.observing.find_switch(document_id)
    return await history(reader, document_id), await traces(reader, document_id), switch is not None


async def observed(backend: Backend, head: Head) -> Head:
    """Let something of everything be kept of a document."""
    key = head.document_id
    await backend.observing.add_checkpoint(note(b"checkpoint", key))
    await backend.observing.add_traces([note(b"trace", key)])
    assert await backend.observing.set_switch(note(b"switch", key))
    return head


EVERYTHING = ([b"checkpoint"], [b"trace"], True)
OF_A_TOMBSTONE = ([b"checkpoint"], [b"trace"], False)
NOTHING = ([], [], False)


# ---- checkpoints --------------------------------------------------------------------------------


async def test_the_record_of_a_checkpoint_comes_with_the_snapshot(place: Place) -> None:
    async with opened(place.backend()) as backend:
        head = await append(backend, fresh("n"), b"one")
        after = published(head, await stage(backend, head))
        await backend.publish(head, format.seal_head(after), note(b"published"))
        await backend.observing.add_checkpoint(note(b"failed", head.document_id))
    async with opened(place.reader()) as reader:
        assert await history(reader, head.document_id) == [b"failed", b"published"]
        assert await reader.observing.list_checkpoints(head.document_id, 1) == [
            replace(note(b"failed", head.document_id), number=2)
        ]


async def test_the_record_of_a_checkpoint_that_creates_its_document_comes_with_it(
    backend: Backend,
) -> None:
    head = replace(fresh("new"), last_seq=1)
    after = published(head, await stage(backend, head))
    document_id = await backend.create(format.seal_head(after), note(b"created"))
    assert await history(backend, document_id) == [b"created"]


async def test_what_is_not_published_leaves_no_record(place: Place, backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    staged = await stage(backend, head)
    await append(backend, head, b"two")
    before = place.held()
    with pytest.raises(WriterSuperseded):
        await backend.publish(head, format.seal_head(published(head, staged)), note(b"no"))
    taken = format.seal_head(published(fresh("n"), staged))
    with pytest.raises(WriterSuperseded):
        await backend.create(taken, note(b"no"))
    assert place.held() == before


async def test_nothing_is_kept_of_a_document_that_is_not_stored(
    place: Place, backend: Backend
) -> None:
    """P9: nor of one that was forgotten while it was on its way."""
    head = await append(backend, fresh("n"), b"one")
    before = place.held()
    stranger = head.document_id + 1
    await backend.observing.add_checkpoint(note(b"checkpoint", stranger))
    await backend.observing.add_traces([note(b"trace", stranger)])
    assert not await backend.observing.set_switch(note(b"switch", stranger))
    assert place.held() == before


# ---- bounds -------------------------------------------------------------------------------------


async def test_a_document_keeps_its_last_checkpoints_and_traces(backend: Backend) -> None:
    key = (await append(backend, fresh("n"), b"one")).document_id
    other = (await append(backend, fresh("m"), b"one")).document_id
    await backend.observing.add_checkpoint(note(b"of another", other))
    await backend.observing.add_traces([note(b"of another", other)])
    count = CHECKPOINTS_KEPT_PER_DOCUMENT + 7
    for number in range(count):
        await backend.observing.add_checkpoint(note(b"%d" % number, key))
    expected = [b"%d" % number for number in reversed(range(7, count))]
    assert await history(backend, key) == expected
    count = TRACES_KEPT_PER_DOCUMENT + 9
    await backend.observing.add_traces([note(b"%d" % number, key) for number in range(count)])
    expected = [b"%d" % number for number in reversed(range(9, count))]
    assert await traces(backend, key) == expected
    assert await history(backend, other) == await traces(backend, other) == [b"of another"]


async def test_all_documents_together_keep_so_many_and_the_rest_goes_in_steps(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [(await append(backend, fresh(name), b"one")).document_id for name in "abc"]
    many = [note(b"%d" % number, keys[number % 3]) for number in range(3 * KEPT_REMOVED_STEP)]
    await backend.observing.add_traces(many)
    for module in (sqlite_notes, memory_notes):
        monkeypatch.setitem(module._BOUNDS, "traces", (1000, 4))
    left = []
    for _ in range(4):
        await backend.observing.add_traces([note(b"new", keys[0])])
        left.append(sum([len(await traces(backend, key)) for key in keys]))
    step = KEPT_REMOVED_STEP
    assert left == [2 * step, step, 4, 4]


async def test_acts_are_bounded(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite_notes, memory_notes):
        monkeypatch.setattr(module, "ACTS_KEPT_MAX", 3)
    numbers = [await backend.observing.add_act(None, note(b"%d" % number)) for number in range(5)]
    assert numbers == sorted(set(numbers))
    assert await acts(backend) == [b"4", b"3", b"2"]


# ---- acts ---------------------------------------------------------------------------------------


async def test_acts_are_there_after_reopening_and_page_by_page(place: Place) -> None:
    async with opened(place.backend()) as backend:
        for number in range(5):
            document = "even" if number % 2 == 0 else None
            await backend.observing.add_act(document, note(b"%d" % number))
    async with opened(place.reader()) as reader:
        assert await acts(reader) == [b"4", b"3", b"2", b"1", b"0"]
        assert await acts(reader, "even") == [b"4", b"2", b"0"]
        first = await reader.observing.list_acts("even", None, 2)
        second = await reader.observing.list_acts("even", first[-1].number, 2)
        assert data_of(first) + data_of(second) == [b"4", b"2", b"0"]
        assert await acts(reader, "odd") == []


# ---- switches -----------------------------------------------------------------------------------


async def test_a_switch_is_set_replaced_and_lifted(place: Place) -> None:
    async with opened(place.backend()) as backend:
        key = (await append(backend, fresh("n"), b"one")).document_id
        for switched in (0, key):
            assert await backend.observing.set_switch(note(b"first", switched))
            assert await backend.observing.set_switch(note(b"second", switched))
    async with opened(place.backend()) as backend:
        assert await backend.observing.find_switch(0) == note(b"second", 0)
        assert await backend.observing.list_switches(-1, 9) == [
            note(b"second", 0),
            note(b"second", key),
        ]
        assert await backend.observing.list_switches(0, 9) == [note(b"second", key)]
        assert await backend.observing.list_switches(-1, 1) == [note(b"second", 0)]
        assert await backend.observing.lift_switch(key)
        assert not await backend.observing.lift_switch(key)
        assert await backend.observing.find_switch(key) is None
        assert await backend.observing.lift_switch(0)
        assert await backend.observing.list_switches(-1, 9) == []


# ---- with the document --------------------------------------------------------------------------


async def test_what_belongs_to_a_document_goes_when_it_is_forgotten(backend: Backend) -> None:
    """P9; what operators did stays, for it says who deleted it."""
    head = await observed(backend, await append(backend, fresh("n"), b"one"))
    other = await observed(backend, await append(backend, fresh("m"), b"one"))
    await backend.observing.add_act("n", note(b"deleted it"))
    tombstone = await delete(backend, head)
    assert await kept_of(backend, head.document_id) == OF_A_TOMBSTONE
    await trim_all(backend)
    assert await backend.forget(tombstone)
    assert await kept_of(backend, head.document_id) == NOTHING
    assert await kept_of(backend, other.document_id) == EVERYTHING
    assert await acts(backend, "n") == [b"deleted it"]
    again = await append(backend, fresh("n"), b"one")
    assert await kept_of(backend, again.document_id) == NOTHING


async def test_what_is_not_forgotten_loses_nothing(backend: Backend) -> None:
    head = await observed(backend, await append(backend, fresh("n"), b"one"))
    tombstone = await delete(backend, head)
    assert not await backend.forget(tombstone)
    await trim_all(backend)
    with pytest.raises(WriterSuperseded):
        await backend.forget(replace(deleted(head), uid=b"another life's  "))
    assert await kept_of(backend, head.document_id) == OF_A_TOMBSTONE


async def test_a_salvaged_document_has_the_history_of_the_damaged_one(backend: Backend) -> None:
    head = await observed(backend, await append(backend, fresh("n"), b"one"))
    after = await salvage(backend, head)
    assert await kept_of(backend, after.document_id) == EVERYTHING
    assert await kept_of(backend, head.document_id) == NOTHING
    assert await backend.discard_set_aside(head.document_id)
    await trim_all(backend)
    assert await kept_of(backend, after.document_id) == EVERYTHING


async def test_what_was_set_aside_without_a_successor_keeps_its_history_until_it_is_discarded(
    backend: Backend,
) -> None:
    head = await observed(backend, await append(backend, fresh("n"), b"one"))
    assert await backend.replace(head.document_id, None, "why", 0) is None
    assert await backend.audit() == []
    assert await kept_of(backend, head.document_id) == EVERYTHING
    assert await backend.discard_set_aside(head.document_id)
    await trim_all(backend)
    assert await kept_of(backend, head.document_id) == NOTHING


# ---- facts --------------------------------------------------------------------------------------


async def test_everything_about_a_document_is_read_at_once(backend: Backend) -> None:
    assert await backend.observing.facts("n") is None
    head = await append(backend, fresh("n"), b"one")
    found = await backend.observing.facts("n")
    assert found is not None
    assert (found.sealed_head.head, found.snapshot, found.checkpoints) == (head, None, ())
    assert (found.is_unvouched, found.quarantined, found.switch) == (False, 0, None)
    head = await observed(backend, await publish(backend, head, b"all that there was" * 99))
    await backend.distrust(head.document_id)
    for document in ("n", "n", "m"):
        entry = quarantine_entry(document.encode(), document=document, hash=bytes([len(document)]))
        await backend.quarantine.put(entry, lambda _: None, NO_BOUNDS)
    found = await backend.observing.facts("n")
    assert found is not None
    assert format.check_head(found.sealed_head) == head
    assert found.snapshot is not None
    assert found.snapshot.codecs == (format.CODEC_ZSTD,)
    manifest = found.snapshot.manifest
    assert (manifest.snapshot_id, manifest.cut_seq) == (head.snapshot_id, 1)
    assert (manifest.byte_length, manifest.chunk_count) == (head.snapshot_bytes, 1)
    assert (found.is_unvouched, found.quarantined) == (True, 1)
    assert found.switch == note(b"switch", head.document_id)
    assert data_of(found.checkpoints) == [b"checkpoint"]
    assert found.unreadable == ()


async def test_a_tombstone_has_facts_but_no_snapshot(backend: Backend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    tombstone = await delete(backend, head)
    found = await backend.observing.facts("n")
    assert found is not None
    assert (found.sealed_head.head, found.snapshot) == (tombstone, None)


async def test_everything_is_counted(backend: Backend) -> None:
    before = await backend.observing.counts(NOW_MS + 1)
    assert set(astuple(before)) == {0}
    head = await append(backend, fresh("n"), b"one")
    await backend.sessions.change(
        [
            add(session("live", expires_ms=NOW_MS + 2)),
            add(session("expired", expires_ms=NOW_MS + 1)),
            add(session("ended", expires_ms=NOW_MS + 2, status="ended")),
        ]
    )
    for number in range(2):
        entry = quarantine_entry(b"%d" % number)
        await backend.quarantine.put(entry, lambda _: None, NO_BOUNDS)
    await backend.distrust(head.document_id)
    await backend.observing.set_switch(note(b"switch", 0))
    for name in ("x", "y", "z"):
        await salvage(backend, await append(backend, fresh(name), b"one"))
    counts = await backend.observing.counts(NOW_MS + 1)
    assert astuple(counts) == (1, 2, 1, 3, 1)
    assert await backend.quarantine.count(None) == 2
    assert await backend.quarantine.count("notes") == 2
    assert await backend.quarantine.count("n") == 0
