"""yjs_store.backends.sqlite: the contract of a backend, kept on a real file."""

import asyncio
import itertools
import os
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import (
    Damaged,
    Head,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFailing,
    StoreFull,
    StoreInUse,
    StoreTooNew,
    StoreUnusable,
    WriterSuperseded,
    format,
)
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION
from yjs_store.format import check_head
from yjs_store.limits import TRIM_CHUNKS_STEP, TRIM_ROWS_STEP
from yjs_store.records import Append, Chunk, Snapshot

from .stores import (
    WatchedBackend,
    bytes_of,
    overwrite,
    raw,
    rows_of,
    run_python,
    steal_lock,
)

UID = bytes(range(16))
LITERALS = re.compile(r"x'[0-9a-f]*'|\d+", re.IGNORECASE)


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[WatchedBackend]:
    backend = WatchedBackend(path)
    await backend.open()
    yield backend
    await backend.close()


def fresh(name: str, uid: bytes = UID) -> Head:
    return Head(
        document_id=0,
        name=name,
        uid=uid,
        last_seq=0,
        cut_seq=0,
        journal_bytes=0,
        snapshot_id=None,
        snapshot_bytes=0,
        created_ms=0,
        updated_ms=0,
        deleted_ms=None,
        oversized_count=0,
    )


def intent(before: Head, data: bytes = b"data") -> Append:
    seq = before.last_seq + 1
    after = replace(before, last_seq=seq, journal_bytes=before.journal_bytes + len(data))
    return Append(before, format.seal_head(after), format.seal_row(before.uid, seq, 0, data))


async def append(backend: SqliteBackend, before: Head, *rows: bytes) -> Head:
    """Append rows one by one; return the head after the last."""
    for row in rows:
        item = intent(before, row)
        (document_id,) = await backend.append([item])
        before = replace(item.after.head, document_id=document_id)
    return before


def candidate(head: Head, update: bytes = b"folded") -> tuple[Snapshot, list[Chunk]]:
    chunks = list(format.cut_chunks(head.uid, update))
    return format.snapshot_manifest(head.uid, head.last_seq, 0, update, chunks), chunks


async def stage(backend: SqliteBackend, head: Head, update: bytes = b"folded") -> int:
    return await backend.stage(head, *candidate(head, update))


def published(head: Head, snapshot_id: int) -> Head:
    return replace(
        head, cut_seq=head.last_seq, journal_bytes=0, snapshot_id=snapshot_id, snapshot_bytes=6
    )


def deleted(head: Head) -> Head:
    return replace(published(head, 0), snapshot_id=None, snapshot_bytes=0, deleted_ms=1)


async def publish(backend: SqliteBackend, head: Head) -> Head:
    after = published(head, await stage(backend, head))
    await backend.publish(head, format.seal_head(after))
    return after


async def delete(backend: SqliteBackend, head: Head) -> Head:
    after = deleted(head)
    await backend.delete(head, format.seal_head(after))
    return after


async def trim_all(backend: SqliteBackend) -> None:
    while await backend.trim(check_head):
        pass


async def assembled(backend: SqliteBackend, name: str) -> list[bytes]:
    stored = await backend.load(name)
    assert stored is not None
    return format.assemble(stored)[1]


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


async def test_what_was_appended_is_there_after_reopening(path: Path) -> None:
    for number in range(3):
        backend = SqliteBackend(path)
        await backend.open()
        stored = await backend.load("n")
        head = fresh("n") if stored is None else stored.sealed_head.head
        await append(backend, head, b"%d" % number)
        await backend.close()
    backend = SqliteBackend(path)
    await backend.open()
    assert await assembled(backend, "n") == [b"0", b"1", b"2"]
    await backend.close()


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


async def test_after_close_everything_says_closed(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    head = await append(backend, fresh("n"), b"data")
    await backend.close()
    await backend.close()
    calls: list[Awaitable[object]] = [
        backend.load("n"),
        backend.load_head("n"),
        backend.append([intent(head)]),
        backend.trim(check_head),
        backend.list_heads("", None, 1),
        backend.statistics(),
        stage(backend, head),
    ]
    for call in calls:
        with pytest.raises(StoreClosed):
            await call


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
    backend: WatchedBackend, path: Path, stale: Callable[[Head], Head]
) -> None:
    """Field note 16 and P7: refused in the statement itself, with all of its commit."""
    head = await append(backend, fresh("n"), b"one", b"two")
    other = await append(backend, fresh("m"), b"three")
    before = whole_file(path)
    with pytest.raises(WriterSuperseded) as raised:
        await backend.append([intent(other), intent(stale(head)), intent(fresh("new"))])
    assert raised.value.document == "n"
    assert whole_file(path) == before
    await append(backend, head, b"three")
    assert await assembled(backend, "n") == [b"one", b"two", b"three"]


async def test_nothing_is_appended_to_a_deleted_document(
    backend: WatchedBackend, path: Path
) -> None:
    """P9."""
    head = await append(backend, fresh("n"), b"one")
    tombstone = await delete(backend, head)
    before = whole_file(path)
    for stale in (head, tombstone, fresh("n", bytes(16))):
        with pytest.raises(WriterSuperseded):
            await backend.append([intent(stale)])
    assert whole_file(path) == before


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


async def test_a_load_beside_appends_sees_one_moment(backend: WatchedBackend) -> None:
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


# ---- staging and publishing ---------------------------------------------------------------------


async def test_load_ignores_a_staged_snapshot(backend: WatchedBackend) -> None:
    """P3."""
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    assert await assembled(backend, "n") == [b"one"]
    snapshot, chunks = await backend.load_staged(snapshot_id)
    assert format.join_snapshot(head, snapshot, chunks) == b"folded"


async def test_load_reads_the_published_snapshot_and_the_rows_after_it(
    backend: WatchedBackend,
) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one", b"two"))
    assert await assembled(backend, "n") == [b"folded"]
    await append(backend, head, b"three")
    assert await assembled(backend, "n") == [b"folded", b"three"]
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"folded", b"three"]


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


async def test_open_retires_what_a_crash_left_staged(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    head = await append(backend, fresh("n"), b"one")
    published_head = await publish(backend, head)
    staged = await stage(backend, published_head)
    await backend.close()
    backend = SqliteBackend(path)
    await backend.open()
    with pytest.raises(WriterSuperseded):
        await backend.publish(
            published_head, format.seal_head(replace(published_head, snapshot_id=staged))
        )
    await trim_all(backend)
    with raw(path) as connection:
        assert connection.execute("SELECT id, state FROM snapshots").fetchall() == [
            (published_head.snapshot_id, "published")
        ]
        assert connection.execute("SELECT DISTINCT snapshot_id FROM chunks").fetchall() == [
            (published_head.snapshot_id,)
        ]
    assert await assembled(backend, "n") == [b"folded"]
    await backend.close()


async def test_a_discarded_snapshot_cannot_be_published_and_is_trimmed(
    backend: WatchedBackend, path: Path
) -> None:
    head = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, head)
    await backend.discard(snapshot_id)
    with pytest.raises(WriterSuperseded):
        await backend.publish(head, format.seal_head(published(head, snapshot_id)))
    await trim_all(backend)
    with raw(path) as connection:
        for table in ("snapshots", "chunks"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert await assembled(backend, "n") == [b"one"]


async def test_discarding_a_published_snapshot_does_nothing(backend: WatchedBackend) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    assert head.snapshot_id is not None
    await backend.discard(head.snapshot_id)
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"folded"]


async def test_publishing_against_another_head_changes_nothing(
    backend: WatchedBackend, path: Path
) -> None:
    """P3: compare-and-swap on what it replaces."""
    old = await append(backend, fresh("n"), b"one")
    snapshot_id = await stage(backend, old)
    head = await append(backend, old, b"two")
    before = whole_file(path)
    for stale in (
        old,
        replace(head, snapshot_id=snapshot_id),
        replace(head, uid=bytes(16)),
        replace(head, document_id=99),
    ):
        with pytest.raises(WriterSuperseded) as raised:
            await backend.publish(stale, format.seal_head(published(head, snapshot_id)))
        assert raised.value.document == "n"
    assert whole_file(path) == before


async def test_publishing_retires_the_snapshot_before(backend: WatchedBackend, path: Path) -> None:
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    head = await publish(backend, await append(backend, head, b"two"))
    with raw(path) as connection:
        states = connection.execute("SELECT state FROM snapshots ORDER BY id").fetchall()
    assert states == [("retired",), ("published",)]
    await trim_all(backend)
    assert await assembled(backend, "n") == [b"folded"]
    with raw(path) as connection:
        assert connection.execute("SELECT id FROM snapshots").fetchall() == [(head.snapshot_id,)]


# ---- trimming -----------------------------------------------------------------------------------


async def test_trimming_deletes_in_bounded_steps_only_what_was_folded(
    backend: WatchedBackend, path: Path
) -> None:
    """Field note 5."""
    count = TRIM_ROWS_STEP * 2 + 10
    head = await append(backend, fresh("n"), *[b"old"] * count)
    other = await append(backend, fresh("m"), b"another document's")
    head = await publish(backend, head)
    head = await append(backend, head, b"new")
    left = [len(rows_of(path, "n"))]
    while await backend.trim(check_head):
        left.append(len(rows_of(path, "n")))
    assert left[0] == count + 1
    assert max(was - now for was, now in itertools.pairwise(left)) <= TRIM_ROWS_STEP
    assert rows_of(path, "n") == [(count + 1, b"new")]
    assert await assembled(backend, "n") == [b"folded", b"new"]
    assert await assembled(backend, other.name) == [b"another document's"]


