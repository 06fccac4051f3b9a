"""How much of something a client may do in a while."""

import pytest

from relay.allowance import Allowance


def test_a_burst_is_free() -> None:
    allowance = Allowance(per_s=10, burst=5, now_s=100.0)
    assert [allowance.take(1, 100.0) for _ in range(5)] == [0.0] * 5


def test_what_is_above_is_taken_and_waited_for() -> None:
    allowance = Allowance(per_s=10, burst=5, now_s=100.0)
    assert allowance.take(7, 100.0) == pytest.approx(0.2)
    assert allowance.take(1, 100.0) == pytest.approx(0.3)
    assert allowance.take(0, 100.3) == pytest.approx(0.0)


def test_time_fills_it_and_no_further_than_the_burst() -> None:
    allowance = Allowance(per_s=10, burst=5, now_s=100.0)
    allowance.take(5, 100.0)
    assert allowance.take(2, 100.2) == 0.0
    assert allowance.take(6, 1000.0) == pytest.approx(0.1)
