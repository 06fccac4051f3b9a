"""Runs a script on a store whose disk is recorded, and gives every point at which to crash."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.crashes import ACTS, SWITCHES, Model
from store.disk.connection import connect_through
from store.disk.faults import Faults
from store.disk.operations import Files, Operation, Written
from store.disk.power import Disk
from store.disk.vfs import RecordingVfs
from store.stores import NEVER, store_over
from yjs_store import Store
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_connect import Connect
from yjs_store.format import UID_BYTES, check_head
from yjs_store.observing_records import StoredNote
from yjs_store.records import Chunk, Head, SealedHead, Snapshot

from .scripts import CLOSING, Run, Step, models_of, small_limits

WAL_CHECKPOINT = "SQLite's wal_checkpoint"

Environment = Callable[[], contextlib.AbstractContextManager[None]]
"""What has to hold while the script runs, and while what a crash left is opened."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which to crash.

    Attributes:
        kind: what was being done.
        done: how many steps had been acknowledged.
        operation: what had just been done to the files; None when something was said.
    """

    kind: str
    done: int
    operation: Operation | None


@dataclass(frozen=True, slots=True)
class Recording:
    """What was done to the files of a store, from what was there at first.

    ``candidates`` has, for so many steps acknowledged, what a crash may leave.
    """

    name: str
    start: Files
    points: Sequence[Point]
    candidates: Sequence[Sequence[Model]]
    environment: Environment

    def disks(self) -> Iterator[tuple[int, Point, Disk]]:
        """Every point with its number, and the disk as it is then."""
        disk = Disk(self.start)
        for number, point in enumerate(self.points):
            if point.operation is not None:
                disk.apply(point.operation)
            yield number, point, disk


class Log:
    """What happens to the files, between what is said of it."""

    def __init__(self, kind: str) -> None:
        self.points: list[Point] = []
        self.done = 0
        self.kind = kind

    def record(self, operation: Operation) -> None:
        """Note what was done to a file."""
        self.points.append(Point(self._kind_of(operation), self.done, operation))

    def begin(self, kind: str) -> None:
        """Say what is done from now on."""
        self.kind = kind
        self.points.append(Point(kind, self.done, None))

    def acknowledge(self) -> None:
        """Say that a step has come back: what it did must be there from now on."""
        self.done += 1
        self.points.append(Point(self.kind, self.done, None))

    def _kind_of(self, operation: Operation) -> str:
        if self.kind in _STEP_KINDS:
            if operation.file == "":
                return WAL_CHECKPOINT
            if isinstance(operation, Written) and operation.offset == 0:
                return WAL_CHECKPOINT  # the WAL begins anew
        return self.kind


_CHECKPOINT = {phase: f"checkpoint: {phase}" for phase in ("stage", "verify", "publish")}
_STEP_KINDS = {
    "act",
    "switch",
    "append",
    "append to many documents",
    "lift",
    "oversized append",
    "trim",
    "delete",
    "forget",
    *_CHECKPOINT.values(),
}


class ScriptedBackend(SqliteBackend):
    """The SQLite backend; it says which phase begins, and trims when the script does."""

    def __init__(self, path: Path, connect: Connect, log: Log) -> None:
        super().__init__(path, connect=connect)
        self._log = log
        self._script = asyncio.current_task()

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        self._begin("stage")
        return await super().stage(head, snapshot, chunks)

    async def load_staged(self, snapshot_id: int) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
        self._begin("verify")
        return await super().load_staged(snapshot_id)

    async def publish(
        self, before: Head, after: SealedHead, checkpoint: StoredNote | None = None
    ) -> None:
        self._begin("publish")
        await super().publish(before, after, checkpoint)

    def _begin(self, phase: str) -> None:
        if self._log.kind.startswith("checkpoint"):
            self._log.begin(_CHECKPOINT[phase])

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        if asyncio.current_task() is not self._script:
            return False  # the keeper's; the script says when, so that every run is the same
        return await super().trim(check)


class _Run(Run):
    def __init__(self, path: Path, connect: Connect, log: Log) -> None:
        self._path, self._connect, self._log = path, connect, log
        self._open = contextlib.AsyncExitStack()
        self._reader: sqlite3.Connection | None = None
        self._clock = itertools.count(1_700_000_000_000)
        self._uids = itertools.count(1)

    async def open(self) -> None:
        self._backend = ScriptedBackend(self._path, self._connect, self._log)
        self.store: Store = await self._open.enter_async_context(
            store_over(self._backend, NEVER, lambda: next(self._clock), self._make_uid)
        )

    def _make_uid(self) -> bytes:
        return next(self._uids).to_bytes(UID_BYTES, "big")

    async def close(self) -> None:
        self._log.begin(CLOSING)
        await self._open.aclose()

    async def reopen(self) -> None:
        await self.close()
        self._log.begin("opening")
        await self.open()

    async def trim(self) -> None:
        while await self._backend.trim(check_head):
            pass

    def hold_reader(self) -> None:
        self._reader = self._connect(self._path)
        self._reader.execute("BEGIN")
        self._reader.execute("SELECT count(*) FROM documents")

    def release_reader(self) -> None:
        assert self._reader is not None
        self._reader.close()


async def record(
    directory: Path,
    script: Sequence[Step],
    *,
    opening: str,
    wal_autocheckpoint: int = 1000,
    start: Mapping[str, bytes] | None = None,
    start_model: Model | None = None,
    environment: Environment = contextlib.nullcontext,
    wrap: Callable[[Connect], Connect] = lambda connect: connect,
) -> Recording:
    """Run a script on a new store, or on one that begins with these files.

    ``opening`` is the kind of what the first open does.
    ``wrap`` puts something between the store and its connections.
    """
    directory.mkdir(parents=True)
    path = directory / "live.db"
    write_files(path, start or {})
    log = Log(opening)
    vfs = RecordingVfs(path, log.record, Faults())
    run = _Run(path, wrap(connect_through(vfs, wal_autocheckpoint)), log)
    with small_limits(), environment():
        try:
            log.begin(opening)
            await run.open()
            for step in script:
                log.begin(_CHECKPOINT["stage"] if step.kind == "checkpoint" else step.kind)
                await step.call(run)
                log.acknowledge()
        finally:
            await run.close()
            vfs.unregister()
    nothing: Model = {ACTS: [], SWITCHES: []}
    candidates = models_of(script, nothing if start_model is None else start_model)
    recording = Recording(directory.name, dict(start or {}), log.points, candidates, environment)
    _check_complete(recording, path)
    return recording


def write_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Put the files of a store where ``path`` is to be the database."""
    for suffix, content in files.items():
        path.with_name(path.name + suffix).write_bytes(content)


def _check_complete(recording: Recording, path: Path) -> None:
    """What was recorded adds up to what is there: nothing went past the recorder."""
    *_, (_, _, disk) = recording.disks()
    found = {
        suffix: file.read_bytes()
        for suffix in ("", "-wal", "-journal")
        if (file := path.with_name(path.name + suffix)).exists()
    }
    assert disk.after_kill() == found, "something went past the recorder"
