"""yjs_store.backends.sqlite_reader opened alone: it reads what is there and changes nothing."""

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from yjs_store import StoreError, StoreTooNew, StoreUnusable
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_connect import connect_read_only
from yjs_store.backends.sqlite_reader import SqliteReader

from .intents import append, assembled, delete, fresh, opened, publish, salvage
from .sqlite_versions import make_version_1
from .stores import bytes_of, overwrite, raw, run_python

READ = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from yjs_store.backends.sqlite_reader import SqliteReader

async def read():
    reader = SqliteReader(Path(sys.argv[1]))
    await reader.open()
    for sealed in await reader.list_heads("", None, 10):
        stored = await reader.load(sealed.head.name)
        print(sealed.head.name, *[row.data.decode() for row in stored.rows])
    await reader.close()

# Root may write everywhere.
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    Path(sys.argv[1] + ".new").touch()
except OSError:
    asyncio.run(read())
else:
    print("this place is writable")
"""


async def _make_store(path: Path) -> None:
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("a"), b"one", b"two")
        await append(backend, await publish(backend, await append(backend, fresh("b"), b"x")), b"y")
        await delete(backend, await append(backend, fresh("c"), b"z"))
        await salvage(backend, await append(backend, fresh("d"), b"w"))


async def _read_everything(reader: SqliteReader) -> None:
    for name in ("a", "b", "c", "d", "none"):
        await reader.load(name)
        await reader.load_remains(name)
    await reader.list_heads("", None, 9)
    await reader.list_extents(0, 9)
    await reader.list_set_aside()
    await reader.audit()
    await reader.statistics()


def _facts(path: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        name: (bytes_of(file), file.stat().st_mtime_ns, file.stat().st_ino)
        for name in (path.name, path.name + "-wal")
        if (file := path.with_name(name)).exists()
    }


async def test_it_reads_beside_a_writer_and_sees_what_is_committed(path: Path) -> None:
    async with opened(SqliteBackend(path)) as backend:
        head = await append(backend, fresh("n"), b"one")
        async with opened(SqliteReader(path)) as reader:
            assert await assembled(reader, "n") == [b"one"]
            head = await append(backend, head, b"two")
            assert await assembled(reader, "n") == [b"one", b"two"]
            await publish(backend, head)
            assert await assembled(reader, "n") == [b"folded"]


async def test_it_changes_nothing_of_a_closed_store(path: Path) -> None:
    """Not even a file's times."""
    await _make_store(path)
    before = _facts(path)
    async with opened(SqliteReader(path)) as reader:
        await _read_everything(reader)
    after = _facts(path)
    assert after[path.name] == before[path.name]
    assert after.get(path.name + "-wal", (b"",))[0] == b""


async def test_it_changes_nothing_of_a_store_that_is_open(path: Path) -> None:
    await _make_store(path)
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("n"), b"one")
        before = _facts(path)
        assert set(before) == {path.name, path.name + "-wal"}
        async with opened(SqliteReader(path)) as reader:
            await _read_everything(reader)
        assert _facts(path) == before


async def test_it_cannot_write(path: Path) -> None:
    await _make_store(path)
    connection = connect_read_only(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM journal")
    connection.close()


async def test_it_reads_what_a_crash_left_in_the_wal(path: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed.db"
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("n"), b"one")
        for suffix in ("", "-wal"):
            overwrite(
                crashed.with_name(crashed.name + suffix),
                bytes_of(path.with_name(path.name + suffix)),
            )
    before = bytes_of(crashed), bytes_of(crashed.with_name(crashed.name + "-wal"))
    async with opened(SqliteReader(crashed)) as reader:
        assert await assembled(reader, "n") == [b"one"]
    assert (bytes_of(crashed), bytes_of(crashed.with_name(crashed.name + "-wal"))) == before


async def test_it_reads_a_closed_store_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A backup's medium, say; in a process that is not root, which may write everywhere."""
    directory = tmp_path / "medium"
    path = directory / "store.db"
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("a"), b"one", b"two")
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    before = _facts(path)
    path.chmod(0o444)
    directory.chmod(0o555)
    opened_up = _let_pass(tmp_path)
    try:
        assert await asyncio.to_thread(run_python, READ, path) == b"a one two\n"
        assert os.listdir(directory) == ["store.db"]  # noqa: PTH208
        assert _facts(path) == before
    finally:
        directory.chmod(0o755)
        for parent, mode in opened_up.items():
            parent.chmod(mode)


def _let_pass(directory: Path) -> dict[Path, int]:
    """Let everybody pass to a directory; return the modes that were."""
    modes = {each: stat.S_IMODE(each.stat().st_mode) for each in (directory, *directory.parents)}
    shut = {each: mode for each, mode in modes.items() if not mode & 0o001}
    for each, mode in shut.items():
        each.chmod(mode | 0o011)
    return shut


async def test_it_refuses_where_there_is_no_file(path: Path, tmp_path: Path) -> None:
    for missing in (path, tmp_path, path / "below"):
        with pytest.raises(StoreUnusable, match="no store"):
            await SqliteReader(missing).open()
    assert not path.exists()


async def test_it_refuses_what_the_system_does_not_let_it_look_for(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="too long"):
        await SqliteReader(tmp_path / ("x" * 300)).open()


@pytest.mark.parametrize(
    "content", [b"", b"not a database, and long enough to be taken for one" * 20]
)
async def test_it_refuses_what_is_no_store(path: Path, content: bytes) -> None:
    overwrite(path, content)
    with pytest.raises(StoreUnusable):
        await SqliteReader(path).open()
    assert bytes_of(path) == content


async def test_it_refuses_a_database_of_something_else(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE documents (x)")
    before = bytes_of(path)
    with pytest.raises(StoreUnusable, match="not a store of yjs-relay"):
        await SqliteReader(path).open()
    assert bytes_of(path) == before


async def test_it_refuses_a_newer_version(path: Path) -> None:
    await _make_store(path)
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreTooNew, match="99"):
        await SqliteReader(path).open()


async def test_it_refuses_an_older_version_and_says_who_brings_it_up_to_date(path: Path) -> None:
    make_version_1(path, {"n": [b"one"]})
    before = bytes_of(path)
    with pytest.raises(StoreUnusable, match=r"version 1; `yjs-relay serve` brings it up to"):
        await SqliteReader(path).open()
    assert bytes_of(path) == before


async def test_after_a_refusal_it_is_closed(path: Path) -> None:
    overwrite(path, b"no store")
    reader = SqliteReader(path)
    with pytest.raises(StoreUnusable):
        await reader.open()
    with pytest.raises(StoreError, match="closed"):
        await reader.load("n")
