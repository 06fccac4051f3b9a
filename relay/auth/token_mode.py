"""The mode `token`: static bearer tokens from a file."""

from collections.abc import Callable
from pathlib import Path

from relay.auth.grants import Grant
from relay.auth.token_table import TokenTable, parse_tokens
from relay.auth.watched_file import WatchedFile
from relay.errors import ConfigError


class StaticTokens:
    """An Authority that looks tokens up in a file, which is read again when it changes."""

    needs_credential = True

    def __init__(self, path: Path, clock_ms: Callable[[], int]) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be used; the text says why.
        """
        self._clock_ms = clock_ms
        self._file = WatchedFile(path, _parse)
        if self._file.value.has_plain_tokens:
            self._file.warn_if_readable_by_all("it holds tokens as they are; write token_sha256")

    @property
    def version(self) -> int:
        """See Authority."""
        return self._file.version

    async def judge(self, credential: str, document: str | None) -> Grant:
        """See Authority."""
        return self._file.value.judge(credential, document, self._clock_ms())

    def refresh(self) -> None:
        """See Authority."""
        self._file.refresh()

    async def close(self) -> None:
        """See Authority."""


def _parse(content: bytes) -> TokenTable:
    try:
        return parse_tokens(content.decode())
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8") from None
