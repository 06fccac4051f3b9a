"""Sessions and quarantine when storage fails or the process dies: what returned holds (P1, P8)."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from yjs_store import (
    Permission,
    SessionStatus,
    Store,
    StoreError,
    StoreUnavailable,
    WriterSuperseded,
    open_store,
)

from .clock import Clock
from .crash_matrix.recording import write_files
from .crashes import copy_files
from .disk.faults import Fault
from .disk.power import Disk
from .editing import letters, read
from .stores import WatchedBackend, steal_lock, store_over, url
from .test_sessions import HOUR_MS, hash_of, session
from .test_storage_faults import Rig, every_write_fault, rig_at

Statuses = dict[str, str]

pytestmark = pytest.mark.usefixtures("no_jitter")


@pytest.fixture
async def rig(path: Path) -> AsyncIterator[Rig]:
    async with rig_at(path) as rig:
        yield rig


async def statuses_of(store: Store) -> Statuses:
    """The status of each session; none of them is damaged."""
    found = await store.sessions.list(with_ended=True)
    assert not [each for each in found if "damaged" in each.details]
    return {each.session_id: each.status.value for each in found}


async def statuses_at(path: Path) -> Statuses:
    async with open_store(url(path)) as store:
        assert [entry.problem for entry in await store.quarantine.list()] in ([], [None])
        return await statuses_of(store)


async def check_crash(rig: Rig, *candidates: Statuses) -> None:
    """Crash now, in every way: what is left is one of the candidates."""
    disk = Disk()
    for operation in tuple(rig.operations):
        disk.apply(operation)
    left = [disk.after_kill(), disk.after_power_cut(), disk.after_torn_power_cut(Random(1))]
    for number, files in enumerate(left):
        directory = rig.path.parent / f"crash-{len(rig.operations)}-{number}"
        directory.mkdir()
        write_files(directory / "store.db", files)
        assert await statuses_at(directory / "store.db") in candidates


WRITES: dict[str, tuple[Callable[[Store], Awaitable[object]], Statuses]] = {
    "start": (
        lambda store: store.sessions.start(session("new", store._clock_ms()), hash_of("t")),
        {"old": "active", "new": "active"},
    ),
    "revoke": (lambda store: store.sessions.revoke(user="ann"), {"old": "revoked"}),
    "end": (lambda store: store.sessions.end("old"), {"old": "ended"}),
    "extend": (
        lambda store: store.sessions.extend("old", Permission.READ, store._clock_ms() + HOUR_MS),
        {"old": "active"},
    ),
}


@every_write_fault
@pytest.mark.parametrize("write", WRITES)
async def test_a_change_that_storage_refuses_is_said_and_made_when_it_heals(
    rig: Rig, fault: Fault, says: str, write: str
) -> None:
    make, after = WRITES[write]
    store = rig.store
    told: list[str] = []
    await store.sessions.start(session("old", store._clock_ms()), hash_of("old"))
    store.sessions._listener = told.extend
    before = {"old": "active"}
    rig.faults.begin(fault)
    with pytest.raises(StoreUnavailable, match=says):
        await make(store)
    assert told == []
    assert await statuses_of(store) == before
    # After a failed fsync nobody knows what a crash leaves; nobody was told that it holds.
    await check_crash(rig, before, after)
    rig.heal()
    await make(store)
    assert await statuses_of(store) == after
    assert told == (["old"] if write in ("revoke", "end") else [])
    await check_crash(rig, after)


@every_write_fault
async def test_an_entry_that_storage_refuses_is_dropped_and_documents_go_on(
    rig: Rig, fault: Fault, says: str
) -> None:
    a, b = letters("ab")
    await rig.store.append("n", a)
    rig.faults.begin(fault)
    assert await rig.store.quarantine.put("n", b"bad", "it is bad", "ann") is None
    assert says in str(rig.store.quarantine.state.dropped_because)
    rig.heal()
    await rig.store.append("n", b)
    assert read(await rig.store.load("n")) == read(a, b)
    assert await rig.store.quarantine.put("n", b"bad", "it is bad", "ann") is not None
    await check_crash(rig, {})


@dataclass
class Crash:
    """The files at one statement, and what had returned by then."""

    path: Path
    returned: tuple[str, ...]


async def test_at_whatever_statement_the_process_dies_what_returned_holds(path: Path) -> None:
    clock = Clock()
    returned: list[str] = []
    crashes: list[Crash] = []

    def crash(_: str) -> None:
        target = path.with_name(f"crash-{len(crashes)}.db")
        copy_files(path, target)
        crashes.append(Crash(target, tuple(returned)))

    backend = WatchedBackend(path, on_statement=crash)
    async with store_over(backend, clock_ms=clock) as store:
        for name, work in _steps(store, clock):
            await work
            returned.append(name)
    assert len(crashes) > 20
    for crash_ in crashes:
        await _check(crash_, clock)


def _steps(store: Store, clock: Clock) -> Iterator[tuple[str, Awaitable[object]]]:
    sessions = store.sessions
    for each in ("one", "two", "three"):
        yield each, sessions.start(session(each, clock.now_ms), hash_of(each))
    yield "put", store.quarantine.put("n", b"bad", "it is bad", "ann")
    yield "revoke two", sessions.revoke(session_id="two")
    yield "extend one", sessions.extend("one", Permission.READ, clock.now_ms + 2 * HOUR_MS)
    yield "end three", sessions.end("three")
    yield "put again", store.quarantine.put("n", b"bad", "it is bad", "ann")


async def _check(crash: Crash, clock: Clock) -> None:
    async with open_store(url(crash.path), clock_ms=clock) as store:
        found = {each.session_id: each for each in await store.sessions.list(with_ended=True)}
        assert not [each for each in found.values() if "damaged" in each.details]
        assert found.keys() >= {"one", "two", "three"} & set(crash.returned)
        for step, session_id in (("revoke two", "two"), ("end three", "three")):
            if step in crash.returned:
                assert await store.sessions.find(session_id) is None
        if "extend one" in crash.returned:
            assert found["one"].permission is Permission.READ
        counts = [entry.seen_count for entry in await store.quarantine.list()]
        expected = ("put" in crash.returned) + ("put again" in crash.returned)
        assert sum(counts) in (expected, expected + 1)


KILLED = """
import asyncio, os, signal, sys, time
from pathlib import Path
from yjs_store import open_store, Permission, Session, SessionStatus

