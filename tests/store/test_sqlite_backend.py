"""yjs_store.backends.sqlite: what is about its file; the contract is tested in tests/contract."""

import asyncio
import os
import random
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    StoreBusy,
    StoreError,
    StoreFailing,
    StoreFull,
    StoreInUse,
    StoreTooNew,
    StoreUnusable,
    WriterSuperseded,
)
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_connect import connect_read_only
from yjs_store.backends.sqlite_read import name_hash
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION
from yjs_store.records import Append

from .intents import append, assembled, delete, fresh, intent, opened, stage, trim_all
from .stores import (
    WatchedBackend,
    bytes_of,
    overwrite,
    raw,
    rows_of,
    run_python,
)

LITERALS = re.compile(r"x'[0-9a-f]*'|\d+", re.IGNORECASE)


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[WatchedBackend]:
    backend = WatchedBackend(path)
    await backend.open()
    yield backend
    await backend.close()


def whole_file(path: Path) -> list[tuple[object, ...]]:
    with raw(path) as connection:
        return [
            (table, *row)
            for table in ("store", "documents", "journal", "snapshots", "chunks", "trims")
            for row in connection.execute(f"SELECT * FROM {table}").fetchall()
        ]


# ---- opening ------------------------------------------------------------------------------------


async def test_open_creates_the_directories_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"
    backend = SqliteBackend(path)
    await backend.open()
    await backend.close()
    assert path.exists()


async def test_a_commit_reaches_the_disk_before_it_returns(backend: WatchedBackend) -> None:
    """P1: WAL alone would leave the last commits to the operating system."""
    assert await backend.execute("PRAGMA journal_mode") == [("wal",)]
    assert await backend.execute("PRAGMA synchronous") == [(2,)]  # FULL
    assert await backend.execute("PRAGMA fullfsync") == [(1,)]


async def test_a_second_open_is_refused_while_the_first_lasts(
    backend: WatchedBackend, path: Path
) -> None:
    with pytest.raises(StoreInUse, match="open in another process"):
        await SqliteBackend(path).open()
    await append(backend, fresh("n"), b"data")
    await backend.close()
    successor = SqliteBackend(path)
    await successor.open()
    assert await assembled(successor, "n") == [b"data"]
    await successor.close()


async def test_another_process_is_refused(backend: WatchedBackend, path: Path) -> None:
    """Field note 16: the lock does not expire while its holder lives."""
    program = (
        "import asyncio, sys; from pathlib import Path;"
        " from yjs_store import StoreInUse; from yjs_store.backends.sqlite import SqliteBackend\n"
        "try: asyncio.run(SqliteBackend(Path(sys.argv[1])).open())\n"
        "except StoreInUse: print('refused')"
    )
    assert await asyncio.to_thread(run_python, program, path) == b"refused\n"


