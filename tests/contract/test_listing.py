"""ObservingReader.page: documents in every order, page by page."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.intents import append, delete, fresh, opened

from yjs_store import Head, format
from yjs_store.backend import Backend, Reader
from yjs_store.listing_records import (
    ListedHead,
    Order,
    PageRequest,
    Troubled,
    parse_position,
    position_text,
    value_of,
)
from yjs_store.observing_records import StoredNote
from yjs_store.records import Append

from .places import Place
from .test_quarantine import NO_BOUNDS
from .test_quarantine import stored as quarantine_entry

NO_TROUBLE = Troubled(frozenset(), 1 << 40)


async def make(backend: Backend, name: str, updated_ms: int, journal: int, snapshot: int) -> Head:
    """A document with a head of these facts; nothing else of it is looked at here."""
    after = replace(
        fresh(name),
        last_seq=1,
        journal_bytes=journal,
        snapshot_bytes=snapshot,
        updated_ms=updated_ms,
    )
    row = format.seal_row(after.uid, 1, 0, b"x" * journal)
    (document_id,) = await backend.append([Append(fresh(name), format.seal_head(after), row)])
    return replace(after, document_id=document_id)


async def walk(reader: Reader, request: PageRequest) -> list[ListedHead]:
    """Every page, as who reads them by URL does."""
    found: list[ListedHead] = []
    while True:
        page = await reader.observing.page(request)
        assert len(page.entries) <= request.limit
        found += page.entries
        assert len(found) <= page.total, "no document is listed twice"
        if page.following is None:
            return found
        assert len(page.entries) == request.limit
        text = position_text(page.following, request.order)
        request = replace(request, after=parse_position(text, request.order))
        assert request.after is not None
        assert request.after.value == page.following.value


async def names(reader: Reader, **facts: Any) -> list[str]:
    return [entry.name for entry in await walk(reader, PageRequest(limit=2, **facts))]


HEADS = st.dictionaries(
    st.text(st.sampled_from("ab/ä\uffff\U00010000\U0010ffff"), min_size=1, max_size=4),
    st.tuples(*[st.integers(0, 3)] * 3),
    max_size=12,
)


@pytest.mark.parametrize("order", Order)
@settings(max_examples=20, deadline=None)
@given(heads=HEADS, prefix=st.text("ab/ä\U0010ffff", max_size=2), limit=st.integers(1, 5))
async def test_the_pages_together_are_the_sorted_list(
    new_place: Callable[[], Place],
    order: Order,
    heads: dict[str, tuple[int, int, int]],
    prefix: str,
    limit: int,
) -> None:
    async with opened(new_place().backend()) as backend:
        made = [await make(backend, name, *facts) for name, facts in heads.items()]
        found = await walk(backend, PageRequest(order, prefix, None, limit))
    meant = [head for head in made if head.name.startswith(prefix)]
    if order is Order.NAME:
        meant.sort(key=lambda head: head.name)
    else:
        meant.sort(key=lambda head: (value_of(head, order), head.document_id), reverse=True)
    assert [entry.sealed_head and entry.sealed_head.head for entry in found] == meant
    assert [entry.name for entry in found] == [head.name for head in meant]


async def test_tombstones_are_listed_and_everything_is_counted(backend: Backend) -> None:
    await append(backend, fresh("b"), b"one")
    await delete(backend, await append(backend, fresh("a"), b"one"))
    page = await backend.observing.page(PageRequest(prefix="a", limit=1))
    (entry,) = page.entries
    assert entry.sealed_head is not None
    assert entry.sealed_head.head.deleted_ms == 1
    assert (page.total, page.following) == (2, None)


@pytest.mark.parametrize("order", Order)
async def test_only_those_in_trouble_are_listed(backend: Backend, order: Order) -> None:
    for name in ("sound", "named", "other/named", "refused", "switched", "long"):
        head = await make(backend, name, 1, 100 if name == "long" else 99, 0)
        if name == "switched":
            switch = StoredNote(b"switch", b"", head.document_id)
            assert await backend.observing.set_switch(switch)
    await backend.observing.set_switch(StoredNote(b"of the store", b""))
    entry = quarantine_entry(b"data", document="refused")
    await backend.quarantine.put(entry, lambda _: None, NO_BOUNDS)
    known = frozenset({"named", "other/named", "not stored"})
    troubled = Troubled(known, 100)
    expected = {"named", "other/named", "refused", "switched", "long"}
    found = await names(backend, order=order, troubled=troubled)
    assert (set(found), len(found)) == (expected, len(expected))
    assert await names(backend, order=order, troubled=troubled, prefix="other/") == ["other/named"]
    unnamed = replace(troubled, names=frozenset())
    assert set(await names(backend, order=order, troubled=unnamed)) == expected - known


@pytest.mark.parametrize("order", Order)
async def test_a_damaged_head_is_an_entry_among_others(
    place: Place, backend: Backend, order: Order
) -> None:
    heads = [await make(backend, name, 5, 5, 5) for name in "abc"]
    with place.harmed_head(heads[1], updated_ms=4, journal_bytes=4):
        found = await walk(backend, PageRequest(order, limit=1))
    assert {entry.name for entry in found} == {"a", "b", "c"}
    for entry in found:
        assert entry.sealed_head is not None
        if entry.name == "b":
            with pytest.raises(format.Damaged):
                format.check_head(entry.sealed_head)
        else:
            format.check_head(entry.sealed_head)
