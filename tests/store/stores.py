"""Stores over a real backend that a test can look into, hold up and break."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from yjs_store import (
    CheckpointPolicy,
    Document,
    JournalRow,
    Receipt,
    Store,
    StoreError,
    Submission,
)
from yjs_store.backend import Backend
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_connect import Connect, connect
from yjs_store.observing_records import StoredNote
from yjs_store.opening import new_uid, now_ms
from yjs_store.records import Append, Chunk, Head, SealedHead, Snapshot, StoredDocument

NEVER = CheckpointPolicy(rows_max=1 << 60, bytes_min=1 << 60)
"""No checkpoint but those that a test asks for."""

Hook = Callable[[], Awaitable[None]]


def url(path: Path) -> str:
    """The URL of the store in this file."""
    return f"sqlite:///{path}"


class WatchedBackend(SqliteBackend):
    """The SQLite backend; hooks run before and after an intent, and may raise in its place."""

    def __init__(
        self,
        path: Path,
        on_statement: Callable[[str], None] | None = None,
        connect: Connect = connect,
    ) -> None:
        super().__init__(path, on_statement, connect)
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}
        self.commits: list[list[tuple[str, int]]] = []
        self.failures: list[StoreError] = []
        self.room: int | None = None
        self._failed = asyncio.Event()

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        try:
            await self._run(self.before, "append")
            ids = await super().append(appends)
        except StoreError as error:
            self.failures.append(error)
            self._failed.set()
            raise
        self.commits.append(sorted((item.after.head.name, item.row.seq) for item in appends))
        await self._run(self.after, "append")
        return ids

    async def wait_failures(self, count: int) -> None:
        """Wait until so many appends have failed; fail when that takes half a minute."""
        async with asyncio.timeout(30):
            while len(self.failures) < count:
                self._failed.clear()
                await self._failed.wait()

    async def load(self, name: str) -> StoredDocument | None:
        await self._run(self.before, "load")
        stored = await super().load(name)
        await self._run(self.after, "load")
        return stored

    async def create(self, sealed: SealedHead, checkpoint: StoredNote | None = None) -> int:
        await self._run(self.before, "create")
        return await super().create(sealed, checkpoint)

    async def room_left(self) -> int:
        await self._run(self.before, "room_left")
        return await super().room_left() if self.room is None else self.room

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        await self._run(self.before, "stage")
        snapshot_id = await super().stage(head, snapshot, chunks)
        await self._run(self.after, "stage")
        return snapshot_id

    async def load_staged(self, snapshot_id: int) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
        await self._run(self.before, "load_staged")
        return await super().load_staged(snapshot_id)

    async def publish(
        self, before: Head, after: SealedHead, checkpoint: StoredNote | None = None
    ) -> None:
        await self._run(self.before, "publish")
        await super().publish(before, after, checkpoint)
        await self._run(self.after, "publish")

    async def delete(self, before: Head, after: SealedHead) -> None:
        await self._run(self.before, "delete")
        await super().delete(before, after)

    async def vouch(self, document_id: int) -> None:
        await self._run(self.before, "vouch")
        await super().vouch(document_id)

    async def discard(self, snapshot_id: int) -> None:
        await self._run(self.before, "discard")
        await super().discard(snapshot_id)

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        await self._run(self.before, "trim")
        return await super().trim(check)

    @staticmethod
    async def _run(hooks: dict[str, Hook], intent: str) -> None:
        hook = hooks.get(intent)
        if hook is not None:
            await hook()

    def open_gates(self) -> None:
        """Let go whoever still stands before a gate: a test that failed must end."""
        for hook in (*self.before.values(), *self.after.values()):
            if isinstance(hook, Gate):
                hook.open()

    async def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement on the writer's own connection."""

        def run() -> list[tuple[object, ...]]:
            assert self._connection is not None
            return self._connection.execute(statement).fetchall()

        return await self._write(run)


class Gate:
    """A hook that stops at the first who comes, until it is opened."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._open = asyncio.Event()

    async def __call__(self) -> None:
        self._reached.set()
        await self._open.wait()

    async def wait_reached(self) -> None:
        """Wait until somebody stands before the gate."""
        await self._reached.wait()

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()


class Counting:
    """A hook that counts who comes."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


