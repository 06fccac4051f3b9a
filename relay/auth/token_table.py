"""Static tokens: what their file says, and what a token is worth by it. Pure.

::

    [[tokens]]
    user = "ann"
    token_sha256 = "9f86d0…"          # or: token = "the token itself"
    documents = ["todo", "notes/*"]   # names, prefixes, or "*"
    permission = "write"              # read, write or admin
    expires = 2027-01-31T00:00:00Z    # optional

Nothing here puts a token into an error.
"""

import hmac
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from relay.auth.credentials import credential_hash
from relay.auth.grants import (
    Forbidden,
    Grant,
    Unauthorized,
    check_user,
    parse_permission,
)
from relay.auth.scope import Scope
from relay.errors import ConfigError
from relay.limits import STATIC_TOKEN_CHARACTERS_MIN, STATIC_TOKENS_MAX
from yjs_store import Permission

_PLACE: Final = re.compile(r"\((at [a-z0-9, ]+)\)\Z")
_HASH_CHARACTERS: Final = 64
_KEYS: Final = frozenset(("user", "token", "token_sha256", "documents", "permission", "expires"))


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One entry; only the hash of the token is kept."""

    token_hash: bytes
    user: str
    scope: Scope
    permission: Permission
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class TokenTable:
    """All entries of a file; ``has_plain_tokens`` says that who reads the file can log in."""

    entries: tuple[TokenEntry, ...]
    has_plain_tokens: bool

    def judge(self, token: str, document: str | None, now_ms: int) -> Grant:
        """Return the most that the token grants for a document; see Authority.judge.

        Raises:
            Unauthorized, Forbidden: nothing.
        """
        token_hash = credential_hash(token)
        # Every entry is compared, in constant time (field note 24).
        own = [each for each in self.entries if hmac.compare_digest(each.token_hash, token_hash)]
        if not own:
            raise Unauthorized("the token is not valid")
        living = [each for each in own if each.expires_ms is None or now_ms < each.expires_ms]
        if not living:
            raise Unauthorized("the token has expired")
        fitting = [each for each in living if each.scope.covers(document)]
        if not fitting:
            raise Forbidden("the token is not for this document")
        best = max(fitting, key=lambda each: tuple(Permission).index(each.permission))
        return Grant(best.user, best.permission, best.expires_ms)


def parse_tokens(text: str) -> TokenTable:
    """Read the file.

    Raises:
        ConfigError: it is not as described above; the text says where, without any token.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A TOMLDecodeError, or what Python itself refuses: numbers too long, brackets too deep.
        raise ConfigError(f"not TOML: {_without_content(error)}") from None
    listed = content.pop("tokens", [])
    if content or not isinstance(listed, list):
        raise ConfigError("the file holds [[tokens]] and nothing else")
    if len(listed) > STATIC_TOKENS_MAX:
        raise ConfigError(f"there are more than {STATIC_TOKENS_MAX} tokens")
    entries = tuple(_numbered(number, entry) for number, entry in enumerate(listed, 1))
    return TokenTable(entries, any("token" in entry for entry in listed))


def _without_content(error: Exception) -> str:
    """Return where the error is; its own words may repeat what stands there."""
    place = _PLACE.search(str(error))
    return place[1] if place else "somewhere in it"


def _numbered(number: int, entry: Any) -> TokenEntry:
    try:
        return _entry(entry)
    except ValueError as error:
        raise ConfigError(f"token {number}: {error}") from None


def _entry(entry: Any) -> TokenEntry:
    if not isinstance(entry, dict):
        raise ValueError("an entry is a table")  # noqa: TRY004  (a file is wrong, not our call)
    if entry.keys() - _KEYS:
        raise ValueError(f"the keys are {', '.join(sorted(_KEYS))}")
    return TokenEntry(
        token_hash=_token_hash(entry),
        user=check_user(entry.get("user")),
        scope=Scope.parse(_strings(entry.get("documents"))),
        permission=parse_permission(entry.get("permission")),
        expires_ms=_expires_ms(entry.get("expires")),
    )


def _token_hash(entry: dict[str, Any]) -> bytes:
    given = [entry[key] for key in ("token", "token_sha256") if key in entry]
    if len(given) != 1 or not isinstance(given[0], str):
        raise ValueError("needs either token or token_sha256, a string")
    if "token" in entry:
        if len(given[0]) < STATIC_TOKEN_CHARACTERS_MIN:
            raise ValueError(f"a token has at least {STATIC_TOKEN_CHARACTERS_MIN} characters")
        return credential_hash(given[0])
    try:
        if len(given[0]) == _HASH_CHARACTERS:
            return bytes.fromhex(given[0])
    except ValueError:
        pass
    raise ValueError(f"token_sha256 has {_HASH_CHARACTERS} hexadecimal digits")


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("documents is a list of strings")
    return value


def _expires_ms(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("expires is a date and time with an offset: 2027-01-31T00:00:00Z")
    return int(value.timestamp() * 1000)
