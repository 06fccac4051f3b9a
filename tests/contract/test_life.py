"""A backend's life: opened, closed, opened again; used by many at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from store.intents import (
    append,
    assembled,
    delete,
    fresh,
    intent,
    opened,
    publish,
    published,
    stage,
)

from yjs_store import Head, StoreClosed, StoreUnusable, WriterSuperseded, format
from yjs_store.backend import Backend, Reader
from yjs_store.format import check_head
from yjs_store.listing_records import PageRequest
from yjs_store.observing_records import ObservingReader, ObservingRecords, StoredNote
from yjs_store.quarantine_records import QuarantineReader, QuarantineRecords
from yjs_store.session_records import (
    AddSession,
    Choice,
    RemoveSessions,
    SessionReader,
    SessionRecords,
)

from .places import Place
from .test_quarantine import NO_BOUNDS
from .test_quarantine import stored as quarantine_entry
from .test_sessions import stored as stored_session


async def test_what_was_appended_is_there_after_reopening(place: Place) -> None:
    for number in range(3):
        async with opened(place.backend()) as backend:
            stored = await backend.load("n")
            head = fresh("n") if stored is None else stored.sealed_head.head
            await append(backend, head, b"%d" % number)
    async with opened(place.backend()) as backend:
        assert await assembled(backend, "n") == [b"0", b"1", b"2"]


async def test_what_was_published_deleted_and_trimmed_stays_so_after_reopening(
    place: Place,
) -> None:
    async with opened(place.backend()) as backend:
        await publish(backend, await append(backend, fresh("folded"), b"one"))
        await delete(backend, await append(backend, fresh("gone"), b"two"))
        while await backend.trim(check_head):
            pass
    before = place.held()
    async with opened(place.backend()) as backend:
        assert await assembled(backend, "folded") == [b"folded"]
        stored = await backend.load("gone")
        assert stored is not None
        assert check_head(stored.sealed_head).deleted_ms == 1
        assert not await backend.trim(check_head)
    after = place.held()
    assert (after.heads, after.rows, after.chunks) == (before.heads, before.rows, before.chunks)


async def test_a_backend_can_be_opened_again(place: Place) -> None:
    backend = place.backend()
    async with opened(backend):
        head = await append(backend, fresh("n"), b"one")
    async with opened(backend):
        await append(backend, head, b"two")
        assert await assembled(backend, "n") == [b"one", b"two"]


NOTE = StoredNote(b"data", b"checksum", document_id=1)

READS: dict[str, Callable[[Reader], Awaitable[object]]] = {
    "load": lambda reader: reader.load("n"),
    "load_by_id": lambda reader: reader.load_by_id(1),
    "load_head": lambda reader: reader.load_head("n"),
    "is_unvouched": lambda reader: reader.is_unvouched(1),
    "load_staged": lambda reader: reader.load_staged(1),
    "list_heads": lambda reader: reader.list_heads("", None, 1),
    "list_extents": lambda reader: reader.list_extents(0, 1),
    "list_set_aside": lambda reader: reader.list_set_aside(),
    "load_remains": lambda reader: reader.load_remains("n"),
    "audit": lambda reader: reader.audit(),
    "statistics": lambda reader: reader.statistics(),
    "observing.schema_version": lambda reader: reader.observing.schema_version(),
    "observing.page": lambda reader: reader.observing.page(PageRequest()),
    "observing.facts": lambda reader: reader.observing.facts("n"),
    "observing.counts": lambda reader: reader.observing.counts(0),
    "observing.space": lambda reader: reader.observing.space(),
    "observing.list_checkpoints": lambda reader: reader.observing.list_checkpoints(1, 1),
    "observing.list_traces": lambda reader: reader.observing.list_traces(1, 1),
    "observing.list_acts": lambda reader: reader.observing.list_acts(None, None, 1),
    "observing.find_switch": lambda reader: reader.observing.find_switch(0),
    "observing.list_switches": lambda reader: reader.observing.list_switches(-1, 1),
    "sessions.find": lambda reader: reader.sessions.find("s", 0),
    "sessions.is_revoked": lambda reader: reader.sessions.is_revoked(b"", "n"),
    "sessions.find_by_credential": lambda reader: reader.sessions.find_by_credential(b"", "n", 0),
    "sessions.list": lambda reader: reader.sessions.list(Choice(), "", 1, None),
    "quarantine.list": lambda reader: reader.quarantine.list(None, 0, 1),
    "quarantine.get": lambda reader: reader.quarantine.get(1),
    "quarantine.count": lambda reader: reader.quarantine.count(None),
    "sessions.list_unacknowledged": lambda reader: reader.sessions.list_unacknowledged(["s"]),
}


async def watch(backend: Backend, _: Head) -> None:
    backend.sessions.watch(lambda _: None)


WRITES: dict[str, Callable[[Backend, Head], Awaitable[object]]] = {
    "append": lambda backend, head: backend.append([intent(head)]),
    "create": lambda backend, _: backend.create(format.seal_head(fresh("new"))),
    "room_left": lambda backend, _: backend.room_left(),
    "stage": stage,
    "publish": lambda backend, head: backend.publish(head, format.seal_head(published(head, 1))),
    "discard": lambda backend, _: backend.discard(1),
    "delete": delete,
    "forget": lambda backend, head: backend.forget(head),
    "trim": lambda backend, _: backend.trim(check_head),
    "distrust": lambda backend, _: backend.distrust(1),
    "vouch": lambda backend, _: backend.vouch(1),
    "replace": lambda backend, head: backend.replace(
        head.document_id, format.seal_head(published(fresh("n"), 1)), "why", 0
    ),
    "discard_set_aside": lambda backend, _: backend.discard_set_aside(1),
    "truncate_wal": lambda backend, _: backend.truncate_wal(),
    "vacuum": lambda backend, _: backend.vacuum(),
    "observing.add_checkpoint": lambda backend, _: backend.observing.add_checkpoint(NOTE),
    "observing.add_traces": lambda backend, _: backend.observing.add_traces([NOTE]),
    "observing.add_act": lambda backend, _: backend.observing.add_act("n", NOTE),
    "observing.set_switch": lambda backend, _: backend.observing.set_switch(NOTE),
    "observing.lift_switch": lambda backend, _: backend.observing.lift_switch(1),
    "sessions.count": lambda backend, _: backend.sessions.count(),
    "sessions.count_live": lambda backend, _: backend.sessions.count_live(0),
    "sessions.change": lambda backend, _: backend.sessions.change([RemoveSessions(0, 1)]),
    "sessions.watch": watch,
    "quarantine.put": lambda backend, _: backend.quarantine.put(
        quarantine_entry(b"data"), lambda _: None, NO_BOUNDS
    ),
    "quarantine.remove": lambda backend, _: backend.quarantine.remove(1),
    "quarantine.remove_before": lambda backend, _: backend.quarantine.remove_before(1, 1),
}
PARTS = {
    "sessions": (SessionReader, SessionRecords),
    "quarantine": (QuarantineReader, QuarantineRecords),
    "observing": (ObservingReader, ObservingRecords),
}


def test_every_call_of_the_contract_is_tested_after_close() -> None:
    calls = {name for name in (*vars(Backend), *vars(Reader)) if not name.startswith("_")}
    for part, protocols in PARTS.items():
        calls.remove(part)
        names = {name for protocol in protocols for name in vars(protocol)}
        calls |= {f"{part}.{name}" for name in names if not name.startswith("_")}
    # The last say how a watch goes, also that it has ended, what was counted, and what it is.
    others = {"open", "close", "sessions.watch_failing_because", "commit_times", "kind"}
    assert calls == READS.keys() | WRITES.keys() | others


@pytest.mark.parametrize("call", [*READS, *WRITES])
async def test_after_close_everything_says_closed(place: Place, call: str) -> None:
    async with opened(place.backend()) as backend:
        head = await append(backend, fresh("n"), b"data")
        await backend.sessions.change([AddSession(stored_session("s", expires_ms=-1), 0, 1)])
        await backend.quarantine.put(quarantine_entry(b"kept"), lambda _: None, NO_BOUNDS)
    await backend.close()
    before = place.held()
    with pytest.raises(StoreClosed):
        await (READS[call](backend) if call in READS else WRITES[call](backend, head))
    assert place.held() == before


async def test_a_reader_changes_nothing_beside_a_writer(place: Place, backend: Backend) -> None:
    head = await append(backend, fresh("n"), b"one")
    staged = await stage(backend, head)
    before = place.held()
    async with opened(place.reader()) as reader:
        for read in READS.values():
            await read(reader)
        assert await reader.load("n") == await backend.load("n")
        assert await reader.load_staged(staged) == await backend.load_staged(staged)
        assert place.held() == before
        # It is no writer: the other one goes on, and is seen.
        head = await append(backend, head, b"two")
        assert await assembled(reader, "n") == [b"one", b"two"]
        await publish(backend, head)
        assert await assembled(reader, "n") == [b"folded"]
        await backend.discard(staged)


async def test_a_reader_needs_no_writer(place: Place) -> None:
    async with opened(place.backend()) as backend:
        await append(backend, fresh("n"), b"one")
    before = place.held()
    async with opened(place.reader()) as reader:
        assert await assembled(reader, "n") == [b"one"]
    await reader.close()
    with pytest.raises(StoreClosed):
        await reader.load("n")
    assert place.held() == before


async def test_a_reader_refuses_where_there_is_no_store(place: Place) -> None:
    reader = place.reader()
    with pytest.raises(StoreUnusable):
        await reader.open()
    with pytest.raises(StoreClosed):
        await reader.load("n")


async def test_of_many_who_append_at_once_one_comes_first(backend: Backend) -> None:
    """P7: writes are carried out one after the other."""
    head = await append(backend, fresh("n"), b"one")
    item = intent(head, b"two")
    answers = await asyncio.gather(
        *[backend.append([item]) for _ in range(5)], return_exceptions=True
    )
    assert answers.count([head.document_id]) == 1
    assert sum(isinstance(answer, WriterSuperseded) for answer in answers) == 4
    assert await assembled(backend, "n") == [b"one", b"two"]


async def test_a_load_beside_appends_sees_one_moment(backend: Backend) -> None:
    done = asyncio.Event()

    async def write() -> None:
        head = await append(backend, fresh("n"), *[b"%03d" % number for number in range(150)])
        await publish(backend, head)
        done.set()

    async def look() -> int:
        looks = 0
        while not done.is_set():
            stored = await backend.load("n")
            if stored is not None:
                _, updates = format.assemble(stored)
                assert updates == [b"%03d" % n for n in range(len(updates))] or len(updates) == 1
                looks += 1
        return looks

    _, *looks = await asyncio.gather(write(), look(), look())
    assert min(looks) > 0
    assert await assembled(backend, "n") == [b"folded"]


async def test_there_is_room(backend: Backend) -> None:
    assert await backend.room_left() > 0
