"""yjs_store.trial: an update is tried with all that will be done with it."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from yjs_store import crdt
from yjs_store.limits import (
    BUILD_S_MIN,
    DELETES_INLINE_MAX,
    JOURNAL_ROW_BYTES_MAX,
    ROW_STRUCTS_MAX,
    TRIAL_DELETING_S,
    TRIAL_TOGETHER_TYPES_MAX,
    TYPE_NESTING_MAX,
    TYPE_NESTING_POSSIBLE_MAX,
)
from yjs_store.trial import Bench, Failed, Passed, Suspect

from .editing import Editor, letters, read
from .poison import (
    CHILD_OF_A_LETTER,
    DEEP_VALUE,
    PANIC_FIRST,
    PANIC_SECOND,
    deep_value,
    delete_first,
    nested_types,
    one_key_each,
    one_letter_each,
    paste,
    waiting_types,
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


def test_those_that_pass_together_are_told_as_if_each_were_alone() -> None:
    """With one look at the document, which takes seconds where somebody has made it slow."""
    a, b, c = letters("abc")
    suspects = [Suspect(each) for each in (b, nested_types(3), nested_types(4, 3), c, a)]
    suspects.append(Suspect(a, repeats=True))
    together, alone = Bench([]), Bench([])
    found = together.judge_together(suspects)
    for verdict, suspect in zip(found, suspects, strict=True):
        expected = alone.judge(suspect)
        assert isinstance(expected, Passed)
        assert replace(verdict, nesting=0) == replace(expected, nesting=0)
        assert verdict.nesting == 7
    everything = crdt.EMPTY_STATE_VECTOR
    assert together._replica.diff(everything) == alone._replica.diff(everything)
    assert together._updates == alone._updates


@pytest.mark.parametrize(
    "bad", [b"bad", DEEP_VALUE, CHILD_OF_A_LETTER, nested_types(100, TYPE_NESTING_MAX - 99)]
)
def test_where_one_fails_nothing_is_said_of_those_tried_with_it(bad: bytes) -> None:
    """P5: and nothing of them stays, so that each can be tried alone."""
    (letter,) = letters("a", 7)
    bench = Bench([letter, nested_types(TYPE_NESTING_MAX - 100)])
    first = nested_types(1, TYPE_NESTING_MAX - 100)
    assert bench.judge_together([Suspect(first), Suspect(bad)]) == []
    judged(bench, first)
    assert isinstance(bench.judge(Suspect(bad)), Failed)


def test_no_more_are_begun_together_when_it_is_enough() -> None:
    suspects = [Suspect(each) for each in letters("abc")]
    looks = iter([False, True])
    assert len(Bench([]).judge_together(suspects, lambda: next(looks))) == 2


def test_types_are_not_deeper_between_those_tried_together_than_at_the_end() -> None:
    """P5: the last deletes the first, and what is deleted does not count at the end."""
    depth = TRIAL_TOGETHER_TYPES_MAX
    parts = [nested_types(depth, number * depth) for number in range(1, 4)]
    suspects = [Suspect(each) for each in (delete_first(), *parts, nested_types(depth))]
    assert len(Bench([]).judge_together(suspects)) == 2


def test_no_more_types_may_wait_than_letters_can_bring_within_each_other() -> None:
    """P5: the letters that are missing are plain, and nobody looks at them."""
    bench = Bench([])
    room = TYPE_NESTING_POSSIBLE_MAX
    for number in range(room // TYPE_NESTING_MAX):
        assert judged(bench, waiting_types(TYPE_NESTING_MAX, number)).nesting <= room
    assert isinstance(bench.judge(Suspect(waiting_types(1, room))), Failed)


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
        # Building the document and integrating the letter are no time.
        asked.append(0.6 * TRIAL_DELETING_S * max(0, len(asked) - 4))
        return asked[-1]

    judged(Bench([document], cpu_s), letters("a")[0])
    assert len(asked) == 4 + 3, "the beginning, and two pieces of forty"


def clock_of(step_s: float) -> Callable[[], float]:
    """A clock of which each look takes so long: building is one step, and so is each update."""
    looks = itertools.count()
    return lambda: next(looks) * step_s


def test_what_would_make_the_document_too_slow_to_build_is_refused() -> None:
    """P6: everybody waits while it is loaded."""
    first, second = letters("ab")
    bench = Bench([first], clock_of(0.4 * BUILD_S_MIN))
    assert judged(bench, second).built_s == pytest.approx(0.8 * BUILD_S_MIN)
    verdict = bench.judge(Suspect(letters("z", client_id=9)[0]))
    assert isinstance(verdict, Failed)
    assert "1.2 s to build; it may take 1.0" in verdict.reason


def test_several_that_would_together_are_tried_one_by_one() -> None:
    typed = letters("abc")
    bench = Bench(typed[:1], clock_of(0.4 * BUILD_S_MIN))
    assert bench.judge_together([Suspect(update) for update in typed[1:]]) == []
    assert judged(bench, typed[1]).built_s == pytest.approx(0.8 * BUILD_S_MIN)


def test_deleting_is_never_refused_for_the_time_it_takes_to_build() -> None:
    """It may be what makes the document smaller."""
    editor = Editor(7)
    bench = Bench([editor.write("abc")], clock_of(2 * BUILD_S_MIN))
    judged(bench, editor.erase(0, 3))
    assert isinstance(bench.judge(Suspect(editor.write("d"))), Failed)


def test_what_was_tried_before_is_not_refused_for_it() -> None:
    """A round that the decoder failed on has been accepted."""
    first, second = letters("ab")
    bench = Bench([first], clock_of(2 * BUILD_S_MIN))
    assert isinstance(bench.judge(Suspect(second), is_cleared=True), Passed)
