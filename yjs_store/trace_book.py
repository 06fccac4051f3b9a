"""Events of documents that wait to be stored: bounded, rate-limited, shortened. Pure.

What does not fit is counted and said; nothing here waits, raises or grows.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass

from yjs_store.facts import TraceEvent
from yjs_store.limits import (
    TRACE_BURST,
    TRACE_DOCUMENTS_MAX,
    TRACE_FACTS_MAX,
    TRACE_TEXT_MAX,
    TRACES_KEPT_PER_DOCUMENT,
    TRACES_PER_S,
    TRACES_WAITING_MAX,
)

Fact = str | int | float | bool | None

DROPPED = "events dropped"
"""The event that says how many before it were not kept; its fact is ``count``."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The events of a document that are not stored, oldest first; ``through`` names the last."""

    document: str
    events: tuple[TraceEvent, ...]
    through: int


class _Page:
    """One document: its events with their numbers, its allowance, and what was dropped."""

    __slots__ = ("allowance", "allowed_ms", "dropped", "events", "unsaid")

    def __init__(self, now_ms: int) -> None:
        self.events: deque[tuple[int, TraceEvent]] = deque()
        self.allowance = float(TRACE_BURST)
        self.allowed_ms = now_ms
        self.dropped = 0
        self.unsaid = 0

    def allow(self, now_ms: int) -> bool:
        passed_s = max(0, now_ms - self.allowed_ms) / 1000
        self.allowance = min(TRACE_BURST, self.allowance + passed_s * TRACES_PER_S)
        self.allowed_ms = now_ms
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True

    def drop(self, count: int = 1) -> None:
        self.dropped += count
        self.unsaid += count


class TraceBook:
    """Events of at most TRACE_DOCUMENTS_MAX documents, TRACES_WAITING_MAX in all.

    A document may have TRACE_BURST at once and TRACES_PER_S after that. Who has had none for
    longest goes first.
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._waiting = 0
        self._made = 0
        self.dropped = 0
        """Events of all documents that were not kept."""

    def note(self, document: str, now_ms: int, event: str, facts: Mapping[str, object]) -> None:
        """Keep an event, or count that it was dropped."""
        page = self._pages.get(document)
        if page is None:
            page = self._pages[document] = _Page(now_ms)
        self._pages.move_to_end(document)
        if not page.allow(now_ms):
            page.drop()
            self.dropped += 1
            return
        if page.unsaid:
            self._put(page, TraceEvent(now_ms, DROPPED, {"count": page.unsaid}))
            page.unsaid = 0
        self._put(page, TraceEvent(now_ms, event[:TRACE_TEXT_MAX], _shortened(facts)))
        self._make_room(document)

    def _put(self, page: _Page, event: TraceEvent) -> None:
        if len(page.events) == TRACES_KEPT_PER_DOCUMENT:
            page.events.popleft()
            page.drop()
            self.dropped += 1
            self._waiting -= 1
        self._made += 1
        page.events.append((self._made, event))
        self._waiting += 1

    def _make_room(self, document: str) -> None:
        """Give up the pages that have rested longest, but not this document's."""
        while len(self._pages) > TRACE_DOCUMENTS_MAX or self._waiting > TRACES_WAITING_MAX:
            oldest = next(iter(self._pages))
            assert oldest != document, "one document has less than all may have"
            self.dropped += len(self._pages[oldest].events)
            self.forget(oldest)

    def documents(self) -> tuple[str, ...]:
        """Return the documents of which events wait to be stored."""
        return tuple(name for name, page in self._pages.items() if page.events)

    def waiting(self, document: str) -> Waiting:
        """Return the events of a document that are not stored yet."""
        page = self._pages.get(document)
        if page is None:
            return Waiting(document, (), 0)
        return Waiting(document, tuple(event for _, event in page.events), self._made)

    def dropped_of(self, document: str) -> int:
        """Return how many events of a document were not kept, as far as it is remembered."""
        page = self._pages.get(document)
        return 0 if page is None else page.dropped

    def stored(self, waiting: Waiting) -> None:
        """Let go of events that have been stored; others may have come meanwhile."""
        page = self._pages.get(waiting.document)
        while page is not None and page.events and page.events[0][0] <= waiting.through:
            page.events.popleft()
            self._waiting -= 1

    def forget(self, document: str) -> None:
        """Drop everything of a document that is gone (P9)."""
        page = self._pages.pop(document, None)
        if page is not None:
            self._waiting -= len(page.events)


def _shortened(facts: Mapping[str, object]) -> dict[str, Fact]:
    """Return as many facts as are kept, each of a kind and length that can be."""
    return {
        key[:TRACE_TEXT_MAX]: _fact(value) for key, value in list(facts.items())[:TRACE_FACTS_MAX]
    }


def _fact(value: object) -> Fact:
    match value:
        case None | bool():
            return value
        case int() if abs(value) < 2**63:
            return value
        case float() if math.isfinite(value):
            return value
    # Of anything else the kind alone: what it would say of itself may be content.
    text = value if isinstance(value, str) else f"<{type(value).__name__}>"
    return text if len(text) <= TRACE_TEXT_MAX else f"{text[: TRACE_TEXT_MAX - 1]}…"
