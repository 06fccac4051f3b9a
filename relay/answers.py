"""The large answers that wait to be read, over all connections: when full, others wait. Pure."""

from collections.abc import Callable, Hashable

from relay.limits import ANSWERS_BYTES_MAX


class Answers:
    """Bytes by reader, and who waits to have an answer made."""

    __slots__ = ("_bytes_max", "_total", "_unread", "_waiting")

    def __init__(self, bytes_max: int = ANSWERS_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._unread: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._total = 0

    @property
    def is_full(self) -> bool:
        """Whether no further one is to be made for now."""
        return self._total >= self._bytes_max

    def wait(self, reader: Hashable, make: Callable[[], None]) -> None:
        """Have a reader's answer made when there is room, after those that waited before."""
        assert reader not in self._waiting, "who waits is not read any further"
        self._waiting[reader] = make

    def note_made(self, reader: Hashable, answer_bytes: int) -> None:
        """Count an answer that was queued for a reader."""
        self._unread[reader] = self._unread.get(reader, 0) + answer_bytes
        self._total += answer_bytes

    def note_read(self, reader: Hashable) -> None:
        """Count all of a reader's no more: it has them."""
        self._total -= self._unread.pop(reader, 0)
        while self._waiting and not self.is_full:
            self._waiting.pop(next(iter(self._waiting)))()

    def forget(self, reader: Hashable) -> None:
        """Let go of a reader that gets nothing any more."""
        self._waiting.pop(reader, None)
        self.note_read(reader)
