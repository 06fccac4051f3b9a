"""A file that holds one token, for one purpose; read again when it changes."""

import hmac
from pathlib import Path

from relay.auth.credentials import credential_hash
from relay.auth.watched_file import WatchedFile
from relay.errors import ConfigError
from relay.limits import STATIC_TOKEN_CHARACTERS_MIN


class TokenFile:
    """Knows its token from others; keeps only the hash."""

    def __init__(self, path: Path, because: str) -> None:
        """Read it; ``because`` is said if anybody on this computer can read it, too.

        Raises:
            ConfigError: it cannot be used.
        """
        self._file = WatchedFile(path, _parse_token)
        self._file.warn_if_readable_by_all(because)

    def refresh(self) -> None:
        """Look whether the file has changed; called every few seconds."""
        self._file.refresh()

    def holds(self, shown: bytes) -> bool:
        """Say whether this is the hash of its token; as fast for every hash."""
        return hmac.compare_digest(self._file.value, shown)


def _parse_token(content: bytes) -> bytes:
    token = content.decode("latin-1").strip()
    if len(token) < STATIC_TOKEN_CHARACTERS_MIN or not token.isprintable():
        raise ConfigError(f"holds no token of at least {STATIC_TOKEN_CHARACTERS_MIN} characters")
    return credential_hash(token)
