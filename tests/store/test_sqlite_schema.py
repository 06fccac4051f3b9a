"""yjs_store.backends.sqlite_schema: an older file is brought up to date, and loses nothing."""

from pathlib import Path

from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION

from .intents import append, assembled, opened, publish, salvage, trim_all
from .sqlite_versions import make_version_1
from .stores import raw

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
