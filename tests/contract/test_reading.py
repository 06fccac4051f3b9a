"""The rest of Reader: lists in pages, sizes, keys, and what remains of a document."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.intents import (
    append,
    candidate,
    delete,
    fresh,
    intent,
    opened,
    publish,
    stage,
    trim_all,
)

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.format import check_head
from yjs_store.records import Extent, SnapshotRemains

from .judging import check_whole
from .places import Place

names = st.text(
    st.sampled_from("ab/\U0001f600\ue000\uffff") | st.characters(exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=4,
)


async def listed(backend: Backend, prefix: str, limit: int) -> list[str]:
    """All names with a prefix, read page by page."""
    found: list[str] = []
    after = None
    while True:
        page = await backend.list_heads(prefix, after, limit)
        assert len(page) <= limit
        found += [check_head(sealed).name for sealed in page]
        if len(page) < limit:
            return found
        after = found[-1]


@settings(max_examples=60, deadline=None)
@given(
    stored=st.sets(names, max_size=8),
    prefix=st.just("") | st.sampled_from(["a", "a/", "\ue000", "\U0001f600"]) | names,
    limit=st.integers(1, 4),
)
async def test_pages_have_every_name_with_the_prefix_in_code_point_order(
    new_place: Callable[[], Place], stored: set[str], prefix: str, limit: int
) -> None:
    place = new_place()
    async with opened(place.backend()) as backend:
        if stored:
            await backend.append([intent(fresh(name)) for name in stored])
        expected = sorted(name for name in stored if name.startswith(prefix))
        assert await listed(backend, prefix, limit) == expected
    await check_whole(place)


async def test_a_name_with_the_last_code_point_after_the_prefix_is_listed(
    backend: Backend,
) -> None:
    await backend.append([intent(fresh("a\U0010ffffb"))])
    assert await listed(backend, "a", 10) == ["a\U0010ffffb"]


async def test_a_page_begins_after_a_name_that_is_not_there(backend: Backend) -> None:
    await backend.append([intent(fresh(name)) for name in ("a", "c", "d")])
    for after, expected in [("b", ["c", "d"]), ("c", ["d"]), ("", ["a", "c", "d"]), ("z", [])]:
        page = await backend.list_heads("", after, 10)
        assert [sealed.head.name for sealed in page] == expected
    assert list(await backend.list_heads("a", "c", 10)) == []


async def test_names_are_told_apart_by_code_point_alone(backend: Backend) -> None:
    alike = ["é", "e\u0301", "E\u0301", "n", "N", "n ", "n\0", "ﬁ", "fi"]
    for number, name in enumerate(alike):
        await append(backend, fresh(name), b"%d" % number)
    for number, name in enumerate(alike):
        stored = await backend.load(name)
        assert stored is not None
        head, updates = format.assemble(stored)
        assert (head.name, updates) == (name, [b"%d" % number])
    assert await listed(backend, "", 2) == sorted(alike)


async def test_tombstones_are_listed(backend: Backend) -> None:
    await delete(backend, await append(backend, fresh("n"), b"one"))
    (sealed,) = await backend.list_heads("", None, 10)
    assert check_head(sealed).deleted_ms is not None


async def test_what_is_not_there_is_none(backend: Backend) -> None:
    await append(backend, fresh("n"), b"one")
    assert await backend.load("m") is None
    assert await backend.load_head("m") is None
    assert await backend.load_remains("m") is None
    for document_id in (0, 99, -1):
        assert await backend.load_by_id(document_id) is None


async def test_a_document_is_loaded_by_its_key_as_by_its_name(backend: Backend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    await append(backend, head, b"two")
    tombstone = await delete(backend, await append(backend, fresh("m"), b"three"))
    stored = await backend.load_by_id(head.document_id)
    assert stored == await backend.load("n")
    assert stored is not None
    assert format.assemble(stored)[1] == [b"folded", b"two"]
    assert await backend.load_by_id(tombstone.document_id) == await backend.load("m")


async def test_extents_come_in_pages_by_key(backend: Backend) -> None:
    heads = [await append(backend, fresh(name), b"x" * 10) for name in ("z", "y", "x")]
    heads[1] = await append(backend, await publish(backend, heads[1]), b"1234")
    heads[2] = await delete(backend, heads[2])
    expected = [
        Extent(head.document_id, head.journal_bytes + head.snapshot_bytes) for head in heads
    ]
    assert [extent.byte_length for extent in expected] == [10, 10, 0]
    assert list(await backend.list_extents(0, 10)) == expected
    assert list(await backend.list_extents(0, 2)) == expected[:2]
    assert list(await backend.list_extents(heads[0].document_id, 2)) == expected[1:]
    assert list(await backend.list_extents(heads[2].document_id, 2)) == []


async def test_remains_are_everything_that_is_there_dead_or_not(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    first = await publish(backend, head, b"first")
    second = await publish(backend, await append(backend, first, b"two"), b"second")
    head = await append(backend, second, b"three")
    staged = await stage(backend, head, b"third")
    await append(backend, fresh("m"), b"another document's")
    remains = await backend.load_remains("n")
    assert remains is not None
    assert check_head(remains.sealed_head) == head
    assert [format.check_row(head, row) for row in remains.rows] == [b"one", b"two", b"three"]
    assert [each.snapshot_id for each in remains.snapshots] == [
        first.snapshot_id,
        second.snapshot_id,
        staged,
    ]
    for each, update in zip(remains.snapshots, (b"first", b"second", b"third"), strict=True):
        assert each.manifest is not None
        assert format.join_snapshot(head, each.manifest, each.chunks) == update
    assert remains.unreadable == ()
    await backend.discard(staged)
    await trim_all(backend)
    remains = await backend.load_remains("n")
    assert remains is not None
    assert [row.seq for row in remains.rows] == [3]
    assert [each.snapshot_id for each in remains.snapshots] == [second.snapshot_id]


async def test_a_named_snapshot_that_is_not_there_is_among_the_remains(
    backend: Backend, place: Place
) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    with place.harmed_head(head, snapshot_id=99):
        remains = await backend.load_remains("n")
    assert remains is not None
    assert remains.sealed_head.head.snapshot_id == 99
    assert [each.snapshot_id for each in remains.snapshots] == [head.snapshot_id, 99]
    assert remains.snapshots[1] == SnapshotRemains(99, None, ())


@pytest.mark.parametrize(
    "facts",
    [{"cut_seq": 2}, {"cut_seq": 0}, {"snapshot_id": 99}, {"last_seq": 4}, {"updated_ms": 1}],
    ids=str,
)
async def test_a_head_is_given_as_it_is_stored_for_others_to_judge(
    backend: Backend, place: Place, facts: dict[str, int]
) -> None:
    """The backend neither believes a head nor hides one that is damaged."""
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    head = await append(backend, head, b"two", b"three")
    harmed = replace(format.seal_head(head), head=replace(head, **facts))
    with place.harmed_head(head, **facts):
        stored = await backend.load("n")
        assert stored is not None
        assert stored.sealed_head == harmed
        assert await backend.load_head("n") == harmed
        assert list(await backend.list_heads("", None, 9)) == [harmed]


async def test_rows_beyond_the_last_are_loaded_too(backend: Backend, place: Place) -> None:
    """P4: there must be none, and ``format`` says so."""
    head = await append(backend, fresh("n"), b"one", b"two")
    with place.harmed_head(head, last_seq=1):
        stored = await backend.load("n")
        assert stored is not None
        assert [row.seq for row in stored.rows] == [1, 2]


async def test_a_sound_store_has_nothing_to_audit(backend: Backend) -> None:
    assert list(await backend.audit()) == []
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    await backend.stage(head, *candidate(head))
    await delete(backend, await append(backend, fresh("m"), b"two"))
    assert list(await backend.audit()) == []


async def test_statistics_add_up_the_heads(backend: Backend) -> None:
    empty = await backend.statistics()
    assert (empty.documents, empty.journal_rows, empty.journal_bytes) == (0, 0, 0)
    await append(backend, fresh("a"), b"1234", b"56")
    folded = await publish(backend, await append(backend, fresh("b"), b"x" * 5000))
    await append(backend, folded, b"789")
    await delete(backend, await append(backend, fresh("c"), b"gone"))
    for _ in range(2):
        sizes = await backend.statistics()
        assert (sizes.documents, sizes.deleted_documents) == (2, 1)
        assert (sizes.journal_rows, sizes.journal_bytes, sizes.snapshot_bytes) == (3, 9, 6)
        assert sizes.file_bytes + sizes.wal_bytes >= 15
        await trim_all(backend)
