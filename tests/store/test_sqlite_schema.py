"""yjs_store.backends.sqlite_schema: an older file is brought up to date, and loses nothing."""

import functools
from pathlib import Path

from yjs_store import format, open_store
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION
from yjs_store.facts import ContentFacts, TraceEvent
from yjs_store.observing_format import (
    check_act,
    check_checkpoint,
    check_trace,
    seal_trace,
    shown_switch,
    sound,
)

from .crash_matrix.schemas import old_store
from .crashes import documents_of, load_all, shows
from .intents import append, assembled, opened, publish, salvage, trim_all
from .sqlite_versions import make_version_1
from .stores import raw, url
from .test_sessions import session

DOCUMENTS = {"n": [b"one", b"two"], "m": [b"three"], "of/many": [b"%d" % n for n in range(100)]}


async def test_the_writer_brings_a_version_1_file_up_to_date_and_keeps_its_content(
    path: Path,
) -> None:
    make_version_1(path, DOCUMENTS)
    async with opened(SqliteBackend(path)) as backend:
        for name, rows in DOCUMENTS.items():
            assert await assembled(backend, name) == rows
        assert await backend.audit() == []
        assert await backend.list_set_aside() == []
    with raw(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    async with opened(SqliteReader(path)) as reader:
        assert await assembled(reader, "m") == [b"three"]


async def test_a_file_that_was_brought_up_to_date_is_like_a_new_one(
    path: Path, tmp_path: Path
) -> None:
    make_version_1(path, DOCUMENTS)
    new = tmp_path / "new.db"
    schemas = []
    for file in (path, new):
        async with opened(SqliteBackend(file)):
            pass
        with raw(file) as connection:
            schemas.append(
                connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
            )
    assert schemas[0] == schemas[1]


async def test_everything_works_on_a_file_that_was_brought_up_to_date(path: Path) -> None:
    make_version_1(path, DOCUMENTS)
    async with opened(SqliteBackend(path)) as backend:
        sealed = await backend.load_head("n")
        assert sealed is not None
        head = await publish(backend, await append(backend, sealed.head, b"three"))
        await salvage(backend, head)
        assert [each.name for each in await backend.list_set_aside()] == ["n"]
        assert await backend.discard_set_aside(head.document_id)
        await trim_all(backend)
        assert await assembled(backend, "n") == [b"salvaged"]


async def test_a_version_2_file_gets_sessions_and_a_quarantine_and_loses_nothing(
    path: Path,
) -> None:
    files, model = old_store(2)
    path.write_bytes(files[""])
    async with open_store(url(path)) as store:
        assert shows(await load_all(store), model)
        one = session("one", store._clock_ms())
        await store.sessions.start(one, None)
        assert await store.sessions.find("one") == one
        assert await store.quarantine.put("a note", b"bad", "it is bad", "ann") == 1
    async with open_store(url(path)) as store:
        assert shows(await load_all(store), model)
        assert await store.sessions.list() == [one]
        (entry,) = await store.quarantine.list()
        assert entry.problem is None


async def test_what_version_3_kept_of_sessions_and_refused_updates_is_read(path: Path) -> None:
    files, _ = old_store(3)
    path.write_bytes(files[""])
    async with open_store(url(path), clock_ms=lambda: 1_700_000_000_001) as store:
        (live,) = await store.sessions.list()
        assert (live.session_id, live.user, live.details) == ("live", "ann", {"address": "::1"})
        found = await store.sessions.find_by_credential(b"h" * 32, "a note")
        assert found == live
        statuses = [each.status.value for each in await store.sessions.list(with_ended=True)]
        assert statuses == ["ended", "active", "revoked"]
        kept, large = [
            await store.quarantine.get(each.entry_id) for each in await store.quarantine.list()
        ]
        assert (kept.data, kept.seen_count, kept.problem) == (b"refused", 2, None)
        assert (large.data, large.byte_length, large.problem) == (None, 5_000_000, None)


async def test_a_version_4_file_gets_places_for_what_operators_look_at(path: Path) -> None:
    files, model = old_store(4)
    path.write_bytes(files[""])
    async with opened(SqliteBackend(path)) as backend:
        for name in documents_of(model):
            found = await backend.observing.facts(name)
            assert found is not None
            assert (found.switch, found.checkpoints, found.unreadable) == (None, (), ())
            key = format.check_head(found.sealed_head).document_id
            await backend.observing.add_traces([seal_trace(name, key, TraceEvent(1, "seen", {}))])
            assert len(await backend.observing.list_traces(key, 9)) == 1
        assert await backend.audit() == []
    async with open_store(url(path)) as store:
        assert shows(await load_all(store), model)


async def test_what_version_5_kept_for_operators_is_read(path: Path) -> None:
    files, _ = old_store(5)
    path.write_bytes(files[""])
    async with opened(SqliteReader(path)) as reader:
        found = await reader.observing.facts("a note")
        assert found is not None
        check = functools.partial(check_checkpoint, "a note")
        (failed, published), damaged = sound(check, found.checkpoints)
        assert (failed.error, failed.reason, damaged) == ("the disk is full", "asked for", 0)
        assert (published.error, published.duration_ms) == (None, 12.5)
        assert published.content == ContentFacts(3, 1, 4, 1, 0)
        key = found.sealed_head.head.document_id
        assert found.switch is not None
        assert shown_switch("a note", found.switch).reason == "moving"
        (trace,) = await reader.observing.list_traces(key, 9)
        assert check_trace("a note", trace).facts == {"duration_ms": 2.5}
        (act,) = await reader.observing.list_acts("a note", None, 9)
        assert (check_act(act).by, check_act(act).facts) == ("ann", {"reason": "moving"})
        of_store = await reader.observing.find_switch(0)
        assert of_store is not None
        assert shown_switch(None, of_store).reason == "upgrade"
