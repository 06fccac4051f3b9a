"""What acts need of the store and of live rooms, as protocols."""

from collections.abc import Sequence
from typing import Protocol

from yjs_store import (
    AuditPage,
    AuditRecord,
    Breaker,
    CompactOutcome,
    DocumentFacts,
    Head,
    Quarantine,
    SalvagePlan,
    SessionBook,
    SetAside,
    SpaceChange,
    StoreSpace,
    Switch,
    UnloadResult,
)


class Rooms(Protocol):
    """The live rooms of this process."""

    def room_size(self, name: str) -> int | None:
        """Return how many connections a room has; None when it is not live."""

    async def unload(self, name: str) -> int:
        """Let go of a document after what is unsaved; return how many connections were closed.

        Raises:
            StoreError, TimeoutError: it is not saved.
        """


class NoRooms:
    """Of a store that no server has."""

    def room_size(self, _: str) -> int | None:
        """Return None: nothing is live."""
        return None

    async def unload(self, _: str) -> int:
        """Return 0."""
        return 0


class AuditBook(Protocol):
    """Where it is kept who did what."""

    async def audit(self, record: AuditRecord) -> int:
        """Keep a record; durable on return of its number.

        Raises:
            StoreError: it is not kept.
        """


class Looks(Protocol):
    """Looks at a store: loads nothing, writes nothing, waits for no writer."""

    async def space(self) -> StoreSpace:
        """Return what the store takes on its disk, and what is left there."""

    async def document_facts(self, name: str) -> DocumentFacts:
        """Return everything about a document."""


class ActableStore(AuditBook, Protocol):
    """A store as operators act on it; see ``yjs_store.Store``, whose methods these are."""

    @property
    def sessions(self) -> SessionBook:
        """See Store.sessions."""

    @property
    def quarantine(self) -> Quarantine:
        """See Store.quarantine."""

    @property
    def observation(self) -> Looks:
        """See Store.observation."""

    async def head(self, name: str) -> Head | None:
        """See Store.head."""

    def breaker(self, name: str) -> Breaker:
        """See Store.breaker."""

    async def delete(self, name: str) -> None:
        """See Store.delete."""

    async def forget(self, name: str) -> None:
        """See Store.forget."""

    async def plan_salvage(self, name: str, *, unverified: bool = ...) -> SalvagePlan:
        """See Store.plan_salvage."""

    async def salvage(self, planned: SalvagePlan) -> Head:
        """See Store.salvage."""

    async def set_aside(self, planned: SalvagePlan) -> None:
        """See Store.set_aside."""

    async def list_set_aside(self) -> Sequence[SetAside]:
        """See Store.list_set_aside."""

    async def discard_set_aside(self, document_id: int) -> bool:
        """See Store.discard_set_aside."""

    async def truncate_wal(self) -> SpaceChange:
        """See Store.truncate_wal."""

    async def vacuum(self) -> SpaceChange:
        """See Store.vacuum."""

    def read_only(self, document: None) -> Switch | None:
        """See Store.read_only."""

    async def set_read_only(self, name: str | None, reason: str, by: str) -> Switch:
        """See Store.set_read_only."""

    async def lift_read_only(self, name: str | None) -> Switch | None:
        """See Store.lift_read_only."""

    async def compact(self, name: str) -> CompactOutcome:
        """See Store.compact."""

    async def list_due(self) -> Sequence[Head]:
        """See Store.list_due."""

    async def load_now(self, name: str) -> None:
        """See Store.load_now."""

    async def unload(self, name: str) -> UnloadResult:
        """See Store.unload."""

    async def list_audit(
        self, *, before: int | None = ..., limit: int = ..., document: str | None = ...
    ) -> AuditPage:
        """See Store.list_audit."""
