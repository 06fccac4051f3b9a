"""Storage that fails: nothing is receipted or dropped meanwhile, and it heals without a restart.

P8. Most faults are put between SQLite and the disk, some are real; and while storage fails the
process may crash, too: what had a receipt is there, what had none is there as a whole or not.
"""

import asyncio
import contextlib
import os
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import apsw
import pytest

from yjs_store import (
    Store,
    StoreFailing,
    StoreUnavailable,
    document,
    format,
)
from yjs_store.format import check_head
from yjs_store.switches import Switches

from .crash_matrix.recording import write_files
from .crashes import Model, check_recovery
from .disk.connection import connect_through
from .disk.faults import Fault, Faults
from .disk.operations import Operation, Synced, SyncFailed, Written
from .disk.power import Disk
from .disk.vfs import RecordingVfs
from .editing import Editor, letters, read
from .stores import Recorder, WatchedBackend, raw, store_over

pytestmark = pytest.mark.usefixtures("no_jitter")

WRITE_FAULTS = {
    "disk full": (Fault("write", apsw.SQLITE_FULL), "no room left"),
    "I/O error on write": (Fault("write", apsw.SQLITE_IOERR_WRITE), "disk I/O error"),
    "I/O error on fsync": (Fault("sync", apsw.SQLITE_IOERR_FSYNC), "disk I/O error"),
    "read-only": (Fault("write", apsw.SQLITE_READONLY), "readonly"),
}
every_write_fault = pytest.mark.parametrize(
    ("fault", "says"), WRITE_FAULTS.values(), ids=WRITE_FAULTS
)


@dataclass
class Rig:
    """A store over a disk that fails when told to, and what was done to that disk."""

    path: Path
    operations: list[Operation]
    faults: Faults
    connect: Callable[[], sqlite3.Connection]
    backend: WatchedBackend
    store: Store

    def fail_from(self, intent: str, fault: Fault) -> None:
        """Begin to fail when the backend is next given this intent."""

        async def begin() -> None:
            self.faults.begin(fault)

        self.backend.before[intent] = begin

    def heal(self) -> None:
        self.backend.before.clear()
        self.faults.heal()

    async def check_crash(self, *candidates: Model) -> None:
        """Crash now, in every way; what is left shows one of the candidates and works on."""
        disk = Disk()
        for operation in tuple(self.operations):
            disk.apply(operation)
        left = [disk.after_kill(), disk.after_power_cut()]
        left += [disk.after_torn_power_cut(Random(seed)) for seed in range(2)]
        async with asyncio.TaskGroup() as group:
            for number, files in enumerate(left):
                directory = self.path.parent / f"crash-{len(self.operations)}-{number}"
                directory.mkdir()
                write_files(directory / "store.db", files)
                where = directory.name
                group.create_task(check_recovery(directory / "store.db", candidates, where))


@contextlib.asynccontextmanager
async def rig_at(path: Path, **options: int) -> AsyncIterator[Rig]:
    operations: list[Operation] = []
    faults = Faults()
    vfs = RecordingVfs(path, operations.append, faults)
    connect = connect_through(vfs, **options)
    backend = WatchedBackend(path, connect=connect)
    try:
        async with store_over(backend) as store:
            try:
                yield Rig(path, operations, faults, lambda: connect(path), backend, store)
            finally:
                backend.before.clear()
                faults.heal()
    finally:
        vfs.unregister()


@pytest.fixture
async def rig(path: Path) -> AsyncIterator[Rig]:
    async with rig_at(path) as rig:
        yield rig


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is oversized, and what makes several chunks, is small."""
    monkeypatch.setattr(document, "JOURNAL_ROW_BYTES_MAX", 6000)
    monkeypatch.setattr(format, "SNAPSHOT_CHUNK_BYTES", 2000)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No store reads anything when it is opened: its readers have not opened the file yet."""

    async def read_nothing(_: Switches) -> None:
        return

    monkeypatch.setattr(Switches, "load", read_nothing)


# ---- append -------------------------------------------------------------------------------------


