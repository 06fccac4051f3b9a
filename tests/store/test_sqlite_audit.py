"""yjs_store.backends.sqlite_audit: what nothing leads to, and what SQLite finds broken, is said."""

import random
from pathlib import Path

import pytest

from yjs_store import StoreUnusable
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.observing_records import StoredNote

from .intents import append, delete, fresh, opened, publish, salvage, stage
from .stores import bytes_of, overwrite, raw

PAGE_BYTES = 4096


async def _make_store(path: Path) -> None:
    """Everything that is not an orphan: staged, retired and untrimmed things, too."""
    async with opened(SqliteBackend(path)) as backend:
        head = await publish(backend, await append(backend, fresh("n"), b"one", b"two"))
        await publish(backend, await append(backend, head, b"three"))
        await stage(backend, await append(backend, fresh("m"), b"four"))
        await delete(backend, await append(backend, fresh("gone"), b"five"))
        await salvage(backend, await append(backend, fresh("aside"), b"six"))
        alone = await append(backend, fresh("alone"), b"seven")
        for kept in (head, alone):
            note = StoredNote(b"", b"", kept.document_id)
            await backend.observing.add_checkpoint(note)
            await backend.observing.add_traces([note])
            assert await backend.observing.set_switch(note)
        await backend.replace(alone.document_id, None, "it was damaged", 77)


async def _audit(path: Path) -> list[str]:
    async with opened(SqliteReader(path)) as reader:
        return list(await reader.audit())


async def test_a_sound_file_has_nothing_to_say(path: Path) -> None:
    await _make_store(path)
    assert await _audit(path) == []


ORPHANS = {
    "2 journal rows of no document": "INSERT INTO journal"
    " VALUES (99, 1, 0, 1, x'', x''), (98, 1, 0, 1, x'', x'')",
    "1 snapshots of no document": "INSERT INTO snapshots"
    " VALUES (99, 99, 'published', 1, 1, 1, 1, x'', 0)",
    "1 published snapshots that their document does not name": "INSERT INTO snapshots"
    " SELECT 99, id, 'published', 1, 1, 1, 1, x'', 0 FROM documents WHERE name = 'n'",
    "1 checkpoints of no document": "INSERT INTO checkpoints VALUES (9, 99, x'', x'')",
    "2 traces of no document": "INSERT INTO traces VALUES (8, 99, x'', x''), (9, 98, x'', x'')",
    "1 switches of no document": "INSERT INTO switches VALUES (99, x'', x''), (0, x'', x'')",
    "3 chunks of no snapshot": "INSERT INTO chunks"
    " VALUES (98, 0, 'raw', 0, x'', x''), (99, 0, 'raw', 0, x'', x''), (99, 1, '', 0, x'', x'')",
}


@pytest.mark.parametrize(("said", "statement"), ORPHANS.items(), ids=ORPHANS)
async def test_each_kind_of_orphan_is_counted(path: Path, said: str, statement: str) -> None:
    await _make_store(path)
    with raw(path) as connection:
        connection.execute(statement)
    assert await _audit(path) == [said]


async def test_several_kinds_are_all_said(path: Path) -> None:
    await _make_store(path)
    with raw(path) as connection:
        for statement in ORPHANS.values():
            connection.execute(statement.replace("(99, 99,", "(97, 99,").replace("T 99", "T 96"))
    assert await _audit(path) == list(ORPHANS)


async def test_a_broken_page_is_found_whichever_it_is(path: Path) -> None:
    await _make_store(path)
    with raw(path) as connection:
        connection.execute("VACUUM")
    sound = bytes_of(path)
    for start in range(PAGE_BYTES, len(sound), PAGE_BYTES):
        noise = random.Random(start).randbytes(PAGE_BYTES)
        overwrite(path, sound[:start] + noise + sound[start + PAGE_BYTES :])
        try:
            assert await _audit(path) != [], f"page {start // PAGE_BYTES + 1}"
        except StoreUnusable:
            continue


async def test_a_table_that_cannot_be_read_does_not_hide_the_rest(path: Path) -> None:
    await _make_store(path)
    with raw(path) as connection:
        connection.execute("DROP TABLE journal")
        connection.execute(ORPHANS["3 chunks of no snapshot"])
    assert await _audit(path) == [
        "cannot look for journal rows of no document: no such table: journal",
        "3 chunks of no snapshot",
    ]


async def test_an_entry_that_is_missing_from_an_index_is_found(path: Path) -> None:
    await _make_store(path)
    with raw(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = sql || ' WHERE name <> ''m'''"
            " WHERE name = 'documents_by_name_hash'"
        )
    with raw(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("REINDEX documents_by_name_hash")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ' WHERE name <> ''m''', '')"
            " WHERE name = 'documents_by_name_hash'"
        )
    assert any("documents_by_name_hash" in problem for problem in await _audit(path))
