"""Documents in one SQLite file: WAL, synchronous=FULL, one writer thread, readers beside it."""

import asyncio
import concurrent.futures
import contextlib
import glob
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import filelock
import structlog
from sqlite_utils import Database

from yjs_store.backends import (
    sqlite_snapshots,
    sqlite_space,
    sqlite_trim,
    sqlite_vouching,
    sqlite_write,
)
from yjs_store.backends.sqlite_connect import Connect, connect
from yjs_store.backends.sqlite_epoch import become_writer
from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_files import OpenedFiles
from yjs_store.backends.sqlite_observing import SqliteObserving
from yjs_store.backends.sqlite_quarantine import SqliteQuarantine
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION, migrations, stored_version
from yjs_store.backends.sqlite_sessions import SqliteSessions
from yjs_store.backends.sqlite_transaction import write_transaction
from yjs_store.backends.sqlite_watch import SessionWatch
from yjs_store.errors import (
    StoreClosed,
    StoreFailing,
    StoreInUse,
    StoreUnavailable,
    StoreUnusable,
)
from yjs_store.facts import Distribution, SpaceChange
from yjs_store.observing_records import StoredNote
from yjs_store.records import (
    Append,
    Chunk,
    Head,
    SealedHead,
    Snapshot,
)
from yjs_store.tallies import Tally

_Result = TypeVar("_Result")

log = structlog.get_logger("yjs_store.sqlite")


