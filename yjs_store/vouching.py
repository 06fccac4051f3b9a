"""Has documents tried before their first use that were written unguarded (P5).

By an older version, say, or by an import. What ends the process that reads it makes its own
document unavailable, and no other.
"""

import contextlib

from yjs_store.backend import Backend
from yjs_store.errors import Poisoned, StoreUnavailable
from yjs_store.limits import POISONED_MAX
from yjs_store.records import StoredDocument
from yjs_store.trials import Trials


class Vouching:
    """Asks once for each document; remembers which it must not ask for again."""

    def __init__(self, backend: Backend, trials: Trials) -> None:
        self._backend = backend
        self._trials = trials
        self._poisoned: dict[int, Poisoned] = {}

    @property
    def poisoned(self) -> list[Poisoned]:
        """What was found since the store was opened."""
        return list(self._poisoned.values())

    def poison_of(self, name: str) -> Poisoned | None:
        """Return what was found of a document."""
        return next((each for each in self._poisoned.values() if each.document == name), None)

    async def check(self, stored: StoredDocument) -> None:
        """Return when a stored document may be read in this process.

        Raises:
            Poisoned: it may not.
            TrialFailed: it is not known yet; the next who asks tries again.
            Damaged: it is not what was written.
        """
        head = stored.sealed_head.head
        if head.document_id in self._poisoned:
            raise self._poisoned[head.document_id]
        if head.deleted_ms is not None or not await self._backend.is_unvouched(head.document_id):
            return
        try:
            await self._trials.check(stored)
        except Poisoned as error:
            self._poisoned[head.document_id] = error
            while len(self._poisoned) > POISONED_MAX:
                del self._poisoned[next(iter(self._poisoned))]
            raise
        # On a disk that is full it is tried again when it is opened next.
        with contextlib.suppress(StoreUnavailable):
            await self._backend.vouch(head.document_id)

    def drop(self, name: str) -> None:
        """Forget what was found of a document whose life is over."""
        self._poisoned = {
            key: error for key, error in self._poisoned.items() if error.document != name
        }
