"""What SQLite asks of a file system, in the order in which it asks; plain records.

A file is known by what its name has after that of the database: "", "-wal" or "-journal".
"""

from dataclasses import dataclass

Files = dict[str, bytes]
"""Every file of a store with its content; one that does not exist has no key."""


@dataclass(frozen=True, slots=True)
class Created:
    """An empty file came to be."""

    file: str


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes were handed to the operating system."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    """A file was cut to this size."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything done to the file before is on the disk; ``directory``: its name, too."""

    file: str
    directory: bool


@dataclass(frozen=True, slots=True)
class SyncFailed:
    """A sync returned an error: what was written before it may never reach the disk.

    An operating system may forget that these pages are dirty: a later sync that succeeds says
    nothing of them.
    """

    file: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A name was removed; ``directory``: the removal is on the disk."""

    file: str
    directory: bool


Operation = Created | Written | Truncated | Synced | SyncFailed | Deleted
