"""What the process holds of messages that are not whole or not stored yet. Pure.

Messages of ordinary size that are not whole are not counted here: each connection may hold one.
Whoever would go beyond the bound with a large one is read no further until others are done; only
the one that began first goes on, so that somebody always gets done.
"""

from typing import Protocol

from relay.limits import INCOMING_BYTES_MAX, INCOMING_WAITING_MAX


class Holder(Protocol):
    """Whoever receives a large message."""

    def resume(self) -> None:
        """Go on; it was told to wait."""
        ...


class IncomingBytes:
    """One for each process.

    ``unsaved_bytes`` is what updates on their way to the disk take, ``unsaved_bytes_max`` what they
    may take beside the messages that are not whole. Connections move the first themselves, since
    that is done for each update, and call ``give_turns`` when it became less and somebody is
    ``waiting``.
    """

    __slots__ = ("_held", "_waiting_max", "unsaved_bytes", "unsaved_bytes_max", "waiting")

    def __init__(
        self, bytes_max: int = INCOMING_BYTES_MAX, waiting_max: int = INCOMING_WAITING_MAX
    ) -> None:
        self._waiting_max = waiting_max
        # In the order in which they began.
        self._held: dict[Holder, int] = {}
        self.waiting: dict[Holder, None] = {}
        self.unsaved_bytes = 0
        self.unsaved_bytes_max = bytes_max

    @property
    def is_full(self) -> bool:
        """Whether the bound is reached."""
        return self.unsaved_bytes >= self.unsaved_bytes_max

    @property
    def is_contended(self) -> bool:
        """Whether somebody waits."""
        return bool(self.waiting)

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait that another one is better sent away."""
        return len(self.waiting) > self._waiting_max

    # ---- what is not whole ------------------------------------------------------------------

    def grow(self, holder: Holder, held_bytes: int) -> bool:
        """Note what a holder has now; False when it must wait until it is told to resume."""
        self.unsaved_bytes_max -= held_bytes - self._held.get(holder, 0)
        self._held[holder] = held_bytes
        if self._may_go_on(holder):
            return True
        self.waiting[holder] = None
        return False

    def done(self, holder: Holder) -> None:
        """Forget a holder, whose message is whole or given up; others may have their turn."""
        self.unsaved_bytes_max += self._held.pop(holder, 0)
        self.waiting.pop(holder, None)
        self.give_turns()

    def give_turns(self) -> None:
        """Let those go on for whom there is room."""
        for holder in [holder for holder in self.waiting if self._may_go_on(holder)]:
            del self.waiting[holder]
            holder.resume()

    def _may_go_on(self, holder: Holder) -> bool:
        return not self.is_full or next(iter(self._held)) is holder
