"""The sessions that connections of this process use now. Pure but for the connections it ends."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from relay.auth.grants import AdmissionRefused, DeciderUnavailable
from relay.connection import Connection
from yjs_store import Permission, Session


class Judged(NamedTuple):
    """The token behind a session, if it is known, and the version of what judged it last."""

    token: str | None
    version: int


class Noted(NamedTuple):
    """What became of sessions while somebody looked them up."""

    ended: set[str]
    changed: dict[str, Session]


class LiveSession:
    """A session and its connections; ``unavailable`` when there was no answer at the last try."""

    __slots__ = ("connections", "is_asked_about", "judged", "session", "unavailable")

    def __init__(self, session: Session, judged: Judged) -> None:
        self.session = session
        self.judged = judged
        self.unavailable: DeciderUnavailable | None = None
        self.is_asked_about = False
        self.connections: dict[Connection, None] = {}


class LiveSessions:
    """Sessions by id, each as long as a connection uses it."""

    def __init__(self, ask_for_state: Callable[[str, Connection], None]) -> None:
        self._ask_for_state = ask_for_state
        self._by_id: dict[str, LiveSession] = {}
        self._of: dict[Connection, LiveSession] = {}
        self._noting: dict[int, Noted] = {}

    @contextmanager
    def noting(self) -> Iterator[Noted]:
        """Give what is filled with the sessions that end or change meanwhile."""
        noted = Noted(set(), {})
        self._noting[id(noted)] = noted
        try:
            yield noted
        finally:
            del self._noting[id(noted)]

    def enter(self, connection: Connection, session: Session, judged: Judged) -> None:
        """Let a connection use a session, which gives it its name and permission."""
        live = self._by_id.get(session.session_id)
        if live is None:
            live = self._by_id[session.session_id] = LiveSession(session, judged)
        live.connections[connection] = None
        self._of[connection] = live
        connection.session_id = session.session_id
        connection.user = session.user
        self._apply(live, session)

    def leave(self, connection: Connection) -> Session | None:
        """Forget a connection; return its session if that is not over."""
        live = self._of.pop(connection, None)
        if live is None:
            return None
        del live.connections[connection]
        if not live.connections:
            del self._by_id[live.session.session_id]
        return live.session

    def update(self, session: Session, judged: Judged) -> None:
        """Let a session that has changed count for its connections, if it has any."""
        for noted in self._noting.values():
            noted.changed[session.session_id] = session
        live = self._by_id.get(session.session_id)
        if live is not None:
            live.judged = judged
            live.unavailable = None
            self._apply(live, session)

    def _apply(self, live: LiveSession, session: Session) -> None:
        live.session = session
        may_write = session.permission.allows(Permission.WRITE)
        for connection in live.connections:
            is_raised = may_write and not connection.may_write
            connection.may_write = may_write
            connection.permission = session.permission
            if is_raised:
                # What it wrote while it was not let is unknown here, and later edits build on it.
                self._ask_for_state(session.document, connection)

    def end(self, session_ids: Sequence[str], refusal: AdmissionRefused) -> None:
        """Close all sockets of sessions that are over; nothing that they send now is read."""
        for noted in self._noting.values():
            noted.ended.update(session_ids)
        for session_id in session_ids:
            live = self._by_id.pop(session_id, None)
            if live is None:
                continue
            for connection in live.connections:
                del self._of[connection]
                connection.end(refusal.code, str(refusal))

    def all(self) -> Iterable[LiveSession]:
        """Return those that there are now."""
        return tuple(self._by_id.values())
