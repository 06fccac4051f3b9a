"""How much happens in a second, however often somebody looks."""

from relay.debug.rates import UNKNOWN, RateMeter, Rates


def test_the_first_look_knows_nothing() -> None:
    meter = RateMeter()
    assert meter.read(10, 100, 0.0) == UNKNOWN
    assert meter.read(11, 110, 0.1) == UNKNOWN


def test_later_ones_compare_with_the_last() -> None:
    meter = RateMeter()
    meter.read(10, 100, 0.0)
    assert meter.read(20, 300, 15.0) == Rates(10 / 15, 200 / 15)
    assert meter.read(20, 300, 30.0) == Rates(0.0, 0.0)


def test_looks_in_between_change_nothing_about_the_window() -> None:
    meter = RateMeter()
    for tenth in range(201):
        rates = meter.read(tenth, tenth * 10, tenth / 10)
    # Ten a second for 20 s.
    assert rates.commits_per_s is not None
    assert rates.updates_per_s is not None
    assert abs(rates.commits_per_s - 10) < 1e-6
    assert abs(rates.updates_per_s - 100) < 1e-6
    # A burst 5 s ago is in it, one 30 s ago is not.
    burst = meter.read(1_200, 2_000, 25.0)
    assert burst.commits_per_s is not None
    assert 90 < burst.commits_per_s < 110
    assert meter.read(1_200, 2_000, 55.0).commits_per_s == 0.0
    assert len(meter._samples) <= 22