@every_write_fault
@pytest.mark.parametrize("name", ["known", "new"])
async def test_appends_wait_and_are_stored_in_order_when_storage_heals(
    rig: Rig, fault: Fault, says: str, name: str
) -> None:
    a, b, c, d = letters("abcd")
    await rig.store.append("known", a)
    before: list[bytes] = [a] if name == "known" else []
    first = letters("a", 8)[0] if name == "new" else b
    recorder = Recorder()
    rig.faults.begin(fault)
    async with rig.store.document(name) as opened:
        opened.submit(first, recorder)
        await rig.backend.wait_failures(2)
        opened.submit(c, recorder)
        opened.submit(d, recorder)
        await rig.backend.wait_failures(3)
        assert says in str(rig.store.failing_because)
        assert recorder.answers == []
        model: Model = {"known": [a], name: before}
        if not before:
            del model[name]
        await rig.check_crash(model, {**model, name: [*before, first]})
        rig.heal()
        await opened.wait_settled()
    assert rig.store.failing_because is None
    assert [update for update, *_ in recorder.receipts] == [first, c, d]
    seqs = [receipt.seq for _, receipt, _ in recorder.receipts]
    assert seqs == [len(before) + 1, len(before) + 2, len(before) + 2]
    await rig.check_crash({"known": [a], name: [*before, first, c, d]})


@every_write_fault
@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize("intent", ["create", "stage", "publish"])
async def test_an_oversized_append_waits_until_storage_heals(
    rig: Rig, fault: Fault, says: str, intent: str
) -> None:
    a, b = letters("ab")
    large = Editor(8).put("large", Random(1).randbytes(5000).hex())
    name = "new" if intent == "create" else "known"
    await rig.store.append("known", a)
    if intent == "create":
        rig.faults.begin(fault)
    else:
        rig.fail_from(intent, fault)
    appending = asyncio.ensure_future(rig.store.append(name, large))
    await rig.faults.wait_count(1)
    later = asyncio.ensure_future(rig.store.append(name, b))
    await rig.faults.wait_count(3)  # an attempt has two at most: this is another one
    assert says in str(rig.store.failing_because)
    assert not appending.done()
    assert not later.done()
    without: Model = {"known": [a]}
    halfway: Model = {"known": [a], **({"new": []} if intent == "create" else {})}
    whole: Model = {**without, name: [*(without.get(name) or []), large]}
    await rig.check_crash(without, halfway, whole)
    rig.heal()
    assert (await appending).seq < (await later).seq
    assert rig.store.failing_because is None
    await rig.check_crash({**whole, name: [*(whole[name] or []), b]})


# ---- checkpoint, trim, delete -------------------------------------------------------------------


@every_write_fault
@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize("intent", ["stage", "publish"])
async def test_a_checkpoint_that_storage_refuses_changes_nothing_and_is_made_later(
    rig: Rig, fault: Fault, says: str, intent: str
) -> None:
    a, b = letters("ab")
    large = Editor(8).put("large", Random(1).randbytes(2500).hex())
    for update in (a, large):
        await rig.store.append("n", update)
    await rig.store.checkpoint("n")
    await rig.store.append("n", b)
    rig.fail_from(intent, fault)
    with pytest.raises(StoreUnavailable, match=says):
        await rig.store.checkpoint("n")
    assert read(await rig.store.load("n")).text == "ab"
    await rig.check_crash({"n": [a, large, b]})
    rig.heal()
    assert (await rig.store.checkpoint("n")).published
    await rig.check_crash({"n": [a, large, b]})


async def test_a_candidate_that_cannot_be_read_back_is_not_published(path: Path) -> None:
    """P3: unread is unverified."""
    a, b = letters("ab")
    async with rig_at(path, cache_pages=1) as rig:
        for update in (a, b):
            await rig.store.append("n", update)
        # Once only: it is not for want of a disk that it is not published.
        turns = iter([True])
        fault = Fault("read", apsw.SQLITE_IOERR_READ, applies=lambda: next(turns, False))
        rig.fail_from("load_staged", fault)
        with pytest.raises(StoreFailing):
            await rig.store.checkpoint("n")
        assert rig.faults.count
        rig.heal()
        head = await rig.store.head("n")
        assert head is not None
        assert head.snapshot_id is None
        await rig.check_crash({"n": [a, b]})
        assert (await rig.store.checkpoint("n")).published
        await rig.check_crash({"n": [a, b]})


