"""yjs_store.backends: what operators look at in an SQLite file, how it is found, and when not."""

import random
import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from yjs_store import Damaged, StoreBusy, StoreFull, format
from yjs_store.backends import sqlite_listing
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.listing_records import Order, PageRequest, Position, Troubled
from yjs_store.observing_records import StoredNote

from .intents import (
    append,
    assembled,
    delete,
    fresh,
    opened,
    publish,
    published,
    salvage,
    stage,
    trim_all,
)
from .stores import WatchedBackend, bytes_of, overwrite, raw

NOTE = StoredNote(b"note", b"checksum")
TABLES = ("checkpoints", "traces", "switches")

INDEXED = re.compile(r"^SEARCH \w+ USING (COVERING INDEX|INDEX|INTEGER PRIMARY KEY)")
# Of at most 2,048 chunks, two codecs.
NO_WALK = ("SCAN CONSTANT ROW", "SCALAR SUBQUERY 1", "USE TEMP B-TREE FOR DISTINCT")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What readers execute."""
    said: list[str] = []
    reader = SqliteReader._reader

    def traced(self: SqliteReader) -> sqlite3.Connection:
        connection = reader(self)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr(SqliteReader, "_reader", traced)
    return said


def plans(path: Path, statements: list[str]) -> dict[str, list[str]]:
    """How SQLite goes about each of them."""
    with raw(path) as connection:
        return {
            statement: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            for statement in statements
            if statement.startswith("SELECT")
        }


async def test_everything_but_sorted_pages_and_counts_is_found_by_index(
    path: Path, statements: list[str]
) -> None:
    async with opened(SqliteBackend(path)) as backend:
        head = await publish(backend, await append(backend, fresh("n"), b"one"))
        observing = backend.observing
        statements.clear()
        await observing.facts("n")
        await observing.list_checkpoints(head.document_id, 50)
        await observing.list_traces(head.document_id, 200)
        await observing.list_acts(None, 7, 100)
        await observing.list_acts("n", None, 100)
        await observing.find_switch(0)
        await observing.list_switches(0, 100)
        await backend.quarantine.count("n")
        found = plans(path, statements)
    assert len(found) >= 12
    for statement, steps in found.items():
        assert steps, statement
        for step in steps:
            assert INDEXED.match(step) or step in NO_WALK, (statement, step)


async def test_a_page_by_name_is_found_by_index_and_sorts_nothing(path: Path) -> None:
    async with opened(SqliteBackend(path)):
        pass
    for request in (
        PageRequest(),
        PageRequest(prefix="notes/"),
        PageRequest(after=Position("n", 0)),
        PageRequest(prefix="notes/", after=Position("notes/n", 0)),
    ):
        with raw(path) as connection:
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN {sqlite_listing.select(request)}",
                sqlite_listing.facts_of(request),
            ).fetchall()
        (step,) = [row[3] for row in plan]
        assert step.endswith("USING INDEX sqlite_autoindex_documents_1") or INDEXED.match(step)


@pytest.mark.parametrize("order", [Order.UPDATED, Order.BYTES, Order.JOURNAL])
async def test_a_page_in_another_order_is_one_walk_through_the_heads(
    path: Path, order: Order
) -> None:
    """See engineering/decisions/0014: no commit pays for an index on what it changes."""
    async with opened(SqliteBackend(path)):
        pass
    request = PageRequest(order, prefix="n", after=Position(5, 5))
    with raw(path) as connection:
        steps = [
            row[3]
            for row in connection.execute(
                f"EXPLAIN QUERY PLAN {sqlite_listing.select(request)}",
                sqlite_listing.facts_of(request),
            )
        ]
        indexes = connection.execute("PRAGMA index_list(documents)").fetchall()
    assert steps == ["SCAN documents", "USE TEMP B-TREE FOR ORDER BY"]
    assert {row[1] for row in indexes} == {"sqlite_autoindex_documents_1", "documents_by_name_hash"}


async def test_looking_reads_no_content(path: Path) -> None:
    """Noise in the place of every chunk's and row's bytes is not noticed."""
    noise = random.Random("incompressible").randbytes(400_000)
    async with opened(SqliteBackend(path)) as backend:
        await publish(backend, await append(backend, fresh("n"), b"one"), noise)
    content = bytes_of(path)
    with raw(path) as connection:
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        b_trees = connection.execute("SELECT rootpage FROM sqlite_schema").fetchall()
    spoiled = bytearray(content)
    roots = {root for (root,) in b_trees}
    for number in range(2, len(content) // page_bytes + 1):
        start = (number - 1) * page_bytes
        is_overflow = content[start] == 0 and number not in roots
        if is_overflow:
            spoiled[start : start + page_bytes] = b"\xff" * page_bytes
    assert spoiled != content
    overwrite(path, bytes(spoiled))
    async with opened(SqliteReader(path)) as reader:
        with pytest.raises(Damaged):
            await assembled(reader, "n")
        found = await reader.observing.facts("n")
        assert found is not None
        assert found.snapshot is not None
        assert found.snapshot.codecs == (format.CODEC_RAW,)
        assert found.unreadable == ()
        assert len((await reader.observing.page(PageRequest())).entries) == 1


# ---- damage -------------------------------------------------------------------------------------


async def _break(backend: WatchedBackend, *tables: str) -> None:
    for table in tables:
        await backend.execute(f"DROP TABLE {table}")


async def test_damage_to_what_is_kept_stops_no_checkpoint_salvage_or_trimming(path: Path) -> None:
    async with opened(WatchedBackend(path)) as backend:
        head = await append(backend, fresh("n"), b"one")
        await _break(backend, *TABLES, "audit")
        after = published(head, await stage(backend, head))
        await backend.publish(head, format.seal_head(after), NOTE)
        assert await assembled(backend, "n") == [b"folded"]
        fresh_head = replace(fresh("new"), last_seq=1)
        created = published(fresh_head, await stage(backend, fresh_head))
        await backend.create(format.seal_head(created), NOTE)
        await salvage(backend, after)
        assert await backend.discard_set_aside(head.document_id)
        await trim_all(backend)
        assert await assembled(backend, "n") == [b"salvaged"]
        found = await backend.observing.facts("n")
        assert found is not None
        assert [each.partition(":")[0] for each in found.unreadable] == ["switch", "checkpoints"]
        assert found.snapshot is not None


async def test_a_disk_that_fails_at_the_record_fails_the_publishing(path: Path) -> None:
    """P1: what was rolled back is not said to be there."""
    async with opened(WatchedBackend(path)) as backend:
        head = await append(backend, fresh("n"), b"one")
        after = published(head, await stage(backend, head))
        pages = (await backend.execute("PRAGMA page_count"))[0][0]
        await backend.execute(f"PRAGMA max_page_count = {pages}")
        large = replace(NOTE, data=b"x" * 100_000)
        with pytest.raises(StoreFull):
            await backend.publish(head, format.seal_head(after), large)
        assert await assembled(backend, "n") == [b"one"]
        await backend.execute("PRAGMA max_page_count = 100000")
        await backend.publish(head, format.seal_head(after), large)
        assert await assembled(backend, "n") == [b"folded"]


async def test_a_document_whose_traces_cannot_be_removed_is_not_forgotten(path: Path) -> None:
    """P9: it would be said to be gone."""
    async with opened(WatchedBackend(path)) as backend:
        tombstone = await delete(backend, await append(backend, fresh("n"), b"one"))
        await trim_all(backend)
        await _break(backend, "traces")
        with pytest.raises(Damaged):
            await backend.forget(tombstone)
        assert await backend.load_head("n") is not None


@pytest.mark.parametrize("order", Order)
async def test_a_page_of_heads_that_is_broken_hides_no_other(path: Path, order: Order) -> None:
    names = [f"note-{number:03}" for number in range(100)]
    async with opened(SqliteBackend(path)) as backend:
        for name in names:
            await append(backend, fresh(name), b"one")
    _break_leaf_with(path, b"note-050")
    async with opened(SqliteReader(path)) as reader:
        found, request = [], PageRequest(order, limit=30)
        while True:
            page = await reader.observing.page(request)
            found += page.entries
            if page.following is None:
                break
            request = replace(request, after=page.following)
    assert sorted(entry.name for entry in found) == names
    broken = {entry.name for entry in found if entry.sealed_head is None}
    assert "note-050" in broken
    assert 1 < len(broken) < len(names)
    assert all((entry.problem is not None) == (entry.name in broken) for entry in found)
    if order is Order.NAME:
        assert [entry.name for entry in found] == names
    else:
        assert {entry.name for entry in found[: len(broken)]} == broken


def _break_leaf_with(path: Path, text: bytes) -> None:
    """Spoil the page of the table of heads on which this name is; no store is open."""
    content = bytearray(bytes_of(path))
    for start in range(4096, len(content), 4096):
        if content[start] == 13 and text in content[start : start + 4096]:
            content[start] = 0xFF
    overwrite(path, bytes(content))


async def test_a_name_that_is_no_text_any_more_is_shown(path: Path) -> None:
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("abc"), b"one")
        await append(backend, fresh("xyz"), b"one")
    content = bytes_of(path)
    overwrite(path, content.replace(b"abc", b"a\xffc"))
    async with opened(SqliteReader(path)) as reader:
        for order in Order:
            page = await reader.observing.page(PageRequest(order))
            assert {entry.name for entry in page.entries} == {"a\ufffdc", "xyz"}
            trouble = Troubled(frozenset({"xyz"}), 1 << 40)
            page = await reader.observing.page(PageRequest(order, troubled=trouble))
            assert [entry.name for entry in page.entries] == ["xyz"]


Write = Callable[[SqliteBackend, StoredNote], Awaitable[object]]
WRITES: dict[str, Write] = {
    "checkpoint": lambda backend, note: backend.observing.add_checkpoint(note),
    "traces": lambda backend, note: backend.observing.add_traces([note] * 3),
    "act": lambda backend, note: backend.observing.add_act("n", note),
    "switch": lambda backend, note: backend.observing.set_switch(note),
}


def _kept(path: Path) -> list[list[tuple[object, ...]]]:
    with raw(path) as connection:
        return [
            connection.execute(f"SELECT data, checksum FROM {table}").fetchall()
            for table in (*TABLES, "audit")
        ]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_what_finds_no_room_is_not_kept_and_may_be_tried_again(
    path: Path, write: Write
) -> None:
    async with opened(WatchedBackend(path)) as backend:
        head = await append(backend, fresh("n"), b"one")
        large = StoredNote(b"x" * 100_000, b"", head.document_id)
        before = _kept(path)
        await backend.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreFull):
            await write(backend, large)
        assert _kept(path) == before
        await backend.execute("PRAGMA max_page_count = 100000")
        await write(backend, large)
        kept = [each for table in _kept(path) for each in table]
        assert set(kept) == {(large.data, large.checksum)}


# ---- room ---------------------------------------------------------------------------------------


async def test_vacuum_gives_free_pages_back_to_the_disk(path: Path) -> None:
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("n"), b"one")
        tombstone = await delete(backend, await append(backend, fresh("m"), b"x" * 1_000_000))
        await trim_all(backend)
        assert await backend.forget(tombstone)
        change = await backend.vacuum()
        assert change.incomplete is None
        assert change.before.free_bytes > 1_000_000
        assert (change.after.free_bytes, change.after.wal_bytes) == (0, 0)
        assert path.stat().st_size == change.after.file_bytes < 300_000
        assert change.after.disk_free_bytes > 0
        assert await assembled(backend, "n") == [b"one"]


async def test_truncating_the_wal_gives_its_room_back(path: Path) -> None:
    async with opened(SqliteBackend(path)) as backend:
        await append(backend, fresh("n"), b"x" * 100_000)
        wal = path.with_name(path.name + "-wal")
        assert wal.stat().st_size > 100_000
        change = await backend.truncate_wal()
        assert (change.incomplete, change.after.wal_bytes) == (None, 0)
        assert change.before.wal_bytes > 100_000
        assert wal.stat().st_size == 0


async def test_a_reader_that_reads_on_keeps_the_wal_and_that_is_said(path: Path) -> None:
    async with opened(WatchedBackend(path)) as backend:
        # The two seconds of patience are not what is tested here.
        await backend.execute("PRAGMA busy_timeout = 1")
        head = await append(backend, fresh("n"), b"one")
        with raw(path) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM documents").fetchone()
            await append(backend, head, b"two")
            change = await backend.truncate_wal()
            assert change.incomplete is not None
            assert change.after.wal_bytes > 0
            reader.execute("ROLLBACK")
        assert (await backend.truncate_wal()).incomplete is None
        assert await assembled(backend, "n") == [b"one", b"two"]


async def test_vacuum_waits_for_nobody_who_writes(path: Path) -> None:
    async with opened(WatchedBackend(path)) as backend:
        await backend.execute("PRAGMA busy_timeout = 1")
        await append(backend, fresh("n"), b"one")
        with raw(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                await backend.vacuum()
            other.execute("ROLLBACK")
        assert await assembled(backend, "n") == [b"one"]


# ---- commits ------------------------------------------------------------------------------------


async def test_every_commit_that_succeeds_is_timed_and_no_other(path: Path) -> None:
    backend = WatchedBackend(path)
    async with opened(backend):
        assert backend.commit_times().count == 0
        head = await append(backend, fresh("n"), b"one", b"two")
        assert backend.commit_times().count == 2
        await backend.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreFull):
            await append(backend, head, b"x" * 100_000)
        await backend.load("n")
    found = backend.commit_times()
    assert found.count == 2
    assert 0 < found.total < 60
