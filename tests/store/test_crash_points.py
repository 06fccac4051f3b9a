"""A script is stopped at every statement; what was acknowledged is there, and work goes on.

The process is killed where the writer is about to run a statement, and also in the middle of
writing a commit to the WAL: then a part of what the commit would write is there.
"""

import asyncio
import itertools
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from yjs_store import Store, format
from yjs_store.backends.sqlite import SqliteBackend, connect
from yjs_store.format import check_head

from .crashes import Model, check_tidy, copy_files, load_all, shows
from .editing import Editor, letters, read
from .stores import WatchedBackend, store_over

CHUNK_BYTES = 2000
LARGE = Editor(3).write("x" * (2 * CHUNK_BYTES + 1000))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot has several chunks without being large."""
    monkeypatch.setattr(format, "SNAPSHOT_CHUNK_BYTES", CHUNK_BYTES)


@dataclass(frozen=True)
class Step:
    """One call, and what it does to the documents."""

    call: Callable[[Store], Awaitable[object]]
    apply: Callable[[Model], object]


def append(name: str, update: bytes) -> Step:
    def apply(model: Model) -> None:
        updates = model.setdefault(name, [])
        assert updates is not None
        updates.append(update)

    return Step(lambda store: store.append(name, update), apply)


def checkpoint(name: str) -> Step:
    return Step(lambda store: store.checkpoint(name), lambda _: None)


def delete(name: str) -> Step:
    return Step(lambda store: store.delete(name), lambda model: model.update({name: None}))


def forget(name: str) -> Step:
    return Step(lambda store: store.forget(name), lambda model: model.pop(name))


def script() -> list[Step]:
    """Two documents, checkpoints of several chunks, trimming, deletion and a second life."""
    ann, bob = Editor(7), Editor(8)
    a, b, _, d = ann.write_letters("abcd")
    return [
        append("n", a),
        append("m", bob.write("bob")),
        append("n", LARGE),
        append("n", b),
        checkpoint("n"),
        append("n", d),  # its predecessor is not there
        append("m", bob.erase(0, 1)),
        checkpoint("m"),
        append("n", Editor(10).put("k", 1)),
        checkpoint("n"),
        append("n", ann.updates[2]),
        delete("m"),
        append("n", ann.erase(0, 1)),
        forget("m"),
        append("m", letters("again", 9)[0]),
        checkpoint("n"),
    ]


def models() -> list[Model]:
    """What is there after each step; the first is before all."""
    model: Model = {}
    found: list[Model] = [{}]
    for step in script():
        step.apply(model)
        found.append({name: updates and list(updates) for name, updates in model.items()})
    return found


@dataclass(frozen=True)
class Crash:
    """The files left by a crash before ``statement``, when so many steps had been acknowledged."""

    path: Path
    done: int
    statement: str


async def run_and_crash_everywhere(directory: Path) -> list[Crash]:
    """Run the script once; return a copy of the files before each statement and after the last."""
    path = directory / "live.db"
    crashes: list[Crash] = []
    done = 0

    def crash(statement: str) -> None:
        copy = directory / f"{len(crashes)}.db"
        copy_files(path, copy)
        crashes.append(Crash(copy, done, statement.split("(", maxsplit=1)[0][:60]))

    backend = SqliteBackend(path, on_statement=crash)
    async with store_over(backend) as store:
        for step in script():
            await step.call(store)
            done += 1
        while await backend.trim(check_head):
            pass
    crash("the end")
    return crashes


def torn_commits(crashes: list[Crash]) -> list[Crash]:
    """The files left in the middle of each commit: before it, with a part of what it wrote."""
    torn: list[Crash] = []
    for before, after in itertools.pairwise(crashes):
        old, new = (wal_of(crash) for crash in (before, after))
        if len(new) <= len(old) or not new.startswith(old[:32]):
            continue  # nothing was written, or the WAL began anew
        for length in ((len(old) + len(new)) // 2, len(new) - 1):
            copy = before.path.with_name(f"{before.path.stem}-torn-{length}.db")
            shutil.copyfile(before.path, copy)
            copy.with_name(copy.name + "-wal").write_bytes(new[:length])
            torn.append(Crash(copy, before.done, f"half of {before.statement}"))
    return torn


def wal_of(crash: Crash) -> bytes:
    wal = crash.path.with_name(crash.path.name + "-wal")
    return wal.read_bytes() if wal.exists() else b""


async def check_recovery(crash: Crash, expected: list[Model]) -> None:
    """Open what the crash left: nothing acknowledged is missing, and the store works on."""
    where = f"crashed before {crash.statement!r}, after step {crash.done}"
    backend = WatchedBackend(crash.path)
    async with store_over(backend) as store:
        shown = await load_all(store)
        # What was under way is there as a whole or not at all.
        candidates = expected[crash.done : crash.done + 2]
        model = next((model for model in candidates if shows(shown, model)), None)
        assert model is not None, where
        await work_on(store, model)
        while await backend.trim(check_head):
            pass
        assert shows(await load_all(store), model), where
        check_tidy(crash.path)
    async with store_over(WatchedBackend(crash.path)) as store:
        assert shows(await load_all(store), model), where


async def work_on(store: Store, model: Model) -> None:
    """Append to what is there and to something new, and checkpoint both."""
    update = Editor(11).put("after the crash", 1)
    for name in ("n", "a new one"):
        await store.append(name, update)
        updates = model.setdefault(name, [])
        assert updates is not None
        updates.append(update)
        assert (await store.checkpoint(name)).published


async def test_nothing_acknowledged_is_lost_wherever_the_process_is_killed(tmp_path: Path) -> None:
    """The crash matrix: between every two statements, and in the middle of every commit."""
    crashes = await run_and_crash_everywhere(tmp_path)
    statements = [crash.statement for crash in crashes]
    for kind in (
        "INSERT INTO journal",
        "INSERT INTO chunks",
        "UPDATE snapshots SET state = 'published'",
        "DELETE FROM journal",
        "DELETE FROM chunks",
        "DELETE FROM documents",
        "COMMIT",
    ):
        assert any(statement.startswith(kind) for statement in statements), kind
    expected = models()
    assert {crash.done for crash in crashes} >= set(range(len(expected) - 1))
    await check_recoveries(crashes + torn_commits(crashes), expected)


async def check_recoveries(crashes: list[Crash], expected: list[Model]) -> None:
    """Check each, several at a time: most of it is waiting for the disk."""
    for start in range(0, len(crashes), 8):
        async with asyncio.TaskGroup() as group:
            for crash in crashes[start : start + 8]:
                # Each works on a copy of the model of its own.
                own = [
                    {name: updates and list(updates) for name, updates in model.items()}
                    for model in expected
                ]
                group.create_task(check_recovery(crash, own))


async def test_a_second_crash_during_recovery_loses_nothing_either(tmp_path: Path) -> None:
    crashes = await run_and_crash_everywhere(tmp_path)
    expected = models()
    # Opening after a crash that left something staged, and after one in the middle of trimming.
    staged = next(crash for crash in crashes if crash.statement.startswith("INSERT INTO chunks"))
    trimming = next(crash for crash in crashes if crash.statement.startswith("DELETE FROM"))
    for number, first in enumerate((staged, trimming)):
        again: list[Crash] = []

        def crash(statement: str, first: Crash = first, again: list[Crash] = again) -> None:
            copy = first.path.with_name(f"again-{first.path.stem}-{len(again)}.db")
            copy_files(first.path, copy)
            again.append(Crash(copy, first.done, statement))

        backend = SqliteBackend(first.path, on_statement=crash)
        await backend.open()
        while await backend.trim(check_head):
            pass
        await backend.close()
        assert len(again) > 3, number
        await check_recoveries(again, expected)


async def test_a_crash_while_the_schema_is_made_leaves_a_store_that_opens(tmp_path: Path) -> None:
    """Field note 31: whatever was made of it, the next open makes the rest."""
    path = tmp_path / "live.db"
    copies: list[Path] = []

    def crash(_: str) -> None:
        copies.append(tmp_path / f"{len(copies)}.db")
        copy_files(path, copies[-1])

    def connect_traced(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(crash)
        return connection

    backend = SqliteBackend(path, connect=connect_traced)
    await backend.open()
    await backend.close()
    assert len(copies) > 15
    for copy in copies:
        async with store_over(WatchedBackend(copy)) as store:
            await store.append("n", letters("a")[0])
            assert (await store.checkpoint("n")).published
        async with store_over(WatchedBackend(copy)) as store:
            assert read(await store.load("n")).text == "a"


async def test_what_is_in_memory_alone_had_no_receipt(tmp_path: Path) -> None:
    """P1: a crash while a commit waits loses only what nobody was told of."""
    path = tmp_path / "store.db"
    backend = WatchedBackend(path)
    a, b = letters("ab")
    copy = tmp_path / "copy.db"
    async with store_over(backend) as store:
        await store.append("n", a)

        async def crash() -> None:
            copy_files(path, copy)

        backend.before["append"] = crash
        appending = asyncio.ensure_future(store.append("n", b))
        await asyncio.sleep(0)
        assert not appending.done()
        await appending
    async with store_over(WatchedBackend(copy)) as store:
        assert read(await store.load("n")).text == "a"


@pytest.mark.parametrize("drops_wal", [False, True])
async def test_a_closed_store_is_one_file(tmp_path: Path, drops_wal: bool) -> None:
    """Closing leaves everything in the database file, for those who copy it."""
    path = tmp_path / "store.db"
    async with store_over(WatchedBackend(path)) as store:
        await store.append("n", letters("a")[0])
    copy = tmp_path / "copy.db"
    shutil.copyfile(path, copy)
    if not drops_wal:
        copy_files(path, copy)
    async with store_over(WatchedBackend(copy)) as store:
        assert read(await store.load("n")).text == "a"