@every_write_fault
async def test_trimming_goes_on_when_storage_heals(rig: Rig, fault: Fault, says: str) -> None:
    a, b = letters("ab")
    for update in (a, b):
        await rig.store.append("n", update)
    rig.fail_from("trim", fault)
    await rig.store.checkpoint("n")
    with pytest.raises(StoreUnavailable, match=says):
        await rig.backend.trim(check_head)
    await rig.check_crash({"n": [a, b]})
    rig.heal()
    while await rig.backend.trim(check_head):
        pass
    await rig.check_crash({"n": [a, b]})


@every_write_fault
async def test_a_delete_that_storage_refuses_is_said_to_have_failed(
    rig: Rig, fault: Fault, says: str
) -> None:
    (a,) = letters("a")
    await rig.store.append("n", a)
    rig.faults.begin(fault)
    with pytest.raises(StoreUnavailable, match=says):
        await rig.store.delete("n")
    assert read(await rig.store.load("n")).text == "a"
    await rig.check_crash({"n": [a]}, {"n": None})
    rig.heal()
    await rig.store.delete("n")
    await rig.check_crash({"n": None})


# ---- load ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("read", apsw.SQLITE_IOERR_READ),
        Fault("read", apsw.SQLITE_IOERR_READ, file=""),
    ],
    ids=["WAL unreadable", "database unreadable"],
)
async def test_what_cannot_be_read_is_no_empty_document(path: Path, fault: Fault) -> None:
    """P4; and it is read once it can be."""
    a, b = letters("ab")
    async with rig_at(path) as rig:
        await rig.store.append("n", a)
    async with rig_at(path) as rig:
        await rig.store.append("n", b)  # to the WAL; what was closed is in the file
        rig.faults.begin(fault)
        for call in (rig.store.load, rig.store.head):
            with pytest.raises(StoreFailing):
                await call("n")
        assert rig.faults.count
        rig.heal()
        assert read(await rig.store.load("n")).text == "ab"


@pytest.mark.usefixtures("unread")
async def test_a_file_that_cannot_be_opened_is_no_empty_document(path: Path) -> None:
    """P4; a reader opens it when it first reads, and may have lost the permission by then."""
    (a,) = letters("a")
    async with rig_at(path) as rig:
        await rig.store.append("n", a)
    async with rig_at(path) as rig:
        rig.faults.begin(Fault("open", apsw.SQLITE_CANTOPEN, file=""))
        for call in (rig.store.load, rig.store.head, rig.store.open_document):
            with pytest.raises(StoreFailing, match="unable to open"):
                await call("n")
        rig.heal()
        assert read(await rig.store.load("n")).text == "a"


async def test_a_document_that_could_not_be_opened_is_opened_when_storage_heals(
    path: Path,
) -> None:
    (a,) = letters("a")
    async with rig_at(path) as rig:
        await rig.store.append("n", a)
    async with rig_at(path) as rig:
        rig.faults.begin(Fault("read", apsw.SQLITE_IOERR_READ, file=""))
        with pytest.raises(StoreFailing):
            await rig.store.append("n", letters("ab")[1])
        rig.heal()
        await rig.store.append("n", letters("ab")[1])
        assert read(await rig.store.load("n")).text == "ab"


# ---- after a failed fsync -----------------------------------------------------------------------


async def test_what_a_failed_fsync_left_is_written_again_and_synced_before_the_receipt(
    rig: Rig,
) -> None:
    """P1: an operating system may forget what it could not write, and then say that all is well."""
    a, b = letters("ab")
    await rig.store.append("n", a)
    start = len(rig.operations)
    rig.faults.begin(Fault("sync", apsw.SQLITE_IOERR_FSYNC))
    appending = asyncio.ensure_future(rig.store.append("n", b))
    at_receipt: list[Operation] = []
    appending.add_done_callback(lambda _: at_receipt.extend(rig.operations[start:]))
    await rig.backend.wait_failures(2)
    rig.heal()
    await appending
    attempts: list[list[Operation]] = [[]]
    for operation in at_receipt:
        if isinstance(operation, Written):
            attempts[-1].append(operation)
        else:
            assert isinstance(operation, Synced | SyncFailed)
            attempts.append([])
    assert len(attempts) >= 4  # the last is what came after the last sync: nothing
    assert attempts[-1] == []
    assert attempts[0]
    assert all(attempt == attempts[0] for attempt in attempts[:-1])
    assert isinstance(at_receipt[-1], Synced)
    await rig.check_crash({"n": [a, b]})


