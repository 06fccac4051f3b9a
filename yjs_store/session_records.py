"""The written contract of where sessions are kept: the part of a backend that knows them.

Like the rest of a backend (see ``backend``): each call is one atomic intent, bytes and texts are
opaque, errors say whether a retry is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from yjs_store.records import StoredSession

Beside = Callable[[Sequence[StoredSession]], Sequence[StoredSession]]


def nothing_beside(_: Sequence[StoredSession]) -> Sequence[StoredSession]:
    """Return nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sessions are meant: those for which everything holds that is not None.

    ``key`` is for one that is damaged: its id may not be text any more.
    """

    session_id: str | None = None
    user: str | None = None
    document: str | None = None
    key: int | None = None


@dataclass(frozen=True, slots=True)
class AddSession:
    """The intent to store a new session, unless its user has ``user_max`` live ones.

    Gives the session; nothing when it was not stored: there are as many, or its id is taken.
    """

    stored: StoredSession
    now_ms: int
    user_max: int


@dataclass(frozen=True, slots=True)
class ChangeSessions:
    """The intent to change sessions that are active; also expired ones when ``now_ms`` is None.

    ``change`` gives what is stored in the place of each: its permission, status, details, times and
    checksum; ``beside`` what is added with that, unless its id is taken. Without ``is_thorough`` it
    is the one session with that key or id. With it all are looked at where no index leads to that
    one (P4): a damaged entry would hide a session that is found another way. Gives what was stored
    before.
    """

    choice: Choice
    now_ms: int | None
    change: Callable[[StoredSession], StoredSession]
    is_thorough: bool
    beside: Beside = nothing_beside


@dataclass(frozen=True, slots=True)
class AcknowledgeSessions:
    """The intent to note that the writer knows that these are over. Gives nothing."""

    session_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveSessions:
    """The intent to remove at most ``limit`` sessions that expired before. Gives them.

    The oldest go first, and what was revoked goes last: it keeps its credential from counting.
    """

    before_ms: int
    limit: int


SessionChange = AddSession | ChangeSessions | AcknowledgeSessions | RemoveSessions


class SessionReader(Protocol):
    """Where sessions can be looked at."""

    async def find(self, session_id: str, now_ms: int) -> StoredSession | None:
        """Return a session that is active and has not expired."""

    async def find_by_credential(
        self, credential_hash: bytes, document: str, now_ms: int
    ) -> StoredSession | None:
        """Return the newest session of that credential that is active and has not expired."""

    async def is_revoked(self, credential_hash: bytes, document: str) -> bool:
        """Say whether there is a session of that credential that was revoked."""

    async def list(
        self, choice: Choice, after: str, limit: int, now_ms: int | None
    ) -> Sequence[StoredSession]:
        """Return at most ``limit`` sessions by the order of their ids, after the id ``after``.

        With ``now_ms`` only those that are active and have not expired then.
        """

    async def list_unacknowledged(self, session_ids: Sequence[str]) -> Sequence[str]:
        """Return which of these are over, and the writer has not said that it knows."""


class SessionRecords(SessionReader, Protocol):
    """Where the writer keeps sessions."""

    async def count(self) -> int:
        """Return how many rows there are, those that are over among them."""

    async def count_live(self, now_ms: int) -> int:
        """Return how many are active and have not expired."""

    async def change(self, changes: Sequence[SessionChange]) -> Sequence[Sequence[StoredSession]]:
        """Carry out intents in their order, all in one commit or none; durable on return.

        Returns what each of them gives.

        Raises:
            WriterSuperseded: this process is not the store's writer any more (P7).
        """

    def watch(self, notice: Callable[[Sequence[str]], None]) -> None:
        """Say from now on which sessions are over by the doing of other processes.

        ``notice`` is called in the event loop, within SESSION_WATCH_S of their commit and until
        they are acknowledged, perhaps more than once for the same.
        """

    def watch_failing_because(self) -> str | None:
        """Return why that cannot be said at the moment; None when it can."""


class SessionRevoker(Protocol):
    """Where a process that is not the writer ends sessions, and does nothing else."""

    async def revoke(
        self,
        choice: Choice,
        change: Callable[[StoredSession], StoredSession],
        beside: Beside = nothing_beside,
    ) -> Sequence[StoredSession]:
        """As ChangeSessions of all that are active; they are not acknowledged yet."""

    async def has_writer(self) -> bool:
        """Say whether a process has the store open for writing, which will acknowledge."""
