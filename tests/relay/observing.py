"""An engine that can be looked at, in memory: what the debug endpoint is told, as a test says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from yjs_store import (
    BreakerFacts,
    CheckpointRecord,
    ContentFacts,
    Degradation,
    Distribution,
    DocumentFacts,
    Head,
    LiveFacts,
    Order,
    ScrubFacts,
    SnapshotFacts,
    Statistics,
    Store,
    StoreFacts,
    TraceEvent,
    Traces,
)
from yjs_store.breaker import BreakerState
from yjs_store.records import Snapshot

CLOSED = BreakerFacts(BreakerState.CLOSED, 0, None, None, None)
NOTHING = Distribution((0.001, 0.01, 0.1), (0, 0, 0, 0), 0.0)


_Kind = TypeVar("_Kind")


def made(kind: type[_Kind], **facts: Any) -> _Kind:
    """Return facts of that kind; what is not given is nothing."""
    rest: dict[str, Any] = {
        each.name: () if "tuple" in str(each.type) else 0
        for each in fields(kind)  # type: ignore[arg-type]
        if each.name not in facts
    }
    return kind(**facts, **rest)


def head(name: str = "notes", **facts: Any) -> Head:
    """Return a head of ten rows, of which four are in a snapshot."""
    made = Head(
        document_id=1,
        name=name,
        uid=b"u" * 16,
        last_seq=10,
        cut_seq=4,
        journal_bytes=600,
        snapshot_id=7,
        snapshot_bytes=400,
        created_ms=1_000,
        updated_ms=2_000,
        deleted_ms=None,
        oversized_count=0,
    )
    return replace(made, **facts)


SNAPSHOT = SnapshotFacts(Snapshot(7, 4, 2, 400, 300, b"\xab" * 16, 1_500), ("zstd",))
CONTENT = ContentFacts(seq=10, clients=2, clocks=100, deleted_clocks=25, pending_bytes=0)
CHECKPOINT = CheckpointRecord(
    number=3,
    reason="rows",
    started_ms=1_400,
    duration_ms=12.5,
    cut_seq=4,
    journal_rows_before=4,
    journal_rows_after=1,
    journal_bytes_before=500,
    journal_bytes_after=60,
    snapshot_bytes_before=0,
    snapshot_bytes_after=400,
    stored_bytes_after=300,
    error=None,
    content=CONTENT,
)
LIVE = made(
    LiveFacts,
    loaded_ms=1_100,
    load_ms=3.5,
    users=1,
    durable_seq=10,
    saved_ms=None,
    save_ms=None,
    error=None,
)
DOCUMENT = made(
    DocumentFacts,
    name="notes",
    head=head(),
    snapshot=SNAPSHOT,
    checkpoints=(CHECKPOINT,),
    breaker=CLOSED,
    is_alarming=False,
    damage=None,
    poisoned=None,
    is_unvouched=False,
    read_only=None,
    content=CONTENT,
    live=LIVE,
)
STORE = made(
    StoreFacts,
    sizes=Statistics(2, 1, 30, 4_000, 5_000, 60_000, 700, 80),
    schema_version=5,
    backend="sqlite",
    open_documents=1,
    failing_since_ms=None,
    failing_because=None,
    commit_s=NOTHING,
    fsync_s=NOTHING,
    load_s=NOTHING,
    checkpoint_s=NOTHING,
    batch_rows=NOTHING,
    breaker=CLOSED,
    scrub=ScrubFacts(0, 0, 0, None, None, 0),
    read_only=None,
    started_ms=500,
)
TRACES = Traces((TraceEvent(1_200, "loaded", {"rows": 6}),), 0)


@dataclass(frozen=True)
class Listing:
    """See ``relay.debug.seam.Listed``."""

    facts: DocumentFacts
    writes: tuple[int, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.facts, name)


@dataclass(frozen=True)
class ListingPage:
    """See ``relay.debug.seam.FoundPage``."""

    documents: Sequence[Listing]
    following: str | None
    total: int


def _key(order: Order) -> Callable[[DocumentFacts], Any]:
    def key(facts: DocumentFacts) -> Any:
        found = facts.head
        if found is None or order is Order.NAME:
            return facts.name
        keys = {
            Order.UPDATED: found.updated_ms,
            Order.BYTES: found.journal_bytes + found.snapshot_bytes,
            Order.JOURNAL: found.journal_bytes,
        }
        return -keys[order], facts.name

    return key


@dataclass
class FakeObservation:
    """See ``relay.debug.seam.Observation``; ``looks`` are the calls that were made."""

    documents_by_name: dict[str, DocumentFacts] = field(default_factory=dict)
    store: StoreFacts = STORE
    traces_of: dict[str, Traces] = field(default_factory=dict)
    writes_of: dict[str, tuple[int, ...]] = field(default_factory=dict)
    version: int = 0
    error: Exception | None = None
    looks: list[str] = field(default_factory=list)

    def add(self, *heads: Head) -> None:
        for each in heads:
            facts = replace(DOCUMENT, name=each.name, head=each, live=None)
            self.documents_by_name[each.name] = facts

    def add_damaged(self, name: str, damage: str) -> None:
        facts = replace(DOCUMENT, name=name, head=None, live=None, damage=damage)
        self.documents_by_name[name] = facts

    def _look(self, what: str) -> None:
        self.looks.append(what)
        if self.error is not None:
            raise self.error

    async def document_facts(self, name: str) -> DocumentFacts:
        self._look(f"document {name}")
        nothing = replace(
            DOCUMENT, name=name, head=None, snapshot=None, checkpoints=(), content=None, live=None
        )
        return self.documents_by_name.get(name, nothing)

    async def documents(
        self, *, order: Order, prefix: str, after: str | None, limit: int, is_troubled: bool
    ) -> ListingPage:
        self._look("documents")
        if after is not None and not after.startswith("after "):
            raise ValueError(after)
        found = [
            each
            for each in self.documents_by_name.values()
            if each.name.startswith(prefix) and (each.damage is not None or not is_troubled)
        ]
        found.sort(key=_key(order))
        first = int(after.split()[1]) if after is not None else 0
        following = f"after {first + limit}" if first + limit < len(found) else None
        page = [Listing(each, self.writes(each.name)) for each in found[first : first + limit]]
        return ListingPage(page, following, len(self.documents_by_name))

    async def store_facts(self) -> StoreFacts:
        self._look("store")
        return self.store

    async def traces(self, name: str) -> Traces:
        self._look(f"traces {name}")
        return self.traces_of.get(name, Traces((), 0))

    def writes(self, name: str) -> tuple[int, ...]:
        return self.writes_of.get(name, (0,) * 30)


@dataclass
class FakeTroubles:
    """See ``relay.debug.seam.Troubles``."""

    found: list[Degradation] = field(default_factory=list)

    def degradations(self) -> list[Degradation]:
        return list(self.found)


class StoreObservation(FakeObservation):
    """Looks at a real store as far as that can be looked at without loading anything."""

    def __init__(self, engine: Store) -> None:
        super().__init__()
        self._engine = engine

    async def document_facts(self, name: str) -> DocumentFacts:
        found = await self._engine.head(name)
        nothing = await super().document_facts(name)
        return nothing if found is None else replace(nothing, head=found)

    async def documents(
        self, *, order: Order, prefix: str, after: str | None, limit: int, is_troubled: bool
    ) -> ListingPage:
        heads = await self._engine.list_heads(prefix, after, limit)
        page = [Listing(await self.document_facts(each.name), (0,) * 30) for each in heads]
        return ListingPage(page, None, len(page))

    async def store_facts(self) -> StoreFacts:
        state = self._engine.committer_state
        sizes = await self._engine.statistics()
        return replace(STORE, sizes=sizes, commits=state.commits, rows=state.rows)
