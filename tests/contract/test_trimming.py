"""Backend.trim: what is dead goes, in bounded steps, and never anything else."""

import itertools
from dataclasses import replace

from store.intents import append, assembled, fresh, opened, publish, stage, trim_all

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.format import check_head
from yjs_store.limits import TRIM_CHUNKS_STEP, TRIM_ROWS_STEP
from yjs_store.records import SnapshotState

from .places import Place


def seqs(place: Place, document_id: int) -> list[int]:
    """The rows of a document that are held, dead ones too."""
    return [seq for key, seq in place.held().rows if key == document_id]


async def test_trimming_deletes_in_bounded_steps_only_what_was_folded(
    backend: Backend, place: Place
) -> None:
    """Field note 5."""
    count = TRIM_ROWS_STEP * 2 + 10
    head = await append(backend, fresh("n"), *[b"old"] * count)
    other = await append(backend, fresh("m"), b"another document's")
    head = await publish(backend, head)
    head = await append(backend, head, b"new")
    left = [len(seqs(place, head.document_id))]
    while await backend.trim(check_head):
        left.append(len(seqs(place, head.document_id)))
    assert left[0] == count + 1
    assert max(was - now for was, now in itertools.pairwise(left)) <= TRIM_ROWS_STEP
    assert seqs(place, head.document_id) == [count + 1]
    assert await assembled(backend, "n") == [b"folded", b"new"]
    assert await assembled(backend, other.name) == [b"another document's"]


async def test_trimming_deletes_chunks_in_bounded_steps(backend: Backend, place: Place) -> None:
    head = await append(backend, fresh("n"), b"one")
    update = b"x" * (format.SNAPSHOT_CHUNK_BYTES * (TRIM_CHUNKS_STEP + 3))
    await backend.discard(await stage(backend, head, update))
    left = [len(place.held().chunks)]
    while await backend.trim(check_head):
        left.append(len(place.held().chunks))
    assert left[0] == TRIM_CHUNKS_STEP + 3
    assert left[-1] == 0
    assert max(was - now for was, now in itertools.pairwise(left)) <= TRIM_CHUNKS_STEP


async def test_with_nothing_dead_there_is_nothing_to_trim(backend: Backend, place: Place) -> None:
    assert not await backend.trim(check_head)
    await append(backend, fresh("n"), b"one")
    before = place.held()
    assert not await backend.trim(check_head)
    assert place.held() == before


async def test_trimming_goes_on_after_a_restart(place: Place) -> None:
    async with opened(place.backend()) as backend:
        head = await append(backend, fresh("n"), *[b"old"] * (TRIM_ROWS_STEP + 1))
        await publish(backend, head)
        assert await backend.trim(check_head)
        assert seqs(place, head.document_id)
    async with opened(place.backend()) as backend:
        await trim_all(backend)
        assert seqs(place, head.document_id) == []
        assert await assembled(backend, "n") == [b"folded"]


async def test_a_staged_snapshot_is_not_trimmed(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    await trim_all(backend)
    staged = await backend.load_staged(snapshot_id)
    assert staged is not None
    assert format.join_snapshot(head, *staged) == b"folded"
    await backend.discard(snapshot_id)


async def test_a_damaged_head_keeps_its_document_as_it_is(backend: Backend, place: Place) -> None:
    """P4: nothing is used before its checksum; what is there can still be salvaged."""
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    head = await publish(backend, await append(backend, head, b"two"))
    head = await append(backend, head, b"three", b"four")
    other = await publish(backend, await append(backend, fresh("m"), b"five"))
    before = place.held()
    for facts in ({"cut_seq": head.last_seq}, {"snapshot_id": 99}, {"last_seq": 2**40}):
        with place.harmed_head(head, **facts):
            await trim_all(backend)
            held = place.held()
            assert set(held.rows) >= {row for row in before.rows if row[0] == head.document_id}
            assert set(held.snapshots) >= set(before.snapshots) - {other.snapshot_id}
            assert held.chunks == before.chunks
            # The others are trimmed all the same.
            assert seqs(place, other.document_id) == []
    assert await assembled(backend, "n") == [b"folded", b"three", b"four"]
    # What was left is found when there is something to trim again.
    await publish(backend, head)


async def test_a_snapshot_that_a_head_names_is_kept_whatever_is_said_elsewhere(
    backend: Backend, place: Place
) -> None:
    """P4: the head, which has a checksum, says what is published."""
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    assert head.snapshot_id is not None
    chunks = place.held().chunks
    place.set_state(head.snapshot_id, SnapshotState.RETIRED)
    await trim_all(backend)
    assert place.held().chunks == chunks
    place.set_state(head.snapshot_id, SnapshotState.PUBLISHED)
    assert await assembled(backend, "n") == [b"folded"]


async def test_the_check_is_given_the_heads_as_they_are_stored(backend: Backend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    seen = []

    def check(sealed: format.SealedHead) -> format.Head:
        seen.append(sealed)
        return check_head(sealed)

    while await backend.trim(check):
        pass
    assert set(seen) == {format.seal_head(head)}
    assert replace(seen[0].head, document_id=0) != seen[0].head
