"""The written contract of what is kept for operators: history, traces, acts and switches.

Like the rest of a backend (see ``backend``): each call is one atomic intent, bytes are opaque,
errors say whether a retry is safe. Nothing here is needed to read or write a document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from yjs_store.facts import SnapshotFacts, StoreSpace
from yjs_store.listing_records import HeadPage, PageRequest
from yjs_store.records import SealedHead


@dataclass(frozen=True, slots=True)
class StoredNote:
    """One such record as it is stored, and not yet verified; see ``observing_format``.

    ``number`` is the backend's own and rises, 0 before it is stored. ``document_id`` is 0 for
    the store as a whole.
    """

    data: bytes
    checksum: bytes
    document_id: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What is stored about a document beside its content, read at one moment.

    ``snapshot`` is the one that the head names. ``checkpoints`` are newest first. ``unreadable``
    says what of this could not be read, and is empty or None therefore.
    """

    sealed_head: SealedHead
    snapshot: SnapshotFacts | None
    is_unvouched: bool
    quarantined: int
    switch: StoredNote | None
    checkpoints: tuple[StoredNote, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How many of each there are in the store; ``sessions`` are those that are live."""

    sessions: int
    quarantined: int
    unvouched: int
    set_aside: int
    switches: int


class ObservingReader(Protocol):
    """Where an operator looks. Reads no content, and never more than a page."""

    async def schema_version(self) -> int:
        """Return the version of what is stored."""

    async def page(self, request: PageRequest) -> HeadPage:
        """Return a page of the list of documents, tombstones among them.

        A head that is damaged is an entry like others; checksums are looked at by the caller.
        """

    async def facts(self, name: str) -> StoredFacts | None:
        """Return what is stored about a document; None when nothing is stored under the name.

        Raises:
            Damaged: the head cannot be found or read.
        """

    async def counts(self, now_ms: int) -> StoreCounts:
        """Return how many of each there are."""

    async def space(self) -> StoreSpace:
        """Return what the store takes on its disk, and what is left there."""

    async def list_checkpoints(self, document_id: int, limit: int) -> Sequence[StoredNote]:
        """Return the last attempts at checkpoints of a document, newest first."""

    async def list_traces(self, document_id: int, limit: int) -> Sequence[StoredNote]:
        """Return the last events of a document, newest first."""

    async def list_acts(
        self, document: str | None, before: int | None, limit: int
    ) -> Sequence[StoredNote]:
        """Return what operators did, newest first: all, or to one document.

        ``before`` is the number after which this page goes on; None for the first.
        """

    async def find_switch(self, document_id: int) -> StoredNote | None:
        """Return the switch of a document, or of the store with 0."""

    async def list_switches(self, after_id: int, limit: int) -> Sequence[StoredNote]:
        """Return switches after the one of that document, by document_id."""


class ObservingRecords(ObservingReader, Protocol):
    """Where the writer keeps what operators look at.

    Every call raises WriterSuperseded when this process is not the store's writer any more (P7).
    """

    async def add_checkpoint(self, note: StoredNote) -> None:
        """Keep the record of an attempt that published nothing; see ``Backend.publish``.

        Nothing is kept of a document that is not stored.
        """

    async def add_traces(self, notes: Sequence[StoredNote]) -> None:
        """Keep events in their order, in one commit; not those of documents that are not stored.

        Each document keeps TRACES_KEPT_PER_DOCUMENT, and all together TRACES_KEPT_MAX.
        """

    async def add_act(self, document: str | None, note: StoredNote) -> int:
        """Keep what an operator did, and return its number; durable on return.

        It outlives the document. ACTS_KEPT_MAX are kept.
        """

    async def set_switch(self, note: StoredNote) -> bool:
        """Store or replace the switch of a document, or of the store; durable on return.

        False, and nothing is stored, when the document is not.
        """

    async def lift_switch(self, document_id: int) -> bool:
        """Remove a switch; durable on return. False when there is none."""
