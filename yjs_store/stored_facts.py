"""What can be known of a store by its files alone: closed, or beside the process that writes it.

What only a running process knows (what is in memory, breakers, rates) is not in it.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from yjs_store import format
from yjs_store.backend import Reader
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.facts import AuditPage, DocumentFacts, DocumentList, StoreSpace, Switch, Traces
from yjs_store.limits import JOURNAL_ALARM_FACTOR
from yjs_store.listing_records import Order, Troubled
from yjs_store.names import check_name
from yjs_store.observing_format import shown_switch
from yjs_store.observing_reading import read_audit, read_document, read_documents, read_traces
from yjs_store.observing_records import StoreCounts
from yjs_store.policy import CheckpointPolicy, is_alarming
from yjs_store.records import Head, Statistics
from yjs_store.urls import sqlite_path


@dataclass(frozen=True, slots=True)
class StoredStoreFacts:
    """Everything about a store that its file tells."""

    schema_version: int
    sizes: Statistics
    counts: StoreCounts
    space: StoreSpace
    read_only: Switch | None


class StoredObservation:
    """Looks at a store. Obtained from ``observe_stored``.

    Every method raises StoreUnavailable when it cannot be read.
    """

    def __init__(self, reader: Reader, clock_ms: Callable[[], int]) -> None:
        self._reader = reader
        self._clock_ms = clock_ms
        # Whoever wrote it may have had another policy: a person looks, nothing depends on it.
        self._policy = CheckpointPolicy()

    async def store_facts(self) -> StoredStoreFacts:
        """Return everything about the store as a whole."""
        observing = self._reader.observing
        switch = await observing.find_switch(0)
        return StoredStoreFacts(
            await observing.schema_version(),
            await self._reader.statistics(),
            await observing.counts(self._clock_ms()),
            await observing.space(),
            None if switch is None else shown_switch(None, switch),
        )

    async def documents(
        self, prefix: str, after: str | None, limit: int, order: Order, *, trouble_only: bool
    ) -> DocumentList:
        """Return a page of documents, tombstones among them; a damaged head is an entry, too.

        Raises:
            ValueError: ``after`` is not what a page of that order gave.
        """
        alarming = self._policy.bytes_min * JOURNAL_ALARM_FACTOR
        return await read_documents(
            self._reader,
            order=order,
            prefix=prefix,
            after=after,
            limit=limit,
            troubled=Troubled(frozenset(), alarming) if trouble_only else None,
        )

    async def head(self, name: str) -> Head | None:
        """Return the head of a document or of its tombstone; None when there is neither.

        Raises:
            NameRefused: no document can be called that.
            Damaged: the head is not what was written.
        """
        sealed = await self._reader.load_head(check_name(name))
        return None if sealed is None else format.check_head(sealed)

    async def space(self) -> StoreSpace:
        """Return what the store takes on its disk, and what is left there."""
        return await self._reader.observing.space()

    async def document_facts(self, name: str) -> DocumentFacts:
        """Return everything about a document but its traces.

        Raises:
            NameRefused: no document can be called that.
        """
        facts = await read_document(self._reader, name)
        if facts.head is None:
            return facts
        return replace(facts, is_alarming=is_alarming(facts.head, self._policy))

    async def traces(self, name: str) -> Traces:
        """Return what is kept of a document's events."""
        return Traces(await read_traces(self._reader, name), 0)

    async def acts(self, document: str | None, limit: int) -> AuditPage:
        """Return what operators did, newest first."""
        return await read_audit(self._reader, limit=limit, document=document)


@contextlib.asynccontextmanager
async def observe_stored(url: str, clock_ms: Callable[[], int]) -> AsyncIterator[StoredObservation]:
    """Look at a store that is closed, or that another process has open; changes nothing.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        yield StoredObservation(reader, clock_ms)
    finally:
        await reader.close()
