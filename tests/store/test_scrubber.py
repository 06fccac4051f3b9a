"""yjs_store.scrubber: it reads what nobody opens, slowly, and says what is damaged."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from yjs_store import Damaged, StoreBusy, StoreFailing, scrubber
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.opening import now_ms
from yjs_store.records import Extent, StoredDocument
from yjs_store.scrubber import Scrubber

from .editing import letters
from .stores import WatchedBackend, raw, store_over


class Naps:
    """Stands in for asyncio.sleep: notes how long, and lets others run."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.ends_with_the_day = False
        self._sleep = asyncio.sleep

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        if self.ends_with_the_day and seconds > scrubber.SCRUB_PASS_S / 2:
            await asyncio.Event().wait()
        await self._sleep(0)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    naps = Naps()
    monkeypatch.setattr(scrubber.asyncio, "sleep", naps)
    return naps


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.to_thread(lambda: None)


async def write(path: Path) -> None:
    async with store_over(WatchedBackend(path)) as store:
        for name in ("a", "b", "c"):
            await store.append(name, letters(name)[0])
        await store.checkpoint("b")
        await store.append("gone", letters("x")[0])
        await store.delete("gone")


async def test_damage_is_found_by_name_and_forgotten_when_it_is_mended(
    path: Path, naps: Naps
) -> None:
    await write(path)
    reader = SqliteReader(path)
    await reader.open()
    scrubbing = Scrubber(reader, 1000.0, now_ms)
    state = scrubbing.state
    await until(lambda: state.passes >= 1)
    assert state.damaged == {}
    with raw(path) as connection:
        before = connection.execute("SELECT data FROM chunks").fetchone()[0]
        connection.execute("UPDATE chunks SET data = x'00'")
    passes = state.passes
    await until(lambda: state.passes >= passes + 2)
    ((name, problem),) = state.damaged.values()
    assert name == "b"
    assert "chunk 0: expected " in problem
    with raw(path) as connection:
        connection.execute("UPDATE chunks SET data = ?", (before,))
    passes = state.passes
    await until(lambda: state.passes >= passes + 2)
    assert state.damaged == {}
    await scrubbing.close()
    await reader.close()


async def test_it_reads_at_its_rate(path: Path, naps: Naps) -> None:
    await write(path)
    reader = SqliteReader(path)
    await reader.open()
    naps.ends_with_the_day = True
    naps.taken.clear()  # what others than the scrubber took
    scrubbing = Scrubber(reader, 1024 * 1024.0, now_ms)
    await until(lambda: len(naps.taken) == 6)
    assert scrubbing.state.documents == 4
    assert scrubbing.state.started_ms is not None
    await scrubbing.close()
    await reader.close()
    first, *between, last = naps.taken
    assert first == scrubber.SCRUB_FIRST_S
    assert between == [1 / 16] * 4  # 64 KiB of 1 MiB/s each, small as they are
    assert 0.9 * scrubber.SCRUB_PASS_S < last <= scrubber.SCRUB_PASS_S


async def test_it_waits_while_storage_does_not_answer(path: Path, naps: Naps) -> None:
    await write(path)

    class Busy(SqliteReader):
        refusals = 3

        async def load_by_id(self, document_id: int) -> StoredDocument | None:
            if self.refusals:
                self.refusals -= 1
                raise StoreBusy("for a while")
            return await super().load_by_id(document_id)

    reader = Busy(path)
    await reader.open()
    scrubbing = Scrubber(reader, 1000.0, now_ms)
    naps.ends_with_the_day = True
    await until(lambda: scrubbing.state.passes == 1)
    assert naps.taken.count(scrubber.SCRUB_RETRY_S) == 3
    assert scrubbing.state.damaged == {}
    await scrubbing.close()
    await reader.close()


async def test_a_store_can_go_without(path: Path) -> None:
    async with store_over(WatchedBackend(path)) as store:
        assert store.scrub_state is None


async def test_what_is_gone_is_not_damaged_any_more(path: Path, naps: Naps) -> None:
    """Its key is in no list: it was salvaged, or deleted and forgotten."""
    await write(path)
    reader = SqliteReader(path)
    await reader.open()
    scrubbing = Scrubber(reader, 1000.0, now_ms)
    scrubbing.state.damaged[99] = ("gone", "as an earlier pass found")
    await until(lambda: scrubbing.state.passes >= 1)
    assert scrubbing.state.damaged == {}
    await scrubbing.close()
    await reader.close()


async def test_a_list_of_documents_that_is_damaged_is_reported_and_ends_nothing(
    path: Path, naps: Naps
) -> None:
    """P4: the server goes on with every document that can be found."""
    await write(path)

    class Broken(SqliteReader):
        async def list_extents(self, after_id: int, limit: int) -> Sequence[Extent]:
            if after_id:
                raise Damaged("*", "file", "a sound SQLite file", "noise")
            return (await super().list_extents(after_id, limit))[:1]

    reader = Broken(path)
    await reader.open()
    scrubbing = Scrubber(reader, 1000.0, now_ms)
    behind = scrubbing.state.damaged[99] = ("behind it", "as an earlier pass found")
    await until(lambda: scrubbing.state.passes >= 2)
    of_list, of_document = sorted(scrubbing.state.damaged.values())
    assert "noise" in of_list[1]
    assert of_document == behind, "what was not looked at is not said to be mended"
    await scrubbing.close()
    await reader.close()


async def test_a_document_that_the_disk_does_not_give_does_not_hold_up_the_others(
    path: Path, naps: Naps
) -> None:
    await write(path)

    class Unreadable(SqliteReader):
        async def load_by_id(self, document_id: int) -> StoredDocument | None:
            if document_id == 1:
                raise StoreFailing("disk I/O error")
            return await super().load_by_id(document_id)

    reader = Unreadable(path)
    await reader.open()
    with raw(path) as connection:
        connection.execute("UPDATE chunks SET data = x'00'")
    scrubbing = Scrubber(reader, 1000.0, now_ms)
    await until(lambda: scrubbing.state.passes >= 1)
    assert sorted(scrubbing.state.damaged) == [1, 2]
    assert scrubbing.state.damaged[1] == ("number 1", "storage does not give it")
    await scrubbing.close()
    await reader.close()


async def test_a_length_that_is_wrong_does_not_stop_it(path: Path, naps: Naps) -> None:
    """No rest is longer than what was read is worth."""
    await write(path)
    with raw(path) as connection:
        connection.execute("UPDATE documents SET journal_bytes = 1 << 60 WHERE name = 'a'")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'snapshot_bytes INTEGER NOT NULL',"
            " 'snapshot_bytes INTEGER') WHERE name = 'documents'"
        )
    with raw(path) as connection:
        connection.execute("UPDATE documents SET snapshot_bytes = NULL WHERE name = 'c'")
    reader = SqliteReader(path)
    await reader.open()
    scrubbing = Scrubber(reader, 1024.0 * 1024, now_ms)
    await until(lambda: scrubbing.state.passes >= 1)
    assert max(naps.taken) <= scrubber.SCRUB_PASS_S
    assert sorted(scrubbing.state.damaged) == [1, 3]
    await scrubbing.close()
    await reader.close()
