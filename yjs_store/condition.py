"""What is not well in an open store, told by its parts."""

from dataclasses import dataclass

from yjs_store.committer import Committer
from yjs_store.document import Document
from yjs_store.health import Degradation, Trouble
from yjs_store.keeper import Keeper
from yjs_store.opened import OpenDocuments
from yjs_store.oversized import OversizedGuard
from yjs_store.scrubber import Scrubber
from yjs_store.sessions import SessionBook
from yjs_store.switches import Switches
from yjs_store.telemetry import Telemetry
from yjs_store.trials import Trials
from yjs_store.vouching import Vouching


@dataclass(frozen=True, slots=True)
class Condition:
    """The parts that know what is not well."""

    committer: Committer
    guard: OversizedGuard
    trials: Trials
    keeper: Keeper
    vouching: Vouching
    sessions: SessionBook
    scrubber: Scrubber | None
    switches: Switches
    telemetry: Telemetry
    opened: OpenDocuments

    @property
    def failing_because(self) -> str | None:
        """See Store.failing_because."""
        states = (self.committer.state, self.guard.state, self.trials.state)
        return next((state.failing_because for state in states if state.failing_because), None)

    @property
    def failing_since_s(self) -> float | None:
        """See Store.failing_since_s."""
        states = (self.committer.state, self.guard.state, self.trials.state)
        since_s = [state.failing_since_s for state in states if state.failing_since_s is not None]
        return min(since_s, default=None)

    @property
    def failures(self) -> int:
        """How often storage has refused since it last took a write."""
        states = (self.committer.state, self.guard.state, self.trials.state)
        return max(state.failures_in_row for state in states)

    def is_failing_for(self, name: str) -> bool:
        """See Store.is_failing_for."""
        is_failing = self.committer.state.failing_since_s is not None
        return is_failing or self.guard.is_failing_for(name) or self.trials.is_failing_for(name)

    def damage_of(self, name: str, document_id: int) -> str | None:
        """Return what is wrong with what is stored of a document, as far as somebody looked."""
        found = self.telemetry.unloadable.get(name)
        if found is None and self.scrubber is not None:
            _, found = self.scrubber.state.damaged.get(document_id, (name, None))
        return found

    def troubled_names(self) -> frozenset[str]:
        """Return which documents this process knows to be in trouble."""
        names = {*self.keeper.troubled, *self.telemetry.unloadable}
        names.update(error.document for error in self.vouching.poisoned)
        if self.scrubber is not None:
            names.update(name for name, _ in self.scrubber.state.damaged.values())
        if self.failing_because is not None:
            unsaved = (each.name for each in self.opened.in_memory() if not each.is_settled)
            names.update(name for name in unsaved if self.is_failing_for(name))
        return frozenset(names)

    def failures_in_row(self, document: Document) -> int:
        """Return how often storage has refused what a document has on its way so far."""
        found = self.guard.failures_in_row(document.name)
        if self.committer.is_committing(document):
            found = max(found, self.committer.state.failures_in_row)
        return found

    def degradations(self, now_ms: int) -> list[Degradation]:
        """See Store.degradations."""
        found = self.keeper.degradations(now_ms)
        because = self.failing_because
        if because is not None:
            found.insert(0, Degradation(Trouble.STORAGE, None, because))
        because = self.switches.unread_because
        if because is not None:
            found.append(Degradation(Trouble.DAMAGE, None, because))
        because = self.sessions.watch_failing_because
        if because is not None:
            found.append(Degradation(Trouble.REVOCATIONS, None, because))
        found += [
            Degradation(Trouble.DAMAGE, error.document, str(error))
            for error in self.vouching.poisoned
        ]
        if self.scrubber is not None:
            found += [
                Degradation(Trouble.DAMAGE, name, problem)
                for name, problem in self.scrubber.state.damaged.values()
            ]
        return found
