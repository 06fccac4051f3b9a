"""Documents in one SQLite file: WAL, synchronous=FULL, one writer thread, readers beside it."""

import asyncio
import concurrent.futures
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import filelock
from sqlite_utils import Database

from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_rows import (
    HEAD_COLUMNS,
    SNAPSHOT_COLUMNS,
    chunk_from,
    head_from,
    row_from,
    snapshot_from,
)
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION, migrations
from yjs_store.errors import StoreClosed, StoreInUse, StoreTooNew, StoreUnusable, WriterSuperseded
from yjs_store.limits import (
    SQLITE_BUSY_TIMEOUT_S,
    SQLITE_READERS,
    TRIM_CHUNKS_STEP,
    TRIM_ROWS_STEP,
)
from yjs_store.records import (
    Append,
    Chunk,
    Head,
    SealedHead,
    Snapshot,
    Statistics,
    StoredDocument,
)

_Result = TypeVar("_Result")

# The writer is the one whose epoch stands in the file; every write says so in its own
# statement (P7), so that a process that lost the file's lock while it slept can do no harm.
_IS_WRITER: Final = "(SELECT epoch FROM store) = :epoch"


class SqliteBackend:
    """The embedded backend; its contract is ``Backend``.

    ``on_transaction``, for tests that stop the world between statements, is called in the
    writer's thread before each statement that changes something and before each commit.
    """

    def __init__(self, path: Path, on_statement: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._on_statement = on_statement
        self._lock = filelock.FileLock(f"{path}.lock", blocking=False, thread_local=False)
        self._writer_thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._reader_threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._readers = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._epoch = 0

    # ---- life -------------------------------------------------------------------------------

    async def open(self) -> None:
        """See Backend.open."""
        self._take_lock()
        self._writer_thread = concurrent.futures.ThreadPoolExecutor(1, "yjs-store-writer")
        self._reader_threads = concurrent.futures.ThreadPoolExecutor(
            SQLITE_READERS, "yjs-store-reader"
        )
        try:
            await self._write(self._open_writer)
        except BaseException:
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
        with translated(self._path, opening=True):
            connection = self._connect()
            self._connection = connection
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StoreTooNew(
                    f"{self._path} has schema version {version}; this program knows up to"
                    f" {SCHEMA_VERSION}: install a newer yjs-relay"
                )
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StoreUnusable(f"{self._path} is on a file system without SQLite's WAL")
            # P1: a commit returns only when the WAL has reached the disk. fullfsync is for
            # macOS, where fsync alone does not get past the drive's cache.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            # sqlite-utils runs each migration in a transaction together with its own record.
            migrations.apply(Database(connection))
            if self._on_statement is not None:
                connection.set_trace_callback(self._on_statement)
            self._become_writer(connection)

    def _become_writer(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            connection.execute("UPDATE store SET epoch = epoch + 1")
            self._epoch = connection.execute("SELECT epoch FROM store").fetchone()[0]
            # Only one process stages at a time, so whatever is staged now was left by a crash.
            connection.execute("UPDATE snapshots SET state = 'retired' WHERE state = 'staged'")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=SQLITE_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys = OFF")
        return connection

    async def close(self) -> None:
        """See Backend.close."""
        for threads in (self._reader_threads, self._writer_thread):
            if threads is not None:
                await asyncio.to_thread(threads.shutdown, wait=True)
        self._reader_threads = self._writer_thread = None
        for connection in self._reader_connections:
            connection.close()
        self._reader_connections.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._lock.release()

    # ---- threads ----------------------------------------------------------------------------

    async def _write(self, work: Callable[[], _Result]) -> _Result:
        if self._writer_thread is None:
            raise StoreClosed("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._writer_thread, work)

    async def _read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        if self._reader_threads is None:
            raise StoreClosed("the store is closed")

        def run() -> _Result:
            with translated(self._path):
                return work(self._reader())

        return await asyncio.get_running_loop().run_in_executor(self._reader_threads, run)

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
            self._reader_connections.append(connection)
        return connection

    async def _transact(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run ``work`` in the writer's thread in one transaction; durable on return."""

        def run() -> _Result:
            assert self._connection is not None, "the writer thread lives between open and close"
            with translated(self._path), _transaction(self._connection):
                return work(self._connection)

        return await self._write(run)

    # ---- reading ----------------------------------------------------------------------------

    async def load(self, name: str) -> StoredDocument | None:
        """See Backend.load."""
        return await self._read(lambda connection: _load(connection, name))

    async def load_head(self, name: str) -> SealedHead | None:
        """See Backend.load_head."""
        return await self._read(lambda connection: _load_head(connection, name))

    async def load_staged(self, snapshot_id: int) -> tuple[Snapshot, tuple[Chunk, ...]]:
        """See Backend.load_staged."""

        def read(connection: sqlite3.Connection) -> tuple[Snapshot, tuple[Chunk, ...]]:
            with _read_transaction(connection):
                snapshot = _load_snapshot(connection, snapshot_id)
                assert snapshot is not None, "only a snapshot just staged is read back"
                return snapshot, _load_chunks(connection, snapshot_id)

        return await self._read(read)

    async def list_heads(self, prefix: str, after: str | None, limit: int) -> Sequence[SealedHead]:
        """See Backend.list_heads."""
        # Names that begin with the prefix are those from it up to the prefix with the last
        # code point of all appended; SQLite compares UTF-8 bytes, which keeps that order.
        first, last = prefix, prefix + "\U0010ffff"
        query = (
            f"SELECT {HEAD_COLUMNS} FROM documents WHERE name >= ? AND name <= ?"
            " AND (? IS NULL OR name > ?) ORDER BY name LIMIT ?"
        )
        return await self._read(
            lambda connection: [
                head_from(row)
                for row in connection.execute(query, (first, last, after, after, limit))
            ]
        )

    async def statistics(self) -> Statistics:
        """See Backend.statistics."""
        return await self._read(self._statistics)

    def _statistics(self, connection: sqlite3.Connection) -> Statistics:
        documents, deleted, rows, journal_bytes, snapshot_bytes = connection.execute(
            "SELECT count(*), count(deleted_ms), coalesce(sum(last_seq - cut_seq), 0),"
            " coalesce(sum(journal_bytes), 0), coalesce(sum(snapshot_bytes), 0) FROM documents"
        ).fetchone()
        page_size, free_pages = (
            connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            for pragma in ("page_size", "freelist_count")
        )
        return Statistics(
            documents=documents - deleted,
            deleted_documents=deleted,
            journal_rows=rows,
            journal_bytes=journal_bytes,
            snapshot_bytes=snapshot_bytes,
            file_bytes=_file_bytes(self._path),
            wal_bytes=_file_bytes(self._path.with_name(self._path.name + "-wal")),
            free_bytes=page_size * free_pages,
        )

    # ---- writing ----------------------------------------------------------------------------

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        """See Backend.append."""
        return await self._transact(lambda connection: self._append(connection, appends))

    def _append(self, connection: sqlite3.Connection, appends: Sequence[Append]) -> list[int]:
        ids = []
        fresh = [append for append in appends if append.before.document_id == 0]
        known = [append for append in appends if append.before.document_id != 0]
        created = {append.after.head.name: self._create(connection, append) for append in fresh}
        if known:
            updated = connection.executemany(
                "UPDATE documents SET last_seq = ?, journal_bytes = ?, updated_ms = ?,"
                " checksum = ? WHERE id = ? AND uid = ? AND last_seq = ? AND cut_seq = ?"
                " AND deleted_ms IS NULL AND (SELECT epoch FROM store) = ?",
                [
                    (
                        append.after.head.last_seq,
                        append.after.head.journal_bytes,
                        append.after.head.updated_ms,
                        append.after.checksum,
                        append.before.document_id,
                        append.before.uid,
                        append.before.last_seq,
                        append.before.cut_seq,
                        self._epoch,
                    )
                    for append in known
                ],
            ).rowcount
            if updated != len(known):
                raise self._superseded(connection, known)
        rows = []
        for append in appends:
            document_id = append.before.document_id or created[append.after.head.name]
            ids.append(document_id)
            row = append.row
            rows.append(
                (document_id, row.seq, row.created_ms, row.byte_length, row.checksum, row.data)
            )
        connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", rows)
        return ids

    def _create(self, connection: sqlite3.Connection, append: Append) -> int:
        head = append.after.head
        cursor = connection.execute(
            "INSERT INTO documents (name, uid, last_seq, cut_seq, journal_bytes, snapshot_id,"
            " snapshot_bytes, created_ms, updated_ms, deleted_ms, checksum)"
            " SELECT :name, :uid, :last_seq, 0, :journal_bytes, NULL, 0, :created_ms,"
            f" :updated_ms, NULL, :checksum WHERE {_IS_WRITER}"
            " ON CONFLICT (name) DO NOTHING",
            {
                "name": head.name,
                "uid": head.uid,
                "last_seq": head.last_seq,
                "journal_bytes": head.journal_bytes,
                "created_ms": head.created_ms,
                "updated_ms": head.updated_ms,
                "checksum": append.after.checksum,
                "epoch": self._epoch,
            },
        )
        if cursor.rowcount != 1:
            raise self._superseded(connection, [append])
        assert cursor.lastrowid is not None, "an INSERT of one row gives its id"
        return cursor.lastrowid

    def _superseded(
        self, connection: sqlite3.Connection, appends: Sequence[Append]
    ) -> WriterSuperseded:
        """Find out, before the rollback, whose writer was superseded."""
        if connection.execute("SELECT epoch FROM store").fetchone()[0] != self._epoch:
            return WriterSuperseded(None)
        for append in appends:
            stored = _load_head(connection, append.before.name)
            # The statements that did succeed have already moved their heads on.
            if stored is None or stored.checksum != append.after.checksum:
                return WriterSuperseded(append.before.name)
        return WriterSuperseded(None)

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        """See Backend.stage."""
        snapshot_id = await self._transact(
            lambda connection: self._stage_manifest(connection, head, snapshot)
        )
        for chunk in chunks:
            values = (
                snapshot_id,
                chunk.index,
                chunk.codec,
                chunk.byte_length,
                chunk.checksum,
                chunk.data,
            )
            await self._transact(
                lambda connection, values=values: connection.execute(  # type: ignore[misc]
                    "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)", values
                )
            )
        return snapshot_id

    def _stage_manifest(
        self, connection: sqlite3.Connection, head: Head, snapshot: Snapshot
    ) -> int:
        cursor = connection.execute(
            "INSERT INTO snapshots (document_id, state, cut_seq, chunk_count, byte_length,"
            " stored_length, checksum, created_ms)"
            " SELECT :document_id, 'staged', :cut_seq, :chunk_count, :byte_length,"
            f" :stored_length, :checksum, :created_ms WHERE {_IS_WRITER}",
            {
                "document_id": head.document_id,
                "cut_seq": snapshot.cut_seq,
                "chunk_count": snapshot.chunk_count,
                "byte_length": snapshot.byte_length,
                "stored_length": snapshot.stored_length,
                "checksum": snapshot.checksum,
                "created_ms": snapshot.created_ms,
                "epoch": self._epoch,
            },
        )
        if cursor.rowcount != 1:
            raise WriterSuperseded(None)
        assert cursor.lastrowid is not None, "an INSERT of one row gives its id"
        return cursor.lastrowid

    async def publish(self, before: Head, after: SealedHead) -> None:
        """See Backend.publish."""

        def work(connection: sqlite3.Connection) -> None:
            self._swap_head(connection, before, after)
            # Only what is still staged: a checkpoint that was given up meanwhile has retired
            # its chunks, and they may be gone.
            published = connection.execute(
                "UPDATE snapshots SET state = 'published' WHERE id = ? AND state = 'staged'",
                (after.head.snapshot_id,),
            ).rowcount
            if published != 1:
                raise WriterSuperseded(before.name)
            connection.execute(
                "UPDATE snapshots SET state = 'retired' WHERE id = ?", (before.snapshot_id,)
            )

        await self._transact(work)

    async def delete(self, before: Head, after: SealedHead) -> None:
        """See Backend.delete."""

        def work(connection: sqlite3.Connection) -> None:
            self._swap_head(connection, before, after)
            connection.execute(
                "UPDATE snapshots SET state = 'retired' WHERE document_id = ?",
                (before.document_id,),
            )

        await self._transact(work)

    def _swap_head(self, connection: sqlite3.Connection, before: Head, after: SealedHead) -> None:
        """Replace a head by compare-and-swap and note that its old rows can go."""
        head = after.head
        updated = connection.execute(
            "UPDATE documents SET cut_seq = :cut_seq, journal_bytes = :journal_bytes,"
            " snapshot_id = :snapshot_id, snapshot_bytes = :snapshot_bytes,"
            " updated_ms = :updated_ms, deleted_ms = :deleted_ms, checksum = :checksum"
            " WHERE id = :id AND uid = :uid AND last_seq = :last_seq"
            f" AND snapshot_id IS :snapshot_before AND deleted_ms IS NULL AND {_IS_WRITER}",
            {
                "cut_seq": head.cut_seq,
                "journal_bytes": head.journal_bytes,
                "snapshot_id": head.snapshot_id,
                "snapshot_bytes": head.snapshot_bytes,
                "updated_ms": head.updated_ms,
                "deleted_ms": head.deleted_ms,
                "checksum": after.checksum,
                "id": before.document_id,
                "uid": before.uid,
                "last_seq": before.last_seq,
                "snapshot_before": before.snapshot_id,
                "epoch": self._epoch,
            },
        ).rowcount
        if updated != 1:
            raise WriterSuperseded(before.name)
        connection.execute("INSERT OR IGNORE INTO trims VALUES (?)", (before.document_id,))

    async def discard(self, snapshot_id: int) -> None:
        """See Backend.discard."""
        await self._transact(
            lambda connection: connection.execute(
                "UPDATE snapshots SET state = 'retired' WHERE id = ? AND state = 'staged'",
                (snapshot_id,),
            )
        )

    async def forget(self, before: Head) -> bool:
        """See Backend.forget."""

        def work(connection: sqlite3.Connection) -> bool:
            left = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM trims WHERE document_id = :id)"
                " OR EXISTS (SELECT 1 FROM snapshots WHERE document_id = :id)",
                {"id": before.document_id},
            ).fetchone()[0]
            if left:
                return False
            removed = connection.execute(
                "DELETE FROM documents WHERE id = :id AND uid = :uid AND deleted_ms IS NOT NULL"
                f" AND {_IS_WRITER}",
                {"id": before.document_id, "uid": before.uid, "epoch": self._epoch},
            ).rowcount
            if removed != 1:
                raise WriterSuperseded(before.name)
            return True

        return await self._transact(work)

    async def trim(self) -> bool:
        """See Backend.trim."""

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute("SELECT epoch FROM store").fetchone()[0] != self._epoch:
                raise WriterSuperseded(None)
            return _trim_rows(connection) or _trim_chunks(connection)

        return await self._transact(work)


def _trim_rows(connection: sqlite3.Connection) -> bool:
    """Delete up to a step of dead rows of one document; True when the caller should go on."""
    found = connection.execute(
        "SELECT trims.document_id, documents.cut_seq FROM trims"
        " JOIN documents ON documents.id = trims.document_id LIMIT 1"
    ).fetchone()
    if found is None:
        return False
    document_id, cut_seq = found
    removed = connection.execute(
        "DELETE FROM journal WHERE document_id = ? AND seq IN (SELECT seq FROM journal"
        " WHERE document_id = ? AND seq <= ? ORDER BY seq LIMIT ?)",
        (document_id, document_id, cut_seq, TRIM_ROWS_STEP),
    ).rowcount
    if removed < TRIM_ROWS_STEP:
        connection.execute("DELETE FROM trims WHERE document_id = ?", (document_id,))
    return True


def _trim_chunks(connection: sqlite3.Connection) -> bool:
    """Delete up to a step of chunks of one retired snapshot; True when the caller should go on."""
    found = connection.execute(
        "SELECT id FROM snapshots WHERE state = 'retired' LIMIT 1"
    ).fetchone()
    if found is None:
        return False
    removed = connection.execute(
        "DELETE FROM chunks WHERE snapshot_id = ? AND chunk_index IN (SELECT chunk_index"
        " FROM chunks WHERE snapshot_id = ? LIMIT ?)",
        (found[0], found[0], TRIM_CHUNKS_STEP),
    ).rowcount
    if removed < TRIM_CHUNKS_STEP:
        connection.execute("DELETE FROM snapshots WHERE id = ?", (found[0],))
    return True


def _load(connection: sqlite3.Connection, name: str) -> StoredDocument | None:
    with _read_transaction(connection):
        sealed = _load_head(connection, name)
        if sealed is None:
            return None
        head = sealed.head
        if head.deleted_ms is not None:
            return StoredDocument(sealed, None, (), ())
        snapshot: Snapshot | None = None
        chunks: tuple[Chunk, ...] = ()
        if head.snapshot_id is not None:
            snapshot = _load_snapshot(connection, head.snapshot_id)
            chunks = _load_chunks(connection, head.snapshot_id)
        # Rows beyond last_seq are asked for too: there must be none, and format says so (P4).
        rows = connection.execute(
            "SELECT seq, created_ms, byte_length, checksum, data FROM journal"
            " WHERE document_id = ? AND seq > ? ORDER BY seq",
            (head.document_id, head.cut_seq),
        )
        return StoredDocument(sealed, snapshot, chunks, tuple(map(row_from, rows)))


def _load_head(connection: sqlite3.Connection, name: str) -> SealedHead | None:
    found = connection.execute(
        f"SELECT {HEAD_COLUMNS} FROM documents WHERE name = ?", (name,)
    ).fetchone()
    return None if found is None else head_from(found)


def _load_snapshot(connection: sqlite3.Connection, snapshot_id: int) -> Snapshot | None:
    found = connection.execute(
        f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots WHERE id = ? AND state <> 'retired'",
        (snapshot_id,),
    ).fetchone()
    return None if found is None else snapshot_from(found)


def _load_chunks(connection: sqlite3.Connection, snapshot_id: int) -> tuple[Chunk, ...]:
    found = connection.execute(
        "SELECT chunk_index, codec, byte_length, checksum, data FROM chunks"
        " WHERE snapshot_id = ? ORDER BY chunk_index",
        (snapshot_id,),
    )
    return tuple(map(chunk_from, found))


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class _transaction:  # noqa: N801  (reads as a statement)
    """BEGIN IMMEDIATE … COMMIT; ROLLBACK on any error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        # SQLite may have rolled back by itself (disk full, I/O error).
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


class _read_transaction(_transaction):  # noqa: N801  (reads as a statement)
    """One consistent view for several reads; holds no lock against the writer."""

    def __enter__(self) -> None:
        self._connection.execute("BEGIN DEFERRED")
