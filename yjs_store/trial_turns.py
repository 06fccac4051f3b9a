"""Decides whose suspects are tried next: who has used least since they came. Pure.

Who is new, or was away, begins where the one began whose turn it is: nobody saves up time, and
nobody waits behind what others used before. So whoever comes waits for the trial under way, and
for one of each of those who have used as little, however much the others have waiting.
"""

from collections.abc import Collection

from yjs_store.limits import TRIAL_SLOW_S, TRIAL_WHO_MAX


class Turns:
    """What each has used, in seconds, counted from where the turns have come to."""

    __slots__ = ("_reached_s", "_used_s")

    def __init__(self) -> None:
        self._reached_s = 0.0
        self._used_s: dict[str, float] = {}

    def choose(self, waiting: Collection[str]) -> str:
        """Return who is next; of those who have used the same, the first."""
        return min(waiting, key=self._start_s)

    def charge(self, who: str, seconds: float) -> None:
        """Hear how long the turn of one has taken."""
        self._reached_s = max(self._reached_s, self._start_s(who))
        self._used_s[who] = self._start_s(who) + seconds
        # Who has used no more than that is like one who is new, and is forgotten.
        self._used_s = {
            each: used_s for each, used_s in self._used_s.items() if used_s > self._reached_s
        }
        if len(self._used_s) > TRIAL_WHO_MAX:
            del self._used_s[min(self._used_s, key=self._start_s)]

    def is_slow(self, who: str) -> bool:
        """Say whether one has used much more than those whose turn it is."""
        return self._start_s(who) - self._reached_s > TRIAL_SLOW_S

    def begin_anew(self) -> None:
        """Hear that nobody waits: whoever comes now has kept nobody waiting."""
        self._reached_s = 0.0
        self._used_s.clear()

    def _start_s(self, who: str) -> float:
        return max(self._reached_s, self._used_s.get(who, 0.0))
