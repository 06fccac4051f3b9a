"""What a store in memory holds, and what a person would look for in it."""

from dataclasses import dataclass, field

from yjs_store.backends.memory_notes import NoteTables
from yjs_store.backends.memory_quarantine import QuarantineTable
from yjs_store.backends.memory_sessions import SessionTable
from yjs_store.records import (
    Chunk,
    JournalRow,
    SealedHead,
    SetAside,
    Snapshot,
    SnapshotState,
)


@dataclass(slots=True)
class StoredSnapshot:
    """A snapshot with its state and the chunks that have come so far, by index."""

    document_id: int
    state: SnapshotState
    manifest: Snapshot
    chunks: dict[int, Chunk] = field(default_factory=dict)


@dataclass(slots=True)
class StoredAside:
    """A document that was set aside, with its head as it stood."""

    record: SetAside
    sealed: SealedHead
    is_discarded: bool = False


@dataclass(slots=True)
class MemoryStorage:
    """Everything stored; outlives the backends that are opened over it.

    ``epoch`` is the number of the writer that opened last; 0 before the first.
    """

    epoch: int = 0
    heads: dict[int, SealedHead] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    journal: dict[int, dict[int, JournalRow]] = field(default_factory=dict)
    snapshots: dict[int, StoredSnapshot] = field(default_factory=dict)
    set_aside: dict[int, StoredAside] = field(default_factory=dict)
    trims: dict[int, None] = field(default_factory=dict)
    """Documents with journal rows that can go."""
    sessions: SessionTable = field(default_factory=SessionTable)
    quarantine: QuarantineTable = field(default_factory=QuarantineTable)
    notes: NoteTables = field(default_factory=NoteTables)
    unvouched: set[int] = field(default_factory=set)
    documents_made: int = 0
    snapshots_made: int = 0

    def snapshots_of(self, document_id: int) -> list[StoredSnapshot]:
        """Return the snapshots of a document in any state, oldest first."""
        return [each for each in self.snapshots.values() if each.document_id == document_id]

    @property
    def stored_bytes(self) -> int:
        """What rows and chunks take, dead ones too."""
        rows = sum(len(row.data) for rows in self.journal.values() for row in rows.values())
        chunks = (chunk for each in self.snapshots.values() for chunk in each.chunks.values())
        return rows + sum(len(chunk.data) for chunk in chunks)


def audit(storage: MemoryStorage) -> list[str]:
    """See Reader.audit: only a defect of this program leaves something to find."""
    known = storage.heads.keys() | storage.set_aside.keys()
    orphans = {
        "journal rows of no document": sum(
            len(rows) for document_id, rows in storage.journal.items() if document_id not in known
        ),
        "snapshots of no document": sum(
            each.document_id not in known
            for each in storage.snapshots.values()
            if each.state is SnapshotState.PUBLISHED
        ),
        "published snapshots that their document does not name": sum(
            storage.heads[each.document_id].head.snapshot_id != snapshot_id
            for snapshot_id, each in storage.snapshots.items()
            if each.state is SnapshotState.PUBLISHED and each.document_id in storage.heads
        ),
        "names that lead to no document": sum(
            document_id not in storage.heads for document_id in storage.ids.values()
        ),
        "documents without their name": sum(
            storage.ids.get(sealed.head.name) != document_id
            for document_id, sealed in storage.heads.items()
        ),
        **{
            f"{table} of no document": sum(owner not in known for owner in owners)
            for table, owners in storage.notes.owners().items()
        },
    }
    return [f"{count} {what}" for what, count in orphans.items() if count]
