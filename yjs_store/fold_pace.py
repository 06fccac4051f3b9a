"""Decides how much of a document is integrated at a time, and when it rests after that. Pure.

Where many clients have put something at one place, a decoder looks at each of these for each that
comes. So a round is as large as goes by what the last ones took, and a document that has held
everybody up rests three times as long.
"""

from yjs_store.limits import (
    BUILD_S_MIN,
    BUILD_S_PER_MIB,
    MIB,
    PACE_DOUBLING_S,
    PACE_REST_FACTOR,
    PACE_ROUND_S,
    PACE_SLOW_S,
    PACE_SLOW_STRUCT_S,
    ROW_STRUCTS_MAX,
)


def build_s_max(byte_length: int) -> float:
    """Return how long it may take to build a document that has so many bytes."""
    return BUILD_S_MIN + BUILD_S_PER_MIB * byte_length / MIB


class FoldPace:
    """The pace of one document.

    ``structs_max`` is how many structs a round may have, and an update that is not tried, so that
    it takes about PACE_ROUND_S at most; ``is_slowed`` says that this is less than elsewhere.
    """

    __slots__ = ("_changed_s", "_rest_until_s", "is_slowed", "structs_max")

    def __init__(self) -> None:
        self.structs_max = ROW_STRUCTS_MAX
        self.is_slowed = False
        self._rest_until_s = 0.0
        self._changed_s = 0.0

    def note(self, took_s: float, structs: int, now_s: float) -> None:
        """Hear how long the decoder has worked on so many structs until now.

        Need not be called for what was quick while the pace is not slowed.
        """
        if took_s > PACE_SLOW_S and took_s > PACE_SLOW_STRUCT_S * structs:
            self.rest(took_s, now_s)
            fitting = max(1, int(structs * PACE_ROUND_S / took_s))
            self._set(min(self.structs_max, fitting), now_s)
        elif structs * 2 >= self.structs_max and now_s >= self._changed_s + PACE_DOUBLING_S:
            # Only where there was as much as could be: lone letters elsewhere say nothing. And
            # not at once, or whoever writes now here, now there, gets a large one every time.
            self._set(min(ROW_STRUCTS_MAX, self.structs_max * 2), now_s)

    def rest(self, took_s: float, now_s: float) -> None:
        """Hear of a round that took this long until now, whatever it was that took so long."""
        self._rest_until_s = now_s + PACE_REST_FACTOR * took_s

    def rest_s(self, now_s: float) -> float:
        """Return for how long nothing of the document is integrated; 0 when something may be."""
        return max(0.0, self._rest_until_s - now_s)

    def _set(self, structs_max: int, now_s: float) -> None:
        self.structs_max = structs_max
        self.is_slowed = structs_max < ROW_STRUCTS_MAX
        self._changed_s = now_s
