"""yjs_store.breaker: every state and every event."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store.breaker import Breaker, BreakerEvent, BreakerState
from yjs_store.limits import (
    BREAKER_COOLDOWN_FIRST_S,
    BREAKER_COOLDOWN_MAX_S,
    BREAKER_FAILURES_TO_OPEN,
    BREAKER_JITTER,
)

ATTEMPT, SUCCESS, FAILURE, RESET = BreakerEvent
CLOSED, OPEN, HALF_OPEN = BreakerState


def breaker_in(state: BreakerState) -> Breaker:
    breaker = Breaker()
    if state is not CLOSED:
        for _ in range(BREAKER_FAILURES_TO_OPEN):
            breaker = breaker.after(FAILURE, 100.0, reason="disk")
    if state is HALF_OPEN:
        breaker = breaker.after(ATTEMPT, 200.0)
    assert breaker.state is state
    return breaker


EXPECTED = {
    (CLOSED, ATTEMPT): CLOSED,
    (CLOSED, SUCCESS): CLOSED,
    (CLOSED, FAILURE): CLOSED,
    (CLOSED, RESET): CLOSED,
    (OPEN, ATTEMPT): HALF_OPEN,
    (OPEN, SUCCESS): CLOSED,
    (OPEN, FAILURE): OPEN,
    (OPEN, RESET): CLOSED,
    (HALF_OPEN, ATTEMPT): HALF_OPEN,
    (HALF_OPEN, SUCCESS): CLOSED,
    (HALF_OPEN, FAILURE): OPEN,
    (HALF_OPEN, RESET): CLOSED,
}


@pytest.mark.parametrize(("state", "event"), list(EXPECTED))
def test_every_event_in_every_state(state: BreakerState, event: BreakerEvent) -> None:
    assert breaker_in(state).after(event, 1000.0).state is EXPECTED[state, event]


def test_three_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker().after(FAILURE, 1.0).after(FAILURE, 2.0)
    assert breaker.state is CLOSED
    assert breaker.after(SUCCESS, 3.0) == Breaker()
    opened = breaker.after(FAILURE, 3.0, reason="disk")
    assert (opened.state, opened.since_s, opened.reason) == (OPEN, 3.0, "disk")
    assert opened.trial_s == 3.0 + BREAKER_COOLDOWN_FIRST_S


def test_it_allows_nothing_before_its_trial_and_one_attempt_then() -> None:
    opened = breaker_in(OPEN)
    assert not opened.allows(opened.trial_s - 0.001)
    assert opened.allows(opened.trial_s)
    assert not opened.after(ATTEMPT, opened.trial_s).allows(opened.trial_s + 1e9)


def test_each_failed_trial_doubles_the_cooldown_up_to_its_bound() -> None:
    breaker = breaker_in(OPEN)
    cooldowns_s = []
    for _ in range(12):
        cooldowns_s.append(breaker.cooldown_s)
        breaker = breaker.after(ATTEMPT, breaker.trial_s).after(FAILURE, breaker.trial_s)
    assert cooldowns_s[0] == BREAKER_COOLDOWN_FIRST_S
    for shorter_s, longer_s in itertools.pairwise(cooldowns_s):
        assert longer_s == min(2 * shorter_s, BREAKER_COOLDOWN_MAX_S)
    assert breaker.cooldown_s == BREAKER_COOLDOWN_MAX_S


def test_the_table_has_every_cell() -> None:
    assert set(EXPECTED) == set(itertools.product(BreakerState, BreakerEvent))


@given(st.floats(0, 1, exclude_max=True))
def test_trials_are_spread_by_chance(chance: float) -> None:
    breaker = Breaker().after(FAILURE, 0.0).after(FAILURE, 0.0).after(FAILURE, 0.0, chance=chance)
    spread = breaker.trial_s / BREAKER_COOLDOWN_FIRST_S
    assert spread == pytest.approx(1 + BREAKER_JITTER * chance)


@given(st.lists(st.sampled_from(BreakerEvent), max_size=30))
def test_whatever_happens_there_is_always_a_next_attempt(events: list[BreakerEvent]) -> None:
    """Field note 10: it opens and never tries again."""
    breaker = Breaker()
    for now_s, event in enumerate(events):
        breaker = breaker.after(event, float(now_s))
    if breaker.state is HALF_OPEN:
        # Its attempt is under way and ends one way or the other.
        breaker = breaker.after(FAILURE, 1e6)
    assert breaker.allows(1e6 + (1 + BREAKER_JITTER) * BREAKER_COOLDOWN_MAX_S)