async def test_a_store_of_a_newer_version_is_refused_and_not_touched(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("CREATE TABLE of_the_future (x)")
    before = bytes_of(path)
    with pytest.raises(StoreTooNew, match="99"):
        await SqliteBackend(path).open()
    assert bytes_of(path) == before
    # The refusal let go of the lock.
    with pytest.raises(StoreTooNew):
        await SqliteBackend(path).open()


async def test_the_file_says_its_schema_version(backend: WatchedBackend, path: Path) -> None:
    with raw(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


@pytest.mark.parametrize(
    "content", [b"not a database, and long enough to be taken for one" * 20, b"SQLite format 3\0"]
)
async def test_what_is_no_database_is_refused_and_not_touched(path: Path, content: bytes) -> None:
    overwrite(path, content)
    with pytest.raises(StoreUnusable, match=re.escape(str(path))):
        await SqliteBackend(path).open()
    assert bytes_of(path) == content


async def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable):
        await SqliteBackend(tmp_path / "file" / "store.db").open()
    with pytest.raises(StoreUnusable):
        await SqliteBackend(tmp_path).open()


async def test_a_directory_that_is_not_writable_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "read-only"
    directory.mkdir(mode=0o500)
    if os.geteuid() == 0:
        directory = Path("/sys")  # where not even root may make a file
    with pytest.raises(StoreUnusable, match="not writable"):
        await SqliteBackend(directory / "store.db").open()


async def test_somebody_elses_lock_is_busy_and_nothing_is_stored(
    backend: WatchedBackend, path: Path
) -> None:
    # The two seconds of patience are not what is tested here.
    await backend.execute("PRAGMA busy_timeout = 1")
    head = await append(backend, fresh("n"), b"one")
    with raw(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy) as raised:
            await backend.append([intent(head)])
        assert raised.value.retry_safe
        # Reads do not wait for writers.
        assert await assembled(backend, "n") == [b"one"]
        connection.execute("ROLLBACK")
    await append(backend, head, b"two")
    assert await assembled(backend, "n") == [b"one", b"two"]


async def test_a_full_disk_is_said_to_be_full_and_nothing_is_stored(
    backend: WatchedBackend, path: Path
) -> None:
    head = await append(backend, fresh("n"), b"one")
    await backend.execute("PRAGMA max_page_count = 1")
    before = whole_file(path)
    for item in (intent(head, b"x" * 50_000), intent(fresh("new"), b"x" * 50_000)):
        with pytest.raises(StoreFull) as raised:
            await backend.append([item])
        assert raised.value.retry_safe
    assert whole_file(path) == before
    await backend.execute("PRAGMA max_page_count = 100000")
    await append(backend, head, b"x" * 50_000)
    assert await assembled(backend, "n") == [b"one", b"x" * 50_000]


# ---- append -------------------------------------------------------------------------------------


async def test_rows_of_many_documents_are_one_commit(path: Path) -> None:
    statements: list[str] = []
    backend = SqliteBackend(path, statements.append)
    await backend.open()
    known = await append(backend, fresh("known"), b"data")
    statements.clear()
    ids = await backend.append([intent(fresh("a")), intent(known), intent(fresh("b"))])
    assert statements.count("COMMIT") == 1
    assert ids[1] == known.document_id
    for name, document_id in zip(("a", "known", "b"), ids, strict=True):
        sealed = await backend.load_head(name)
        assert sealed is not None
        assert sealed.head.document_id == document_id
    await backend.close()


async def test_a_row_costs_its_bytes(backend: WatchedBackend, path: Path) -> None:
    head = await append(backend, fresh("n"), b"x" * 30_000, b"y")
    assert rows_of(path, "n") == [(1, b"x" * 30_000), (2, b"y")]
    assert head.journal_bytes == 30_001


async def test_the_statements_of_an_append_do_not_depend_on_the_journal(path: Path) -> None:
    """Field note 14: nothing is counted or read at an append."""
    statements: list[str] = []
    backend = SqliteBackend(path, statements.append)
    await backend.open()
    head = await append(backend, fresh("n"), b"first")
    traces = []
    for length in (1, 10, 800):
        while head.last_seq < length:
            head = await append(backend, head, b"filler")
        statements.clear()
        head = await append(backend, head, b"measured")
        traces.append(
            [re.sub(r"x'[0-9a-f]*'|\d+", "?", text, flags=re.IGNORECASE) for text in statements]
        )
    assert traces[0] == traces[1] == traces[2]
    kinds = [statement.split()[0] for statement in traces[0]]
    assert kinds == ["BEGIN", "UPDATE", "INSERT", "COMMIT"]
    assert not any("FROM journal" in statement for statement in traces[0])
    await backend.close()


async def test_an_append_looks_at_a_bounded_number_of_rows(
    backend: WatchedBackend, path: Path
) -> None:
    """Field note 14, asked of SQLite: its own steps do not grow with the journal."""
    head = await append(backend, fresh("n"), b"first")
    steps: list[int] = []

    async def count_steps(item: Append) -> int:
        connection = backend._connection
        assert connection is not None
        ticks: list[None] = []
        connection.set_progress_handler(lambda: ticks.append(None), 1)
        await backend.append([item])
        connection.set_progress_handler(None, 0)
        return len(ticks)

    for length in (2, 800):
        head = await append(backend, head, *[b"filler"] * (length - head.last_seq))
        steps.append(await count_steps(intent(head)))
        head = replace(intent(head).after.head, document_id=head.document_id)
    assert steps[0] == steps[1] > 0


# ---- staging ------------------------------------------------------------------------------------


async def test_each_chunk_is_a_transaction_of_its_own(path: Path) -> None:
    """P6: a large snapshot does not hold up the commits of other documents."""
    statements: list[str] = []
    backend = SqliteBackend(path, statements.append)
    await backend.open()
    head = await append(backend, fresh("n"), b"one")
    statements.clear()
    await stage(backend, head, os.urandom(3 * 512 * 1024))
    assert statements.count("COMMIT") == 4
    await backend.close()


async def test_a_chunk_is_not_stored_for_a_snapshot_that_was_given_up(path: Path) -> None:
    """P6: it would be left behind for ever."""
    seen: list[str] = []

    def give_up_after_the_first_chunk(statement: str) -> None:
        seen.append(statement.split("(", maxsplit=1)[0].strip())
        if seen[-3:] == ["INSERT INTO chunks", "COMMIT", "BEGIN IMMEDIATE"]:
            # Between two transactions of the writer, as a deletion and its trimming come.
            with raw(path) as connection:
                connection.execute("DELETE FROM chunks")
                connection.execute("DELETE FROM snapshots")

    backend = SqliteBackend(path, give_up_after_the_first_chunk)
    await backend.open()
    head = await append(backend, fresh("n"), b"one")
    with pytest.raises(WriterSuperseded):
        await stage(backend, head, os.urandom(3 * 512 * 1024))
    await backend.close()
    with raw(path) as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (0,)


# ---- sizes --------------------------------------------------------------------------------------


async def test_statistics_measure_the_files(backend: WatchedBackend, path: Path) -> None:
    head = await append(backend, fresh("n"), b"x" * 50_000)
    sizes = await backend.statistics()
    assert sizes.file_bytes == len(bytes_of(path))
    assert sizes.wal_bytes == len(bytes_of(path.with_name(path.name + "-wal"))) > 0
    await delete(backend, head)
    await trim_all(backend)
    with raw(path) as connection:
        free_pages = connection.execute("PRAGMA freelist_count").fetchone()[0]
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    assert (await backend.statistics()).free_bytes == free_pages * page_size > 0


# ---- a broken file ------------------------------------------------------------------------------


async def test_a_broken_page_is_damage_and_never_other_content(path: Path) -> None:
    """Field note 11: a broken table does not give an empty or another document."""
    backend = SqliteBackend(path)
    await backend.open()
    for name in ("a", "b", "c"):
        await append(backend, fresh(name), *[name.encode() * 700] * 8)
    whole = {name: await assembled(backend, name) for name in ("a", "b", "c")}
    await backend.close()
    sound = bytes_of(path)
    page_bytes = 4096
    outcomes = set()
    # The first page is SQLite's own: without it the file is no database.
    for start in range(page_bytes, len(sound), page_bytes):
        noise = random.Random(start).randbytes(page_bytes)
        overwrite(path, sound[:start] + noise + sound[start + page_bytes :])
        backend = SqliteBackend(path)
        try:
            await backend.open()
        except StoreUnusable:
            outcomes.add("not opened")
            continue
        for name, expected in whole.items():
            try:
                assert await assembled(backend, name) == expected
                outcomes.add("whole")
            except Damaged:
                outcomes.add("damaged")
        await backend.close()
    assert outcomes == {"not opened", "whole", "damaged"}


async def test_a_table_that_is_gone_is_no_empty_document(path: Path) -> None:
    """Field note 11."""
    backend = SqliteBackend(path)
    await backend.open()
    await append(backend, fresh("n"), b"one")
    with raw(path) as connection:
        connection.execute("DROP TABLE journal")
    with pytest.raises(StoreError, match="journal"):
        await backend.load("n")
    await backend.close()


NAME = "a name that is found in the file"


async def test_a_flipped_bit_in_a_stored_name_is_no_empty_document(path: Path) -> None:
    """Field note 11: clients would sync to the empty document."""
    backend = SqliteBackend(path)
    await backend.open()
    await append(backend, fresh(NAME), b"one")
    await backend.close()
    sound = bytes_of(path)
    # One copy is in the table, the other in the index by which it is looked up.
    for found in re.finditer(NAME.encode(), sound):
        at = found.start()
        overwrite(path, sound[:at] + b"A" + sound[at + 1 :])
        await backend.open()
        try:
            assert await assembled(backend, NAME) == [b"one"]
        except Damaged:
            pass
        finally:
            await backend.close()


@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_nothing_is_written_to_a_file_that_was_taken_away(path: Path, suffix: str) -> None:
    """P8: SQLite would go on writing to it, and all would be gone with the process."""
    backend = WatchedBackend(path)
    await backend.open()
    head = await append(backend, fresh("n"), b"before")
    away = path.with_name("away" + suffix)
    file = path.with_name(path.name + suffix)
    file.rename(away)
    with pytest.raises(StoreFailing, match="was removed"):
        await append(backend, head, b"meanwhile")
    file.write_bytes(b"")
    with pytest.raises(StoreFailing, match="is another file"):
        await append(backend, head, b"meanwhile")
    away.rename(file)
    await append(backend, head, b"after")
    await backend.close()
    assert rows_of(path, "n") == [(1, b"before"), (2, b"after")]
    assert not list(path.parent.glob("*.rescued*"))


async def test_what_was_stored_in_a_file_that_was_removed_is_rescued(path: Path) -> None:
    backend = WatchedBackend(path)
    await backend.open()
    await append(backend, fresh("n"), b"one", b"two")
    path.with_name(path.name + ".rescued-1").write_bytes(b"an earlier one")
    path.unlink()
    await backend.close()
    assert rows_of(path.with_name(path.name + ".rescued-2"), "n") == [(1, b"one"), (2, b"two")]
    assert not path.exists()


async def test_it_is_rescued_at_once_because_the_process_may_be_killed(path: Path) -> None:
    """P8: whoever waits for a process that cannot store its last edits kills it in the end."""
    backend = WatchedBackend(path)
    await backend.open()
    head = await append(backend, fresh("n"), b"one", b"two")
    path.with_name(path.name + "-wal").unlink()
    for _ in range(2):
        with pytest.raises(StoreFailing, match="was removed"):
            await append(backend, head, b"three")
        (rescued,) = path.parent.glob("*.rescued*")
        assert rows_of(rescued, "n") == [(1, b"one"), (2, b"two")]
    await backend.close()


async def test_a_store_is_not_opened_beside_what_was_rescued_of_it(path: Path) -> None:
    """P4: it would be empty, or older, and editors would go on with that."""
    backend = WatchedBackend(path)
    await backend.open()
    await append(backend, fresh("n"), b"one")
    path.with_name(path.name + "-wal").unlink()
    await backend.close()
    with pytest.raises(StoreUnusable, match="rescued-1 was rescued"):
        await WatchedBackend(path).open()
    path.with_name(path.name + ".rescued-1").rename(path)
    await backend.open()
    assert await assembled(backend, "n") == [b"one"]
    await backend.close()


async def test_a_reader_does_not_open_a_file_that_took_the_place(path: Path) -> None:
    backend = WatchedBackend(path)
    await backend.open()
    await append(backend, fresh("n"), b"one")
    path.rename(path.with_name("away"))
    with raw(path) as other:
        other.execute("CREATE TABLE documents (x)")
    with pytest.raises(StoreFailing, match="is another file"):
        await backend.load("n")
    await backend.close()


async def test_a_reader_makes_no_file_where_one_was_taken_away(path: Path) -> None:
    backend = WatchedBackend(path)
    await backend.open()
    await append(backend, fresh("n"), b"one")
    path.rename(path.with_name("away"))
    with pytest.raises(StoreFailing, match="was removed"):
        await backend.load("n")
    assert not path.exists()
    path.with_name("away").rename(path)
    assert await backend.load("n") is not None
    await backend.close()


async def test_a_directory_that_cannot_be_looked_into_is_storage_that_fails(path: Path) -> None:
    """P8: whatever the system says, a write is waited for and not a defect."""
    place = path.parent / "place"
    backend = WatchedBackend(place / path.name)
    await backend.open()
    head = await append(backend, fresh("n"), b"before")
    away = path.parent / "away"
    place.rename(away)
    with pytest.raises(StoreFailing):
        await backend.room_left()
    place.write_bytes(b"a file where the directory was")
    with pytest.raises(StoreFailing):
        await append(backend, head, b"meanwhile")
    place.unlink()
    away.rename(place)
    await append(backend, head, b"after")
    await backend.close()
    assert rows_of(place / path.name, "n") == [(1, b"before"), (2, b"after")]


async def test_a_document_created_between_two_looks_is_not_damage(path: Path) -> None:
    backend = WatchedBackend(path)
    await backend.open()

    def create_before_second_look(statement: str) -> None:
        if "name_hash =" in statement:
            with raw(path) as other:
                other.execute(
                    "INSERT OR IGNORE INTO documents SELECT 9, 'n', ?, uid, last_seq, cut_seq,"
                    " journal_bytes, snapshot_id, snapshot_bytes, created_ms, updated_ms,"
                    " deleted_ms, oversized_count, checksum FROM documents WHERE name = 'm'",
                    (name_hash("n"),),
                )

    def connect_watched(place: Path) -> sqlite3.Connection:
        connection = connect_read_only(place)
        connection.set_trace_callback(create_before_second_look)
        return connection

    await append(backend, fresh("m"), b"one")
    async with opened(SqliteReader(path, connect_watched)) as reader:
        assert await reader.load_head("n") is None
    await backend.close()
