"""Tells when something begins to fail and when it works again, instead of each failure. Pure."""


class Outage:
    """From a failure to the first success that is at least ``least_ms`` after it.

    So what fails now and then is told of no more often than that, however much is asked of it.
    """

    __slots__ = ("_began_ms", "_failures", "_least_ms")

    def __init__(self, least_ms: int) -> None:
        self._least_ms = least_ms
        self._began_ms: int | None = None
        self._failures = 0

    def note_failure(self, now_ms: int) -> bool:
        """Count a failure; return whether it is the first, which is to be told."""
        self._failures += 1
        if self._began_ms is not None:
            return False
        self._began_ms = now_ms
        return True

    def note_success(self, now_ms: int) -> int | None:
        """Return how many failures there were, once it is over and that is to be told."""
        # Clocks step back; that does not make it longer.
        if self._began_ms is None or 0 <= now_ms - self._began_ms < self._least_ms:
            return None
        failures, self._failures, self._began_ms = self._failures, 0, None
        return failures
