"""What the process holds of messages that are not whole or not stored yet. Pure.

Messages of ordinary size that are not whole are not counted here: each connection may hold one.
Whoever would go beyond the bound with a large one is read no further until others are done; only
the one that began first goes on, so that somebody always gets done.
"""

from typing import Protocol

from relay.limits import INCOMING_BYTES_MAX, INCOMING_WAITING_MAX, SUBMISSION_BYTES


class Holder(Protocol):
    """Whoever receives a large message."""

    def resume(self) -> None:
        """Go on; it was told to wait."""
        ...


class IncomingBytes:
    """One for each process."""

    __slots__ = ("_bytes_max", "_held", "_total", "_unsaved", "_waiting", "_waiting_max")

    def __init__(
        self, bytes_max: int = INCOMING_BYTES_MAX, waiting_max: int = INCOMING_WAITING_MAX
    ) -> None:
        self._bytes_max = bytes_max
        self._waiting_max = waiting_max
        # In the order in which they began.
        self._held: dict[Holder, int] = {}
        self._waiting: dict[Holder, None] = {}
        self._total = 0
        self._unsaved = 0

    @property
    def is_full(self) -> bool:
        """Whether the bound is reached."""
        return self._total + self._unsaved >= self._bytes_max

    @property
    def is_contended(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait that another one is better sent away."""
        return len(self._waiting) > self._waiting_max

    # ---- what is not whole ------------------------------------------------------------------

    def grow(self, holder: Holder, held_bytes: int) -> bool:
        """Note what a holder has now; False when it must wait until it is told to resume."""
        self._total += held_bytes - self._held.get(holder, 0)
        self._held[holder] = held_bytes
        if self._may_go_on(holder):
            return True
        self._waiting[holder] = None
        return False

    def done(self, holder: Holder) -> None:
        """Forget a holder, whose message is whole or given up; others may have their turn."""
        self._total -= self._held.pop(holder, 0)
        self._waiting.pop(holder, None)
        self._give_turns()

    # ---- what is whole ----------------------------------------------------------------------

    def note_submitted(self, update_bytes: int) -> None:
        """Count an update on its way to the disk."""
        self._unsaved += update_bytes + SUBMISSION_BYTES

    def note_stored(self, update_bytes: int) -> None:
        """Count an update that is stored or refused no more."""
        self._unsaved -= update_bytes + SUBMISSION_BYTES
        if self._waiting:
            self._give_turns()

    def _give_turns(self) -> None:
        for holder in [holder for holder in self._waiting if self._may_go_on(holder)]:
            del self._waiting[holder]
            holder.resume()

    def _may_go_on(self, holder: Holder) -> bool:
        return not self.is_full or next(iter(self._held)) is holder