class SqliteBackend(SqliteReader):
    """The embedded backend; its contract is ``Backend``.

    ``on_statement``, for tests that stop the world there, is called with each statement in the
    writer's thread before it runs, from when the schema is up to date. ``connect`` is for tests
    that put something between SQLite and the disk.
    """

    def __init__(
        self,
        path: Path,
        on_statement: Callable[[str], None] | None = None,
        connect: Connect = connect,
    ) -> None:
        super().__init__(path, connect)
        self._on_statement = on_statement
        self._files = OpenedFiles(path)
        self._lock = filelock.FileLock(f"{path}.lock", blocking=False, thread_local=False)
        self._writer_thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._epoch = 0
        self._discarded: set[int] = set()
        self._rescued: str | None = None
        self._watch: SessionWatch | None = None
        self._commit_times = Tally()
        self._sessions = SqliteSessions(
            self._read,
            self._transact,
            lambda: self._epoch,
            self._start_watching,
            lambda: None if self._watch is None else self._watch.failing_because,
        )
        self._quarantine = SqliteQuarantine(self._read, self._transact, lambda: self._epoch)
        self._observing = SqliteObserving(self._read, self._transact, lambda: self._epoch, path)

    # ---- life -------------------------------------------------------------------------------

    async def open(self) -> None:
        """See Backend.open."""
        self._take_lock()
        self._writer_thread = concurrent.futures.ThreadPoolExecutor(1, "yjs-store-writer")
        self._start_readers()
        try:
            await self._write(self._open_writer)
        except BaseException:
            # Threads and the lock must not outlive an opening that failed or was given up.
            await self.close()
            raise

    def _take_lock(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout as error:
            raise StoreInUse(f"{self._path} is open in another process") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreUnusable(f"{self._path.parent} is not writable: {reason}") from error

    def _open_writer(self) -> None:
        self._refuse_rescued()
        with translated(self._path, opening=True):
            connection = self._connection = self._connect(self._path)
            version = stored_version(connection, self._path)
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StoreUnusable(f"{self._path} is on a file system without SQLite's WAL")
            # P1: a commit returns only when the WAL has reached the disk. fullfsync is for
            # macOS, where fsync alone does not get past the drive's cache.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            if version < SCHEMA_VERSION:
                # sqlite-utils runs each migration in a transaction together with its own record.
                migrations.apply(Database(connection))
            if self._on_statement is not None:
                connection.set_trace_callback(self._on_statement)
            with write_transaction(connection):
                self._epoch = become_writer(connection)
            self._files.remember()

    def _refuse_rescued(self) -> None:
        # P4: what stands at the path has less in it, or nothing, and must not pose as the store.
        for rescued in sorted(self._path.parent.glob(f"{glob.escape(self._path.name)}.rescued-*")):
            raise StoreUnusable(
                f"{rescued} was rescued when {self._path} was taken away: move it to its place,"
                " or elsewhere when what is there now is right"
            )

    async def close(self) -> None:
        """See Backend.close."""
        watch, self._watch = self._watch, None
        if watch is not None:
            await asyncio.to_thread(watch.close)
        await super().close()
        threads, self._writer_thread = self._writer_thread, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, wait=True)
        if self._connection is not None:
            await asyncio.to_thread(self._check_files, self._connection)
            self._connection.close()
            self._connection = None
        self._lock.release()

    def _check_files(self, connection: sqlite3.Connection) -> StoreFailing | None:
        """Save what would go with the connection when its file was taken away (P8).

        At once, not at the end: a process that cannot store its last edits may well be killed.
        Returns why nothing may be written.
        """
        try:
            self._files.check()
        except StoreFailing as error:
            if self._rescued is None:
                self._rescue(connection, error)
            return error
        if self._rescued is not None:
            # It was put back; when it is taken away again there will be more in it.
            _remove(self._rescued)
            self._rescued = None
        return None

    def _rescue(self, connection: sqlite3.Connection, why: StoreFailing) -> None:
        names = (f"{self._path}.rescued-{number}" for number in itertools.count(1))
        rescued = next(name for name in names if not os.path.lexists(name))
        try:
            connection.execute("VACUUM INTO ?", (rescued,))
        except sqlite3.Error as error:
            log.error("could not rescue the store", error=str(error))  # noqa: TRY400
            _remove(rescued)  # half of it would be taken for the whole
        else:
            log.error("rescued the store", why=str(why), file=rescued)
            self._rescued = rescued

    # ---- threads ----------------------------------------------------------------------------

    async def _write(self, work: Callable[[], _Result]) -> _Result:
        if self._writer_thread is None:
            raise StoreClosed("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._writer_thread, work)

    async def _transact(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run ``work`` in the writer's thread in one transaction; durable on return."""

        def run(connection: sqlite3.Connection) -> _Result:
            with write_transaction(connection, self._commit_times.note):
                return work(connection)

        return await self._use(run)

    async def _use(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run ``work`` in the writer's thread, outside a transaction."""

        def run() -> _Result:
            assert self._connection is not None, "the writer thread lives between open and close"
            failing = self._check_files(self._connection)
            if failing is not None:
                raise failing
            with translated(self._path):
                return work(self._connection)

        return await self._write(run)

    def _check_place(self) -> None:
        # It must not read from another file that has taken the place.
        self._files.check()

    def _start_watching(self, notice: Callable[[Sequence[str]], None]) -> None:
        if self._writer_thread is None:
            raise StoreClosed("the store is closed")
        assert self._watch is None, "one watches"
        self._watch = SessionWatch(self._path, self._connect, self._check_place, notice)

    # ---- the contract -----------------------------------------------------------------------

    @property
    def sessions(self) -> SqliteSessions:
        """See Backend.sessions."""
        return self._sessions

    @property
    def quarantine(self) -> SqliteQuarantine:
        """See Backend.quarantine."""
        return self._quarantine

    @property
    def observing(self) -> SqliteObserving:
        """See Backend.observing."""
        return self._observing

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        """See Backend.append."""
        return await self._transact(
            lambda connection: sqlite_write.append(connection, self._epoch, appends)
        )

    async def create(self, sealed: SealedHead, checkpoint: StoredNote | None = None) -> int:
        """See Backend.create."""
        return await self._transact(
            lambda connection: sqlite_snapshots.create(connection, self._epoch, sealed, checkpoint)
        )

    @property
    def kind(self) -> str:
        """See Backend.kind."""
        return "sqlite"

    def commit_times(self) -> Distribution:
        """See Backend.commit_times."""
        return self._commit_times.distribution()

    async def room_left(self) -> int:
        """See Backend.room_left."""
        return await self._read(lambda _: shutil.disk_usage(self._path.parent).free)

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        """See Backend.stage."""
        snapshot_id = await self._transact(
            lambda connection: sqlite_snapshots.stage_manifest(
                connection, self._epoch, head, snapshot
            )
        )
        try:
            for chunk in chunks:
                await self._stage_chunk(snapshot_id, chunk)
        except BaseException:
            # Whatever stopped it, a cancellation too: half a snapshot is of no use.
            await self.discard(snapshot_id)
            raise
        return snapshot_id

    async def _stage_chunk(self, snapshot_id: int, chunk: Chunk) -> None:
        await self._transact(
            lambda connection: sqlite_snapshots.stage_chunk(connection, snapshot_id, chunk)
        )

    async def publish(
        self, before: Head, after: SealedHead, checkpoint: StoredNote | None = None
    ) -> None:
        """See Backend.publish."""
        await self._transact(
            lambda connection: sqlite_snapshots.publish(
                connection, self._epoch, before, after, checkpoint
            )
        )

    async def discard(self, snapshot_id: int) -> None:
        """See Backend.discard."""
        self._discarded.add(snapshot_id)
        with contextlib.suppress(StoreUnavailable):
            # On a disk that is full even this may fail; the next trim does it then.
            await self._discard_all()

    async def _discard_all(self) -> None:
        discarded = frozenset(self._discarded)
        if discarded:
            await self._transact(lambda connection: sqlite_snapshots.discard(connection, discarded))
            self._discarded -= discarded

    async def delete(self, before: Head, after: SealedHead) -> None:
        """See Backend.delete."""
        await self._transact(
            lambda connection: sqlite_write.delete(connection, self._epoch, before, after)
        )

    async def forget(self, before: Head) -> bool:
        """See Backend.forget."""
        return await self._transact(
            lambda connection: sqlite_trim.forget(connection, self._epoch, before)
        )

    async def distrust(self, document_id: int) -> None:
        """See Backend.distrust."""
        await self._transact(
            lambda connection: sqlite_vouching.distrust(connection, self._epoch, document_id)
        )

    async def vouch(self, document_id: int) -> None:
        """See Backend.vouch."""
        await self._transact(
            lambda connection: sqlite_vouching.vouch(connection, self._epoch, document_id)
        )

    async def replace(
        self, document_id: int, after: SealedHead | None, reason: str, now_ms: int
    ) -> int | None:
        """See Backend.replace."""
        return await self._transact(
            lambda connection: sqlite_write.replace(
                connection, self._epoch, document_id, after, reason, now_ms
            )
        )

    async def discard_set_aside(self, document_id: int) -> bool:
        """See Backend.discard_set_aside."""
        return await self._transact(
            lambda connection: sqlite_trim.discard_set_aside(connection, self._epoch, document_id)
        )

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        """See Backend.trim."""
        await self._discard_all()
        return await self._transact(
            lambda connection: sqlite_trim.trim(connection, self._epoch, check)
        )

    async def truncate_wal(self) -> SpaceChange:
        """See Backend.truncate_wal."""
        return await self._use(
            lambda connection: sqlite_space.truncate_wal(connection, self._epoch, self._path)
        )

    async def vacuum(self) -> SpaceChange:
        """See Backend.vacuum."""
        return await self._use(
            lambda connection: sqlite_space.vacuum(connection, self._epoch, self._path)
        )


def _remove(file: str) -> None:
    with contextlib.suppress(OSError):
        Path(file).unlink()
