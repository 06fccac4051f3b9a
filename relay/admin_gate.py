"""Who may use the admin routes.

The holder of the token in a file that is for nothing else, or of a credential to which the
authority grants `admin` for every document.
"""

import hmac
from pathlib import Path

from starlette.requests import Request

from relay.auth.credentials import credential_hash, http_credential
from relay.auth.grants import Authority, Forbidden, Unauthorized
from relay.auth.watched_file import WatchedFile
from relay.errors import ConfigError
from relay.limits import STATIC_TOKEN_CHARACTERS_MIN
from yjs_store import Permission


class AdminGate:
    """Knows an admin credential from others."""

    def __init__(self, authority: Authority, token_file: Path | None) -> None:
        """Read the file with the token, if there is one.

        Raises:
            ConfigError: it cannot be used.
        """
        self._authority = authority
        self._file = None if token_file is None else WatchedFile(token_file, _parse_token)
        if self._file is not None:
            self._file.warn_if_readable_by_all("whoever reads it is an administrator")
        elif not self._authority.needs_credential:
            raise ConfigError("--enable-admin-routes with --auth none needs --admin-token-file")

    def refresh(self) -> None:
        """Look whether the file has changed; called every few seconds."""
        if self._file is not None:
            self._file.refresh()

    async def check(self, request: Request) -> str:
        """Return who asks, for the log.

        Raises:
            AdmissionRefused: not an administrator.
        """
        credential = http_credential(request.headers.raw)
        if credential is None:
            raise Unauthorized("a credential is needed")
        shown = credential_hash(credential.text)
        if self._file is not None and hmac.compare_digest(self._file.value, shown):
            return "the holder of the admin token"
        if not self._authority.needs_credential:
            raise Unauthorized("the token is not valid")
        grant = await self._authority.judge(credential.text, None)
        if not grant.permission.allows(Permission.ADMIN):
            raise Forbidden("this needs the permission admin for every document")
        return grant.user


def _parse_token(content: bytes) -> bytes:
    token = content.decode("latin-1").strip()
    if len(token) < STATIC_TOKEN_CHARACTERS_MIN or not token.isprintable():
        raise ConfigError(f"holds no token of at least {STATIC_TOKEN_CHARACTERS_MIN} characters")
    return credential_hash(token)
