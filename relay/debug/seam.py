"""What the debug endpoint needs of the engine, as protocols."""

from collections.abc import Sequence
from typing import Protocol

from yjs_store import (
    BreakerFacts,
    Degradation,
    DocumentFacts,
    Head,
    LiveFacts,
    Order,
    StoreFacts,
    Traces,
)


class Known(Protocol):
    """What is known of a document in a list and on its own page alike; see DocumentFacts."""

    @property
    def name(self) -> str:
        """Its name, or what can be shown of it."""

    @property
    def head(self) -> Head | None:
        """None when nothing is stored, or when it cannot be believed; then there is damage."""

    @property
    def breaker(self) -> BreakerFacts:
        """Before its checkpoints."""

    @property
    def is_alarming(self) -> bool:
        """Whether its journal is far beyond where a checkpoint was due."""

    @property
    def damage(self) -> str | None:
        """What is wrong with what is stored, as far as somebody has looked."""

    @property
    def poisoned(self) -> str | None:
        """That the decoder dies on it."""

    @property
    def live(self) -> LiveFacts | None:
        """None when it is not in memory."""


class Listed(Known, Protocol):
    """A document in a list."""

    @property
    def writes(self) -> tuple[int, ...]:
        """Its rows in each of the last 30 ten-second windows, the oldest first."""


class FoundPage(Protocol):
    """Part of the list of documents."""

    @property
    def documents(self) -> Sequence[Listed]:
        """In the order that was asked for."""

    @property
    def following(self) -> str | None:
        """What to give as ``after`` for what follows; None at the end."""

    @property
    def total(self) -> int:
        """All documents of the store, tombstones among them."""


class Observation(Protocol):
    """Looks at documents and at the store: loads nothing, writes nothing, waits for no writer.

    Every method that is awaited raises StoreError when the store does not answer.
    """

    @property
    def version(self) -> int:
        """Another number after every change that is worth showing."""

    async def document_facts(self, name: str) -> DocumentFacts:
        """Return everything about a document but its traces, also of one that is not there."""

    async def documents(
        self,
        *,
        order: Order,
        prefix: str,
        after: str | None,
        limit: int,
        is_troubled: bool,
    ) -> FoundPage:
        """Return a page of documents, tombstones and damaged ones among them.

        By name rising; by any other order falling. With ``is_troubled`` those alone that somebody
        should look at.

        Raises:
            ValueError: ``after`` is not what a page of that order gave.
        """

    async def store_facts(self) -> StoreFacts:
        """Return everything about the store as a whole."""

    async def traces(self, name: str) -> Traces:
        """Return what is kept of a document's events."""

    def writes(self, name: str) -> tuple[int, ...]:
        """Return how many rows were written in each of the last 30 ten-second windows."""


class Troubles(Protocol):
    """What the open store says of what is not well."""

    def degradations(self) -> list[Degradation]:
        """Return everything that is not well."""
