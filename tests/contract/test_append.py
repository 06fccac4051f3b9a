"""Backend.append and Backend.create: all or none, and only for the one who knows the head."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from store.intents import append, assembled, delete, fresh, intent, publish, stage

from yjs_store import Head, WriterSuperseded, format
from yjs_store.backend import Backend

from .places import Place


async def test_rows_of_many_documents_are_stored_and_their_ids_returned_in_order(
    backend: Backend,
) -> None:
    known = await append(backend, fresh("known"), b"data")
    ids = await backend.append([intent(fresh("a")), intent(known), intent(fresh("b"))])
    assert ids[1] == known.document_id
    assert len(set(ids)) == 3
    for name, document_id in zip(("a", "known", "b"), ids, strict=True):
        sealed = await backend.load_head(name)
        assert sealed is not None
        assert format.check_head(sealed).document_id == document_id
    assert await assembled(backend, "known") == [b"data", b"data"]


async def test_a_row_is_given_back_as_it_was_stored(backend: Backend) -> None:
    """P2: bytes in, bytes kept; whatever they are."""
    rows = [bytes(range(256)), b"", b"\0", b"x" * 100_000]
    head = fresh("n")
    items = []
    for data in rows:
        item = intent(head, data)
        (document_id,) = await backend.append([item])
        head = replace(item.after.head, document_id=document_id)
        items.append(item)
    stored = await backend.load("n")
    assert stored is not None
    assert list(stored.rows) == [item.row for item in items]
    assert stored.sealed_head == replace(items[-1].after, head=head)


async def test_a_head_is_given_back_as_it_was_stored(backend: Backend) -> None:
    """Every fact of it, the numbers as large as they get."""
    facts = replace(
        fresh("n"),
        created_ms=2**62,
        updated_ms=2**62 + 1,
        oversized_count=2**40,
    )
    document_id = await backend.create(format.seal_head(facts))
    sealed = await backend.load_head("n")
    assert sealed == format.seal_head(replace(facts, document_id=document_id))


async def test_appending_nothing_stores_nothing(place: Place, backend: Backend) -> None:
    before = place.held()
    assert list(await backend.append([])) == []
    assert place.held() == before


STALE: dict[str, Callable[[Head], Head]] = {
    "an earlier last_seq": lambda head: replace(head, last_seq=head.last_seq - 1),
    "a later last_seq": lambda head: replace(head, last_seq=head.last_seq + 1),
    "another cut_seq": lambda head: replace(head, cut_seq=head.cut_seq + 1),
    "another life": lambda head: replace(head, uid=bytes(16)),
    "a document that was not there": lambda head: fresh(head.name),
    "another document": lambda head: replace(head, document_id=head.document_id + 100),
}


@pytest.mark.parametrize("stale", STALE.values(), ids=STALE)
async def test_a_stale_writer_of_a_document_stores_nothing(
    backend: Backend, place: Place, stale: Callable[[Head], Head]
) -> None:
    """Field note 16 and P7: refused in the statement itself, with all of its commit."""
    head = await append(backend, fresh("n"), b"one", b"two")
    other = await append(backend, fresh("m"), b"three")
    before = place.held()
    with pytest.raises(WriterSuperseded) as raised:
        await backend.append([intent(other), intent(stale(head)), intent(fresh("new"))])
    assert raised.value.document == "n"
    assert place.held() == before
    await append(backend, head, b"three")
    assert await assembled(backend, "n") == [b"one", b"two", b"three"]


async def test_nothing_is_appended_to_a_deleted_document(backend: Backend, place: Place) -> None:
    """P9."""
    head = await append(backend, fresh("n"), b"one")
    tombstone = await delete(backend, head)
    before = place.held()
    for stale in (head, tombstone, fresh("n", bytes(16))):
        with pytest.raises(WriterSuperseded):
            await backend.append([intent(stale)])
    assert place.held() == before


async def test_a_created_document_has_nothing_in_it(backend: Backend) -> None:
    document_id = await backend.create(format.seal_head(fresh("n")))
    assert await assembled(backend, "n") == []
    head = replace(fresh("n"), document_id=document_id)
    assert (await append(backend, head, b"one")).document_id == document_id
    assert await assembled(backend, "n") == [b"one"]


async def test_a_document_is_created_with_its_first_snapshot_or_not_at_all(
    backend: Backend, place: Place
) -> None:
    snapshot_id = await stage(backend, replace(fresh("n"), last_seq=1), b"first")
    head = replace(fresh("n"), last_seq=1, cut_seq=1, snapshot_id=snapshot_id, snapshot_bytes=5)
    await backend.create(format.seal_head(head))
    assert await assembled(backend, "n") == [b"first"]
    before = place.held()
    for taken in (snapshot_id, snapshot_id + 100):
        other = replace(head, name="other", snapshot_id=taken)
        with pytest.raises(WriterSuperseded):
            await backend.create(format.seal_head(other))
        assert place.held() == before


async def test_a_name_is_created_once(backend: Backend, place: Place) -> None:
    await append(backend, fresh("n"), b"one")
    await delete(backend, await append(backend, fresh("gone"), b"one"))
    before = place.held()
    for name in ("n", "gone"):
        with pytest.raises(WriterSuperseded) as raised:
            await backend.create(format.seal_head(fresh(name, bytes(16))))
        assert raised.value.document == name
    assert place.held() == before


async def test_rows_go_on_after_a_snapshot(backend: Backend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one", b"two"))
    await append(backend, head, b"three")
    assert await assembled(backend, "n") == [b"folded", b"three"]
