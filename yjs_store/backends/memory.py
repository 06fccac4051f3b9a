"""Documents in memory, for tests of what is built on the store: nothing outlives the process."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from yjs_store.backends import memory_read, memory_storage, memory_write
from yjs_store.backends.memory_observing import (
    MemoryObserving,
    MemoryObservingReader,
    read_space,
)
from yjs_store.backends.memory_quarantine import (
    MemoryQuarantine,
    MemoryQuarantineReader,
    QuarantineTable,
)
from yjs_store.backends.memory_sessions import (
    MemorySessionReader,
    MemorySessions,
    SessionTable,
)
from yjs_store.backends.memory_storage import MemoryStorage
from yjs_store.errors import StoreClosed, StoreUnusable
from yjs_store.facts import Distribution, SpaceChange
from yjs_store.observing_records import ObservingReader, StoredNote
from yjs_store.quarantine_records import QuarantineReader
from yjs_store.records import (
    Append,
    Chunk,
    Extent,
    Head,
    Remains,
    SealedHead,
    SetAside,
    Snapshot,
    Statistics,
    StoredDocument,
)
from yjs_store.session_records import SessionReader
from yjs_store.tallies import Tally

_Result = TypeVar("_Result")


class MemoryReader:
    """The reading half; its contract is ``Reader``."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._is_open = False

    async def open(self) -> None:
        """See Reader.open."""
        if self._storage.epoch == 0:
            raise StoreUnusable("nobody has opened this storage for writing yet")
        self._is_open = True

    async def close(self) -> None:
        """See Reader.close."""
        self._is_open = False

    async def _read(self, work: Callable[[MemoryStorage], _Result]) -> _Result:
        self._check_open()
        # Every other storage lets somebody else run meanwhile.
        await asyncio.sleep(0)
        self._check_open()
        return work(self._storage)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosed("the store is closed")

    @property
    def sessions(self) -> SessionReader:
        """See Reader.sessions."""
        return MemorySessionReader(self._read_sessions)

    @property
    def quarantine(self) -> QuarantineReader:
        """See Reader.quarantine."""
        return MemoryQuarantineReader(self._read_quarantine)

    @property
    def observing(self) -> ObservingReader:
        """See Reader.observing."""
        return MemoryObservingReader(self._read)

    async def _read_quarantine(self, work: Callable[[QuarantineTable], _Result]) -> _Result:
        return await self._read(lambda storage: work(storage.quarantine))

    async def _read_sessions(self, work: Callable[[SessionTable], _Result]) -> _Result:
        return await self._read(lambda storage: work(storage.sessions))

    async def load(self, name: str) -> StoredDocument | None:
        """See Reader.load."""
        return await self._read(lambda storage: memory_read.load(storage, name))

    async def load_by_id(self, document_id: int) -> StoredDocument | None:
        """See Reader.load_by_id."""
        return await self._read(lambda storage: memory_read.load_by_id(storage, document_id))

    async def load_head(self, name: str) -> SealedHead | None:
        """See Reader.load_head."""
        return await self._read(lambda storage: memory_read.load_head(storage, name))

    async def is_unvouched(self, document_id: int) -> bool:
        """See Reader.is_unvouched."""
        return await self._read(lambda storage: document_id in storage.unvouched)

    async def load_staged(self, snapshot_id: int) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
        """See Reader.load_staged."""
        return await self._read(lambda storage: memory_read.load_staged(storage, snapshot_id))

    async def list_heads(self, prefix: str, after: str | None, limit: int) -> Sequence[SealedHead]:
        """See Reader.list_heads."""
        return await self._read(
            lambda storage: memory_read.list_heads(storage, prefix, after, limit)
        )

    async def list_extents(self, after_id: int, limit: int) -> Sequence[Extent]:
        """See Reader.list_extents."""
        return await self._read(lambda storage: memory_read.list_extents(storage, after_id, limit))

    async def list_set_aside(self) -> Sequence[SetAside]:
        """See Reader.list_set_aside."""
        return await self._read(memory_read.list_set_aside)

    async def load_remains(self, name: str) -> Remains | None:
        """See Reader.load_remains."""
        return await self._read(lambda storage: memory_read.load_remains(storage, name))

    async def audit(self) -> Sequence[str]:
        """See Reader.audit."""
        return await self._read(memory_storage.audit)

    async def statistics(self) -> Statistics:
        """See Reader.statistics."""
        return await self._read(memory_read.statistics)


