"""yjs_store.backends.sqlite_remains: of a damaged file everything is read that can be read."""

import random
import sqlite3
from pathlib import Path

import pytest

from yjs_store import Damaged, format
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_connect import connect_read_only
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.format import check_head
from yjs_store.records import Remains

from .intents import append, fresh, opened, publish
from .stores import bytes_of, overwrite, raw

PAGE_BYTES = 4096

ROWS = [b"row %02d " % number * 100 for number in range(40)]
"""Some five to a page."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SNAPSHOT_CHUNK_BYTES", 900)


UPDATE = random.Random(5).randbytes(900 * 20)
CHUNKS = [UPDATE[start : start + 900] for start in range(0, len(UPDATE), 900)]


async def _make_store(path: Path) -> None:
    """Live rows after a snapshot of many chunks; the dead rows and the former snapshot, too."""
    async with opened(SqliteBackend(path)) as backend:
        head = await publish(backend, await append(backend, fresh("n"), *ROWS[:10]), b"former")
        head = await publish(backend, await append(backend, head, *ROWS[10:20]), UPDATE)
        await append(backend, head, *ROWS[20:])
        await append(backend, fresh("m"), *[b"another's" * 50] * 20)


async def _remains(path: Path) -> Remains:
    async with opened(SqliteReader(path)) as reader:
        remains = await reader.load_remains("n")
        assert remains is not None
        return remains


def _destroy(path: Path, at: int) -> bytes:
    """Overwrite the page in which this byte is with noise; return what it held."""
    content = bytes_of(path)
    start = at // PAGE_BYTES * PAGE_BYTES
    noise = random.Random(start).randbytes(PAGE_BYTES)
    overwrite(path, content[:start] + noise + content[start + PAGE_BYTES :])
    return content[start : start + PAGE_BYTES]


def _root_of(path: Path, table: str) -> int:
    with raw(path) as connection:
        found = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    return int(found[0] - 1) * PAGE_BYTES


async def test_of_a_sound_document_everything_remains(path: Path) -> None:
    await _make_store(path)
    remains = await _remains(path)
    head = check_head(remains.sealed_head)
    assert [format.check_row(head, row) for row in remains.rows] == ROWS
    assert [
        b"".join(format.check_chunk(head, chunk) for chunk in each.chunks)
        for each in remains.snapshots
    ] == [b"former", UPDATE]
    assert remains.unreadable == ()


@pytest.mark.parametrize("number", [0, 13, 25, 39])
async def test_rows_beside_a_destroyed_page_of_the_journal_remain(path: Path, number: int) -> None:
    await _make_store(path)
    held = _destroy(path, bytes_of(path).index(ROWS[number]))
    lost = {index for index, row in enumerate(ROWS) if row[:9] in held}
    assert number in lost
    remains = await _remains(path)
    head = check_head(remains.sealed_head)
    read = {row.seq - 1: format.check_row(head, row) for row in remains.rows}
    assert read == {index: row for index, row in enumerate(ROWS) if index not in lost}
    named = {line.partition(":")[0] for line in remains.unreadable}
    assert named == {f"journal row {index + 1}" for index in lost}
    assert [len(each.chunks) for each in remains.snapshots] == [1, 20]


@pytest.mark.parametrize("number", [0, 7, 19])
async def test_chunks_beside_a_destroyed_page_remain(path: Path, number: int) -> None:
    await _make_store(path)
    held = _destroy(path, bytes_of(path).index(CHUNKS[number][:50]))
    lost = {index for index, chunk in enumerate(CHUNKS) if chunk[:50] in held}
    assert number in lost
    remains = await _remains(path)
    head = check_head(remains.sealed_head)
    chunks = remains.snapshots[-1].chunks
    read = {chunk.index: format.check_chunk(head, chunk) for chunk in chunks}
    assert read == {index: chunk for index, chunk in enumerate(CHUNKS) if index not in lost}
    snapshot_id = head.snapshot_id
    named = {line.partition(":")[0] for line in remains.unreadable}
    assert named >= {f"snapshot {snapshot_id} chunk {index}" for index in lost}
    assert len(remains.rows) == len(ROWS)


async def test_chunks_remain_without_the_manifests(path: Path) -> None:
    await _make_store(path)
    _destroy(path, _root_of(path, "snapshots"))
    remains = await _remains(path)
    head = check_head(remains.sealed_head)
    (named,) = remains.snapshots
    assert (named.snapshot_id, named.manifest) == (head.snapshot_id, None)
    assert b"".join(format.check_chunk(head, chunk) for chunk in named.chunks) == UPDATE
    assert [line.partition(":")[0] for line in remains.unreadable] == [
        f"snapshot {head.snapshot_id}"
    ]
    assert len(remains.rows) == len(ROWS)


@pytest.mark.parametrize("table", ["journal", "chunks"])
async def test_a_table_whose_root_is_destroyed_is_named_and_the_rest_remains(
    path: Path, table: str
) -> None:
    await _make_store(path)
    _destroy(path, _root_of(path, table))
    remains = await _remains(path)
    rows, chunks = len(remains.rows), sum(len(each.chunks) for each in remains.snapshots)
    assert (rows, chunks) == ((0, 21) if table == "journal" else (len(ROWS), 0))
    assert len(remains.unreadable) == (len(ROWS) if table == "journal" else 21)


async def test_a_document_that_the_index_of_names_has_lost_is_found(path: Path) -> None:
    await _make_store(path)
    _destroy(path, _root_of(path, "sqlite_autoindex_documents_1"))
    async with opened(SqliteReader(path)) as reader:
        with pytest.raises(Damaged):
            await reader.load("n")
    remains = await _remains(path)
    head = check_head(remains.sealed_head)
    assert [format.check_row(head, row) for row in remains.rows] == ROWS


async def test_a_head_that_counts_far_is_not_believed(path: Path) -> None:
    """P6: what cannot be read is not looked for without end."""
    await _make_store(path)
    with raw(path) as connection:
        connection.execute("UPDATE documents SET last_seq = last_seq + 1 WHERE name = 'n'")
    remains = await _remains(path)
    assert len(remains.rows) == len(ROWS)
    assert remains.sealed_head.head.last_seq == len(ROWS) + 1


async def test_remains_are_of_one_moment(path: Path) -> None:
    """A document that is checkpointed and trimmed meanwhile has lost nothing."""
    async with opened(SqliteBackend(path)) as backend:
        head = await append(backend, fresh("n"), *ROWS)

        def connect_watched(place: Path) -> sqlite3.Connection:
            connection = connect_read_only(place)
            connection.set_trace_callback(trim_before_rows)
            return connection

        def trim_before_rows(statement: str) -> None:
            if "FROM journal" in statement:
                with raw(path) as other:
                    other.execute("DELETE FROM journal")

        async with opened(SqliteReader(path, connect_watched)) as reader:
            remains = await reader.load_remains("n")
        assert remains is not None
        assert [row.seq for row in remains.rows] == list(range(1, head.last_seq + 1))
