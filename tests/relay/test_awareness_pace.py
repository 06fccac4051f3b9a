"""How often a room's awareness goes to everybody."""

import pytest

from relay.awareness_pace import AwarenessPace
from relay.limits import (
    AWARENESS_BURST_S,
    AWARENESS_LEFT_OUT_MAX,
    AWARENESS_SEND_S,
    AWARENESS_SHARE,
)


def never_asked(client: int) -> bool:
    raise AssertionError("what is remembered is asked for when there are too many, and only then")


def test_news_in_a_small_room_never_wait() -> None:
    pace = AwarenessPace()
    for moment in range(10_000):
        # Ten people whose cursors follow the mouse: 600 messages a second.
        now_s = 100 + moment / 600
        assert pace.wait_s(now_s) <= 0
        pace.note_sent(100, 10, now_s)


def test_a_room_of_a_thousand_has_its_share_and_no_more() -> None:
    pace = AwarenessPace()
    sent, now_s = 0, 100.0
    while now_s < 110:
        wait_s = pace.wait_s(now_s)
        if wait_s <= 0:
            pace.note_sent(0, 1000, now_s)
            sent += 1
        now_s += max(wait_s, 0.0001)
    cost_s = 1000 * AWARENESS_SEND_S
    assert sent * cost_s == pytest.approx(AWARENESS_SHARE * (10 + AWARENESS_BURST_S), rel=0.05)


def test_whoever_moves_meanwhile_is_held_once() -> None:
    pace = AwarenessPace()
    pace.hold([1, 2], never_asked)
    pace.hold([2, 3], never_asked)
    assert pace.take_held() == [1, 2, 3]
    assert pace.take_held() == []


def test_of_too_many_only_those_are_held_that_the_room_remembers() -> None:
    pace, most = AwarenessPace(), AWARENESS_LEFT_OUT_MAX
    pace.hold(range(most), never_asked)
    pace.hold([most], lambda client: client % 1000 == 0)
    assert pace.take_held() == list(range(0, most + 1, 1000))
