"""yjs_store.trace_book: events that wait to be stored, within bounds, and what was dropped."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import trace_book
from yjs_store.facts import TraceEvent
from yjs_store.limits import (
    TRACE_BURST,
    TRACE_FACTS_MAX,
    TRACE_TEXT_MAX,
    TRACES_KEPT_PER_DOCUMENT,
)
from yjs_store.trace_book import DROPPED, TraceBook

LONG_MS = 10_000_000


def events_of(book: TraceBook, document: str = "n") -> list[str]:
    return [each.event for each in book.waiting(document).events]


def facts_of(facts: dict[str, Any]) -> dict[str, Any]:
    book = TraceBook()
    book.note("n", 0, "event", facts)
    return book.waiting("n").events[0].facts


def test_events_wait_in_their_order_until_they_are_stored() -> None:
    book = TraceBook()
    assert book.documents() == ()
    book.note("n", 5, "one", {"bytes": 7})
    book.note("m", 6, "other", {})
    book.note("n", 7, "two", {})
    assert book.documents() == ("m", "n")
    waiting = book.waiting("n")
    assert waiting.events == (TraceEvent(5, "one", {"bytes": 7}), TraceEvent(7, "two", {}))
    book.note("n", 8, "three", {})
    book.stored(waiting)
    assert events_of(book) == ["three"]
    book.stored(waiting)
    assert events_of(book) == ["three"]
    book.stored(book.waiting("n"))
    assert book.documents() == ("m",)
    assert book.dropped == 0


def test_a_flood_is_counted_and_said_and_not_kept() -> None:
    book = TraceBook()
    for number in range(TRACE_BURST + 10):
        book.note("n", 0, f"{number}", {})
    assert events_of(book) == [f"{number}" for number in range(TRACE_BURST)]
    assert book.dropped_of("n") == book.dropped == 10
    book.note("m", 0, "calm", {})
    assert events_of(book, "m") == ["calm"]
    book.note("n", 1000, "after a second", {})
    book.note("n", 1000, "too soon", {})
    last = book.waiting("n").events[-2:]
    assert last == (
        TraceEvent(1000, DROPPED, {"count": 10}),
        TraceEvent(1000, "after a second", {}),
    )
    book.note("n", 3000, "later", {})
    assert book.waiting("n").events[-2].facts == {"count": 1}
    assert book.dropped_of("n") == 11


def test_an_allowance_does_not_grow_beyond_a_burst_nor_with_a_clock_that_steps_back() -> None:
    book = TraceBook()
    book.note("n", 0, "first", {})
    for now_ms in (LONG_MS, 0, LONG_MS):
        for _ in range(2 * TRACE_BURST):
            book.note("n", now_ms, "flood", {})
    # The step back and forth again counts as time that has passed, once.
    assert len(events_of(book)) <= 1 + 2 * (TRACE_BURST + 1)


def test_the_oldest_of_a_document_make_room() -> None:
    book = TraceBook()
    count = TRACES_KEPT_PER_DOCUMENT + 5
    for number in range(count):
        book.note("n", number * 1000, f"{number}", {})
    found = events_of(book)
    assert len(found) == TRACES_KEPT_PER_DOCUMENT
    assert found[-1] == f"{count - 1}"
    assert book.dropped_of("n") >= 5
    assert DROPPED in found


def test_who_had_no_event_for_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_book, "TRACE_DOCUMENTS_MAX", 2)
    book = TraceBook()
    for document in "abac":
        book.note(document, 0, "event", {})
    assert book.documents() == ("a", "c")
    assert book.dropped == 1


def test_all_documents_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_book, "TRACES_WAITING_MAX", 5)
    book = TraceBook()
    for document in "aaabbb":
        book.note(document, 0, "event", {})
    assert book.documents() == ("b",)
    assert book.dropped == 3
    for document in "cc":
        book.note(document, 0, "event", {})
    assert book.documents() == ("b", "c")


def test_of_another_life_nothing_is_taken_for_stored() -> None:
    """P9: what was stored of the former is not what waits of the new one."""
    book = TraceBook()
    book.note("n", 0, "former", {})
    waiting = book.waiting("n")
    book.forget("n")
    book.forget("n")
    assert book.waiting("n").events == ()
    book.note("n", 0, "new", {})
    book.stored(waiting)
    assert events_of(book) == ["new"]


def test_values_are_shortened_and_content_is_not_among_them() -> None:
    long = "x" * 1000
    found = facts_of({"text": long, "data": b"secret", "whole": 7, "part": 0.5, "no": None})
    assert found == {
        "text": "x" * (TRACE_TEXT_MAX - 1) + "…",
        "data": "<bytes>",
        "whole": 7,
        "part": 0.5,
        "no": None,
    }
    assert facts_of({"n": float("nan"), "i": 2**70, "yes": True}) == {
        "n": "<float>",
        "i": "<int>",
        "yes": True,
    }
    assert len(facts_of({f"{number}": 0 for number in range(99)})) == TRACE_FACTS_MAX
    (key,) = facts_of({long: 0})
    assert len(key) == TRACE_TEXT_MAX


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


def test_a_value_that_cannot_be_said_raises_nothing() -> None:
    """Telemetry never stops a save."""
    assert facts_of({"value": Rude()}) == {"value": "<Rude>"}


NOTES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-500, 2000)), max_size=200)


@given(NOTES, st.data())
def test_no_event_is_lost_unsaid_and_nothing_grows(
    notes: list[tuple[str, int]], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_book, "TRACE_BURST", 3)
        patch.setattr(trace_book, "TRACES_KEPT_PER_DOCUMENT", 5)
        patch.setattr(trace_book, "TRACES_WAITING_MAX", 8)
        patch.setattr(trace_book, "TRACE_DOCUMENTS_MAX", 3)
        book = TraceBook()
        now_ms = said = stored = 0
        for document, passed_ms in notes:
            now_ms += passed_ms
            before = book.dropped_of(document)
            book.note(document, now_ms, "event", {})
            assert book.dropped_of(document) >= before or document not in book.documents()
            if data.draw(st.integers(0, 5)) == 0:
                waiting = book.waiting(document)
                stored += len(waiting.events)
                said += sum(each.event == DROPPED for each in waiting.events)
                book.stored(waiting)
        left = [event for name in book.documents() for event in events_of(book, name)]
        assert len(left) <= 8
        assert all(len(events_of(book, name)) <= 5 for name in "abcd")
        # The events that say how many were dropped come on top of those that were noted.
        assert stored + len(left) + book.dropped >= len(notes)
        assert stored - said + left.count("event") <= len(notes)
