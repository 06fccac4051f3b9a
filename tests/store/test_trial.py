"""yjs_store.trial: an update is tried with all that will be done with it."""

import pytest

from yjs_store import crdt
from yjs_store.limits import (
    DELETES_INLINE_MAX,
    JOURNAL_ROW_BYTES_MAX,
    ROW_STRUCTS_MAX,
    TRIAL_DELETING_S,
    TYPE_NESTING_MAX,
)
from yjs_store.trial import Bench, Failed, Passed, Suspect

from .editing import Editor, letters, read
from .poison import (
    CHILD_OF_A_LETTER,
    DEEP_VALUE,
    PANIC_FIRST,
    PANIC_SECOND,
    deep_value,
    nested_types,
    one_key_each,
    one_letter_each,
    paste,
)
from .test_crdt import NOT_UPDATES


def judged(bench: Bench, update: bytes, *, repeats: bool = False) -> Passed:
    verdict = bench.judge(Suspect(update, repeats))
    assert isinstance(verdict, Passed)
    return verdict


def test_what_is_small_is_integrated_as_it_came() -> None:
    verdict = judged(Bench([]), letters("a")[0])
    assert verdict == Passed(
        merged=None,
        pieces=(),
        needs_mending=False,
        is_large=False,
        is_news=True,
        nesting=0,
        structs=1,
    )


@pytest.mark.parametrize("make", [one_letter_each, one_key_each])
def test_many_structs_come_back_in_pieces_of_the_same_content(make: object) -> None:
    update = (one_letter_each if make is one_letter_each else one_key_each)(ROW_STRUCTS_MAX + 1)
    verdict = judged(Bench([]), update)
    assert (verdict.is_large, verdict.structs) == (True, ROW_STRUCTS_MAX + 1)
    assert len(verdict.pieces) > 1
    assert crdt.difference(crdt.fold([update])[1], crdt.merge(verdict.pieces)) is None


@pytest.mark.parametrize(("more", "is_large"), [(-20, False), (0, True)])
def test_what_no_row_takes_is_large(more: int, is_large: bool) -> None:
    update = paste("x" * (JOURNAL_ROW_BYTES_MAX + more))
    assert judged(Bench([]), update).is_large == is_large


def test_what_repeats_is_no_news() -> None:
    updates = letters("abc")
    bench = Bench(updates[:2])
    assert not judged(bench, updates[1], repeats=True).is_news
    assert judged(bench, updates[1]).is_news
    assert judged(bench, crdt.merge(updates), repeats=True).is_news
    assert not judged(bench, crdt.merge(updates), repeats=True).is_news


def test_what_passed_counts_for_what_comes_after_it() -> None:
    bench = Bench([])
    assert judged(bench, nested_types(5)).nesting == 5
    assert judged(bench, nested_types(5, 5)).nesting == 10


@pytest.mark.parametrize("bad", [*NOT_UPDATES, DEEP_VALUE, nested_types(TYPE_NESTING_MAX + 1)])
def test_what_fails_leaves_no_trace(bad: bytes) -> None:
    """P5."""
    a, b = letters("ab")
    bench = Bench([a])
    verdict = bench.judge(Suspect(bad))
    assert isinstance(verdict, Failed)
    assert verdict.reason
    judged(bench, b)
    assert read(bench._replica.diff(crdt.EMPTY_STATE_VECTOR)) == read(a, b)


def test_a_failure_that_depends_on_what_is_durable_is_found() -> None:
    """Field note 18: it looks like any other update."""
    (letter,) = letters("a", 7)
    assert isinstance(Bench([letter]).judge(Suspect(CHILD_OF_A_LETTER)), Failed)
    assert isinstance(Bench([PANIC_FIRST]).judge(Suspect(PANIC_SECOND)), Failed)


def test_what_is_on_its_way_counts_unless_it_fails() -> None:
    (letter,) = letters("a", 7)
    bench = Bench([])
    bench.assume(letter)
    assert isinstance(bench.judge(Suspect(CHILD_OF_A_LETTER)), Failed)
    bench.assume(CHILD_OF_A_LETTER)
    bench.assume(b"bad")
    judged(bench, letters("ab", 7)[1])


def test_types_that_are_deep_together_are_refused_to_the_last_who_adds() -> None:
    bench = Bench([nested_types(TYPE_NESTING_MAX)])
    assert isinstance(bench.judge(Suspect(nested_types(1, TYPE_NESTING_MAX))), Failed)
    assert judged(bench, Editor(3).write("text")).nesting == TYPE_NESTING_MAX


def test_honest_values_pass() -> None:
    judged(Bench([]), deep_value(200))


def test_pending_is_kept_in_what_is_tried() -> None:
    """Field note 2."""
    a, b, c = letters("abc")
    bench = Bench([c])
    judged(bench, a)
    assert read(bench._replica.diff(crdt.EMPTY_STATE_VECTOR), b).text == "abc"


@pytest.mark.parametrize(("more", "is_large"), [(0, False), (1, True)])
def test_deleting_very_much_is_large(more: int, is_large: bool) -> None:
    """A row of a few bytes would take as long at each load."""
    bench = Bench([paste("x" * (DELETES_INLINE_MAX + more))])
    whole = crdt.delete_everything(bench._replica.state_vector())
    verdict = judged(bench, whole)
    assert (verdict.is_large, verdict.structs) == (is_large, DELETES_INLINE_MAX + more)
    assert len(verdict.pieces) == 4 + more
    assert crdt.difference(crdt.fold([whole])[1], crdt.merge(verdict.pieces)) is None


def test_deleting_again_what_is_there_takes_no_longer_than_it_may() -> None:
    """P5: in a large document it takes longer than its clients should wait, or than it may."""
    document = paste("x" * 10 * DELETES_INLINE_MAX)
    asked: list[float] = []

    def cpu_s() -> float:
        asked.append(0.6 * TRIAL_DELETING_S * len(asked))
        return asked[-1]

    judged(Bench([document], cpu_s), letters("a")[0])
    assert len(asked) == 3, "the beginning, and two pieces of forty"
