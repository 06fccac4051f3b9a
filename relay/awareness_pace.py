"""How often a room's awareness goes to everybody, and what waits for the next time. Pure."""

from collections.abc import Callable, Iterable

from relay.limits import (
    AWARENESS_BURST_S,
    AWARENESS_LEFT_OUT_MAX,
    AWARENESS_SEND_S,
    AWARENESS_SEND_S_PER_BYTE,
    AWARENESS_SHARE,
)


class AwarenessPace:
    """Messages cost time, of which the room has its share; some of it can be saved up."""

    __slots__ = ("_free_s", "_held")

    def __init__(self) -> None:
        self._free_s = 0.0
        self._held: dict[int, None] = {}

    def wait_s(self, now_s: float) -> float:
        """Return how long the next message must wait; nothing or less: not at all."""
        return self._free_s - now_s

    def note_sent(self, frame_bytes: int, readers: int, now_s: float) -> None:
        """Count a message to so many readers."""
        cost_s = readers * (AWARENESS_SEND_S + frame_bytes * AWARENESS_SEND_S_PER_BYTE)
        self._free_s = max(self._free_s, now_s - AWARENESS_BURST_S) + cost_s / AWARENESS_SHARE

    def hold(self, clients: Iterable[int], is_remembered: Callable[[int], bool]) -> None:
        """Keep in mind whose states have changed since the last message.

        Of too many only those are kept of whom there is something to tell.
        """
        self._held.update(dict.fromkeys(clients))
        if len(self._held) > AWARENESS_LEFT_OUT_MAX:
            self._held = dict.fromkeys(filter(is_remembered, self._held))

    def take_held(self) -> list[int]:
        """Return them, for the next message."""
        held = list(self._held)
        self._held.clear()
        return held
