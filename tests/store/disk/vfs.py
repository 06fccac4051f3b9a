"""An SQLite VFS over the usual one that records what it is asked to do, and fails by plan."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import apsw

from .faults import Action, Faults
from .operations import Created, Deleted, Operation, Synced, SyncFailed, Truncated, Written

BASE = "unix"
_numbers = itertools.count(1)


class RecordingVfs(apsw.VFS):
    """Hands every change of the files of the database at ``path`` to ``record``, in order.

    What is recorded has happened. Temporary files, which end with the process, are left out;
    the -shm file is memory and does not come here.
    """

    def __init__(self, path: Path, record: Callable[[Operation], None], faults: Faults) -> None:
        self.vfs_name = f"recording-{next(_numbers)}"
        self.faults = faults
        self.lock = threading.Lock()
        self.record = record
        self._path = str(path.resolve())
        super().__init__(self.vfs_name, BASE)

    def suffix_of(self, name: str | apsw.URIFilename | None) -> str | None:
        """What the name has after that of the database; None for other files."""
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        if text is None or not text.startswith(self._path):
            return None
        return text[len(self._path) :]

    def check(self, action: Action, file: str) -> None:
        """Raise what the plan says of this call."""
        code = self.faults.find(action, file)
        if code is not None:
            raise apsw.exception_for(code)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        file = self.suffix_of(name)
        if file is None:
            return apsw.VFSFile(BASE, name, flags)
        self.check("open", file)
        return _RecordedFile(self, file, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        file = self.suffix_of(filename)
        if file is None:
            super().xDelete(filename, syncdir)
            return
        self.check("delete", file)
        with self.lock:
            super().xDelete(filename, syncdir)
            self.record(Deleted(file, syncdir))


class _RecordedFile(apsw.VFSFile):
    def __init__(
        self, vfs: RecordingVfs, file: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._vfs = vfs
        self._file = file
        is_created = bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
        # As SQLite's unix VFS has it: the first sync of a journal or WAL that may be new is one
        # of the directory, too. That of the database file never is.
        self._syncs_directory = is_created and not flags[0] & apsw.SQLITE_OPEN_MAIN_DB
        assert name is not None
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        with vfs.lock:
            is_new = not Path(text).exists()
            super().__init__(BASE, name, flags)
            if is_new:
                vfs.record(Created(file))

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._vfs.check("read", self._file)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        code = self._vfs.faults.find("write", self._file)
        if code is not None:
            # A disk that is full, or breaks, has often taken the first part.
            self._write(bytes(data[: len(data) // 2]), offset)
            raise apsw.exception_for(code)
        self._write(bytes(data), offset)

    def _write(self, data: bytes, offset: int) -> None:
        with self._vfs.lock:
            super().xWrite(data, offset)
            self._vfs.record(Written(self._file, offset, data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._vfs.check("truncate", self._file)
        with self._vfs.lock:
            super().xTruncate(newsize)
            self._vfs.record(Truncated(self._file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        code = self._vfs.faults.find("sync", self._file)
        with self._vfs.lock:
            if code is not None:
                self._vfs.record(SyncFailed(self._file))
                raise apsw.exception_for(code)
            super().xSync(flags)
            self._vfs.record(Synced(self._file, self._syncs_directory))
        self._syncs_directory = False
