"""Reads an SQLite store beside whoever writes it, in a few threads of its own."""

import asyncio
import concurrent.futures
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from yjs_store.backends import sqlite_audit, sqlite_read, sqlite_remains, sqlite_vouching
from yjs_store.backends.sqlite_connect import Connect, connect_read_only
from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_observing import SqliteObservingReader
from yjs_store.backends.sqlite_quarantine import SqliteQuarantineReader
from yjs_store.backends.sqlite_schema import check_version
from yjs_store.backends.sqlite_sessions import SqliteSessionReader
from yjs_store.errors import StoreClosed, StoreUnusable
from yjs_store.limits import SQLITE_READERS
from yjs_store.observing_records import ObservingReader
from yjs_store.quarantine_records import QuarantineReader
from yjs_store.records import (
    Chunk,
    Extent,
    Remains,
    SealedHead,
    SetAside,
    Snapshot,
    Statistics,
    StoredDocument,
)
from yjs_store.session_records import SessionReader

_Result = TypeVar("_Result")


class SqliteReader:
    """The reading half of the embedded backend; its contract is ``Reader``.

    Opened alone it changes nothing in the store; SQLite may leave an empty WAL and its -shm
    beside the file. With ``blocking`` it reads in the
    thread that asks, which costs less where nobody else waits there.
    """

    def __init__(
        self, path: Path, connect: Connect = connect_read_only, *, blocking: bool = False
    ) -> None:
        self._is_blocking = blocking
        self._path = path
        self._connect = connect
        self._reader_threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._readers = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []

    # ---- life -------------------------------------------------------------------------------

    async def open(self) -> None:
        """See Reader.open."""
        try:
            is_there = await asyncio.to_thread(self._path.is_file)
        except OSError as error:
            raise StoreUnusable(f"cannot look for {self._path}: {error.strerror}") from error
        if not is_there:
            raise StoreUnusable(f"there is no store at {self._path}")
        self._start_readers()
        try:
            await self._read(lambda connection: check_version(connection, self._path), opening=True)
        except BaseException:
            # Threads must not outlive an opening that failed or was given up.
            await self.close()
            raise

    def _start_readers(self) -> None:
        self._reader_threads = concurrent.futures.ThreadPoolExecutor(
            SQLITE_READERS, "yjs-store-reader"
        )

    async def close(self) -> None:
        """See Reader.close."""
        threads, self._reader_threads = self._reader_threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, wait=True)
        for connection in self._reader_connections:
            connection.close()
        self._reader_connections.clear()

    async def _read(
        self, work: Callable[[sqlite3.Connection], _Result], *, opening: bool = False
    ) -> _Result:
        if self._reader_threads is None:
            raise StoreClosed("the store is closed")

        def run() -> _Result:
            with translated(self._path, opening=opening):
                return work(self._reader())

        if self._is_blocking:
            return run()
        return await asyncio.get_running_loop().run_in_executor(self._reader_threads, run)

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            # Before, for connecting makes a file where there is none; and after, for it may have
            # been another one.
            self._check_place()
            connection = self._connect(self._path)
            self._reader_connections.append(connection)
            self._check_place()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
        return connection

    def _check_place(self) -> None:
        """Look whether the file is still the one that was opened."""

    # ---- the contract -----------------------------------------------------------------------

    @property
    def sessions(self) -> SessionReader:
        """See Reader.sessions."""
        return SqliteSessionReader(self._read)

    @property
    def quarantine(self) -> QuarantineReader:
        """See Reader.quarantine."""
        return SqliteQuarantineReader(self._read)

    @property
    def observing(self) -> ObservingReader:
        """See Reader.observing."""
        return SqliteObservingReader(self._read, self._path)

    async def load(self, name: str) -> StoredDocument | None:
        """See Reader.load."""
        return await self._read(lambda connection: sqlite_read.load(connection, name))

    async def load_by_id(self, document_id: int) -> StoredDocument | None:
        """See Reader.load_by_id."""
        return await self._read(lambda connection: sqlite_read.load_by_id(connection, document_id))

    async def load_head(self, name: str) -> SealedHead | None:
        """See Reader.load_head."""
        return await self._read(lambda connection: sqlite_read.load_head_alone(connection, name))

    async def is_unvouched(self, document_id: int) -> bool:
        """See Reader.is_unvouched."""
        return await self._read(
            lambda connection: sqlite_vouching.is_unvouched(connection, document_id)
        )

    async def load_staged(self, snapshot_id: int) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
        """See Reader.load_staged."""
        return await self._read(lambda connection: sqlite_read.load_staged(connection, snapshot_id))

    async def list_heads(self, prefix: str, after: str | None, limit: int) -> Sequence[SealedHead]:
        """See Reader.list_heads."""
        return await self._read(
            lambda connection: sqlite_read.list_heads(connection, prefix, after, limit)
        )

    async def list_extents(self, after_id: int, limit: int) -> Sequence[Extent]:
        """See Reader.list_extents."""
        return await self._read(
            lambda connection: sqlite_read.list_extents(connection, after_id, limit)
        )

    async def list_set_aside(self) -> Sequence[SetAside]:
        """See Reader.list_set_aside."""
        return await self._read(sqlite_read.list_set_aside)

    async def audit(self) -> Sequence[str]:
        """See Reader.audit."""
        return await self._read(sqlite_audit.audit)

    async def load_remains(self, name: str) -> Remains | None:
        """See Reader.load_remains."""
        return await self._read(lambda connection: sqlite_remains.load_remains(connection, name))

    async def statistics(self) -> Statistics:
        """See Reader.statistics."""
        return await self._read(lambda connection: sqlite_read.statistics(connection, self._path))
