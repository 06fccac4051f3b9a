"""What a crash leaves of the files, computed from what was done to them. Pure.

A process that is killed leaves everything that it wrote. A power cut leaves what was synced,
and of the rest anything: some writes and not others, in another order, torn at the sectors;
truncations, new names and removed ones likewise. The disk itself keeps what it said it has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from .operations import (
    Created,
    Deleted,
    Files,
    Operation,
    Synced,
    SyncFailed,
    Truncated,
    Written,
)

SECTOR_BYTES = 512

_Change = Written | Truncated


@dataclass(slots=True, eq=False)
class _Content:
    """The bytes of a file as processes see them, as the disk has them, and what lies between."""

    seen: bytearray
    durable: bytearray
    unsynced: list[_Change] = field(default_factory=list)

    def change(self, change: _Change) -> None:
        _apply(self.seen, change)
        self.unsynced.append(change)

    def sync(self) -> None:
        for change in self.unsynced:
            _apply(self.durable, change)
        self.unsynced.clear()


class Disk:
    """The files of one database under the operations that were recorded."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        """Begin with files that are on the disk as they are."""
        contents = {
            name: _Content(bytearray(data), bytearray(data)) for name, data in (files or {}).items()
        }
        self._names: dict[str, _Content] = dict(contents)
        self._durable_names: dict[str, _Content] = dict(contents)
        # What became of names since the directory was last synced, oldest first.
        self._renaming: list[tuple[str, _Content | None]] = []

    def apply(self, operation: Operation) -> None:
        """Take in what was done next."""
        match operation:
            case Created(file):
                self._name(file, _Content(bytearray(), bytearray()))
            case Deleted(file, directory):
                self._name(file, None)
                if directory:
                    self._sync_directory()
            case Written(file) | Truncated(file):
                self._names[file].change(operation)
            case Synced(file, directory):
                self._names[file].sync()
                if directory:
                    self._sync_directory()
            case SyncFailed(file):
                # The process goes on seeing it, and no later sync brings it to the disk.
                self._names[file].unsynced.clear()

    def _name(self, file: str, content: _Content | None) -> None:
        self._renaming.append((file, content))
        _rename(self._names, file, content)

    def _sync_directory(self) -> None:
        for file, content in self._renaming:
            _rename(self._durable_names, file, content)
        self._renaming.clear()

    # ---- what a crash leaves ----------------------------------------------------------------

    def after_kill(self) -> Files:
        """The process is killed; the operating system lives on."""
        return {file: bytes(content.seen) for file, content in self._names.items()}

    def after_power_cut(self) -> Files:
        """The power is cut, and nothing that was not synced had reached the disk."""
        return {file: bytes(content.durable) for file, content in self._durable_names.items()}

    def after_torn_power_cut(self, random: Random) -> Files:
        """The power is cut, and of what was not synced anything may have reached the disk."""
        names = dict(self._durable_names)
        for file in sorted({file for file, _ in self._renaming}):
            # A directory holds one of the states that the name had, old or new.
            states = [content for name, content in self._renaming if name == file]
            for content in states[: random.randint(0, len(states))]:
                _rename(names, file, content)
        return {file: _torn(content, random) for file, content in sorted(names.items())}


def _rename(names: dict[str, _Content], file: str, content: _Content | None) -> None:
    if content is None:
        names.pop(file, None)
    else:
        names[file] = content


def _torn(content: _Content, random: Random) -> bytes:
    """Some of what was not synced is there, some is not, and some is there in part."""
    image = bytearray(content.durable)
    kept_share = random.choice((0.2, 0.5, 0.8, 0.95))
    torn_share = random.choice((0.0, 0.1, 0.5))
    # A file system that fills what it has not written yet with what lay there before.
    rubbish = random if random.random() < 0.5 else None
    parts: list[_Change] = []
    for change in content.unsynced:
        if random.random() >= kept_share:
            continue
        if isinstance(change, Written) and random.random() < torn_share:
            parts.extend(part for part in _sectors(change) if random.random() < 0.5)
        else:
            parts.append(change)
    if random.random() < 0.5:
        random.shuffle(parts)
    for part in parts:
        _apply(image, part, rubbish)
    return bytes(image)


def _sectors(written: Written) -> Iterable[Written]:
    """The write in pieces, none of which crosses the border of a sector."""
    end = written.offset + len(written.data)
    start = written.offset
    while start < end:
        stop = min((start // SECTOR_BYTES + 1) * SECTOR_BYTES, end)
        data = written.data[start - written.offset : stop - written.offset]
        yield Written(written.file, start, data)
        start = stop


def _apply(image: bytearray, change: _Change, rubbish: Random | None = None) -> None:
    if isinstance(change, Truncated):
        _extend(image, change.size, rubbish)
        del image[change.size :]
        return
    _extend(image, change.offset, rubbish)
    image[change.offset : change.offset + len(change.data)] = change.data


def _extend(image: bytearray, size: int, rubbish: Random | None) -> None:
    missing = size - len(image)
    if missing > 0:
        image.extend(bytes(missing) if rubbish is None else rubbish.randbytes(missing))
