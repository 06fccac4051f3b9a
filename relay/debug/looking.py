"""Looks at the engine and the hub, and gives each answer as bytes that many share."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic_core import to_json

from relay.debug import models
from relay.debug.assembling import Moment, document, summary
from relay.debug.assembling_storage import Shown, storage
from relay.debug.process_facts import ThisProcess
from relay.debug.rates import RateMeter
from relay.debug.seam import FoundPage, Observation, Troubles
from relay.debug.sharing import SharedAnswers
from relay.facts import HubFacts, RoomFacts
from relay.hub import Hub
from relay.limits import DEBUG_CONNECTIONS_MAX
from relay.metrics import Measured, metrics_text
from yjs_store import Degradation, DocumentFacts, Order, StoreFacts, Traces


class NoDocument(Exception):
    """Nothing is stored under the name, and it is not in memory."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the list of documents is asked for."""

    prefix: str
    after: str | None
    limit: int
    order: Order
    trouble_only: bool


@dataclass(frozen=True, slots=True)
class _StorageFacts:
    store: StoreFacts
    hub: HubFacts
    degradations: list[Degradation]


class Looker:
    """One for each server. No document is loaded, nothing is written, no writer is waited for."""

    def __init__(
        self,
        observation: Observation,
        troubles: Troubles,
        hub: Hub,
        process: ThisProcess,
        configuration: Shown,
        clock_ms: Callable[[], int],
        of_store: SharedAnswers,
        of_documents: SharedAnswers,
    ) -> None:
        self._observation = observation
        self._troubles = troubles
        self._hub = hub
        self._process = process
        self._configuration = configuration
        self._clock_ms = clock_ms
        self._of_store = of_store
        self._of_documents = of_documents
        self._meter = RateMeter()

    @property
    def version(self) -> Hashable:
        """Something else after every change that is worth showing at once."""
        hub = self._hub
        return (self._observation.version, hub.connection_count, hub.room_count, hub.is_draining)

    @property
    def is_storage_failing(self) -> bool:
        """See Hub."""
        return self._hub.is_storage_failing

    async def close(self) -> None:
        """Give up what is under way."""
        await self._of_store.close()
        await self._of_documents.close()

    # ---- the store --------------------------------------------------------------------------

    async def storage(self) -> bytes:
        """Return ``models.Storage``."""
        return await self._of_store.get("storage", self._gather_storage, self._render_storage)

    async def _gather_storage(self) -> _StorageFacts:
        store = await self._observation.store_facts()
        return _StorageFacts(store, self._hub.facts(), self._troubles.degradations())

    def _render_storage(self, facts: _StorageFacts) -> bytes:
        rates = self._meter.read(facts.store.commits, facts.store.updates, _now_s())
        return _json(
            storage(
                facts.store,
                facts.hub,
                self._process.read(),
                rates,
                facts.degradations,
                self._configuration,
                self._clock_ms(),
            )
        )

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type, as ``Accept`` wants them."""
        encode, content_type = metrics_text(accept)

        def render(facts: _StorageFacts) -> bytes:
            return encode(
                Measured(
                    facts.store,
                    facts.hub,
                    self._hub.queue_facts(),
                    self._process.read(),
                    tuple(facts.degradations),
                )
            )

        body = await self._of_store.get(("metrics", content_type), self._gather_storage, render)
        return body, content_type

    # ---- documents --------------------------------------------------------------------------

    async def documents(self, page: Page) -> bytes:
        """Return ``models.DocumentPage``.

        Raises:
            ValueError: ``after`` is not what a page of that order gave.
        """

        async def gather() -> FoundPage:
            return await self._observation.documents(
                order=page.order,
                prefix=page.prefix,
                after=page.after,
                limit=page.limit,
                is_troubled=page.trouble_only,
            )

        def render(found: FoundPage) -> bytes:
            shown = [summary(each, self._hub.room_size(each.name)) for each in found.documents]
            return _json(
                models.DocumentPage(documents=shown, next=found.following, total=found.total)
            )

        return await self._of_documents.get(page, gather, render)

    async def document(self, name: str) -> bytes:
        """Return ``models.Document``.

        Raises:
            NoDocument: there is nothing to know of it.
        """

        async def gather() -> tuple[DocumentFacts, Traces, RoomFacts | None]:
            facts = await self._observation.document_facts(name)
            room = self._hub.room_facts(name, DEBUG_CONNECTIONS_MAX)
            if facts.head is None and facts.live is None and facts.damage is None and room is None:
                raise NoDocument(name)
            return facts, await self._observation.traces(name), room

        def render(found: tuple[DocumentFacts, Traces, RoomFacts | None]) -> bytes:
            facts, traces, room = found
            at = Moment(self._clock_ms(), _now_s())
            return _json(document(facts, traces, self._observation.writes(name), room, at))

        return await self._of_documents.get(("document", name), gather, render)


def _json(model: BaseModel) -> bytes:
    return to_json(model)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
