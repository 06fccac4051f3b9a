"""The mode `jwt`: signed tokens of somebody else, verified with PyJWT."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from relay.auth.grants import (
    Forbidden,
    Grant,
    Unauthorized,
    check_user,
    parse_permission,
)
from relay.auth.jwt_keys import KeySet, VerifyingKey, parse_keys
from relay.auth.scope import Scope, ScopeRefused
from relay.auth.watched_file import WatchedFile
from relay.limits import JWT_LEEWAY_S
from yjs_store import Permission

_NOT_VALID = "the token is not valid"


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a token must say, and in which claims the rest stands; empty is not checked."""

    issuer: str
    audience: str
    user_claim: str
    documents_claim: str
    permission_claim: str


class SignedTokens:
    """An Authority that verifies JSON Web Tokens with the keys of a file."""

    needs_credential = True

    def __init__(self, path: Path, rules: JwtRules) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be used; the text says why.
        """
        self._rules = rules
        self._file = WatchedFile(path, parse_keys)
        if any(key.algorithm.startswith("HS") for key in _keys(self._file.value)):
            self._file.warn_if_readable_by_all("whoever knows the secret can sign tokens")

    @property
    def version(self) -> int:
        """See Authority."""
        return self._file.version

    async def judge(self, credential: str, document: str | None) -> Grant:
        """See Authority."""
        claims = verify(credential, self._file.value, self._rules)
        return grant_of(claims, self._rules, document)

    def refresh(self) -> None:
        """See Authority."""
        self._file.refresh()

    async def close(self) -> None:
        """See Authority."""


def verify(token: str, keys: KeySet, rules: JwtRules) -> Mapping[str, Any]:
    """Return the claims of a token that is signed by one of the keys and in force.

    The key decides on the algorithm; what the token's header says of it must agree, and counts
    for nothing else.

    Raises:
        Unauthorized: it is not; the reason has nothing of the token.
    """
    try:
        key = keys.find(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise Unauthorized("the token is signed by a key that is not known")
        return jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=rules.audience or None,
            issuer=rules.issuer or None,
            leeway=JWT_LEEWAY_S,
            options={"require": ["exp"], "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError:
        raise Unauthorized("the token has expired") from None
    except jwt.InvalidAudienceError:
        raise Unauthorized("the token is for another audience") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        # A token can be wrong in more ways than the library has names for; none of them may
        # become a defect of the server, and none lets anybody in.
        raise Unauthorized(_NOT_VALID) from None


def grant_of(claims: Mapping[str, Any], rules: JwtRules, document: str | None) -> Grant:
    """Return what verified claims grant for a document. Without a permission it is to read.

    Raises:
        Unauthorized: they name no user, or in a way that is not understood.
        Forbidden: the document is not among theirs.
    """
    listed = claims.get(rules.documents_claim, [])
    listed = [listed] if isinstance(listed, str) else listed
    permission = claims.get(rules.permission_claim, Permission.READ.value)
    try:
        user = check_user(claims.get(rules.user_claim))
        granted = parse_permission(permission)
    except ValueError:
        raise Unauthorized(_NOT_VALID) from None
    if not _covers(listed, document):
        raise Forbidden("the token is not for this document")
    return Grant(user, granted, (int(claims["exp"]) + JWT_LEEWAY_S) * 1000)


def _covers(listed: object, document: str | None) -> bool:
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        return False
    try:
        return Scope.parse(listed).covers(document)
    except ScopeRefused:
        return False


def _keys(keys: KeySet) -> list[VerifyingKey]:
    return [*keys.by_id.values(), *keys.unnamed]
