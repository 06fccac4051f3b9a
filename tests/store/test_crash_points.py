"""A script is stopped at every statement; what was acknowledged is there, and work goes on.

The process is killed where the writer is about to run a statement, while the keeper trims as it
likes. What is torn, and what a power cut leaves, is in ``test_crash_matrix.py``.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from yjs_store import Store, format
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.format import check_head

from .crashes import SUFFIXES, Model, check_recovery, copy_files
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


async def test_nothing_acknowledged_is_lost_wherever_the_process_is_killed(tmp_path: Path) -> None:
    """Between every two statements; the crash matrix does so between every two writes."""
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
    await check_recoveries(different(crashes), expected)


def different(crashes: list[Crash]) -> list[Crash]:
    """One for each that left other files, or when more had been acknowledged."""
    by_content = {(crash.done, *contents_of(crash.path)): crash for crash in crashes}
    return list(by_content.values())


def contents_of(path: Path) -> tuple[bytes, ...]:
    files = (path.with_name(path.name + suffix) for suffix in SUFFIXES)
    return tuple(file.read_bytes() for file in files if file.exists())


async def check_recoveries(crashes: list[Crash], expected: list[Model]) -> None:
    """Check each, several at a time: most of it is waiting for the disk."""
    for start in range(0, len(crashes), 8):
        async with asyncio.TaskGroup() as group:
            for crash in crashes[start : start + 8]:
                # What was under way is there as a whole or not at all.
                candidates = expected[crash.done : crash.done + 2]
                where = f"crashed before {crash.statement!r}, after step {crash.done}"
                group.create_task(check_recovery(crash.path, candidates, where))


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
