"""Makes, extends and ends the stored sessions that grants stand for."""

from collections.abc import Callable, Mapping

import structlog

from relay.auth.grants import Grant, Unauthorized
from yjs_store import Session, SessionBook, SessionStatus, StoreError, StoreUnavailable

log = structlog.get_logger("relay.admission")

OVER = "the session is over"
REVOKED = "the session of this credential was revoked"

Details = Mapping[str, str]


class GrantedSessions:
    """A session lasts as long as its grant, and ``ttl_ms`` at most before it is judged again."""

    def __init__(self, book: SessionBook, clock_ms: Callable[[], int], ttl_ms: int) -> None:
        self._book = book
        self._clock_ms = clock_ms
        self._ttl_ms = ttl_ms

    def end_of(self, grant: Grant) -> int:
        """Return until when a session of this grant lasts."""
        end_ms = self._clock_ms() + self._ttl_ms
        return end_ms if grant.expires_ms is None else min(end_ms, grant.expires_ms)

    def make(self, session_id: str, grant: Grant, document: str, details: Details) -> Session:
        """Return a new session, which is not stored yet."""
        now_ms = self._clock_ms()
        return Session(
            session_id=session_id,
            user=grant.user,
            document=document,
            permission=grant.permission,
            status=SessionStatus.ACTIVE,
            details=dict(details),
            created_ms=now_ms,
            updated_ms=now_ms,
            expires_ms=self.end_of(grant),
        )

    async def start(self, session: Session, token_hash: bytes) -> None:
        """Store a new session of a token.

        Raises:
            Unauthorized: a session of this token for this document was revoked meanwhile.
            StoreError: it cannot be kept.
        """
        await self._book.start(session, token_hash)
        # What was revoked before this was stored did not end it; what is revoked later does.
        if await self._book.is_revoked(token_hash, session.document):
            await self.end(session.session_id)
            raise Unauthorized(REVOKED)

    async def bring_up_to_date(self, session: Session, grant: Grant) -> Session:
        """Store what a new judgement changes of a session; rarely does it change anything.

        Raises:
            Unauthorized: it is over.
            StoreError: a change that must count cannot be stored.
        """
        end_ms = self.end_of(grant)
        left_ms = session.expires_ms - self._clock_ms()
        is_due = left_ms < self._ttl_ms / 2 and end_ms > session.expires_ms
        is_same = session.permission is grant.permission and end_ms >= session.expires_ms
        if is_same and not is_due:
            return session
        try:
            renewed = await self._book.extend(session.session_id, grant.permission, end_ms)
        except StoreUnavailable:
            if is_same:
                return session  # P8: it was only to last longer, and is good as it is
            raise
        if renewed is None:
            raise Unauthorized(OVER)
        return renewed

    async def end(self, session_id: str) -> None:
        """End a session, now or, where that cannot be stored, by its expiry."""
        try:
            await self._book.end(session_id)
        except StoreError as error:
            log.warning("session not ended", session=session_id, error=str(error))
