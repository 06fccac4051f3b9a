"""Whether a client takes what is sent to it fast enough."""

from relay.limits import OUTBOX_LEAST_BYTES_PER_S, OUTBOX_STALLED_S
from relay.reading_pace import ReadingPace

LEAST = int(OUTBOX_LEAST_BYTES_PER_S * OUTBOX_STALLED_S)


def test_who_takes_nothing_for_the_window_is_too_slow() -> None:
    pace = ReadingPace(0.0)
    assert not pace.is_too_slow(1000, 1000, OUTBOX_STALLED_S)
    assert pace.is_too_slow(1000, 1000, OUTBOX_STALLED_S + 1)


def test_a_byte_a_second_is_too_slow() -> None:
    pace = ReadingPace(0.0)
    late = int(OUTBOX_STALLED_S) + 1
    ends = [pace.is_too_slow(10_000, 10_000 - second, float(second)) for second in range(late + 1)]
    assert ends.index(True) == late


def test_the_least_rate_is_fast_enough_for_ever() -> None:
    pace = ReadingPace(0.0)
    for window in range(1, 100):
        now_s = window * (OUTBOX_STALLED_S + 1)
        taken = window * (LEAST + 2000)
        assert not pace.is_too_slow(taken + 10_000_000, 10_000_000, now_s)


def test_who_has_everything_may_rest_and_has_a_window_of_its_own_then() -> None:
    pace = ReadingPace(0.0)
    for second in range(1000):
        assert not pace.is_too_slow(500, 0, float(second))
    assert not pace.is_too_slow(1500, 1000, 999 + OUTBOX_STALLED_S)
    assert pace.is_too_slow(1500, 1000, 1000 + OUTBOX_STALLED_S)
