"""Tells when something begins to fail and when it works again, instead of each failure. Pure."""


class Outage:
    """From a failure to the first success that is at least ``least_ms`` after it.

    So what fails now and then is told of no more often than that, however much is asked of it. What
    fails again later, after a success that came too soon to end it, is told of anew.
    """

    __slots__ = ("_began_ms", "_failures", "_has_worked", "_least_ms")

    def __init__(self, least_ms: int) -> None:
        self._least_ms = least_ms
        self._began_ms: int | None = None
        self._failures = 0
        self._has_worked = False

    def note_failure(self, now_ms: int) -> bool:
        """Count a failure; return whether it is the first, which is to be told."""
        is_another = self._has_worked and not self._is_early(now_ms)
        self._has_worked = False
        if self._began_ms is not None and not is_another:
            self._failures += 1
            return False
        self._failures = 1
        self._began_ms = now_ms
        return True

    def note_success(self, now_ms: int) -> int | None:
        """Return how many failures there were, once it is over and that is to be told."""
        if self._began_ms is None or self._is_early(now_ms):
            self._has_worked = True
            return None
        failures, self._failures, self._began_ms = self._failures, 0, None
        return failures

    def _is_early(self, now_ms: int) -> bool:
        # Clocks step back; that does not make it longer.
        return self._began_ms is not None and 0 <= now_ms - self._began_ms < self._least_ms
