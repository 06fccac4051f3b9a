"""The only maker and parser of stored sessions: their text and their checksum."""

import hashlib
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from yjs_store import format
from yjs_store.errors import Damaged, NameRefused, SessionRefused
from yjs_store.limits import (
    SESSION_BARS_MAX,
    SESSION_DETAILS_BYTES_MAX,
    SESSION_ID_BYTES_MAX,
    SESSION_RENEWALS_MAX,
    SESSION_USER_BYTES_MAX,
)
from yjs_store.names import check_name
from yjs_store.records import Permission, Session, SessionStatus, StoredSession

_facts = struct.Struct("<qqqqqqqqqq").pack
# Stands for the length of a credential's hash that is not there.
_NONE: Final = -1
_HASH_BYTES: Final = 32
_TIME_MAX: Final = 2**63 - 1
# In the stored details, and nowhere else: the hashes of the credentials that renewed it, in hex.
_RENEWED_BY: Final = "renewed_by"
_HASHES: Final = re.compile(r"\b[0-9a-f]{64}\b").findall


def seal_session(session: Session, credential_hash: bytes | None) -> StoredSession:
    """Return the session as it is stored, with its checksum.

    Raises:
        SessionRefused: a part of it is above its bound or cannot be stored.
    """
    if _RENEWED_BY in session.details:
        raise SessionRefused(f"what is said of the session may not have {_RENEWED_BY}")
    details = json.dumps(session.details, sort_keys=True)
    try:
        check_name(session.document)
    except NameRefused as error:
        raise SessionRefused(str(error)) from error
    _check_text("the session's id", session.session_id, SESSION_ID_BYTES_MAX)
    _check_text("the user's name", session.user, SESSION_USER_BYTES_MAX)
    _check_text("what is said of the session", details, SESSION_DETAILS_BYTES_MAX)
    for time_ms in (session.created_ms, session.updated_ms, session.expires_ms):
        check_time(time_ms)
    assert credential_hash is None or len(credential_hash) == _HASH_BYTES, "a SHA-256"
    return _sealed(
        StoredSession(
            session_id=session.session_id,
            user=session.user,
            document=session.document,
            permission=session.permission.value,
            status=session.status.value,
            details=details,
            created_ms=session.created_ms,
            updated_ms=session.updated_ms,
            expires_ms=session.expires_ms,
            credential_hash=credential_hash,
            checksum=b"",
        )
    )


def check_time(time_ms: int) -> None:
    """Return when a time can be stored.

    Raises:
        SessionRefused: it cannot.
    """
    if not 0 <= time_ms <= _TIME_MAX:
        raise SessionRefused(f"{time_ms} is not a time that can be stored")


def _check_text(what: str, text: str, byte_length_max: int) -> None:
    try:
        byte_length = len(text.encode())
    except UnicodeEncodeError as error:
        raise SessionRefused(f"{what} is not valid Unicode") from error
    if byte_length > byte_length_max:
        raise SessionRefused(f"{what} has {byte_length} bytes; the bound is {byte_length_max}")


def check_session(stored: StoredSession) -> Session:
    """Return the session.

    Raises:
        Damaged: it is not what was written (P4).
    """
    try:
        expected = _checksum(stored)
    except (TypeError, AttributeError, ValueError, struct.error) as error:
        # A value of another type, or text that is no text any more.
        raise _damaged(stored, "values of their types", str(error)) from error
    if stored.checksum != expected:
        raise _damaged(stored, expected.hex(), repr(stored.checksum))
    try:
        details = json.loads(stored.details)
        details.pop(_RENEWED_BY, None)
        return Session(
            session_id=stored.session_id,
            user=stored.user,
            document=stored.document,
            permission=Permission(stored.permission),
            status=SessionStatus(stored.status),
            details=details,
            created_ms=stored.created_ms,
            updated_ms=stored.updated_ms,
            expires_ms=stored.expires_ms,
        )
    except (ValueError, TypeError, AttributeError) as error:
        # Details that are no object have nothing to take out.
        raise _damaged(stored, "a session that can be", str(error)) from error


