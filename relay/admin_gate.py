"""Who may use the admin routes.

The holder of the token in a file that is for nothing else, or of a credential to which the
authority grants `admin` for every document.
"""

from pathlib import Path

from starlette.requests import Request

from relay.auth.credentials import credential_hash, http_credential
from relay.auth.grants import Authority, Forbidden, Unauthorized
from relay.auth.strangers import Strangers
from relay.clock import monotonic_s
from relay.errors import ConfigError
from relay.http_answers import requester
from relay.token_file import TokenFile
from yjs_store import Permission

READABLE = "whoever reads it is an administrator"


class AdminGate:
    """Knows an admin credential from others."""

    def __init__(
        self, authority: Authority, token_file: Path | None, strangers: Strangers | None = None
    ) -> None:
        """Read the file with the token, if there is one; ``strangers`` are those of Admission.

        Raises:
            ConfigError: it cannot be used.
        """
        self._authority = authority
        self._strangers = strangers or Strangers(authority, monotonic_s)
        self._file = None if token_file is None else TokenFile(token_file, READABLE)
        if self._file is None and not self._authority.needs_credential:
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
        if self._file is not None and self._file.holds(shown):
            return "the holder of the admin token"
        if not self._authority.needs_credential:
            raise Unauthorized("the token is not valid")
        grant = await self._strangers.judge(credential.text, None, requester(request))
        if not grant.permission.allows(Permission.ADMIN):
            raise Forbidden("this needs the permission admin for every document")
        return grant.user
