"""Brings what is stored of a document into memory, once it has been looked at and verified."""

import asyncio
from collections.abc import Callable

from yjs_store import format
from yjs_store.assembling import assemble_cut
from yjs_store.backend import Backend
from yjs_store.committer import Committer
from yjs_store.document import Document
from yjs_store.errors import DocumentDeleted, StoreError, WriterSuperseded
from yjs_store.heads import fresh_head
from yjs_store.limits import KIB, MEASURE_BYTES_MIN
from yjs_store.oversized import OversizedGuard
from yjs_store.records import Head, StoredDocument
from yjs_store.switches import Switches
from yjs_store.telemetry import Telemetry
from yjs_store.trials import Trials
from yjs_store.vouching import Vouching

# Below this, checking and merging takes less time than handing it to a thread.
_ASSEMBLE_INLINE_BYTES = 64 * KIB


class Loading:
    """Loads documents of one store; ``settled`` is theirs, see Document."""

    def __init__(
        self,
        backend: Backend,
        committer: Committer,
        guard: OversizedGuard,
        trials: Trials,
        vouching: Vouching,
        clock_ms: Callable[[], int],
        make_uid: Callable[[], bytes],
        settled: Callable[[Document], None],
        telemetry: Telemetry,
        switches: Switches,
    ) -> None:
        self._backend = backend
        self._committer = committer
        self._guard = guard
        self._trials = trials
        self._vouching = vouching
        self._clock_ms = clock_ms
        self._make_uid = make_uid
        self._settled = settled
        self._telemetry = telemetry
        self._switches = switches

    async def load(self, name: str) -> Document:
        """Return a document as it is stored; an empty one where nothing is.

        Raises:
            StoreError: as ``Store.open_document``.
        """
        began_s = self._telemetry.timer_s()
        try:
            document = await self._load(name)
        except StoreError as error:
            self._telemetry.not_loaded(name, error, self._telemetry.timer_s() - began_s)
            raise
        head, saving = document.head, document.saving
        saving.loaded_ms = self._clock_ms()
        saving.load_s = self._telemetry.timer_s() - began_s
        self._telemetry.loaded(name, saving.load_s, head.journal_rows, _byte_length(head))
        # No await between this and the moment in which the others find the document.
        document.bar(self._switches.reason_for(head))
        return document

    async def _load(self, name: str) -> Document:
        stored = await self._backend.load(name)
        head, updates = fresh_head(name, self._make_uid()), list[bytes]()
        if stored is not None:
            await self._vouching.check(stored)
            head, updates = await _assemble(stored)
        document = Document(
            head,
            updates,
            self._committer,
            self._clock_ms,
            self._settled,
            self._guard.take,
            self._trials,
            self._telemetry,
        )
        if _byte_length(head) > MEASURE_BYTES_MIN:
            self._trials.measure(document)
        return document


async def load_for_trial(backend: Backend, live: Head) -> StoredDocument:
    """Read what is stored of an open document; of a new one, that it is empty.

    Raises:
        WriterSuperseded: what is stored is another life.
    """
    stored = await backend.load(live.name)
    if stored is None and live.document_id == 0:
        return StoredDocument(format.seal_head(live), None, (), ())
    if stored is None or stored.sealed_head.head.uid != live.uid:
        raise WriterSuperseded(live.name)
    return stored


async def _assemble(stored: StoredDocument) -> tuple[Head, list[bytes]]:
    """Verify what was read; return the head and the updates, oldest first."""
    head = format.check_head(stored.sealed_head)
    if head.deleted_ms is not None:
        raise DocumentDeleted(head.name)
    if _byte_length(head) <= _ASSEMBLE_INLINE_BYTES:
        return head, assemble_cut(stored)
    return head, await asyncio.to_thread(assemble_cut, stored)


def _byte_length(head: Head) -> int:
    return head.journal_bytes + head.snapshot_bytes
