"""yjs_store.paced_replica: it goes at a pace, and says when a document has become a burden."""

import pytest

from yjs_store import crdt
from yjs_store.limits import BUILD_S_MIN, PACE_SLOW_S, ROW_STRUCTS_MAX, SLICE_SLOW_S
from yjs_store.paced_replica import PacedReplica
from yjs_store.rounds import Round
from yjs_store.submissions import Submission

from .editing import letters, read
from .stores import Recorder

SLOW_S = 2 * PACE_SLOW_S
COSTLY_S = 2 * BUILD_S_MIN


class Clock:
    """Processor time, of which each look takes ``step_s``; ``now_s`` is the time of day."""

    def __init__(self) -> None:
        self.step_s = self.now_s = 0.0
        self._worked_s = 0.0

    def __call__(self) -> float:
        self._worked_s += self.step_s
        return self._worked_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def paced(clock: Clock) -> PacedReplica:
    return PacedReplica([], clock, lambda: clock.now_s)


def integrate(paced: PacedReplica, *updates: bytes) -> bytes | None:
    return paced.integrate(Round([Submission(update, Recorder(), False) for update in updates]))


def test_a_quick_round_changes_nothing(paced: PacedReplica) -> None:
    typed = letters("abc")
    assert read(integrate(paced, *typed) or b"") == read(*typed)
    assert (paced.pace.structs_max, paced.rest_s) == (ROW_STRUCTS_MAX, 0)
    assert not paced.is_costly
    assert paced.take_wishes() == []


def test_after_a_slow_round_it_rests_and_takes_less(paced: PacedReplica, clock: Clock) -> None:
    clock.step_s = SLOW_S
    integrate(paced, *letters("abc"))
    assert paced.pace.structs_max < ROW_STRUCTS_MAX
    assert paced.rest_s > SLOW_S
    clock.now_s += paced.rest_s
    assert paced.rest_s == 0


def test_what_takes_long_to_load_is_wished_to_be_folded_once(
    paced: PacedReplica, clock: Clock
) -> None:
    clock.step_s = COSTLY_S
    integrate(paced, *letters("abc"))
    assert paced.is_costly
    assert paced.take_wishes() == ["slow to load"]
    assert paced.take_wishes() == []


def test_a_trial_that_builds_it_in_no_time_takes_the_fear_away(
    paced: PacedReplica, clock: Clock
) -> None:
    clock.step_s = COSTLY_S
    integrate(paced, *letters("abc"))
    paced.note_built(COSTLY_S)
    assert paced.is_costly
    paced.note_built(0.0)
    assert not paced.is_costly


def test_what_is_large_comes_part_by_part_and_leaves_others_their_half(
    paced: PacedReplica, clock: Clock
) -> None:
    clock.step_s = 2 * SLICE_SLOW_S
    a, b, c = letters("abc")
    parts = paced.integrate_large([a, b, c])
    assert next(parts) == pytest.approx(clock.step_s)
    assert read(paced.replica.diff(crdt.EMPTY_STATE_VECTOR)).text == "a"
    assert list(parts) == pytest.approx([clock.step_s] * 2)
    assert read(paced.replica.diff(crdt.EMPTY_STATE_VECTOR)).text == "abc"


# ---- after the decoder failed -------------------------------------------------------------------


def test_who_begins_anew_has_what_is_durable_and_nothing_else(paced: PacedReplica) -> None:
    a, b = letters("ab")
    integrate(paced, a, b)
    paced.begin_anew([a], is_mended=False)
    assert read(paced.replica.diff(crdt.EMPTY_STATE_VECTOR)).text == "a"
    assert paced.take_wishes() == []
    paced.begin_anew([a], is_mended=True)
    assert paced.take_wishes() == ["mending"]


def test_what_was_costly_and_is_built_anew_in_no_time_is_costly_no_more(
    paced: PacedReplica, clock: Clock
) -> None:
    """Or each update would go the way of suspects for what is true no more."""
    a, b, c = letters("abc")
    clock.step_s = COSTLY_S
    integrate(paced, a, b)
    paced.begin_anew([a, b], is_mended=False)
    clock.step_s = 0
    assert integrate(paced) is None
    assert paced.is_costly, "nobody has measured it yet"
    integrate(paced, c)
    assert not paced.is_costly


def test_what_is_as_costly_when_it_is_built_anew_stays_so(
    paced: PacedReplica, clock: Clock
) -> None:
    a, b, c = letters("abc")
    clock.step_s = COSTLY_S
    integrate(paced, a, b)
    assert paced.take_wishes() == ["slow to load"]
    paced.begin_anew([a, b], is_mended=False)
    integrate(paced, c)
    assert paced.is_costly
    assert paced.take_wishes() == ["slow to load"]


def test_who_makes_the_decoder_fail_wins_no_larger_round(paced: PacedReplica, clock: Clock) -> None:
    """P5: what made it slow is still there."""
    clock.step_s = SLOW_S
    typed = letters("abc")
    integrate(paced, *typed)
    structs_max, rest_s = paced.pace.structs_max, paced.rest_s
    paced.begin_anew(typed, is_mended=False)
    assert (paced.pace.structs_max, paced.rest_s) == (structs_max, rest_s)