class MemoryBackend(MemoryReader):
    """A backend whose contract is ``Backend``, as far as memory can keep it.

    Opening a second one over the same storage supersedes the first (P7). Without ``storage`` it
    has one of its own.
    """

    def __init__(self, storage: MemoryStorage | None = None) -> None:
        super().__init__(MemoryStorage() if storage is None else storage)
        self._epoch = 0

    async def open(self) -> None:
        """See Backend.open."""
        self._epoch = memory_write.become_writer(self._storage)
        self._is_open = True

    async def _write(self, work: Callable[[MemoryStorage], _Result]) -> _Result:
        def run(storage: MemoryStorage) -> _Result:
            memory_write.check_writer(storage, self._epoch)
            return work(storage)

        return await self._read(run)

    @property
    def sessions(self) -> MemorySessions:
        """See Backend.sessions."""
        return MemorySessions(self._read_sessions, self._write_sessions, self._session_table)

    def _session_table(self) -> SessionTable:
        self._check_open()
        return self._storage.sessions

    @property
    def quarantine(self) -> MemoryQuarantine:
        """See Backend.quarantine."""
        return MemoryQuarantine(self._read_quarantine, self._write_quarantine)

    @property
    def observing(self) -> MemoryObserving:
        """See Backend.observing."""
        return MemoryObserving(self._read, self._write)

    async def _write_quarantine(self, work: Callable[[QuarantineTable], _Result]) -> _Result:
        return await self._write(lambda storage: work(storage.quarantine))

    async def _write_sessions(self, work: Callable[[SessionTable], _Result]) -> _Result:
        return await self._write(lambda storage: work(storage.sessions))

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        """See Backend.append."""
        return await self._write(lambda storage: memory_write.append(storage, appends))

    async def create(self, sealed: SealedHead, checkpoint: StoredNote | None = None) -> int:
        """See Backend.create."""
        return await self._write(lambda storage: memory_write.create(storage, sealed, checkpoint))

    @property
    def kind(self) -> str:
        """See Backend.kind."""
        return "memory"

    def commit_times(self) -> Distribution:
        """See Backend.commit_times: no disk is waited for here."""
        return Tally().distribution()

    async def room_left(self) -> int:
        """See Backend.room_left: no disk is filled here."""
        return await self._read(lambda _: sys.maxsize)

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        """See Backend.stage."""
        snapshot_id = await self._write(
            lambda storage: memory_write.stage_manifest(storage, head, snapshot)
        )
        try:
            for chunk in chunks:
                await self._stage_chunk(snapshot_id, chunk)
        except BaseException:
            # Whatever stopped it, a cancellation too: half a snapshot is of no use.
            memory_write.discard(self._storage, snapshot_id)
            raise
        return snapshot_id

    async def _stage_chunk(self, snapshot_id: int, chunk: Chunk) -> None:
        await self._write(lambda storage: memory_write.stage_chunk(storage, snapshot_id, chunk))

    async def publish(
        self, before: Head, after: SealedHead, checkpoint: StoredNote | None = None
    ) -> None:
        """See Backend.publish."""
        await self._write(lambda storage: memory_write.publish(storage, before, after, checkpoint))

    async def discard(self, snapshot_id: int) -> None:
        """See Backend.discard."""
        await self._read(lambda storage: memory_write.discard(storage, snapshot_id))

    async def delete(self, before: Head, after: SealedHead) -> None:
        """See Backend.delete."""
        await self._write(lambda storage: memory_write.delete(storage, before, after))

    async def forget(self, before: Head) -> bool:
        """See Backend.forget."""
        return await self._write(lambda storage: memory_write.forget(storage, before))

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        """See Backend.trim."""
        return await self._write(lambda storage: memory_write.trim(storage, check))

    async def distrust(self, document_id: int) -> None:
        """See Backend.distrust."""
        await self._write(lambda storage: storage.unvouched.add(document_id))

    async def vouch(self, document_id: int) -> None:
        """See Backend.vouch."""
        await self._write(lambda storage: storage.unvouched.discard(document_id))

    async def replace(
        self, document_id: int, after: SealedHead | None, reason: str, now_ms: int
    ) -> int | None:
        """See Backend.replace."""
        return await self._write(
            lambda storage: memory_write.replace(storage, document_id, after, reason, now_ms)
        )

    async def discard_set_aside(self, document_id: int) -> bool:
        """See Backend.discard_set_aside."""
        return await self._write(
            lambda storage: memory_write.discard_set_aside(storage, document_id)
        )

    async def truncate_wal(self) -> SpaceChange:
        """See Backend.truncate_wal: there is no WAL."""
        return await self._write(_no_change)

    async def vacuum(self) -> SpaceChange:
        """See Backend.vacuum: there is no file."""
        return await self._write(_no_change)


def _no_change(storage: MemoryStorage) -> SpaceChange:
    space = read_space(storage)
    return SpaceChange(space, space, "there is no file: everything is in memory")
