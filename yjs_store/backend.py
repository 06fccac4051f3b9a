"""The written contract of a storage backend.

Each call is one atomic intent; no transaction crosses this seam. Bytes are opaque and identical
in every backend: checksums are made and checked by ``format``, above. A backend translates its
driver's errors: StoreUnavailable and below (nothing was stored, the call may be repeated),
WriterSuperseded (P7), Damaged (the driver itself found the file broken), StoreClosed. Calls may
be made concurrently; writes are carried out one after the other, reads do not wait for them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from yjs_store.facts import Distribution, SpaceChange
from yjs_store.observing_records import ObservingReader, ObservingRecords, StoredNote
from yjs_store.quarantine_records import QuarantineReader, QuarantineRecords
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
from yjs_store.session_records import SessionReader, SessionRecords


class Reader(Protocol):
    """Where documents can be looked at; changes nothing, and may run beside a Backend."""

    @property
    def sessions(self) -> SessionReader:
        """Where sessions can be looked at."""

    @property
    def quarantine(self) -> QuarantineReader:
        """Where refused updates can be looked at."""

    @property
    def observing(self) -> ObservingReader:
        """Where an operator can look at everything else."""

    async def open(self) -> None:
        """Open what is there.

        Raises:
            StoreUnusable: there is no store, or not one that this program reads.
        """

    async def close(self) -> None:
        """Release everything. A second call does nothing."""

    async def load(self, name: str) -> StoredDocument | None:
        """Read head, published snapshot and the rows cut_seq+1 … last_seq at one moment.

        None when nothing is stored under the name. Of a deleted document only the head.
        """

    async def load_by_id(self, document_id: int) -> StoredDocument | None:
        """As ``load``, by the backend's own key: also where a name cannot be found any more."""

    async def load_head(self, name: str) -> SealedHead | None:
        """Read the head alone."""

    async def is_unvouched(self, document_id: int) -> bool:
        """Say whether the document was written unguarded, and nobody has tried it since."""

    async def load_staged(self, snapshot_id: int) -> tuple[Snapshot, tuple[Chunk, ...]] | None:
        """Read a staged snapshot back from disk; None when it is not staged any more."""

    async def list_heads(self, prefix: str, after: str | None, limit: int) -> Sequence[SealedHead]:
        """Return at most ``limit`` heads in name order, after the name ``after``.

        Names are compared by Unicode code point. Tombstones are among them.
        """

    async def list_extents(self, after_id: int, limit: int) -> Sequence[Extent]:
        """Return keys and sizes of at most ``limit`` documents in the order of their keys."""

    async def list_set_aside(self) -> Sequence[SetAside]:
        """Return what ``Backend.replace`` set aside and nobody has discarded."""

    async def load_remains(self, name: str) -> Remains | None:
        """Read whatever can be read of a document, however damaged; None when there is none."""

    async def audit(self) -> Sequence[str]:
        """Return what is wrong with the store beyond its documents, for a person; may be slow."""

    async def statistics(self) -> Statistics:
        """Return sizes of the whole store, without reading documents."""


