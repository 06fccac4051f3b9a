"""What operators look at, in memory."""

import heapq
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from yjs_store.backends import memory_write
from yjs_store.backends.memory_read import load_head
from yjs_store.backends.memory_storage import MemoryStorage
from yjs_store.facts import SnapshotFacts, StoreSpace
from yjs_store.limits import CHECKPOINTS_KEPT_PER_DOCUMENT
from yjs_store.listing_records import (
    HeadPage,
    ListedHead,
    Order,
    PageRequest,
    Position,
    Troubled,
    value_of,
)
from yjs_store.observing_records import StoreCounts, StoredFacts, StoredNote
from yjs_store.records import SealedHead, SessionStatus

_Result = TypeVar("_Result")

# Nothing is migrated here: what is in memory was made by this program.
_SCHEMA_VERSION: Final = 0


class Run(Protocol):
    """Runs work on the storage, after letting others run."""

    async def __call__(self, work: Callable[[MemoryStorage], _Result]) -> _Result:
        """Return what ``work`` returns."""


class MemoryObservingReader:
    """The reading half; its contract is ``ObservingReader``."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def schema_version(self) -> int:
        """See ObservingReader.schema_version."""
        return await self._read(lambda _: _SCHEMA_VERSION)

    async def page(self, request: PageRequest) -> HeadPage:
        """See ObservingReader.page."""
        return await self._read(lambda storage: _page(storage, request))

    async def facts(self, name: str) -> StoredFacts | None:
        """See ObservingReader.facts."""
        return await self._read(lambda storage: _facts(storage, name))

    async def counts(self, now_ms: int) -> StoreCounts:
        """See ObservingReader.counts."""
        return await self._read(lambda storage: _counts(storage, now_ms))

    async def space(self) -> StoreSpace:
        """See ObservingReader.space."""
        return await self._read(read_space)

    async def list_checkpoints(self, document_id: int, limit: int) -> Sequence[StoredNote]:
        """See ObservingReader.list_checkpoints."""
        return await self._read(lambda storage: storage.notes.checkpoints.of(document_id)[:limit])

    async def list_traces(self, document_id: int, limit: int) -> Sequence[StoredNote]:
        """See ObservingReader.list_traces."""
        return await self._read(lambda storage: storage.notes.traces.of(document_id)[:limit])

    async def list_acts(
        self, document: str | None, before: int | None, limit: int
    ) -> Sequence[StoredNote]:
        """See ObservingReader.list_acts."""

        def look(storage: MemoryStorage) -> list[StoredNote]:
            found = [
                note
                for number, (of_document, note) in reversed(storage.notes.acts.items())
                if (before is None or number < before) and document in (None, of_document)
            ]
            return found[:limit]

        return await self._read(look)

    async def find_switch(self, document_id: int) -> StoredNote | None:
        """See ObservingReader.find_switch."""
        return await self._read(lambda storage: storage.notes.switches.get(document_id))

    async def list_switches(self, after_id: int, limit: int) -> Sequence[StoredNote]:
        """See ObservingReader.list_switches."""

        def look(storage: MemoryStorage) -> list[StoredNote]:
            switches = storage.notes.switches
            found = sorted(document_id for document_id in switches if document_id > after_id)
            return [switches[document_id] for document_id in found[:limit]]

        return await self._read(look)


class MemoryObserving(MemoryObservingReader):
    """What the writer does; its contract is ``ObservingRecords``."""

    def __init__(self, read: Run, write: Run) -> None:
        super().__init__(read)
        self._write = write

    async def add_checkpoint(self, note: StoredNote) -> None:
        """See ObservingRecords.add_checkpoint."""
        await self._write(lambda storage: memory_write.keep_checkpoint(storage, note))

    async def add_traces(self, notes: Sequence[StoredNote]) -> None:
        """See ObservingRecords.add_traces."""
        await self._write(
            lambda storage: storage.notes.traces.add(
                [note for note in notes if note.document_id in storage.heads]
            )
        )

    async def add_act(self, document: str | None, note: StoredNote) -> int:
        """See ObservingRecords.add_act."""
        return await self._write(lambda storage: storage.notes.add_act(document, note))

    async def set_switch(self, note: StoredNote) -> bool:
        """See ObservingRecords.set_switch."""

        def work(storage: MemoryStorage) -> bool:
            if note.document_id and note.document_id not in storage.heads:
                return False
            storage.notes.switches[note.document_id] = note
            return True

        return await self._write(work)

    async def lift_switch(self, document_id: int) -> bool:
        """See ObservingRecords.lift_switch."""
        return await self._write(
            lambda storage: storage.notes.switches.pop(document_id, None) is not None
        )


def read_space(storage: MemoryStorage) -> StoreSpace:
    """See ObservingReader.space: no disk is filled here."""
    return StoreSpace(storage.stored_bytes, 0, 0, sys.maxsize)


def _page(storage: MemoryStorage, request: PageRequest) -> HeadPage:
    order, after = request.order, request.after
    is_falling = order is not Order.NAME

    def key(sealed: SealedHead) -> tuple[int | str, int]:
        value = value_of(sealed.head, order)
        return (value, sealed.head.document_id) if is_falling else (value, 0)

    heads = [sealed for sealed in storage.heads.values() if _is_meant(storage, request, sealed)]
    if after is not None:
        place = (after.value, after.document_id if is_falling else 0)
        heads = [each for each in heads if (key(each) < place if is_falling else key(each) > place)]
    choose = heapq.nlargest if is_falling else heapq.nsmallest
    found = choose(request.limit + 1, heads, key=key)
    entries = tuple(
        ListedHead(each.head.document_id, each.head.name, each) for each in found[: request.limit]
    )
    following = None
    if len(found) > request.limit:
        last = found[request.limit - 1].head
        following = Position(value_of(last, order), last.document_id)
    return HeadPage(entries, following, len(storage.heads))


def _is_meant(storage: MemoryStorage, request: PageRequest, sealed: SealedHead) -> bool:
    return sealed.head.name.startswith(request.prefix) and (
        request.troubled is None or _is_troubled(storage, request.troubled, sealed)
    )


def _is_troubled(storage: MemoryStorage, troubled: Troubled, sealed: SealedHead) -> bool:
    head = sealed.head
    return (
        head.journal_bytes >= troubled.journal_bytes_min
        or head.name in troubled.names
        or head.document_id in storage.notes.switches
        or any(each.entry.document == head.name for each in storage.quarantine.rows.values())
    )


def _facts(storage: MemoryStorage, name: str) -> StoredFacts | None:
    sealed = load_head(storage, name)
    if sealed is None:
        return None
    document_id, snapshot_id = sealed.head.document_id, sealed.head.snapshot_id
    found = None if snapshot_id is None else storage.snapshots.get(snapshot_id)
    snapshot = None
    if found is not None:
        codecs = {chunk.codec for chunk in found.chunks.values()}
        snapshot = SnapshotFacts(found.manifest, tuple(sorted(codecs)))
    return StoredFacts(
        sealed_head=sealed,
        snapshot=snapshot,
        is_unvouched=document_id in storage.unvouched,
        quarantined=sum(each.entry.document == name for each in storage.quarantine.rows.values()),
        switch=storage.notes.switches.get(document_id),
        checkpoints=tuple(
            storage.notes.checkpoints.of(document_id)[:CHECKPOINTS_KEPT_PER_DOCUMENT]
        ),
        unreadable=(),
    )


def _counts(storage: MemoryStorage, now_ms: int) -> StoreCounts:
    return StoreCounts(
        sessions=sum(
            each.status == SessionStatus.ACTIVE.value and each.expires_ms > now_ms
            for each in storage.sessions.rows.values()
        ),
        quarantined=len(storage.quarantine.rows),
        unvouched=len(storage.unvouched),
        set_aside=sum(not each.is_discarded for each in storage.set_aside.values()),
        switches=len(storage.notes.switches),
    )
