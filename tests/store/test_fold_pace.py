"""yjs_store.fold_pace: rounds are as small as they must be, and rest so that others have theirs."""

from hypothesis import given
from hypothesis import strategies as st

from yjs_store.fold_pace import FoldPace, build_s_max
from yjs_store.limits import (
    BUILD_S_MIN,
    BUILD_S_PER_MIB,
    MIB,
    PACE_DOUBLING_S,
    PACE_REST_FACTOR,
    PACE_ROUND_S,
    PACE_SLOW_S,
    PACE_SLOW_STRUCT_S,
    ROW_STRUCTS_MAX,
)

COSTS_S = st.floats(min_value=2 * PACE_SLOW_STRUCT_S, max_value=PACE_ROUND_S)
STRUCTS = st.integers(min_value=1, max_value=ROW_STRUCTS_MAX)


def slowed(structs: int, cost_s: float, now_s: float = 0.0) -> FoldPace:
    """A pace that has heard of one round."""
    pace = FoldPace()
    pace.note(structs * cost_s, structs, now_s)
    return pace


@given(STRUCTS, COSTS_S)
def test_the_next_round_takes_no_longer_than_a_round_may(structs: int, cost_s: float) -> None:
    pace = slowed(structs, cost_s)
    if structs * cost_s > PACE_SLOW_S:
        assert pace.structs_max == 1 or pace.structs_max * cost_s <= PACE_ROUND_S
        assert pace.structs_max >= min(ROW_STRUCTS_MAX, PACE_ROUND_S / cost_s - 1.001)


@given(st.lists(st.tuples(st.floats(0, 10), STRUCTS, st.floats(0, 10)), max_size=50))
def test_something_always_fits_and_never_more_than_a_row(
    rounds: list[tuple[float, int, float]],
) -> None:
    pace, now_s = FoldPace(), 0.0
    for took_s, structs, later_s in rounds:
        now_s += later_s
        pace.note(took_s, structs, now_s)
        assert 1 <= pace.structs_max <= ROW_STRUCTS_MAX
        assert pace.is_slowed == (pace.structs_max < ROW_STRUCTS_MAX)


@given(st.lists(st.tuples(STRUCTS, st.floats(0, 0.01)), min_size=1, max_size=50))
def test_who_works_without_a_pause_has_a_quarter_of_the_time(
    rounds: list[tuple[int, float]],
) -> None:
    """P6: whatever comes, as soon as the document may go on, it does."""
    pace, now_s, worked_s = FoldPace(), 0.0, 0.0
    for asked, cost_s in rounds:
        structs = min(asked, pace.structs_max)
        took_s = max(structs * cost_s, PACE_SLOW_S * 1.01, structs * PACE_SLOW_STRUCT_S * 1.01)
        now_s += took_s
        worked_s += took_s
        pace.note(took_s, structs, now_s)
        now_s += pace.rest_s(now_s)
        assert pace.rest_s(now_s) == 0
    assert worked_s * (1 + PACE_REST_FACTOR) <= now_s * 1.000001


@given(STRUCTS)
def test_what_takes_long_only_because_it_is_much_is_not_slow(structs: int) -> None:
    pace = slowed(structs, PACE_SLOW_STRUCT_S * 0.99)
    assert (pace.structs_max, pace.rest_s(0.0)) == (ROW_STRUCTS_MAX, 0.0)


@given(STRUCTS)
def test_what_is_over_in_a_moment_is_not_slow(structs: int) -> None:
    pace = slowed(structs, 0.99 * PACE_SLOW_S / structs)
    assert (pace.structs_max, pace.rest_s(0.0)) == (ROW_STRUCTS_MAX, 0.0)


def test_quick_rounds_double_it_until_it_is_what_it_was() -> None:
    pace = slowed(1000, 0.001)
    assert pace.structs_max == 100
    sizes = []
    for turn in range(1, 7):
        pace.note(0.0, pace.structs_max, turn * PACE_DOUBLING_S)
        sizes.append(pace.structs_max)
    assert sizes == [200, 400, 800, 1600, ROW_STRUCTS_MAX, ROW_STRUCTS_MAX]
    assert not pace.is_slowed


def test_it_is_not_doubled_at_once_nor_by_less_than_half_of_what_fits() -> None:
    """Or whoever writes at the slow place now and then would have a large round each time."""
    pace = slowed(1000, 0.001, now_s=10.0)
    pace.note(0.0, 100, 10.0 + PACE_DOUBLING_S * 0.99)
    pace.note(0.0, 49, 10.0 + PACE_DOUBLING_S)
    assert pace.structs_max == 100
    pace.note(0.0, 50, 10.0 + PACE_DOUBLING_S)
    assert pace.structs_max == 200


def test_a_second_slow_round_never_makes_it_larger() -> None:
    pace = slowed(1000, 0.001)
    pace.note(0.03, 1000, 1.0)
    assert pace.structs_max == 100


def test_a_document_may_take_so_long_to_build_as_its_bytes_allow() -> None:
    assert build_s_max(0) == BUILD_S_MIN
    assert build_s_max(3 * MIB) == BUILD_S_MIN + 3 * BUILD_S_PER_MIB
