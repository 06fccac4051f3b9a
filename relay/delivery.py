"""How long a broadcast takes to be handed to every socket of its room. Pure.

One broadcast of each room is measured at a time, so that the others cost nothing.
"""

from yjs_store import Tally


class Delivery:
    """One broadcast that is measured; ``expect`` it on each connection that gets it."""

    __slots__ = ("_began_s", "_left", "_tally")

    def __init__(self, tally: Tally, now_s: float) -> None:
        self._tally = tally
        self._began_s = now_s
        self._left = 0

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._left == 0

    def expect(self) -> None:
        """Count a connection that is to get it."""
        self._left += 1

    def handed_over(self, now_s: float) -> None:
        """Hear that a socket has it; with the last one the duration is known."""
        self._left -= 1
        if self._left == 0:
            self._tally.note(now_s - self._began_s)

    def given_up(self) -> None:
        """Hear that a socket will not get it."""
        self._left -= 1
