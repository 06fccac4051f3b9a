"""Backend.stage, publish, discard and load_staged: nothing is seen before it is published (P3)."""

import os
from dataclasses import replace

import pytest
from store.intents import (
    append,
    assembled,
    candidate,
    delete,
    fresh,
    intent,
    opened,
    publish,
    published,
    stage,
    trim_all,
)

from yjs_store import WriterSuperseded, format
from yjs_store.backend import Backend
from yjs_store.format import check_head

from .places import Place


async def test_load_ignores_a_staged_snapshot(backend: Backend) -> None:
    """P3."""
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    assert await assembled(backend, "n") == [b"one"]
    staged = await backend.load_staged(snapshot_id)
    assert staged is not None
    assert format.join_snapshot(head, *staged) == b"folded"
    await backend.discard(snapshot_id)


async def test_a_staged_snapshot_is_read_back_as_it_was_staged(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    snapshot, chunks = candidate(head, os.urandom(2 * format.SNAPSHOT_CHUNK_BYTES + 1))
    assert len(chunks) == 3
    # In any order: a chunk knows its own place.
    snapshot_id = await backend.stage(head, snapshot, chunks[::-1])
    assert await backend.load_staged(snapshot_id) == (
        replace(snapshot, snapshot_id=snapshot_id),
        tuple(chunks),
    )
    await backend.discard(snapshot_id)


async def test_what_is_published_discarded_or_unknown_is_not_staged(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    discarded = await stage(backend, head)
    await backend.discard(discarded)
    head = await publish(backend, head)
    assert head.snapshot_id is not None
    for snapshot_id in (discarded, head.snapshot_id, 99):
        assert await backend.load_staged(snapshot_id) is None


async def test_load_reads_the_published_snapshot_and_the_rows_after_it(backend: Backend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one", b"two"))
    assert await assembled(backend, "n") == [b"folded"]
    await append(backend, head, b"three")
    assert await assembled(backend, "n") == [b"folded", b"three"]
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"folded", b"three"]


async def test_rows_that_came_after_staging_stay_in_the_journal(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    cut_seq = head.last_seq
    head = await append(backend, head, b"two")
    after = replace(published(head, snapshot_id), cut_seq=cut_seq, journal_bytes=3)
    await backend.publish(head, format.seal_head(after))
    assert await assembled(backend, "n") == [b"folded", b"two"]


async def test_a_snapshot_can_bring_the_next_seq_with_it(backend: Backend) -> None:
    """As an update that is too large for a row is stored."""
    head = await append(backend, fresh("n"), b"one")
    ahead = replace(head, last_seq=2)
    snapshot_id = await stage(backend, ahead)
    after = replace(published(ahead, snapshot_id), oversized_count=1, updated_ms=5)
    await backend.publish(head, format.seal_head(after))
    sealed = await backend.load_head("n")
    assert sealed is not None
    assert check_head(sealed) == after
    await append(backend, after, b"three")
    assert await assembled(backend, "n") == [b"folded", b"three"]


async def test_open_retires_what_a_crash_left_staged(place: Place) -> None:
    async with opened(place.backend()) as backend:
        head = await append(backend, fresh("n"), b"one")
        published_head = await publish(backend, head)
        staged = await stage(backend, published_head)
    async with opened(place.backend()) as backend:
        assert await backend.load_staged(staged) is None
        with pytest.raises(WriterSuperseded):
            await backend.publish(
                published_head, format.seal_head(replace(published_head, snapshot_id=staged))
            )
        await trim_all(backend)
        held = place.held()
        assert [(key, state) for key, (_, state, _) in held.snapshots.items()] == [
            (published_head.snapshot_id, "published")
        ]
        assert [snapshot_id for snapshot_id, _ in held.chunks] == [published_head.snapshot_id]
        assert await assembled(backend, "n") == [b"folded"]


async def test_a_discarded_snapshot_cannot_be_published_and_is_trimmed(
    backend: Backend, place: Place
) -> None:
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    await backend.discard(snapshot_id)
    with pytest.raises(WriterSuperseded):
        await backend.publish(head, format.seal_head(published(head, snapshot_id)))
    await trim_all(backend)
    held = place.held()
    assert (held.snapshots, held.chunks) == ({}, {})
    assert await assembled(backend, "n") == [b"one"]


async def test_discarding_what_is_not_staged_does_nothing(backend: Backend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    assert head.snapshot_id is not None
    await backend.discard(head.snapshot_id)
    await backend.discard(99)
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"folded"]


async def test_publishing_against_another_head_changes_nothing(
    backend: Backend, place: Place
) -> None:
    """P3: compare-and-swap on what it replaces."""
    old = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, old)
    head = await append(backend, old, b"two")
    before = place.held()
    for stale in (
        old,
        replace(head, snapshot_id=snapshot_id),
        replace(head, uid=bytes(16)),
        replace(head, document_id=99),
    ):
        with pytest.raises(WriterSuperseded) as raised:
            await backend.publish(stale, format.seal_head(published(head, snapshot_id)))
        assert raised.value.document == "n"
    assert place.held() == before


async def test_a_snapshot_that_is_not_there_is_not_published(
    backend: Backend, place: Place
) -> None:
    head = await append(backend, fresh("n"), b"one")
    before = place.held()
    with pytest.raises(WriterSuperseded):
        await backend.publish(head, format.seal_head(published(head, 99)))
    assert place.held() == before


async def test_a_deleted_document_is_not_published(backend: Backend, place: Place) -> None:
    """P9: a checkpoint that was on its way does not bring it back."""
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    tombstone = await delete(backend, head)
    before = place.held()
    for stale in (head, tombstone):
        with pytest.raises(WriterSuperseded):
            await backend.publish(stale, format.seal_head(published(head, snapshot_id)))
    assert place.held() == before


async def test_publishing_retires_the_snapshot_before(backend: Backend, place: Place) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    head = await publish(backend, await append(backend, head, b"two"))
    states = [state for _, state, _ in place.held().snapshots.values()]
    assert states == ["retired", "published"]
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"folded"]
    assert list(place.held().snapshots) == [head.snapshot_id]


async def test_what_fails_while_it_is_staged_is_trimmed(backend: Backend, place: Place) -> None:
    head = await append(backend, fresh("n"), b"one")
    snapshot, chunks = candidate(head, os.urandom(2 * format.SNAPSHOT_CHUNK_BYTES))

    class Breaking(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield chunks[0]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await backend.stage(head, snapshot, Breaking())
    await trim_all(backend)
    held = place.held()
    assert (held.snapshots, held.chunks) == ({}, {})
    await backend.append([intent(head, b"two")])
    assert await assembled(backend, "n") == [b"one", b"two"]
