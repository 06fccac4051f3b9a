"""A file that is read again when it changes; if it is broken then, the old content counts on."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from relay.errors import ConfigError
from relay.limits import AUTH_FILE_BYTES_MAX

log = structlog.get_logger("relay.auth")

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says, by ``parse``; ``version`` counts its changes."""

    def __init__(self, path: Path, parse: Callable[[bytes], T]) -> None:
        """Read it.

        Raises:
            ConfigError: it cannot be read, or ``parse`` refuses it; the text names the file.
        """
        self.version = 0
        self._path = path
        self._parse = parse
        # As it was when it was read, and when it was looked at last.
        self._seen = self._last = self._look()
        try:
            self.value = self._read()
        except (OSError, ConfigError) as error:
            raise ConfigError(_sentence(path, error)) from None

    def refresh(self) -> None:
        """Read it again once it has changed and then stayed the same from one look to the next.

        Half a file may be a good one that lets nobody in; so one that is being written is not
        read. What cannot be used is said once, and not used.
        """
        before, self._last = self._last, self._look()
        if self._last == self._seen or self._last != before:
            return
        self._seen = self._last
        try:
            self.value = self._read()
        except (OSError, ConfigError) as error:
            because = _sentence(self._path, error)
            log.error("the old content stays in force", because=because)  # noqa: TRY400
            return
        self.version += 1
        log.info("file read again", file=str(self._path))

    def warn_if_readable_by_all(self, because: str) -> None:
        """Say so if anybody on this computer may read the file."""
        if self._path.stat().st_mode & stat.S_IROTH:
            log.warning(
                "anybody on this computer can read it", file=str(self._path), because=because
            )

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> T:
        with self._path.open("rb") as file:
            content = file.read(AUTH_FILE_BYTES_MAX + 1)
        if len(content) > AUTH_FILE_BYTES_MAX:
            raise ConfigError(f"it has more than {AUTH_FILE_BYTES_MAX} bytes")
        return self._parse(content)


def _sentence(path: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{path}: {reason}"
