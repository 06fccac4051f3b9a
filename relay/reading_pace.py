"""Whether a client takes what is sent to it fast enough. Pure."""

from relay.limits import OUTBOX_LEAST_BYTES_PER_S, OUTBOX_STALLED_S


class ReadingPace:
    """Progress of one reader, judged over windows of OUTBOX_STALLED_S.

    Who has everything is never too slow. Who has not takes at least the least rate, or all of it.
    """

    __slots__ = ("_begun_s", "_taken_bytes")

    def __init__(self, now_s: float) -> None:
        self._begun_s = now_s
        self._taken_bytes = 0

    def is_too_slow(self, handed_bytes: int, unsent_bytes: int, now_s: float) -> bool:
        """Judge, given what was handed to the socket so far and what of it is still there."""
        taken_bytes = handed_bytes - unsent_bytes
        window_s = now_s - self._begun_s
        if unsent_bytes and window_s <= OUTBOX_STALLED_S:
            return False
        come_bytes = taken_bytes - self._taken_bytes
        self._begun_s = now_s
        self._taken_bytes = taken_bytes
        return unsent_bytes > 0 and come_bytes < OUTBOX_LEAST_BYTES_PER_S * window_s
