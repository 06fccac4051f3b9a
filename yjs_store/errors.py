"""The error tree of the store: one class for each thing a caller would do differently.

::

    StoreError
    ├── StoreUnavailable      nothing was stored; the same call may be made again
    │   ├── StoreBusy         somebody else holds the database's lock
    │   ├── StoreFull         no room on the disk
    │   ├── StoreFailing      the disk or the file refuses: I/O error, read-only, removed
    │   └── TrialsFull        too much waits to be tried
    ├── StoreUnusable         the store cannot be opened until a person changes something
    │   ├── StoreInUse        another process has it open
    │   └── StoreTooNew       written by a newer version of this software
    ├── StoreClosed           used after close()
    ├── WriterSuperseded      somebody else writes now; this writer must join again (P7)
    ├── Damaged               stored bytes are not what was written (P4)
    ├── DocumentDeleted       there is a tombstone under this name (P9)
    ├── DocumentMissing       nothing is stored under this name
    ├── ReadOnlyNow           an operator wants nothing to be written for now
    ├── DocumentFailed        this live document must be closed and loaded again
    │   └── MendingAwaited    and what is stored be folded before that
    ├── NoRoom                vacuum would fill the disk; nothing was changed
    ├── FoldFailed            the fold process died or hung; nothing was changed
    ├── TrialFailed           the trial process did not answer; nothing was changed
    ├── Poisoned              what is stored ends the process that reads it
    ├── NameRefused           not a document name
    ├── ExportUnusable        no export, or not what was exported
    ├── EntryMissing          the quarantine has no such entry, or not its bytes
    ├── SessionRefused        a session that is not kept: too many, or too large
    └── UpdateRefused         these bytes are not a Yjs update that can be kept (P5)
        └── UpdateTooLarge    it is above a bound, or its document would be
"""

from typing import Any, ClassVar


class StoreError(Exception):
    """Root of the tree.

    ``retry_safe`` says whether the same call may be made again with the same arguments: nothing
    was stored by the call that raised.
    """

    retry_safe: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it cross from another process with its facts, not made anew from its text."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(
    cls: type[StoreError], arguments: tuple[object, ...], facts: dict[str, object]
) -> StoreError:
    error = cls.__new__(cls)
    error.args = arguments
    error.__dict__.update(facts)
    return error


class StoreUnavailable(StoreError):
    """Storage did not take the write or give the read; nothing was stored."""

    retry_safe = True


class StoreBusy(StoreUnavailable):
    """No lock in time: another process reads or writes the database."""


class StoreFull(StoreUnavailable):
    """No room on the disk."""


class StoreFailing(StoreUnavailable):
    """The disk or the file refuses: I/O error, read-only, removed, permission lost."""


class TrialsFull(StoreUnavailable):
    """Too much waits to be tried before it may be integrated; nothing was stored."""


class NoRoom(StoreError):
    """There is too little room on the disk to make room in the store; nothing was changed."""

    def __init__(self, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(f"this needs {needed_bytes} free bytes; the disk has {free_bytes}")
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class StoreUnusable(StoreError):
    """The store cannot be opened until a person changes something; the text says what."""


class StoreInUse(StoreUnusable):
    """Another process has this store open for writing."""


class StoreTooNew(StoreUnusable):
    """The store was written by a newer version; nothing in it was touched."""


class StoreClosed(StoreError):
    """The store was closed."""


class WriterSuperseded(StoreError):
    """Another writer has taken over; nothing was stored (P7).

    ``document`` is None when the whole store has a new writer.
    """

    def __init__(self, document: str | None) -> None:
        super().__init__(
            "another process has taken over the store"
            if document is None
            else f"document {document!r} has another writer"
        )
        self.document = document


class Damaged(StoreError):
    """Stored bytes are not what was written; they were not used (P4).

    ``part`` names the row, chunk or head; ``expected`` and ``found`` are for a person to read.
    """

    def __init__(self, document: str, part: str, expected: str, found: str) -> None:
        self.document = document
        self.part = part
        self.expected = expected
        self.found = found
        super().__init__(f"document {document!r} is damaged: {self.problem}")

    @property
    def problem(self) -> str:
        """What is wrong, without the document's name; for reports that name it themselves."""
        return f"{self.part}: expected {self.expected}, found {self.found}"


class DocumentDeleted(StoreError):
    """The document was deleted; its name stays barred until forget() (P9)."""

    def __init__(self, document: str) -> None:
        super().__init__(f"document {document!r} was deleted")
        self.document = document


class DocumentMissing(StoreError):
    """Nothing is stored under this name."""

    def __init__(self, document: str) -> None:
        super().__init__(f"there is no document {document!r}")
        self.document = document


class ReadOnlyNow(StoreError):
    """An operator has switched the document, or the whole store, to read-only.

    Nothing was stored. Whoever has it should keep it and hand it in again when that is lifted.
    """

    def __init__(self, document: str, reason: str) -> None:
        super().__init__(f"document {document!r} is read-only for now: {reason}")
        self.document = document
        self.reason = reason


class DocumentFailed(StoreError):
    """A live document can no longer be trusted in memory; what is durable is untouched.

    Close it and open it again.
    """

    def __init__(self, document: str, why: str) -> None:
        super().__init__(f"document {document!r} must be loaded again: {why}")
        self.document = document
        self.why = why


class MendingAwaited(DocumentFailed):
    """What is stored can be read once a checkpoint has mended it; the next who opens it has that.

    To mend it takes seconds, and nobody waits for that in a process that serves others.
    """


class FoldFailed(StoreError):
    """The process that folds a document died or did not answer; nothing was changed."""

    def __init__(self, document: str, why: str) -> None:
        super().__init__(f"document {document!r} could not be folded: {why}")
        self.document = document
        self.why = why


class TrialFailed(StoreError):
    """What was to be tried could not be, by no fault of its own; nothing was stored."""

    def __init__(self, document: str, why: str) -> None:
        super().__init__(f"an update of document {document!r} could not be tried: {why}")
        self.document = document
        self.why = why


class Poisoned(StoreError):
    """The decoder dies or hangs on what is stored; it was not used, and others are not hurt."""

    def __init__(self, document: str, why: str) -> None:
        super().__init__(f"document {document!r} is poisoned: {why}")
        self.document = document
        self.why = why


class NameRefused(StoreError):
    """Not a document name; the text says why."""


class ExportUnusable(StoreError):
    """The files are no export, or not what was exported; the text says what."""


class EntryMissing(StoreError):
    """The quarantine has no such entry, or only its hash and length; the text says which."""


class SessionRefused(StoreError):
    """The session is not one that can be kept; nothing was stored. The text says why."""


class UpdateRefused(StoreError):
    """The bytes are not a Yjs update that can be kept; nothing was stored (P5)."""


class UpdateTooLarge(UpdateRefused):
    """The update is above a bound, or its document would be with it; nothing was stored."""

    def __init__(self, what: str, byte_length: int, byte_length_max: int) -> None:
        super().__init__(f"{what} has {byte_length} bytes; the bound is {byte_length_max}")
        self.what = what
        self.byte_length = byte_length
        self.byte_length_max = byte_length_max
