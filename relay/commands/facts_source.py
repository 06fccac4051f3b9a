"""What the commands that look are told: by a store's file, or by a running server.

Both answer in the JSON of the debug endpoint, so that a script reads one shape. Of a store that
is looked at by its file, what only the process knows is null, empty or, in ``StoredStorage``, not
there.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.clock import now_ms
from relay.commands.place import Place
from relay.commands.remote import Refused, Server, Unreachable, segment
from relay.debug import models
from relay.debug.assembling import Moment, document, read_only, summary
from relay.terminal import printable
from yjs_store import Order, StoredObservation, observe_stored

_Model = TypeVar("_Model", bound=BaseModel)


class StoredStorage(BaseModel):
    """A store as its file tells of it."""

    model_config = ConfigDict(frozen=True)

    at_ms: int = Field(description="when this was read")
    backend: str
    schema_version: int
    sizes: models.Sizes
    quarantined: int
    sessions: int = Field(description="active ones")
    unvouched: int = Field(description="documents stored unguarded, and not tried since")
    set_aside: int = Field(description="damaged documents whose place others have taken")
    disk_free_bytes: int
    read_only: models.ReadOnly | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which documents, and in which order."""

    prefix: str = ""
    sort: Order = Order.NAME
    trouble_only: bool = False


class FactsSource(Protocol):
    """Where facts come from. Looking costs little and changes nothing."""

    def storage(self) -> StoredStorage | models.Storage:
        """Return everything about the store."""

    def documents(self, asked: Asked, after: str | None, limit: int) -> models.DocumentPage:
        """Return a page of documents."""

    def document(self, name: str) -> models.Document | None:
        """Return everything about a document; None when there is nothing to know of it."""


@contextlib.contextmanager
def facts_source(place: Place) -> Iterator[FactsSource]:
    """Open what the options of a command name."""
    if place.is_server:
        with place.server() as server:
            yield ServerFacts(server)
        return
    with asyncio.Runner() as runner:
        opening = observe_stored(place.store_url(), now_ms)
        observation = runner.run(opening.__aenter__())
        try:
            yield FileFacts(runner, observation)
        finally:
            runner.run(opening.__aexit__(None, None, None))


class FileFacts:
    """Facts from a store's file."""

    def __init__(self, runner: asyncio.Runner, observation: StoredObservation) -> None:
        self._runner = runner
        self._observation = observation

    def storage(self) -> StoredStorage:
        """See FactsSource.storage."""
        facts = self._runner.run(self._observation.store_facts())
        sizes = facts.sizes
        return StoredStorage(
            at_ms=now_ms(),
            backend="sqlite",
            schema_version=facts.schema_version,
            sizes=models.Sizes(
                **{name: getattr(sizes, name) for name in models.Sizes.model_fields}
            ),
            quarantined=facts.counts.quarantined,
            sessions=facts.counts.sessions,
            unvouched=facts.counts.unvouched,
            set_aside=facts.counts.set_aside,
            disk_free_bytes=facts.space.disk_free_bytes,
            read_only=read_only(facts.read_only),
        )

    def documents(self, asked: Asked, after: str | None, limit: int) -> models.DocumentPage:
        """See FactsSource.documents."""
        page = self._runner.run(
            self._observation.documents(
                asked.prefix, after, limit, asked.sort, trouble_only=asked.trouble_only
            )
        )
        shown = [summary(each, None) for each in page.documents]
        return models.DocumentPage(documents=shown, next=page.following, total=page.total)

    def document(self, name: str) -> models.Document | None:
        """See FactsSource.document."""

        async def look() -> models.Document | None:
            facts = await self._observation.document_facts(name)
            if facts.head is None and facts.damage is None:
                return None
            traces = await self._observation.traces(name)
            return document(facts, traces, (), None, Moment(now_ms(), 0.0))

        return self._runner.run(look())


class ServerFacts:
    """Facts from a running server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def storage(self) -> models.Storage:
        """See FactsSource.storage."""
        return self._parsed(models.Storage, self._server.get("/debug/storage"))

    def documents(self, asked: Asked, after: str | None, limit: int) -> models.DocumentPage:
        """See FactsSource.documents."""
        said = self._server.get(
            "/debug/documents",
            prefix=asked.prefix or None,
            sort=asked.sort.value,
            after=after,
            limit=limit,
            trouble=1 if asked.trouble_only else None,
        )
        return self._parsed(models.DocumentPage, said)

    def document(self, name: str) -> models.Document | None:
        """See FactsSource.document."""
        try:
            said = self._server.get(f"/debug/documents/{segment(name)}")
        except Refused as error:
            if error.word == "not_found":
                return None
            raise
        return self._parsed(models.Document, said)

    def _parsed(self, model: type[_Model], said: dict[str, Any]) -> _Model:
        try:
            # A newer server may say more.
            return model.model_validate(said, extra="ignore")
        except ValidationError as error:
            where = printable(self._server.url)
            raise Unreachable(f"{where} answers what this version does not understand") from error