@pytest.mark.parametrize("reads_meanwhile", [False, True])
async def test_a_wal_checkpoint_that_could_not_sync_loses_nothing(
    path: Path, reads_meanwhile: bool
) -> None:
    """SQLite tells nobody that one failed; the WAL has to keep what it could not bring over."""
    editor = Editor(7)
    async with rig_at(path, wal_autocheckpoint=2) as rig, contextlib.AsyncExitStack() as held:
        updates: list[bytes] = []

        async def append_some(count: int) -> None:
            for _ in range(count):
                random = Random(len(updates))
                updates.append(editor.put("key", random.randbytes(1500).hex()))
                await rig.store.append("n", updates[-1])

        await append_some(2)
        if reads_meanwhile:
            # Then only a part is copied, and what is copied is not synced yet.
            reader = rig.connect()
            held.callback(reader.close)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM documents")
        await append_some(3)
        rig.faults.begin(Fault("sync", apsw.SQLITE_IOERR_FSYNC, file=""))
        await held.aclose()
        await append_some(2)
        assert rig.faults.count
        await rig.check_crash({"n": list(updates)})
        rig.heal()
        await append_some(1)
        await rig.check_crash({"n": list(updates)})
        await append_some(4)
        await rig.check_crash({"n": list(updates)})


# ---- real causes --------------------------------------------------------------------------------


@contextlib.contextmanager
def file_size_limit(byte_length: int) -> Iterator[None]:
    """No file of this process grows beyond that: writes come back short, then fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (byte_length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def check_append_waits(
    path: Path, hinder: Callable[[], contextlib.AbstractContextManager[object]], says: str
) -> None:
    a, b, c = letters("abc")
    large = Editor(8).put("large", Random(1).randbytes(200_000).hex())
    backend = WatchedBackend(path)
    recorder = Recorder()
    async with store_over(backend) as store, store.document("n") as opened:
        await store.append("n", a)
        await backend.execute("PRAGMA busy_timeout = 1")
        with hinder():
            opened.submit(large, recorder)
            await backend.wait_failures(2)
            opened.submit(b, recorder)
            await backend.wait_failures(3)
            assert says in str(store.failing_because)
            assert recorder.answers == []
            assert read(await store.load("n")).text == "a"
        opened.submit(c, recorder)
        await opened.wait_settled()
        assert store.failing_because is None
        assert [update for update, *_ in recorder.receipts] == [large, b, c]
    async with store_over(WatchedBackend(path)) as store:
        assert read(await store.load("n")) == read(a, large, b, c)


async def test_a_file_that_may_not_grow_is_waited_for(path: Path) -> None:
    await check_append_waits(path, lambda: file_size_limit(300_000), "disk I/O error")


async def test_somebody_who_holds_the_whole_database_is_waited_for(path: Path) -> None:
    @contextlib.contextmanager
    def hold() -> Iterator[None]:
        with raw(path) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    await check_append_waits(path, hold, "locked by another process")


@contextlib.contextmanager
def without_permission(path: Path) -> Iterator[None]:
    """Take the right to read a file; root, who may read everything, is nobody meanwhile."""
    path.chmod(0)
    if is_root := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(0o600)


@pytest.mark.usefixtures("unread")
async def test_a_permission_that_was_lost_is_said_and_may_come_back(path: Path) -> None:
    (a,) = letters("a")
    async with store_over(WatchedBackend(path)) as store:
        await store.append("n", a)
    async with store_over(WatchedBackend(path)) as store:
        # Before anybody has read.
        with without_permission(path), pytest.raises(StoreFailing):
            await store.load("n")
        assert read(await store.load("n")).text == "a"
