"""Counts how often a value was how large, for a price that nobody notices. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from yjs_store.facts import Distribution


def log_spaced(first: float, last: float, per_tenfold: int) -> tuple[float, ...]:
    """Return bounds from ``first`` to at least ``last``, so many for each factor of ten."""
    bounds = [first]
    while bounds[-1] < last:
        # From the first, not from the one before: errors do not add up.
        bounds.append(float(f"{first * 10 ** (len(bounds) / per_tenfold):.2g}"))
    return tuple(bounds)


# From a twentieth of a millisecond, below which nothing waits for a disk, to a minute, after which
# clients have long been closed. A quantile is right within a factor of 1.6.
DURATION_BOUNDS_S: Final = log_spaced(0.000_05, 60.0, 5)
ROW_BOUNDS: Final = log_spaced(1, 10_000, 5)


class Tally:
    """A distribution that grows; ``bounds`` rise."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float] = DURATION_BOUNDS_S) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def note(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def distribution(self) -> Distribution:
        """Return what was counted so far."""
        return Distribution(self._bounds, tuple(self._counts), self._total)
