"""The frozen records that cross the seams of the store."""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a document without reading it.

    The journal holds exactly the rows cut_seq+1 … last_seq; the published snapshot, if any,
    holds everything up to cut_seq. ``document_id`` is the backend's own key (0 before the first
    append); ``uid`` names this life of the document and is part of every checksum;
    ``oversized_count`` is how many updates went round the journal because of their size.
    """

    document_id: int
    name: str
    uid: bytes
    last_seq: int
    cut_seq: int
    journal_bytes: int
    snapshot_id: int | None
    snapshot_bytes: int
    created_ms: int
    updated_ms: int
    deleted_ms: int | None
    oversized_count: int

    @property
    def journal_rows(self) -> int:
        """Rows that a load has to read after the snapshot."""
        return self.last_seq - self.cut_seq


@dataclass(frozen=True, slots=True)
class SealedHead:
    """A head with its checksum."""

    head: Head
    checksum: bytes


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One durable row: an update in Yjs encoding v1, as stored."""

    seq: int
    created_ms: int
    byte_length: int
    checksum: bytes
    data: bytes


class SnapshotState(enum.Enum):
    """The life of a snapshot; only a published one is ever loaded."""

    STAGED = "staged"
    PUBLISHED = "published"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The manifest of a snapshot: what its chunks must add up to.

    ``byte_length`` and ``checksum`` are of the whole raw update; ``stored_length`` is the sum of
    the chunks as stored.
    """

    snapshot_id: int
    cut_seq: int
    chunk_count: int
    byte_length: int
    stored_length: int
    checksum: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stored piece of a snapshot; ``byte_length`` is raw, ``checksum`` of ``data``."""

    index: int
    codec: str
    byte_length: int
    checksum: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """Everything stored of a document, read in one transaction and not yet verified."""

    sealed_head: SealedHead
    snapshot: Snapshot | None
    chunks: tuple[Chunk, ...]
    rows: tuple[JournalRow, ...]


@dataclass(frozen=True, slots=True)
class SnapshotRemains:
    """What can still be read of a snapshot in any state; its manifest may be gone."""

    snapshot_id: int
    manifest: Snapshot | None
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Remains:
    """What can still be read of a document, dead parts too; nothing of it is verified.

    ``unreadable`` names what the backend could not read; ``refused`` says why the document
    cannot be loaded, if somebody has tried.
    """

    sealed_head: SealedHead
    snapshots: tuple[SnapshotRemains, ...]
    rows: tuple[JournalRow, ...]
    unreadable: tuple[str, ...]
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A document whose place another has taken; all its rows and chunks are kept as they were."""

    document_id: int
    name: str
    uid: bytes
    reason: str
    set_aside_ms: int


@dataclass(frozen=True, slots=True)
class Extent:
    """A document by its key, and roughly how many bytes it takes."""

    document_id: int
    byte_length: int


@dataclass(frozen=True, slots=True)
class Append:
    """The intent to add one row: the head as the writer knows it, and as it shall be."""

    before: Head
    after: SealedHead
    row: JournalRow


@dataclass(frozen=True, slots=True)
class Receipt:
    """Word that an update is durable: it is in the row ``seq`` or an earlier one."""

    document: str
    seq: int


@dataclass(frozen=True, slots=True)
class CheckpointResult:
    """What a checkpoint did; lengths in bytes; ``head`` as it was published or found."""

    document: str
    reason: str
    published: bool
    cut_seq: int
    rows_folded: int
    journal_bytes_before: int
    snapshot_bytes: int
    stored_bytes: int
    head: Head


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sizes of the whole store; bytes unless said otherwise. ``free_bytes`` can be reused."""

    documents: int
    deleted_documents: int
    journal_rows: int
    journal_bytes: int
    snapshot_bytes: int
    file_bytes: int
    wal_bytes: int
    free_bytes: int


class Permission(enum.Enum):
    """What somebody may do with a document; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def allows(self, wanted: "Permission") -> bool:
        """Say whether ``wanted`` is included."""
        order = tuple(Permission)
        return order.index(wanted) <= order.index(self)


class SessionStatus(enum.Enum):
    """The life of a session; only an active one that has not expired is ever found."""

    ACTIVE = "active"
    ENDED = "ended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Session:
    """The stored record of an admitted client; it outlives a connection.

    ``details`` are for a person to read (the address, the client's program).
    """

    session_id: str
    user: str
    document: str
    permission: Permission
    status: SessionStatus
    details: dict[str, str]
    created_ms: int
    updated_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is stored, and not yet verified.

    ``permission``, ``status`` and ``details`` are text, for somebody may have written there what
    they cannot be. ``credential_hash`` is what a reconnect is found by; no credential is stored.
    ``key`` is the backend's own, 0 before it is stored.
    """

    session_id: str
    user: str
    document: str
    permission: str
    status: str
    details: str
    created_ms: int
    updated_ms: int
    expires_ms: int
    credential_hash: bytes | None
    checksum: bytes
    key: int = 0


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """An update that was refused, for a person to look at.

    ``hash`` is the SHA-256 of the update; ``data`` is None in a list, and when the update is
    above the bound of what is kept. ``seen_count`` is how often it came, last at ``seen_ms``.
    ``problem`` says what is wrong with the entry itself; then nothing in it can be relied on.
    """

    entry_id: int
    document: str
    reason: str
    sender: str
    created_ms: int
    seen_ms: int
    seen_count: int
    byte_length: int
    hash: bytes
    data: bytes | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry of the quarantine with its checksum, as it is stored and not yet verified."""

    entry: QuarantineEntry
    checksum: bytes
