"""Who is let in: asks the authority, and keeps the session of each connection.

A session is known here while a connection uses it. What ends it (its expiry, a revocation, a
credential that counts no more) closes its sockets at once, and what they send then is not read.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import structlog

from relay.auth.anonymous import ANONYMOUS
from relay.auth.credentials import Credential, CredentialKind, credential_hash
from relay.auth.grants import (
    Authority,
    Forbidden,
    Grant,
    SessionUnknown,
    Unauthorized,
)
from relay.auth.live_sessions import Judged, LiveSessions
from relay.auth.strangers import Strangers
from relay.auth.tickets import check_ticket, session_of, write_ticket
from relay.background import Background
from relay.clock import monotonic_s
from relay.connection import Connection
from relay.granted_sessions import OVER, REVOKED, Details, GrantedSessions
from relay.limits import (
    SESSION_TTL_S,
    TICKET_CREDENTIALS_MAX,
    TICKET_TTL_S,
)
from relay.upkeep import Upkeep
from yjs_store import Session, SessionBook, StoreError

log = structlog.get_logger("relay.admission")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket and the session it is for; ``text`` appears in no ``repr``."""

    text: str = field(repr=False)
    session: Session
    expires_ms: int


class Admission:
    """Admits connections to documents, by one authority and the sessions of a store."""

    def __init__(
        self,
        sessions: SessionBook,
        authority: Authority,
        clock_ms: Callable[[], int],
        make_secret: Callable[[], str],
        ask_for_state: Callable[[str, Connection], None],
        *,
        session_ttl_s: float = SESSION_TTL_S,
        ticket_ttl_s: float = TICKET_TTL_S,
        strangers: Strangers | None = None,
    ) -> None:
        """Judge by ``strangers``, whom the gates share, or by some of its own."""
        self.authority = authority
        self._strangers = strangers or Strangers(authority, monotonic_s)
        self._sessions = sessions
        self._clock_ms = clock_ms
        self._make_secret = make_secret
        self._granted = GrantedSessions(sessions, clock_ms, int(session_ttl_s * 1000))
        self._ticket_ttl_ms = int(ticket_ttl_s * 1000)
        self._live = LiveSessions(ask_for_state)
        self._judged: OrderedDict[str, Judged] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[bytes, str], asyncio.Lock] = WeakValueDictionary()
        self._background = Background()
        self._upkeep = Upkeep(authority, self._live, self._granted, self._background, clock_ms)
        sessions.watch(self._hear_ended)

    async def begin(self) -> None:
        """End what a crash has left that nobody can resume."""
        if not self.authority.needs_credential:
            try:
                await self._sessions.end_all(ANONYMOUS)
            except StoreError as error:
                # They end by their expiry.
                log.warning("sessions of before not ended", error=str(error))

    # ---- websockets -------------------------------------------------------------------------

    async def admit(
        self,
        connection: Connection,
        credential: Credential | None,
        document: str,
        details: Details,
    ) -> None:
        """Give a connection its user, its session and its permission; pair with ``release``.

        Raises:
            AdmissionRefused: it is not let in.
            StoreError: its session cannot be kept, so it is not let in.
        """
        with self._live.noting() as noted:
            session, judged = await self._session_for(
                credential, document, details, connection.network
            )
            if session.session_id in noted.ended:
                raise Unauthorized(OVER)
            # No await from the last look to here: from now on it hears of changes by itself.
            session = noted.changed.get(session.session_id, session)
            self._live.enter(connection, session, judged)

    async def _session_for(
        self, credential: Credential | None, document: str, details: Details, network: str
    ) -> tuple[Session, Judged]:
        # Before anything is judged: what changes meanwhile is asked about again.
        version = self.authority.version
        if not self.authority.needs_credential:
            grant = await self.authority.judge("", document)
            session = self._granted.make(self._make_secret(), grant, document, details)
            try:
                await self._sessions.start(session, None)
            except asyncio.CancelledError:
                # It may be stored all the same, and nobody could resume it.
                self._background.spawn(self._granted.end(session.session_id))
                raise
            return session, Judged("", version)
        if credential is None:
            raise Unauthorized("a credential is needed")
        if credential.kind is CredentialKind.TICKET:
            session = await self._session_of_ticket(credential.text, document)
            unknown = Judged(None, version)
            return session, self._judged.get(session.session_id, unknown)
        session = await self._session_of_token(credential.text, document, details, network)
        return session, Judged(credential.text, version)

    async def _session_of_ticket(self, ticket: str, document: str) -> Session:
        check_ticket(ticket, self._clock_ms())
        session = await self._sessions.find(session_of(ticket))
        if session is None or session.document != document:
            raise Unauthorized("the ticket is not valid for this document")
        return session

    async def _session_of_token(
        self, token: str, document: str, details: Details, network: str
    ) -> Session:
        token_hash = credential_hash(token)
        # Those who come at once with one token share one session.
        async with self._locks.setdefault((token_hash, document), asyncio.Lock()):
            grant = await self._judge(token, document, network)
            session = await self._sessions.find_by_credential(token_hash, document)
            if session is not None and session.user == grant.user:
                return await self._granted.bring_up_to_date(session, grant)
            made = self._granted.make(self._make_secret(), grant, document, details)
            await self._granted.start(made, token_hash)
            return made

    async def _judge(self, token: str, document: str, network: str) -> Grant:
        grant = await self._strangers.judge(token, document, network)
        # A session that was revoked does not come back by the token that it came by.
        if await self._sessions.is_revoked(credential_hash(token), document):
            raise Unauthorized(REVOKED)
        return grant

    def release(self, connection: Connection) -> None:
        """Let go of a connection that is closed."""
        session = self._live.leave(connection)
        if session is not None and not self.authority.needs_credential:
            # Nothing that its client has could resume it.
            self._background.spawn(self._granted.end(session.session_id))

    # ---- tickets and renewals ---------------------------------------------------------------

    async def issue_ticket(
        self, token: str, document: str, details: Details, network: str = ""
    ) -> Ticket:
        """Start a session for what the token grants, and return a ticket for it.

        Where everybody is let in, nobody looks at tickets and no session is kept for them: whoever
        asked for many would take the others' places.

        Raises:
            AdmissionRefused: the token grants nothing for this document.
            StoreError: the session cannot be kept.
        """
        version = self.authority.version
        grant = await self._judge(token, document, network)
        end_ms = self._clock_ms() + self._ticket_ttl_ms
        text = write_ticket(self._make_secret(), min(end_ms, self._granted.end_of(grant)))
        session = self._granted.make(session_of(text), grant, document, details)
        if self.authority.needs_credential:
            # By the token's hash: who revokes the session means the token, too.
            await self._granted.start(session, credential_hash(token))
            self._remember(session.session_id, Judged(token, version))
        return Ticket(text, session, min(end_ms, session.expires_ms))

    async def renew(self, token: str, session_id: str, network: str = "") -> Session:
        """Give a session what a new token of its user grants; its sockets stay open.

        Raises:
            SessionUnknown: it is over, or never was.
            AdmissionRefused: the token is of somebody else, or grants nothing.
            StoreError: it cannot be stored; nothing was changed.
        """
        session = await self._sessions.find(session_id)
        if session is None:
            raise SessionUnknown("there is no such session, or it is over")
        version = self.authority.version
        grant = await self._judge(token, session.document, network)
        if grant.user != session.user:
            raise Forbidden("the session is of another user")
        renewed = await self._sessions.extend(
            session_id, grant.permission, self._granted.end_of(grant), credential_hash(token)
        )
        if renewed is None:
            raise SessionUnknown("there is no such session, or it is over")
        self._remember(session_id, Judged(token, version))
        self._live.update(renewed, Judged(token, version))
        return renewed

    def _remember(self, session_id: str, judged: Judged) -> None:
        self._judged[session_id] = judged
        self._judged.move_to_end(session_id)
        if len(self._judged) > TICKET_CREDENTIALS_MAX:
            self._judged.popitem(last=False)

    # ---- time and change --------------------------------------------------------------------

    def tick(self) -> None:
        """Close what has expired, and ask again about what soon will or may have changed."""
        self._upkeep.tick()

    def _hear_ended(self, session_ids: Sequence[str]) -> None:
        for session_id in session_ids:
            self._judged.pop(session_id, None)
        self._live.end(session_ids, Unauthorized("the session was revoked"))

    # ---- the end ----------------------------------------------------------------------------

    async def wait_broken(self) -> None:
        """Wait until something here has died of a defect, and raise that."""
        await self._background.wait_broken()

    async def close(self) -> None:
        """Wait for what is under way, then let go of the authority."""
        await self._background.close()
        await self.authority.close()
