"""How much happens in a second, from counters that are read now and then. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.limits import RATE_WINDOW_LEAST_S, RATE_WINDOW_S


@dataclass(frozen=True, slots=True)
class Rates:
    """None when nobody has looked before."""

    commits_per_s: float | None
    updates_per_s: float | None


UNKNOWN: Final = Rates(None, None)


class _Sample(NamedTuple):
    at_s: float
    commits: int
    updates: int


class RateMeter:
    """Compares with what was read some 10 s ago, or at the last look if that is longer ago."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()

    def read(self, commits: int, updates: int, now_s: float) -> Rates:
        """Take in counters as they are now; return the rates."""
        samples = self._samples
        while len(samples) > 1 and now_s - samples[1].at_s >= RATE_WINDOW_S:
            samples.popleft()
        first = samples[0] if samples else None
        # Close ones say nothing, and would make the queue long.
        if first is None or now_s - samples[-1].at_s >= RATE_WINDOW_LEAST_S:
            samples.append(_Sample(now_s, commits, updates))
        if first is None or now_s - first.at_s < RATE_WINDOW_LEAST_S:
            return UNKNOWN
        passed_s = now_s - first.at_s
        return Rates((commits - first.commits) / passed_s, (updates - first.updates) / passed_s)