def over(stored: StoredSession, status: SessionStatus, now_ms: int) -> StoredSession:
    """Return the session as it is stored once it is over.

    It is over at its expiry, too: what is over twice is over, whichever of the two is damaged.
    One that is damaged already keeps its checksum, and so stays damaged; of what it may have
    been allowed the least is left, for what cannot be is not stored.
    """
    ended = replace(stored, updated_ms=now_ms, expires_ms=now_ms)
    try:
        session = check_session(stored)
    except Damaged:
        least = Permission.READ.value
        return replace(ended, permission=least, status=SessionStatus.ENDED.value)
    expires_ms = min(session.expires_ms, now_ms)
    return _sealed(replace(ended, status=status.value, expires_ms=expires_ms))


def barring(changed: Sequence[StoredSession]) -> Sequence[StoredSession]:
    """Return what is stored beside sessions that were revoked: one more for each credential.

    Those by which they were renewed, so that none of them starts another; what several sessions of
    a document share counts once, and there are SESSION_BARS_MAX at most. Nothing for those that
    are over another way, or damaged.
    """
    bars: dict[str, tuple[StoredSession, str]] = {}
    for stored in changed:
        if stored.status == SessionStatus.REVOKED.value:
            bars.update({_bar_id(stored, each): (stored, each) for each in _renewed_by(stored)})
        if len(bars) >= SESSION_BARS_MAX:
            break
    return [_bar(*bar, bar_id) for bar_id, bar in islice(bars.items(), SESSION_BARS_MAX)]


def _bar(revoked: StoredSession, renewal: str, bar_id: str) -> StoredSession:
    return _sealed(
        replace(
            revoked,
            session_id=bar_id,
            details=json.dumps({"renewed": revoked.session_id}),
            credential_hash=bytes.fromhex(renewal),
            key=0,
        )
    )


def _bar_id(revoked: StoredSession, renewal: str) -> str:
    bar = f"{revoked.updated_ms} {renewal} {revoked.document}"
    return hashlib.sha256(bar.encode()).hexdigest()


def extended(
    stored: StoredSession,
    permission: Permission,
    expires_ms: int,
    now_ms: int,
    credential_hash: bytes | None = None,
) -> StoredSession:
    """Return the session as it is stored with another permission and expiry.

    ``credential_hash`` is of what renewed it. One that is damaged is over instead.
    """
    try:
        check_session(stored)
    except Damaged:
        return over(stored, SessionStatus.ENDED, now_ms)
    after = replace(stored, permission=permission.value, expires_ms=expires_ms, updated_ms=now_ms)
    if credential_hash is not None and credential_hash != stored.credential_hash:
        after = replace(after, details=_renewed_details(stored, credential_hash.hex()))
    return _sealed(after)


def _renewed_by(stored: StoredSession) -> list[str]:
    # Before this version anything could be said under that name.
    return _HASHES(str(json.loads(stored.details).get(_RENEWED_BY, "")))


def _renewed_details(stored: StoredSession, renewal: str) -> str:
    before = [each for each in _renewed_by(stored) if each != renewal]
    newest = [*before, renewal][-SESSION_RENEWALS_MAX:]
    details = {**json.loads(stored.details), _RENEWED_BY: " ".join(newest)}
    return json.dumps(details, sort_keys=True)


def remains(stored: StoredSession, error: Damaged) -> Session:
    """Return what a damaged session shows of itself: it is over, and ``details`` say why."""
    return Session(
        session_id=str(stored.session_id),
        user=str(stored.user),
        document=str(stored.document),
        permission=Permission.READ,
        status=SessionStatus.ENDED,
        details={"damaged": error.problem},
        created_ms=_shown_ms(stored.created_ms),
        updated_ms=_shown_ms(stored.updated_ms),
        expires_ms=_shown_ms(stored.expires_ms),
    )


def _shown_ms(found: object) -> int:
    return found if isinstance(found, int) else 0


def _damaged(stored: StoredSession, expected: str, found: str) -> Damaged:
    return Damaged(str(stored.document), f"session {stored.session_id!r}", expected, found)


def _sealed(stored: StoredSession) -> StoredSession:
    return replace(stored, checksum=_checksum(stored))


def _checksum(stored: StoredSession) -> bytes:
    texts = (
        stored.session_id,
        stored.user,
        stored.document,
        stored.permission,
        stored.status,
        stored.details,
    )
    parts = [text.encode() for text in texts]
    credential_hash = stored.credential_hash
    facts = _facts(
        stored.created_ms,
        stored.updated_ms,
        stored.expires_ms,
        *map(len, parts),
        _NONE if credential_hash is None else len(credential_hash),
    )
    return format.digest(b"U", b"", facts, b"".join([*parts, credential_hash or b""]))
