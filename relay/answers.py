"""The large answers: how many wait to be read, and how much time may be spent on making them. Pure.

Whoever would go beyond either waits. The addresses that wait take turns, so that one with many
connections has no more of them than one with a single connection.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from relay.limits import ANSWERS_BURST_S, ANSWERS_BYTES_MAX, ANSWERS_SHARE, QUICK_ANSWER_S


@dataclass(slots=True)
class _Waiting:
    who: str
    makes: deque[Callable[[], None]] = field(default_factory=deque)


class Answers:
    """Bytes by reader, time, and who waits to have an answer made.

    ``wake`` is called when somebody may have one: then call ``make_next``, soon.
    """

    __slots__ = (
        "_bytes_max",
        "_free_s",
        "_places",
        "_total",
        "_turn",
        "_unread",
        "_waiting",
        "wake",
    )

    def __init__(self, bytes_max: int = ANSWERS_BYTES_MAX) -> None:
        self.wake: Callable[[], None] = _nobody_cares
        self._bytes_max = bytes_max
        self._unread: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, _Waiting] = {}
        # Of those who wait, which turn was the last when they came, or their own last one.
        self._places: dict[str, int] = {}
        self._turn = 0
        self._total = 0
        self._free_s = 0.0

    @property
    def is_full(self) -> bool:
        """Whether no further one is to be made before somebody has read."""
        return self._total >= self._bytes_max

    def may_make(self, now_s: float) -> bool:
        """Say whether one may be made at once."""
        return not self._waiting and not self.is_full and now_s >= self._free_s

    def note_took(self, seconds: float, now_s: float) -> None:
        """Count the time that making one has taken, up to now; some of it can be saved up."""
        cost_s = max(0.0, seconds - QUICK_ANSWER_S)
        self._free_s = max(self._free_s, now_s - ANSWERS_BURST_S) + cost_s / ANSWERS_SHARE

    def wait(self, reader: Hashable, who: str, make: Callable[[], None]) -> None:
        """Have one more answer of a reader made in the turn of ``who``, which is always the same.

        Whoever calls bounds how many of one reader wait.
        """
        waiting = self._waiting.get(reader)
        if waiting is None:
            waiting = self._enter(reader, _Waiting(who))
        waiting.makes.append(make)
        self.wake()

    def make_next(self, now_s: float) -> float | None:
        """Have the next one made, if there are room and time.

        Return after how many seconds to call again; None when ``wake`` will tell.
        """
        if not self._waiting or self.is_full:
            return None
        if now_s < self._free_s:
            return self._free_s - now_s
        reader = min(self._waiting, key=lambda each: self._places[self._waiting[each].who])
        self._turn += 1
        waiting = self._leave(reader)
        make = waiting.makes.popleft()
        if waiting.makes:
            # Behind the others of its address.
            self._enter(reader, waiting)
        make()
        return 0.0

    def note_made(self, reader: Hashable, answer_bytes: int) -> None:
        """Count an answer that was queued for a reader."""
        self._unread[reader] = self._unread.get(reader, 0) + answer_bytes
        self._total += answer_bytes

    def note_read(self, reader: Hashable) -> None:
        """Count all of a reader's no more: it has them."""
        self._total -= self._unread.pop(reader, 0)
        if self._waiting:
            self.wake()

    def forget(self, reader: Hashable) -> None:
        """Let go of a reader that gets nothing any more."""
        if reader in self._waiting:
            self._leave(reader)
        self.note_read(reader)

    def _enter(self, reader: Hashable, waiting: _Waiting) -> _Waiting:
        self._waiting[reader] = waiting
        self._places.setdefault(waiting.who, self._turn)
        return waiting

    def _leave(self, reader: Hashable) -> _Waiting:
        left = self._waiting.pop(reader)
        if any(each.who == left.who for each in self._waiting.values()):
            self._places[left.who] = self._turn
        else:
            del self._places[left.who]
        return left


def _nobody_cares() -> None:
    return
