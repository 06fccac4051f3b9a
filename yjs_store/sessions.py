"""The sessions of a store: who is admitted to which document, until when."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from yjs_store import session_format
from yjs_store.errors import Damaged, SessionRefused, StoreUnavailable
from yjs_store.limits import (
    CLEANING_ROWS_STEP,
    LIST_PAGE_MAX,
    SESSION_KEPT_MS,
    SESSIONS_MAX,
    SESSIONS_PER_USER_MAX,
)
from yjs_store.records import Permission, Session, SessionStatus, StoredSession
from yjs_store.session_commits import SessionCommits
from yjs_store.session_records import (
    AcknowledgeSessions,
    AddSession,
    ChangeSessions,
    Choice,
    RemoveSessions,
    SessionRecords,
)

log = structlog.get_logger("yjs_store.sessions")

Ended = Callable[[Sequence[str]], None]
_ACTIVE: Final = SessionStatus.ACTIVE.value


class SessionBook:
    """Sessions by id. Obtained from ``Store.sessions``; belongs to one event loop.

    Changes that are made at once share a commit; each is durable when its call returns. Every
    method raises StoreUnavailable when storage does not answer: nothing was changed and a retry
    is safe; WriterSuperseded when another process has the store (P7); StoreClosed afterwards.

    A session is over for good: by its expiry, by ``end``, by ``revoke``, here or in another
    process, or because its row is not what was written, which ends that session alone (P4).
    """

    def __init__(self, records: SessionRecords, clock_ms: Callable[[], int]) -> None:
        self._records = records
        self._clock_ms = clock_ms
        self._commits = SessionCommits(records, clock_ms)
        self._listener: Ended | None = None
        self._looks: list[set[str]] = []

    # ---- who is admitted --------------------------------------------------------------------

    async def start(self, session: Session, credential_hash: bytes | None) -> None:
        """Store a new, active session; on return it survives a power cut.

        ``credential_hash`` is the SHA-256 by which ``find_by_credential`` finds it.

        Raises:
            SessionRefused: its user has as many with a credential as one may have, or as many as
                a fair share of what is free; the store has as many as it may; its id is taken; or
                a part of it is too large.
        """
        assert session.status is SessionStatus.ACTIVE, "a session starts active"
        stored = session_format.seal_session(session, credential_hash)
        # What no credential brings back lasts as long as its connection, and those are bounded.
        user_max = SESSIONS_MAX if credential_hash is None else SESSIONS_PER_USER_MAX
        added = await self._commits.change(AddSession(stored, self._clock_ms(), user_max))
        if not added:
            raise SessionRefused(
                f"{session.user!r} has as many sessions already as one may have now, or there is"
                f" one {session.session_id!r}"
            )

    async def find(self, session_id: str) -> Session | None:
        """Return a session that is active and has not expired.

        Whoever notes without an await that it is used hears of its end by ``watch``: an end that
        was told while this looked is not missed.
        """
        return await self._look(self._records.find(session_id, self._clock_ms()), session_id)

    async def find_by_credential(self, credential_hash: bytes, document: str) -> Session | None:
        """As ``find``, the newest of this credential for this document."""
        looking = self._records.find_by_credential(credential_hash, document, self._clock_ms())
        session = await self._look(looking, None)
        return session if session is not None and session.document == document else None

    async def is_revoked(self, credential_hash: bytes, document: str) -> bool:
        """Say whether a session of, or renewed by, this credential for this document was revoked.

        As long as it is kept, SESSION_KEPT_MS. So the credential need not start another one.
        """
        return await self._records.is_revoked(credential_hash, document)

    async def _look(
        self, looking: Awaitable[StoredSession | None], session_id: str | None
    ) -> Session | None:
        told_meanwhile: set[str] = set()
        self._looks.append(told_meanwhile)
        try:
            stored = await looking
        finally:
            self._looks.remove(told_meanwhile)
        if stored is None:
            return None
        try:
            session = session_format.check_session(stored)
        except Damaged as error:
            await self._end_damaged(stored, error)
            return None
        # P4: an index may lead to another session than was asked for.
        if session_id not in (None, session.session_id) or session.session_id in told_meanwhile:
            return None
        return session

    async def _end_damaged(self, stored: StoredSession, error: Damaged) -> None:
        log.error("a damaged session is over", session=stored.session_id, problem=error.problem)
        # When storage fails meanwhile: it is not used, and ends at the next look.
        with contextlib.suppress(StoreUnavailable):
            await self._finish(Choice(key=stored.key), SessionStatus.ENDED, is_thorough=False)

    async def extend(
        self,
        session_id: str,
        permission: Permission,
        expires_ms: int,
        credential_hash: bytes | None = None,
    ) -> Session | None:
        """Give a live session another permission and expiry; None when it is over.

        ``credential_hash`` is the SHA-256 of another credential that is the reason: it is revoked
        with the session, as one of the SESSION_RENEWALS_MAX newest.

        Raises:
            SessionRefused: the expiry is no time that can be stored.
        """
        session_format.check_time(expires_ms)
        now_ms = self._clock_ms()
        after: list[StoredSession] = []

        def change(stored: StoredSession) -> StoredSession:
            after[:] = [
                session_format.extended(stored, permission, expires_ms, now_ms, credential_hash)
            ]
            return after[0]

        def tell_damaged(_: Sequence[StoredSession]) -> None:
            self._tell([each.session_id for each in after if each.status != _ACTIVE])

        change_one = ChangeSessions(Choice(session_id), now_ms, change, is_thorough=False)
        await self._commits.change(change_one, tell_damaged)
        is_extended = bool(after) and after[0].status == _ACTIVE
        return session_format.check_session(after[0]) if is_extended else None

    # ---- who is not any more ----------------------------------------------------------------

    async def end(self, session_id: str) -> None:
        """End a session, if it is not over yet; ``watch`` is told."""
        await self._finish(Choice(session_id), SessionStatus.ENDED, is_thorough=False)

    async def end_all(self, user: str) -> None:
        """End every session of a user; ``watch`` is told."""
        await self._finish(Choice(user=user), SessionStatus.ENDED, is_thorough=True)

    async def revoke(
        self,
        *,
        session_id: str | None = None,
        user: str | None = None,
        document: str | None = None,
    ) -> Sequence[Session]:
        """End every session that fits; return them as they were.

        On return this is durable, and ``watch`` has been told.
        """
        choice = Choice(session_id, user, document)
        assert choice != Choice(), "whose sessions must be said"
        return await self._finish(choice, SessionStatus.REVOKED, is_thorough=True)

    async def _finish(
        self, choice: Choice, status: SessionStatus, is_thorough: bool
    ) -> Sequence[Session]:
        now_ms = self._clock_ms()

        def change(stored: StoredSession) -> StoredSession:
            return session_format.over(stored, status, now_ms)

        def tell(before: Sequence[StoredSession]) -> None:
            # Here and not below: whoever asked may have given up waiting.
            self._tell([stored.session_id for stored in before])

        changing = ChangeSessions(choice, None, change, is_thorough, session_format.barring)
        before = await self._commits.change(changing, tell)
        return [shown(stored) for stored in before]

    def watch(self, ended: Ended) -> None:
        """Call ``ended`` in the event loop with ids of sessions that are over.

        By ``end`` and ``revoke`` of this process before they return; by another process within
        0.1 s of its commit. Not by expiry, which whoever has the session knows. The same id may
        come twice. ``ended`` must not raise.
        """
        assert self._listener is None, "one watches"
        self._listener = ended
        self._records.watch(self._notice)

    @property
    def watch_failing_because(self) -> str | None:
        """Why ends by other processes are not told at the moment; None when they are."""
        return self._records.watch_failing_because()

    def _notice(self, session_ids: Sequence[str]) -> None:
        """Hear of sessions that another process has ended; let it know that all were told."""
        self._tell(session_ids)
        # What cannot be acknowledged now is noticed and told again.
        self._commits.begin(AcknowledgeSessions(tuple(session_ids)))

    def _tell(self, session_ids: Sequence[str]) -> None:
        for told in self._looks:
            told.update(session_ids)
        if self._listener is not None and session_ids:
            self._listener(session_ids)

    # ---- all of them ------------------------------------------------------------------------

    async def list(
        self,
        *,
        user: str | None = None,
        document: str | None = None,
        after: str | None = None,
        limit: int = LIST_PAGE_MAX,
        with_ended: bool = False,
    ) -> Sequence[Session]:
        """Return sessions by the order of their ids, after the id ``after``.

        Those that are over only when asked for; a damaged one among them is over and says so in
        its details.
        """
        now_ms = None if with_ended else self._clock_ms()
        found = await self._records.list(
            Choice(user=user, document=document), after or "", min(limit, LIST_PAGE_MAX), now_ms
        )
        return [shown(stored) for stored in found]

    async def remove_expired(self) -> int:
        """Remove what has been over for SESSION_KEPT_MS, in steps; return how many."""
        before_ms = self._clock_ms() - SESSION_KEPT_MS
        removed = 0
        while True:
            step = await self._commits.change(RemoveSessions(before_ms, CLEANING_ROWS_STEP))
            removed += len(step)
            if len(step) < CLEANING_ROWS_STEP:
                return removed

    async def wait_stopped(self) -> None:
        """Wait until the task that commits ends; raise what ended it, if that was a defect."""
        await self._commits.wait_stopped()

    async def close(self) -> None:
        """Carry out what waits, then stop."""
        await self._commits.close()


def shown(stored: StoredSession) -> Session:
    """Return a session for a person to see, also when it is damaged."""
    try:
        return session_format.check_session(stored)
    except Damaged as error:
        return session_format.remains(stored, error)
