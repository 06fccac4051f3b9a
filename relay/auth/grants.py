"""What a credential grants, and what its refusal is called. Pure.

::

    AdmissionRefused          nobody is let in; has a close code, an HTTP status and a reason
    ├── BadRequest            4400 / 400  several credentials, or one that is too long, say
    ├── Unauthorized          4401 / 401  no credential, or one that is not valid (any more)
    ├── Forbidden             4403 / 403  valid, but not for this document
    ├── SessionUnknown        4401 / 404  the session that is meant is over, or never was
    ├── DeciderUnavailable    4504 / 503  who decides gave no answer; it may later
    └── TooManyAsking         4529 / 429  nobody was asked, for too much is asked from there

No reason says anything of the credential itself: it goes to logs and into close frames.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from relay.errors import CloseCode, RelayError
from relay.limits import USER_BYTES_MAX
from yjs_store import Permission


class AdmissionRefused(RelayError):
    """Nobody is let in; the text is for the client."""

    status: ClassVar[int] = 500
    word: ClassVar[str] = "refused"


class BadRequest(AdmissionRefused):
    """The credential was not given as exactly one of a bounded length, or the rest is wrong."""

    code = CloseCode.BAD_REQUEST
    status = 400
    word = "bad_request"


class Unauthorized(AdmissionRefused):
    """There is no credential, or it is not valid, or not any more."""

    code = CloseCode.UNAUTHORIZED
    status = 401
    word = "unauthorized"


class Forbidden(AdmissionRefused):
    """The credential is valid, but not for this."""

    code = CloseCode.FORBIDDEN
    status = 403
    word = "forbidden"


class SessionUnknown(AdmissionRefused):
    """The session that is meant is over, or never was."""

    code = CloseCode.UNAUTHORIZED
    status = 404
    word = "not_found"


class DeciderUnavailable(AdmissionRefused):
    """Who decides did not answer, or not in words we know; until then nobody is let in."""

    code = CloseCode.ADMISSION_UNAVAILABLE
    status = 503
    word = "unavailable"


class TooManyAsking(AdmissionRefused):
    """Too much is asked, or too much that is refused, from one address; later it may be asked."""

    code = CloseCode.TOO_MANY
    status = 429
    word = "too_many"


@dataclass(frozen=True, slots=True)
class Grant:
    """Who it is and what they may do; ``expires_ms`` is None when it has no end of its own."""

    user: str
    permission: Permission
    expires_ms: int | None = None


class Authority(Protocol):
    """Decides what a credential is worth. One class for each mode."""

    needs_credential: bool

    @property
    def version(self) -> int:
        """Another number after every change of what it decides by."""

    async def judge(self, credential: str, document: str | None) -> Grant:
        """Return what the credential grants for a document, or for all of them (None).

        Raises:
            Unauthorized, Forbidden, DeciderUnavailable: nothing.
        """

    def refresh(self) -> None:
        """Look whether what it decides by has changed; called every few seconds."""

    async def close(self) -> None:
        """Let go of what it holds."""


def check_user(user: object) -> str:
    """Return the name of a user as it may stand in logs and records.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(user, str) or not user.isprintable():
        raise ValueError("a user is a string of printable characters")
    if not 0 < len(user.encode()) <= USER_BYTES_MAX:
        raise ValueError(f"a user has 1 to {USER_BYTES_MAX} bytes")
    return user


def parse_permission(word: object) -> Permission:
    """Return the permission of that name.

    Raises:
        ValueError: there is none.
    """
    for permission in Permission:
        if word == permission.value:
            return permission
    raise ValueError("a permission is read, write or admin")
