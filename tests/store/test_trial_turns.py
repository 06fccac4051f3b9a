"""yjs_store.trial_turns: nobody waits behind what others used before, and nobody saves up time."""

import pytest

from yjs_store import trial_turns
from yjs_store.limits import TRIAL_SLOW_S
from yjs_store.trial_turns import Turns


def served(turns: Turns, costs: dict[str, float], count: int) -> list[str]:
    """Who gets the next turns while all of them always have something waiting."""
    order: list[str] = []
    for _ in range(count):
        order.append(turns.choose(costs))
        turns.charge(order[-1], costs[order[-1]])
    return order


def test_who_takes_long_has_fewer_turns() -> None:
    assert served(Turns(), {"slow": 4.0, "quick": 1.0}, 10).count("quick") == 8


def test_who_comes_waits_for_no_more_than_one_turn_of_each() -> None:
    turns = Turns()
    served(turns, {"eve": 5.0, "mallory": 5.0}, 100)
    assert "ann" in served(turns, {"eve": 5.0, "mallory": 5.0, "ann": 1.0}, 3)


def test_who_was_away_has_saved_up_nothing() -> None:
    turns = Turns()
    served(turns, {"ann": 1.0, "bob": 1.0}, 2)
    served(turns, {"ann": 1.0}, 100)
    assert served(turns, {"ann": 1.0, "bob": 1.0}, 10).count("ann") >= 4


def test_of_those_who_have_used_the_same_the_first_is_next() -> None:
    assert Turns().choose(["bob", "ann"]) == "bob"


def test_who_is_slow_is_so_until_the_others_have_used_as_much() -> None:
    turns = Turns()
    turns.charge("eve", 2 * TRIAL_SLOW_S)
    turns.charge("ann", TRIAL_SLOW_S)
    assert (turns.is_slow("eve"), turns.is_slow("ann"), turns.is_slow("bob")) == (True,) + (
        False,
    ) * 2
    served(turns, {"ann": 1.0}, 2 + int(TRIAL_SLOW_S))
    assert not turns.is_slow("eve")


def test_when_nobody_waits_all_are_equal() -> None:
    turns = Turns()
    turns.charge("ann", 1.0)
    assert turns.choose(["ann", "bob"]) == "bob"
    turns.begin_anew()
    assert turns.choose(["ann", "bob"]) == "ann"


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """P6: the least is forgotten."""
    monkeypatch.setattr(trial_turns, "TRIAL_WHO_MAX", 2)
    turns = Turns()
    for who, seconds in (("ann", 3.0), ("bob", 1.0), ("eve", 2.0)):
        turns.charge(who, seconds)
    assert turns.choose(["ann", "bob", "new"]) == "bob"
    assert len(turns._used_s) == 2
