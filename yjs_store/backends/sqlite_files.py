"""Whether the files under an open SQLite database are still those that were opened.

SQLite goes on writing to a file that somebody removed or replaced, and everything it says is
durable goes when the process ends. One look before each transaction keeps that from lasting.
"""

import os
from pathlib import Path

from yjs_store.errors import StoreFailing

_Identity = tuple[int, int]


class OpenedFiles:
    """The database and its WAL, as they were at ``remember``."""

    def __init__(self, path: Path) -> None:
        self._files = [os.fspath(path), f"{os.fspath(path)}-wal"]
        self._identities: list[_Identity | None] = []

    def remember(self) -> None:
        """Take what stands at the paths now for what is open."""
        self._identities = [_identity(file) for file in self._files]

    def check(self) -> None:
        """Return when nothing has changed; before ``remember`` too.

        Raises:
            StoreFailing: a file is gone or another one; it may come back.
        """
        for file, opened in zip(self._files, self._identities, strict=False):
            try:
                found = _identity(file)
            except OSError as error:
                raise StoreFailing(f"cannot look for {file}: {error.strerror}") from error
            if found != opened:
                what = "was removed" if found is None else "is another file now"
                raise StoreFailing(
                    f"{file} {what} while it was in use: put the former one back, or take the"
                    " .rescued file, which has all that was stored"
                )


def _identity(file: str) -> _Identity | None:
    try:
        found = os.stat(file)  # noqa: PTH116  (before every commit: half the price of a Path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