class Backend(Reader, Protocol):
    """Where documents are kept; the one writer."""

    @property
    def sessions(self) -> SessionRecords:
        """Where sessions are kept."""

    @property
    def quarantine(self) -> QuarantineRecords:
        """Where refused updates are kept."""

    @property
    def observing(self) -> ObservingRecords:
        """Where it is kept what operators look at."""

    async def open(self) -> None:
        """Open for writing, bring the schema up to date, become the writer.

        Raises:
            StoreUnusable: a person has to change something first; the text says what.
        """

    async def close(self) -> None:
        """Release everything; what was durable stays so. A second call does nothing."""

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        """Store one row for each document and its new head, all in one commit or none.

        On return they survive a power cut (P1). An append with ``before.document_id`` 0 creates
        the document. Returns the document_id of each, in order.

        Raises:
            WriterSuperseded: ``before`` is not the stored head's last_seq, or this process is
                not the store's writer any more; nothing was stored.
        """

    async def create(self, sealed: SealedHead, checkpoint: StoredNote | None = None) -> int:
        """Store the head of a document that is new, without rows; return its document_id.

        A staged snapshot that it names is published with it, in one small transaction.
        ``checkpoint`` as in ``publish``.

        Raises:
            WriterSuperseded: the name is taken, or the snapshot is not staged; nothing was
                stored.
        """

    @property
    def kind(self) -> str:
        """What a person calls it: ``sqlite``, ``memory``."""

    def commit_times(self) -> Distribution:
        """Return how many seconds the disk has taken for each commit since this was made.

        Of the COMMIT alone, and so nearly all of it fsync; also after ``close``.
        """

    async def room_left(self) -> int:
        """Return how many bytes the disk still takes."""

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        """Store a snapshot that no load sees, in steps of one chunk; return its id.

        What an error leaves on the way is trimmed; what a crash leaves is marked for that by
        the next ``open``.
        """

    async def publish(
        self, before: Head, after: SealedHead, checkpoint: StoredNote | None = None
    ) -> None:
        """Make ``after`` the head and its snapshot the published one; retire the former.

        One small transaction, which also notes that there is something to trim, and keeps
        ``checkpoint`` as the document's, whatever document_id it has. CHECKPOINTS_KEPT_PER_DOCUMENT
        are kept. When what is kept of others is damaged, the snapshot is published without.

        Raises:
            WriterSuperseded: the stored head is not ``before``; nothing was changed.
        """

    async def discard(self, snapshot_id: int) -> None:
        """Retire a staged snapshot that will not be published."""

    async def delete(self, before: Head, after: SealedHead) -> None:
        """Make ``after``, which has a deletion time, the head; note what there is to trim.

        A switch of the document goes with it: nothing can be written to what is deleted.

        Raises:
            WriterSuperseded: the stored head is not ``before``; nothing was changed.
        """

    async def forget(self, before: Head) -> bool:
        """Remove a tombstone whose data is all trimmed; False when some is left.

        With it go its history, its traces and its switch; what operators did to it stays.

        Raises:
            WriterSuperseded: the stored head is not ``before``; nothing was changed.
        """

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        """Delete a bounded part of what is dead; say whether more is left.

        Dead are rows up to cut_seq, and the chunks of retired snapshots. Never anything else:
        ``check`` raises Damaged for a head that cannot be believed, whose document is then left
        as it is, and a snapshot that a head names is kept whatever is said of it elsewhere.
        """

    async def distrust(self, document_id: int) -> None:
        """Note that the document was written unguarded; durable on return."""

    async def vouch(self, document_id: int) -> None:
        """Note that the document was tried, and passed; durable on return."""

    async def replace(
        self, document_id: int, after: SealedHead | None, reason: str, now_ms: int
    ) -> int | None:
        """Set a document aside and put ``after``, whose snapshot is staged, in its place.

        One small transaction. Everything stored of the former stays as it is, under its key.
        Returns the document_id of the new one, to which history, traces and switch go over.
        With None its place stays empty, and they stay with what was set aside.

        Raises:
            WriterSuperseded: the document or the staged snapshot is gone; nothing was changed.
        """

    async def discard_set_aside(self, document_id: int) -> bool:
        """Give up what was set aside; ``trim`` removes it. False when there is none."""

    async def truncate_wal(self) -> SpaceChange:
        """Copy what the WAL holds into the file and give its room back to the disk.

        It waits a moment for those who read; when they read on, it is ``incomplete``.
        """

    async def vacuum(self) -> SpaceChange:
        """Write the whole file anew without free pages; every other write waits meanwhile.

        The caller has looked whether there is room. A crash leaves the file as it was.

        Raises:
            StoreFull: there was no room after all; nothing was changed.
        """
