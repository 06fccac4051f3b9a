"""relay.auth.outage: one word when something begins to fail, and one when it works again."""

from relay.auth.outage import Outage

LEAST_MS = 10_000


def test_only_the_first_failure_is_told_and_the_first_success_that_ends_it() -> None:
    outage = Outage(LEAST_MS)
    assert outage.note_success(0) is None
    assert [outage.note_failure(at_ms) for at_ms in (0, 1, LEAST_MS, 2 * LEAST_MS)] == [
        *(True, False, False, False)
    ]
    assert outage.note_success(3 * LEAST_MS) == 4
    assert outage.note_success(3 * LEAST_MS) is None
    assert outage.note_failure(3 * LEAST_MS)


def test_what_fails_now_and_then_is_told_no_more_often() -> None:
    outage = Outage(LEAST_MS)
    assert outage.note_failure(0)
    for at_ms in range(1, LEAST_MS, 1000):
        assert outage.note_success(at_ms) is None
        assert not outage.note_failure(at_ms)
    assert outage.note_success(LEAST_MS) == 11


def test_what_fails_hours_after_a_success_is_told_though_the_success_was_not() -> None:
    outage = Outage(LEAST_MS)
    assert outage.note_failure(0)
    assert outage.note_success(2000) is None
    assert outage.note_failure(5 * 3_600_000)
    assert not outage.note_failure(5 * 3_600_000 + 1)
    assert outage.note_success(6 * 3_600_000) == 2


def test_a_clock_that_steps_back_makes_no_outage_longer() -> None:
    outage = Outage(LEAST_MS)
    assert outage.note_failure(LEAST_MS)
    assert outage.note_success(0) == 1