async def run():
    now = time.time_ns() // 1_000_000
    def session(name):
        return Session(name, "ann", "notes", Permission.WRITE, SessionStatus.ACTIVE, {}, now, now,
                       now + 3_600_000)
    async with open_store(sys.argv[1]) as store:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(store.sessions.start(session(str(number)), None))
        await store.sessions.revoke(session_id="7")
        await store.sessions.end("8")
        await store.quarantine.put("notes", b"bad", "it is bad", "ann")
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(run())
"""


async def test_a_kill_after_they_returned_leaves_all_of_them(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, url(path)]
    done = await asyncio.to_thread(subprocess.run, command, timeout=60, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    async with open_store(url(path)) as store:
        statuses = await statuses_of(store)
        ended = {"7": SessionStatus.REVOKED.value, "8": SessionStatus.ENDED.value}
        assert statuses == {str(number): "active" for number in range(100)} | ended
        assert await store.sessions.find("7") is None
        (entry,) = await store.quarantine.list()
        assert (await store.quarantine.get(entry.entry_id)).data == b"bad"


async def test_a_superseded_store_starts_ends_and_keeps_nothing(path: Path) -> None:
    """P7."""
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as former:
        await former.sessions.start(session("one", clock.now_ms), None)
        steal_lock(path)
        async with open_store(url(path), clock_ms=clock) as store:
            for change in (
                former.sessions.start(session("two", clock.now_ms), None),
                former.sessions.end("one"),
                former.sessions.revoke(user="ann"),
                former.sessions.extend("one", Permission.ADMIN, clock.now_ms + HOUR_MS),
            ):
                with pytest.raises(WriterSuperseded):
                    await change
            assert await former.quarantine.put("n", b"bad", "it is bad", "ann") is None
            assert await statuses_of(store) == {"one": "active"}
            assert await store.quarantine.list() == []


async def test_after_the_end_of_the_store_every_call_says_closed(path: Path) -> None:
    async with open_store(url(path)) as store:
        await store.sessions.start(session("one", store._clock_ms()), None)
    sessions = store.sessions
    for call in (
        sessions.start(session("two", 1), None),
        sessions.find("one"),
        sessions.find_by_credential(b"h" * 32, "notes"),
        sessions.extend("one", Permission.READ, 1),
        sessions.end("one"),
        sessions.revoke(user="ann"),
        sessions.list(),
        sessions.remove_expired(),
        store.quarantine.list(),
        store.quarantine.get(1),
        store.quarantine.discard(1),
        store.quarantine.release(1),
        store.quarantine.remove_old(),
    ):
        with pytest.raises(StoreError, match="closed"):
            await call


async def test_what_was_begun_before_the_end_of_the_store_is_carried_out(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        starts = [
            asyncio.ensure_future(store.sessions.start(session(str(n), clock.now_ms), None))
            for n in range(300)
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*starts)
    async with open_store(url(path), clock_ms=clock) as store:
        assert len(await store.sessions.list()) == 300
