"""Making room: truncate_wal and vacuum change no document."""

from store.intents import append, assembled, delete, fresh, opened, publish, trim_all

from yjs_store.backend import Backend

from .places import Place


async def _fill(backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one", b"x" * 300_000)
    await append(backend, await publish(backend, head), b"two")
    tombstone = await delete(backend, await append(backend, fresh("gone"), b"y" * 300_000))
    await trim_all(backend)
    assert await backend.forget(tombstone)


async def test_making_room_changes_nothing_that_is_stored(place: Place) -> None:
    async with opened(place.backend()) as backend:
        await _fill(backend)
        before = place.held()
        await backend.truncate_wal()
        await backend.vacuum()
        assert place.held() == before
        assert await assembled(backend, "n") == [b"folded", b"two"]
        head = await append(backend, fresh("m"), b"three")
    async with opened(place.backend()) as backend:
        assert await assembled(backend, "n") == [b"folded", b"two"]
        await append(backend, head, b"four")
        assert await assembled(backend, "m") == [b"three", b"four"]


async def test_what_was_freed_is_said_or_why_not(backend: Backend) -> None:
    await _fill(backend)
    change = await backend.vacuum()
    space = await backend.observing.space()
    assert change.after.file_bytes == space.file_bytes
    if change.incomplete is None:
        assert change.before.free_bytes > 500_000
        assert (space.free_bytes, space.wal_bytes) == (0, 0)
        assert change.after.file_bytes < change.before.file_bytes + change.before.wal_bytes
    else:
        assert change.before == change.after