async def test_trimming_deletes_chunks_in_bounded_steps(
    backend: WatchedBackend, path: Path
) -> None:
    head = await append(backend, fresh("n"), b"one")
    update = b"x" * (format.SNAPSHOT_CHUNK_BYTES * (TRIM_CHUNKS_STEP + 3))
    await backend.discard(await stage(backend, head, update))
    left = []
    while True:
        with raw(path) as connection:
            left.append(connection.execute("SELECT count(*) FROM chunks").fetchone()[0])
        if not await backend.trim(check_head):
            break
    assert left[:3] == [TRIM_CHUNKS_STEP + 3, 3, 0]


async def test_trimming_goes_on_after_a_restart(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    head = await append(backend, fresh("n"), *[b"old"] * (TRIM_ROWS_STEP + 1))
    await publish(backend, head)
    assert await backend.trim(check_head)
    await backend.close()
    backend = SqliteBackend(path)
    await backend.open()
    await trim_all(backend)
    assert rows_of(path, "n") == []
    assert await assembled(backend, "n") == [b"folded"]
    await backend.close()


async def test_a_damaged_head_does_not_let_trimming_delete_what_it_covers(
    backend: WatchedBackend, path: Path
) -> None:
    """P4: nothing is used before its checksum; what is there can still be salvaged."""
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    await append(backend, head, b"two", b"three")
    with raw(path) as connection:
        connection.execute("UPDATE documents SET cut_seq = last_seq")
    await trim_all(backend)
    assert (2, b"two") in rows_of(path, "n")


async def test_trimming_keeps_a_snapshot_that_a_head_names(
    backend: WatchedBackend, path: Path
) -> None:
    """P4: the head, which has a checksum, says what is published."""
    await publish(backend, await append(backend, fresh("n"), b"one"))
    with raw(path) as connection:
        connection.execute("UPDATE snapshots SET state = 'retired'")
    await trim_all(backend)
    with raw(path) as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (1,)


# ---- deleting -----------------------------------------------------------------------------------


async def test_a_deleted_document_leaves_its_head_and_then_nothing(
    backend: WatchedBackend, path: Path
) -> None:
    """P9."""
    head = await publish(backend, await append(backend, fresh("n"), b"one"))
    head = await append(backend, head, b"two")
    tombstone = await delete(backend, head)
    stored = await backend.load("n")
    assert stored is not None
    assert stored.sealed_head.head == tombstone
    assert (stored.snapshot, stored.chunks, stored.rows) == (None, (), ())
    assert not await backend.forget(tombstone)
    await trim_all(backend)
    with raw(path) as connection:
        for table in ("journal", "snapshots", "chunks", "trims"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert await backend.forget(tombstone)
    assert await backend.load("n") is None


async def test_deleting_against_another_head_changes_nothing(
    backend: WatchedBackend, path: Path
) -> None:
    old = await append(backend, fresh("n"), b"one")
    head = await append(backend, old, b"two")
    before = whole_file(path)
    for stale in (old, replace(head, uid=bytes(16))):
        with pytest.raises(WriterSuperseded):
            await delete(backend, stale)
    assert whole_file(path) == before


async def test_a_document_that_is_not_deleted_is_not_forgotten(
    backend: WatchedBackend, path: Path
) -> None:
    head = await append(backend, fresh("n"), b"one")
    before = whole_file(path)
    with pytest.raises(WriterSuperseded):
        await backend.forget(head)
    assert whole_file(path) == before


async def test_a_forgotten_name_starts_anew(backend: WatchedBackend) -> None:
    tombstone = await delete(backend, await append(backend, fresh("n"), b"one"))
    await trim_all(backend)
    assert await backend.forget(tombstone)
    again = await append(backend, fresh("n", bytes(16)), b"anew")
    assert again.document_id != tombstone.document_id
    assert await assembled(backend, "n") == [b"anew"]


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


# ---- one writer ---------------------------------------------------------------------------------


@pytest.fixture
async def superseded(path: Path) -> AsyncIterator[tuple[SqliteBackend, Head]]:
    """A writer that lost the store to another, and the head it still believes in."""
    old = SqliteBackend(path)
    await old.open()
    head = await publish(old, await append(old, fresh("n"), b"one"))
    head = await append(old, head, b"two")
    steal_lock(path)
    new = SqliteBackend(path)
    await new.open()
    yield old, head
    await old.close()
    await new.close()


WRITES: dict[str, Callable[[SqliteBackend, Head], Awaitable[object]]] = {
    "append": lambda backend, head: backend.append([intent(head)]),
    "create": lambda backend, _: backend.append([intent(fresh("new"))]),
    "both": lambda backend, head: backend.append([intent(fresh("new")), intent(head)]),
    "stage": stage,
    "publish": lambda backend, head: backend.publish(
        head, format.seal_head(published(head, head.snapshot_id or 0))
    ),
    "delete": delete,
    "trim": lambda backend, _: backend.trim(check_head),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_superseded_writer_changes_nothing(
    superseded: tuple[SqliteBackend, Head],
    path: Path,
    write: Callable[[SqliteBackend, Head], Awaitable[object]],
) -> None:
    """Field note 16 and P7."""
    old, head = superseded
    before = whole_file(path)
    with pytest.raises(WriterSuperseded):
        await write(old, head)
    assert whole_file(path) == before


async def test_a_superseded_writer_is_told_that_the_whole_store_is_lost_to_it(
    superseded: tuple[SqliteBackend, Head],
) -> None:
    """P7."""
    old, head = superseded
    for item in (intent(head), intent(fresh("new"))):
        with pytest.raises(WriterSuperseded) as raised:
            await old.append([item])
        assert raised.value.document is None


async def test_a_superseded_writer_forgets_nothing(path: Path) -> None:
    """P7."""
    backend = SqliteBackend(path)
    await backend.open()
    tombstone = await delete(backend, await append(backend, fresh("n"), b"one"))
    await trim_all(backend)
    with raw(path) as connection:
        connection.execute("UPDATE store SET epoch = epoch + 1")
    with pytest.raises(WriterSuperseded):
        await backend.forget(tombstone)
    await backend.close()
    with raw(path) as connection:
        assert connection.execute("SELECT name FROM documents").fetchall() == [("n",)]


# ---- listing and sizes --------------------------------------------------------------------------

names = st.text(
    st.sampled_from("ab/\U0001f600\ue000\uffff") | st.characters(exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=4,
)


async def listed(backend: SqliteBackend, prefix: str, limit: int) -> list[str]:
    """All names with a prefix, read page by page."""
    found: list[str] = []
    after = None
    while True:
        page = await backend.list_heads(prefix, after, limit)
        assert len(page) <= limit
        found += [format.check_head(sealed).name for sealed in page]
        if len(page) < limit:
            return found
        after = found[-1]


@given(
    stored=st.sets(names, max_size=8),
    prefix=st.just("") | st.sampled_from(["a", "a/", "\ue000", "\U0001f600"]) | names,
    limit=st.integers(1, 4),
)
async def test_pages_have_every_name_with_the_prefix_in_code_point_order(
    tmp_path_factory: pytest.TempPathFactory, stored: set[str], prefix: str, limit: int
) -> None:
    backend = SqliteBackend(tmp_path_factory.mktemp("list") / "store.db")
    await backend.open()
    if stored:
        await backend.append([intent(fresh(name)) for name in stored])
    expected = sorted(name for name in stored if name.startswith(prefix))
    assert await listed(backend, prefix, limit) == expected
    await backend.close()


async def test_a_name_with_the_last_code_point_after_the_prefix_is_listed(
    backend: WatchedBackend,
) -> None:
    await backend.append([intent(fresh("a\U0010ffffb"))])
    assert await listed(backend, "a", 10) == ["a\U0010ffffb"]


async def test_tombstones_are_listed(backend: WatchedBackend) -> None:
    await delete(backend, await append(backend, fresh("n"), b"one"))
    (sealed,) = await backend.list_heads("", None, 10)
    assert format.check_head(sealed).deleted_ms is not None


async def test_statistics_add_up_the_heads(backend: WatchedBackend, path: Path) -> None:
    empty = await backend.statistics()
    assert (empty.documents, empty.journal_rows, empty.journal_bytes) == (0, 0, 0)
    await append(backend, fresh("a"), b"1234", b"56")
    folded = await publish(backend, await append(backend, fresh("b"), b"x" * 5000))
    await append(backend, folded, b"789")
    await delete(backend, await append(backend, fresh("c"), b"gone"))
    sizes = await backend.statistics()
    assert (sizes.documents, sizes.deleted_documents) == (2, 1)
    assert (sizes.journal_rows, sizes.journal_bytes, sizes.snapshot_bytes) == (3, 9, 6)
    assert sizes.file_bytes == len(bytes_of(path))
    assert sizes.wal_bytes == len(bytes_of(path.with_name(path.name + "-wal"))) > 0
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