class Failing:
    """A hook that raises for the first ``times``, or until it is mended."""

    def __init__(self, error: BaseException, times: int = 1 << 60) -> None:
        self._error = error
        self._left = times
        self.count = 0

    async def __call__(self) -> None:
        if self._left:
            self._left -= 1
            self.count += 1
            raise self._error

    def mend(self) -> None:
        """Raise no more."""
        self._left = 0


def plain_uid() -> bytes:
    """A uid with which a checkpoint is due exactly at the bounds of the policy."""
    return b"\0" + new_uid()[1:]


@contextlib.asynccontextmanager
async def store_over(
    backend: Backend,
    policy: CheckpointPolicy = NEVER,
    clock_ms: Callable[[], int] = now_ms,
    make_uid: Callable[[], bytes] = plain_uid,
) -> AsyncIterator[Store]:
    """A store over this backend, which is opened and closed."""
    await backend.open()
    store = Store(backend, policy, clock_ms, make_uid, lambda: 0.0)
    try:
        await store.begin()
        yield store
    finally:
        if isinstance(backend, WatchedBackend):
            backend.open_gates()
        await store.close()


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody who knows nothing of the store."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def rows_of(path: Path, name: str) -> list[tuple[int, bytes]]:
    """The journal rows of a document that are in the file, read beside the store."""
    with raw(path) as connection:
        return connection.execute(
            "SELECT seq, data FROM journal JOIN documents ON documents.id = document_id"
            " WHERE name = ? ORDER BY seq",
            (name,),
        ).fetchall()


class Recorder:
    """A sender and a listener that keeps what it hears."""

    def __init__(self, who: str = "") -> None:
        self.who = who
        self.receipts: list[tuple[bytes, Receipt, bool]] = []
        self.refusals: list[tuple[bytes, StoreError]] = []
        self.rows: list[JournalRow] = []
        self.failures: list[StoreError] = []
        self.switches: list[bool] = []

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        self.receipts.append((update, receipt, news))

    def refused(self, update: bytes, error: StoreError) -> None:
        self.refusals.append((update, error))

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        self.rows.append(row)

    def failed(self, error: StoreError) -> None:
        self.failures.append(error)

    def switched(self, *, is_read_only: bool) -> None:
        self.switches.append(is_read_only)

    @property
    def answers(self) -> list[bytes]:
        """Every update that it was told of, once for each time."""
        return [update for update, *_ in [*self.receipts, *self.refusals]]


async def submit(document: Document, *updates: bytes, repeats: bool = False) -> Recorder:
    """Hand in updates in one turn of the loop; wait until each has its answer."""
    recorder = Recorder()
    for update in updates:
        document.submit(update, recorder, repeats=repeats)
    await document.wait_settled()
    return recorder


def bytes_of(path: Path) -> bytes:
    """The whole file."""
    return path.read_bytes()


def overwrite(path: Path, content: bytes) -> None:
    """Put other bytes in the place of the file's; no store is open."""
    path.write_bytes(content)


def lose_index_entry(path: Path, name: str) -> None:
    """Let the index of names have another in the place of this one; no store is open."""
    lose_entry(path, "sqlite_autoindex_documents_1", name.encode())


def lose_entry(path: Path, index: str, text: bytes) -> None:
    """Let an index of one page have another entry in the place of this; no store is open."""
    with raw(path) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)
        ).fetchone()[0]
    content = bytearray(path.read_bytes())
    start = (root - 1) * 4096
    last = content.rindex(text, start, start + 4096) + len(text) - 1
    content[last] ^= 1
    path.write_bytes(content)


def steal_lock(path: Path) -> None:
    """Let the next who opens the store think that nobody has it open.

    As on a network file system that forgets a lock, its holder unaware.
    """
    path.with_name(path.name + ".lock").unlink()


def run_python(program: str, *arguments: object) -> bytes:
    """What a Python program prints that runs in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout
