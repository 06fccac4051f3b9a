"""`compact --due` by a running server: one act of the server's, watched from beside it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from relay.commands.acts import Answer
from relay.commands.progress import is_shown, progress
from relay.commands.remote import Refused, Unreachable
from relay.limits import COMPACTED_AT_ONCE_MAX

_LOOK_S: Final = 0.5
# Who interrupts the command does not wait for a look that is under way.
_LAST_LOOK_S: Final = 1.0


class DueOperator(Protocol):
    """A server that compacts what is due."""

    def compact_due(self, *, is_dry_run: bool) -> Answer:
        """Compact all of them, or say which."""

    def count_due(self) -> int:
        """Return how many there are now."""


def compact_due(found: DueOperator, *, is_dry_run: bool, look_s: float = _LOOK_S) -> Answer:
    """Have it done, and show on a terminal how far it has come."""
    due = None if is_dry_run or not is_shown() else _count(found)
    if due is None:
        return found.compact_due(is_dry_run=is_dry_run)
    with (
        progress("Compact", min(due, COMPACTED_AT_ONCE_MAX)) as done,
        _shown(found, due, done, look_s),
    ):
        return found.compact_due(is_dry_run=False)


def _count(found: DueOperator) -> int | None:
    """Return how many are due, or None: what is wrong with the server, the act itself will say."""
    try:
        return found.count_due()
    except (Refused, Unreachable):
        return None


@contextlib.contextmanager
def _shown(
    found: DueOperator, due: int, done: Callable[[int], None], look_s: float
) -> Iterator[None]:
    """Look from a thread beside the act how many are left, and say so, until it is done."""
    is_over = threading.Event()

    def look() -> None:
        least = due
        while not is_over.wait(look_s):
            left = _count(found)
            if left is not None and left < least:
                done(least - left)
                least = left

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(_LAST_LOOK_S)
