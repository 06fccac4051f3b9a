"""yjs_store.tallies: how often a value was how large."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store.tallies import DURATION_BOUNDS_S, ROW_BOUNDS, Tally, log_spaced

VALUES = st.lists(st.floats(0, 1000), max_size=50)


def test_the_bounds_rise_evenly_from_a_twentieth_of_a_millisecond_to_a_minute() -> None:
    assert DURATION_BOUNDS_S[0] == 0.000_05
    assert 60 <= DURATION_BOUNDS_S[-1] < 100
    factors = [b / a for a, b in itertools.pairwise(DURATION_BOUNDS_S)]
    assert all(1.5 < factor < 1.7 for factor in factors)
    assert (ROW_BOUNDS[0], ROW_BOUNDS[-1]) == (1, 10_000)
    assert log_spaced(1, 100, 1) == (1, 10, 100)


@given(VALUES)
def test_every_value_is_counted_at_the_first_bound_that_it_does_not_exceed(
    values: list[float],
) -> None:
    tally = Tally((0.1, 1, 10))
    for value in values:
        tally.note(value)
    found = tally.distribution()
    below = [-math.inf, 0.1, 1, 10]
    above = [0.1, 1, 10, math.inf]
    expected = [
        sum(low < value <= high for value in values) for low, high in zip(below, above, strict=True)
    ]
    assert found.counts == tuple(expected)
    assert found.count == len(values)
    assert found.total == pytest.approx(sum(values))


@given(st.lists(st.floats(0.000_05, 60), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_right_within_one_bound(values: list[float], share: float) -> None:
    tally = Tally()
    for value in values:
        tally.note(value)
    found = tally.distribution().quantile(share)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert found is not None
    assert exact <= found <= exact * 1.7


def test_without_values_there_is_no_quantile() -> None:
    found = Tally().distribution()
    assert (found.count, found.total, found.quantile(0.5)) == (0, 0, None)


def test_what_was_given_out_does_not_change_afterwards() -> None:
    tally = Tally()
    before = tally.distribution()
    tally.note(1)
    assert before.count == 0
    assert tally.distribution().count == 1
