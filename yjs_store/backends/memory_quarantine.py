"""Refused updates in memory; each change is made as a whole or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from yjs_store.quarantine_records import QuarantineBounds
from yjs_store.records import StoredEntry

_Result = TypeVar("_Result")


@dataclass(slots=True)
class QuarantineTable:
    """Entries by id, oldest first."""

    rows: dict[int, StoredEntry] = field(default_factory=dict)
    made: int = 0


class Run(Protocol):
    """Runs work on the table, after letting others run."""

    async def __call__(self, work: Callable[[QuarantineTable], _Result]) -> _Result:
        """Return what ``work`` returns."""


class MemoryQuarantineReader:
    """The reading half; its contract is ``QuarantineReader``."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def list(self, document: str | None, after: int, limit: int) -> Sequence[StoredEntry]:
        """See QuarantineReader.list."""

        def look(table: QuarantineTable) -> list[StoredEntry]:
            found = [
                replace(stored, entry=replace(stored.entry, data=None))
                for entry_id, stored in table.rows.items()
                if entry_id > after and document in (None, stored.entry.document)
            ]
            return found[:limit]

        return await self._read(look)

    async def get(self, entry_id: int) -> StoredEntry | None:
        """See QuarantineReader.get."""
        return await self._read(lambda table: table.rows.get(entry_id))

    async def count(self, document: str | None) -> int:
        """See QuarantineReader.count."""
        return await self._read(
            lambda table: sum(
                document in (None, stored.entry.document) for stored in table.rows.values()
            )
        )


class MemoryQuarantine(MemoryQuarantineReader):
    """What the writer does; its contract is ``QuarantineRecords``."""

    def __init__(self, read: Run, write: Run) -> None:
        super().__init__(read)
        self._write = write

    async def put(
        self,
        entry: StoredEntry,
        merge: Callable[[StoredEntry], StoredEntry | None],
        bounds: QuarantineBounds,
    ) -> int:
        """See QuarantineRecords.put."""
        return await self._write(lambda table: _put(table, entry, merge, bounds))

    async def remove(self, entry_id: int) -> bool:
        """See QuarantineRecords.remove."""
        return await self._write(lambda table: table.rows.pop(entry_id, None) is not None)

    async def remove_before(self, seen_ms: int, limit: int) -> int:
        """See QuarantineRecords.remove_before."""

        def work(table: QuarantineTable) -> int:
            old = [key for key, stored in table.rows.items() if stored.entry.seen_ms < seen_ms]
            for key in old[:limit]:
                del table.rows[key]
            return len(old[:limit])

        return await self._write(work)


def _put(
    table: QuarantineTable,
    stored: StoredEntry,
    merge: Callable[[StoredEntry], StoredEntry | None],
    bounds: QuarantineBounds,
) -> int:
    entry = stored.entry
    for entry_id, former in tuple(table.rows.items()):
        if (former.entry.document, former.entry.hash) != (entry.document, entry.hash):
            continue
        merged = merge(former)
        if merged is not None:
            table.rows[entry_id] = _numbered(merged, entry_id)
            return entry_id
        del table.rows[entry_id]
    table.made += 1
    table.rows[table.made] = _numbered(stored, table.made)
    _remove_above(table, entry.document, bounds)
    return table.made


def _numbered(stored: StoredEntry, entry_id: int) -> StoredEntry:
    return replace(stored, entry=replace(stored.entry, entry_id=entry_id))


def _remove_above(table: QuarantineTable, document: str, bounds: QuarantineBounds) -> None:
    """Remove the oldest entries that are above a bound, but never the newest."""
    of_document = [key for key, each in table.rows.items() if each.entry.document == document]
    for key in of_document[: -bounds.entries_per_document_max]:
        del table.rows[key]
    kept_bytes = 0
    is_above = False
    for number, (key, stored) in enumerate(reversed(list(table.rows.items()))):
        kept_bytes += len(stored.entry.data or b"")
        is_above |= number >= bounds.entries_max or kept_bytes > bounds.bytes_max
        if is_above and number > 0:
            del table.rows[key]
