"""Looks at the quarantine of a store that may be in use."""

from collections.abc import Sequence

from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.errors import EntryMissing
from yjs_store.limits import LIST_PAGE_MAX
from yjs_store.quarantine_format import shown_entry
from yjs_store.records import QuarantineEntry
from yjs_store.urls import sqlite_path


async def read_quarantine(url: str, document: str | None = None) -> Sequence[QuarantineEntry]:
    """Return all entries, or those of one document, oldest first, without their bytes.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        found: list[QuarantineEntry] = []
        after = 0
        while page := await reader.quarantine.list(document, after, LIST_PAGE_MAX):
            found += map(shown_entry, page)
            after = page[-1].entry.entry_id
        return found
    finally:
        await reader.close()


async def read_quarantine_entry(url: str, entry_id: int) -> QuarantineEntry:
    """Return an entry with its bytes, if they were kept.

    Raises:
        EntryMissing: there is none.
        StoreUnusable: there is no store, or not one that this program reads.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        stored = await reader.quarantine.get(entry_id)
    finally:
        await reader.close()
    if stored is None:
        raise EntryMissing(f"the quarantine has no entry {entry_id}")
    return shown_entry(stored)
