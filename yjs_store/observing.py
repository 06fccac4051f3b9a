"""Everything that can be known of an open store by looking: nothing is loaded, nothing written.

What is stored is read beside the writer, by its indexes; the rest is what this process knows.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from yjs_store.backend import Backend
from yjs_store.breaker import Breaker, BreakerState
from yjs_store.committer import Committer
from yjs_store.condition import Condition
from yjs_store.document import Document
from yjs_store.facts import (
    BreakerFacts,
    ContentFacts,
    DocumentFacts,
    DocumentList,
    ListedDocument,
    LiveFacts,
    ScrubFacts,
    StoreFacts,
    StoreSpace,
    Traces,
)
from yjs_store.keeper import Keeper
from yjs_store.limits import TRACES_KEPT_PER_DOCUMENT
from yjs_store.listing_records import Order, Troubled
from yjs_store.names import check_name
from yjs_store.observing_reading import read_document, read_documents, read_traces
from yjs_store.opened import OpenDocuments
from yjs_store.scrubber import Scrubber
from yjs_store.switches import Switches
from yjs_store.telemetry import Telemetry
from yjs_store.trials import Trials
from yjs_store.vouching import Vouching


@dataclass(frozen=True, slots=True)
class Observation:
    """Where an operator looks. Obtained from ``Store.observation``; belongs to its event loop."""

    backend: Backend
    committer: Committer
    opened: OpenDocuments
    keeper: Keeper
    trials: Trials
    vouching: Vouching
    scrubber: Scrubber | None
    switches: Switches
    condition: Condition
    telemetry: Telemetry
    clock_ms: Callable[[], int]
    started_ms: int

    @property
    def version(self) -> int:
        """A number that rises whenever something worth showing has changed."""
        return self.telemetry.version + self.committer.state.changes

    def writes(self, name: str) -> tuple[int, ...]:
        """Return the rows of a document in each of the last windows, the oldest first."""
        return self.telemetry.rates.read(name, self.clock_ms())

    # ---- documents --------------------------------------------------------------------------

    async def document_facts(self, name: str) -> DocumentFacts:
        """Return everything about one document; also of one that is not there, or damaged.

        Raises:
            NameRefused: it is not a name.
            StoreUnavailable: it cannot be read now.
        """
        facts = await read_document(self.backend, name)
        head, live = facts.head, self.opened.peek(name)
        document_id = 0 if head is None else head.document_id
        poison = self.vouching.poison_of(name)
        return replace(
            facts,
            breaker=self._breaker(self.keeper.breaker(name)),
            is_alarming=head is not None and self.keeper.is_alarming(head),
            damage=facts.damage or self.condition.damage_of(name, document_id),
            poisoned=None if poison is None else poison.why,
            read_only=self.switches.find(name, document_id),
            content=_newest(facts.content, None if live is None else live[0].content),
            live=None if live is None else self._live(*live),
        )

    async def documents(
        self,
        *,
        order: Order = Order.NAME,
        prefix: str = "",
        after: str | None = None,
        limit: int = 100,
        is_troubled: bool = False,
    ) -> DocumentList:
        """Return a page of the list, tombstones among it; ``after`` is a ``following`` before.

        ``is_troubled`` asks for those alone that this process knows to be in trouble, that have
        something in quarantine or a switch, or whose journal may be alarming.

        Raises:
            ValueError: ``after`` is not from a list in this order.
        """
        troubled = None
        if is_troubled:
            troubled = Troubled(self.condition.troubled_names(), self.keeper.alarming_bytes)
        page = await read_documents(
            self.backend, order=order, prefix=prefix, after=after, limit=limit, troubled=troubled
        )
        return replace(page, documents=tuple(map(self._listed, page.documents)))

    def _listed(self, listed: ListedDocument) -> ListedDocument:
        name, head, live = listed.name, listed.head, self.opened.peek(listed.name)
        document_id = 0 if head is None else head.document_id
        poison = self.vouching.poison_of(name)
        return replace(
            listed,
            breaker=self._breaker(self.keeper.breaker(name)),
            is_alarming=head is not None and self.keeper.is_alarming(head),
            damage=listed.damage or self.condition.damage_of(name, document_id),
            poisoned=None if poison is None else poison.why,
            read_only=self.switches.find(name, document_id),
            live=None if live is None else self._live(*live),
            writes=self.writes(name),
        )

    async def traces(self, name: str) -> Traces:
        """Return the last events of a document, stored or not yet.

        Raises:
            NameRefused: it is not a name.
        """
        waiting = self.telemetry.traces.waiting(check_name(name)).events
        stored = await read_traces(self.backend, name)
        # What was stored in the meantime is in both.
        events = (*stored, *(event for event in waiting if event not in stored))
        dropped = self.telemetry.traces.dropped_of(name)
        return Traces(events[-TRACES_KEPT_PER_DOCUMENT:], dropped)

    def _live(self, document: Document, users: int) -> LiveFacts:
        saving, under_way = document.saving, document.under_way
        return LiveFacts(
            loaded_ms=saving.loaded_ms,
            load_ms=_ms(saving.load_s),
            users=users,
            gathered=under_way.gathered,
            gathered_bytes=under_way.gathered_bytes,
            in_flight=under_way.in_flight,
            suspects=under_way.suspects,
            durable_seq=document.head.last_seq,
            saved_ms=saving.saved_ms,
            save_ms=None if saving.save_s is None else _ms(saving.save_s),
            saves=saving.saves,
            failures_in_row=self.condition.failures_in_row(document),
            error=self.condition.failing_because
            if self.condition.is_failing_for(document.name)
            else None,
        )

    def _breaker(self, breaker: Breaker) -> BreakerFacts:
        is_closed = breaker.state is BreakerState.CLOSED
        return BreakerFacts(
            state=breaker.state,
            failures_in_row=breaker.failures_in_row,
            reason=breaker.reason,
            since_ms=None if is_closed else self._wall_ms(breaker.since_s),
            trial_ms=None if is_closed else self._wall_ms(breaker.trial_s),
        )

    def _wall_ms(self, loop_s: float) -> int:
        ago_s = asyncio.get_running_loop().time() - loop_s
        return self.clock_ms() - round(ago_s * 1000)

    # ---- the store --------------------------------------------------------------------------

    async def space(self) -> StoreSpace:
        """Return what the store takes on its disk."""
        return await self.backend.observing.space()

    async def store_facts(self) -> StoreFacts:
        """Return everything about the store as a whole."""
        sizes = await self.backend.statistics()
        counts = await self.backend.observing.counts(self.clock_ms())
        schema_version = await self.backend.observing.schema_version()
        telemetry, state, tried = self.telemetry, self.committer.state, self.trials.counts
        since_s = self.condition.failing_since_s
        return StoreFacts(
            sizes=sizes,
            schema_version=schema_version,
            backend=self.backend.kind,
            open_documents=self.opened.count,
            waiting_documents=self.committer.waiting_count,
            commits=state.commits,
            rows=state.rows,
            updates=telemetry.updates,
            update_bytes=telemetry.update_bytes,
            refused=telemetry.refused,
            failures_in_row=self.condition.failures,
            failing_since_ms=None if since_s is None else self._wall_ms(since_s),
            failing_because=self.condition.failing_because,
            commit_s=self.committer.commit_s.distribution(),
            fsync_s=self.backend.commit_times(),
            load_s=telemetry.load_s.distribution(),
            checkpoint_s=telemetry.checkpoint_s.distribution(),
            batch_rows=self.committer.batch_rows.distribution(),
            checkpoints=telemetry.checkpoints,
            checkpoints_failed=telemetry.checkpoints_failed,
            checkpoints_due=len(self.keeper.due),
            breaker=self._breaker(self.keeper.store_breaker),
            scrub=None if self.scrubber is None else _scrub_facts(self.scrubber),
            trials_waiting=tried.waiting_bytes,
            trials_done=tried.trials,
            trials_refused=tried.refused,
            trial_processes_died=tried.processes_died,
            quarantined=counts.quarantined,
            sessions=counts.sessions,
            unvouched=counts.unvouched,
            set_aside=counts.set_aside,
            read_only=self.switches.of_store,
            read_only_documents=self.switches.document_count,
            traces_dropped=telemetry.traces.dropped,
            started_ms=self.started_ms,
        )


def _newest(*found: ContentFacts | None) -> ContentFacts | None:
    return max(
        (each for each in found if each is not None), key=lambda each: each.seq, default=None
    )


def _scrub_facts(scrubber: Scrubber) -> ScrubFacts:
    state = scrubber.state
    return ScrubFacts(
        passes=state.passes,
        documents=state.documents,
        byte_length=state.byte_length,
        started_ms=state.started_ms,
        finished_ms=state.finished_ms,
        damaged=len(state.damaged),
    )


def _ms(duration_s: float) -> float:
    return round(duration_s * 1000, 3)
