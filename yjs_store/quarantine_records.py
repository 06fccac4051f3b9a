"""The written contract of where refused updates are kept: the part of a backend that knows them.

Like the rest of a backend (see ``backend``): each call is one atomic intent, bytes and texts are
opaque, errors say whether a retry is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from yjs_store.records import StoredEntry


@dataclass(frozen=True, slots=True)
class QuarantineBounds:
    """How much is kept; the oldest entries go first."""

    entries_max: int
    entries_per_document_max: int
    bytes_max: int


class QuarantineReader(Protocol):
    """Where refused updates can be looked at."""

    async def list(self, document: str | None, after: int, limit: int) -> Sequence[StoredEntry]:
        """Return at most ``limit`` entries after the id ``after``, oldest first, without data."""

    async def get(self, entry_id: int) -> StoredEntry | None:
        """Return an entry with its data."""

    async def count(self, document: str | None) -> int:
        """Return how many entries there are, in all or of one document."""


class QuarantineRecords(QuarantineReader, Protocol):
    """Where the writer keeps refused updates."""

    async def put(
        self,
        entry: StoredEntry,
        merge: Callable[[StoredEntry], StoredEntry | None],
        bounds: QuarantineBounds,
    ) -> int:
        """Store an entry and remove what is above the bounds, in one commit; return its id.

        When the same update of the same document is there already, its data stays, and ``merge``
        gives what is stored in place of the rest; with None the former entry is removed.

        Raises:
            WriterSuperseded: this process is not the store's writer any more (P7).
        """

    async def remove(self, entry_id: int) -> bool:
        """Remove an entry; False when there is none."""

    async def remove_before(self, seen_ms: int, limit: int) -> int:
        """Remove at most ``limit`` entries that were last seen before; return how many."""
