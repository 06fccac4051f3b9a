"""What is handed in to a document, who hears of it, and the queue of what must be tried. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from yjs_store.errors import StoreError
from yjs_store.limits import TRIAL_BYTES_MAX, TRIAL_UPDATES_MAX
from yjs_store.records import Receipt
from yjs_store.trial import Passed


class Sender(Protocol):
    """Who handed in an update, and hears what became of it. Each update is answered once."""

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        """Hear that the update is durable; ``news`` is False when it repeated what was known."""

    def refused(self, update: bytes, error: StoreError) -> None:
        """Hear that it was not stored; the error says why and whether to try again."""


class Submission(NamedTuple):
    """An update that was handed in, and by whom; ``passed`` is what its trial found, if any."""

    update: bytes
    sender: Sender
    repeats: bool
    structs: int = 1
    passed: Passed | None = None

    @property
    def is_large(self) -> bool:
        """Whether it must not become a journal row."""
        return self.passed is not None and self.passed.is_large


class Suspects:
    """The submissions of one document that wait for their trial, oldest first.

    While one of a sender waits, all that it hands in waits behind it: its order is kept.
    """

    def __init__(self) -> None:
        self._waiting: list[Submission] = []
        self._on_trial: list[Submission] = []
        self._senders: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._waiting or self._on_trial)

    def has_from(self, sender: Sender) -> bool:
        """Whether something of this sender waits or is on trial."""
        return id(sender) in self._senders

    def add(self, submission: Submission) -> None:
        """Put one at the end."""
        self._waiting.append(submission)
        self._senders[id(submission.sender)] += 1

    def begin(self) -> Sequence[Submission]:
        """Take what is tried in one go, at least one if there is any."""
        assert not self._on_trial, "one trial at a time"
        count = byte_length = 0
        for submission in self._waiting:
            byte_length += len(submission.update)
            if count == TRIAL_UPDATES_MAX or (count and byte_length > TRIAL_BYTES_MAX):
                break
            count += 1
        self._on_trial, self._waiting = self._waiting[:count], self._waiting[count:]
        return tuple(self._on_trial)

    def end(self, judged: int) -> None:
        """Let go of the first ``judged`` that were taken; the others wait for the next trial."""
        for submission in self._on_trial[:judged]:
            self._leave(submission)
        self._waiting[:0] = self._on_trial[judged:]
        self._on_trial = []

    def release(self, clear: Callable[[Submission], Submission | None]) -> list[Submission]:
        """Take what ``clear`` gives back and what has nothing of its sender before it any more."""
        kept: list[Submission] = []
        released: list[Submission] = []
        blocked: set[int] = set()
        for submission in self._waiting:
            sender = id(submission.sender)
            cleared = None if sender in blocked else clear(submission)
            if cleared is None:
                blocked.add(sender)
                kept.append(submission)
            else:
                released.append(cleared)
                self._leave(submission)
        self._waiting = kept
        return released

    def remove_all_of(self, sender: Sender) -> list[Submission]:
        """Take all that waits of a sender."""
        removed = [each for each in self._waiting if each.sender is sender]
        self._waiting = [each for each in self._waiting if each.sender is not sender]
        for submission in removed:
            self._leave(submission)
        return removed

    def remove_all(self) -> list[Submission]:
        """Take everything, also what is on trial."""
        removed = [*self._on_trial, *self._waiting]
        self._on_trial, self._waiting = [], []
        self._senders.clear()
        return removed

    def _leave(self, submission: Submission) -> None:
        self._senders[id(submission.sender)] -= 1
        if not self._senders[id(submission.sender)]:
            del self._senders[id(submission.sender)]
