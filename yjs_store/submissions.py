"""What is handed in to a document, who hears of it, and the queue of what must be tried. Pure."""

import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from yjs_store.errors import StoreError
from yjs_store.limits import (
    FOLD_BYTES_MAX,
    FOLD_UPDATES_MAX,
    ROW_STRUCTS_MAX,
    TRIAL_BYTES_MAX,
    TRIAL_UPDATES_MAX,
)
from yjs_store.records import Receipt
from yjs_store.trial import Passed


class Sender(Protocol):
    """Who handed in an update, and hears what became of it. Each update is answered once.

    ``who`` is the same for all senders of one person or address, who share their turns of trials;
    it does not change.
    """

    @property
    def who(self) -> str:
        """Whose turn of trials this one's updates take."""

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        """Hear that the update is durable; ``news`` is False when it repeated what was known."""

    def refused(self, update: bytes, error: StoreError) -> None:
        """Hear that it was not stored; the error says why and whether to try again."""


class Submission(NamedTuple):
    """An update that was handed in, and by whom.

    ``found`` is what its trial found, or how many structs and deletes were seen in it; None when
    it is plain.
    """

    update: bytes
    sender: Sender
    repeats: bool
    found: Passed | int | None = None

    @property
    def structs(self) -> int:
        """How many structs it has, and clocks that it deletes; of a plain one, nearly."""
        if self.found is None:
            return 1
        return self.found.structs if isinstance(self.found, Passed) else self.found

    def is_large(self, structs_max: int = ROW_STRUCTS_MAX) -> bool:
        """Say whether it must not become a row of a document that takes so many structs at once.

        Only its trial says so, for it brings the pieces.
        """
        if not isinstance(self.found, Passed):
            return False
        is_slowed = structs_max < ROW_STRUCTS_MAX
        return self.found.is_large or (is_slowed and self.found.structs > structs_max)


def plain(update: bytes, sender: Sender, repeats: bool) -> Submission:
    """Make a submission of a plain update, at half the price."""
    return tuple.__new__(Submission, (update, sender, repeats, None))


def take_count(gathered: Sequence[Submission], structs_max: int = ROW_STRUCTS_MAX) -> int:
    """Return how many of what has gathered fit into one row, at least one if there is any.

    A row has ``structs_max`` structs at most, unless one update alone has more.
    """
    count = byte_length = structs = 0
    first = gathered[: min(FOLD_UPDATES_MAX, structs_max)]
    if sum(map(len, map(UPDATE, first))) <= FOLD_BYTES_MAX and not any(map(FOUND, first)):
        # Plain updates are nearly all there are.
        return len(first)
    for submission in first:
        byte_length += len(submission.update)
        structs += submission.structs
        is_full = byte_length > FOLD_BYTES_MAX or structs > structs_max
        is_large = submission.is_large(structs_max)
        if count and (is_full or is_large):
            return count
        count += 1
        if is_large:
            return count
    return count


def without_repeats(
    submissions: Sequence[Submission],
) -> tuple[list[Submission], list[Submission]]:
    """Return what may go before what repeats, and the rest: each sender's order is kept."""
    first: list[Submission] = []
    rest: list[Submission] = []
    behind: set[int] = set()
    for submission in submissions:
        if submission.repeats:
            behind.add(id(submission.sender))
        (rest if id(submission.sender) in behind else first).append(submission)
    return first, rest


# The fields of a submission, at less than the price of their names.
UPDATE: Final = operator.itemgetter(0)
REPEATS: Final = operator.itemgetter(2)
FOUND: Final = operator.itemgetter(3)


class Suspects:
    """The submissions of one document that wait for their trial, oldest first.

    While one of a sender waits, all that it hands in waits behind it: its order is kept.
    ``senders`` counts what waits or is on trial by the ``id`` of its sender.
    """

    def __init__(self) -> None:
        self._waiting: list[Submission] = []
        self._on_trial: list[Submission] = []
        # None where it must be found again.
        self._first_bytes: dict[str, int] | None = {}
        self.senders: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._waiting or self._on_trial)

    @property
    def count(self) -> int:
        """How many wait or are on trial."""
        return len(self._waiting) + len(self._on_trial)

    def has_from(self, sender: Sender) -> bool:
        """Say whether something of this sender waits or is on trial."""
        return id(sender) in self.senders

    def add(self, submission: Submission) -> None:
        """Put one at the end."""
        self._waiting.append(submission)
        if self._first_bytes is not None:
            self._first_bytes.setdefault(submission.sender.who, len(submission.update))
        self.senders[id(submission.sender)] += 1

    def put_first(self, submissions: Sequence[Submission]) -> None:
        """Put several, oldest first, before all that waits."""
        self._waiting[:0] = submissions
        self._first_bytes = None
        self.senders.update(id(submission.sender) for submission in submissions)

    @property
    def waiting_for(self) -> Mapping[str, int]:
        """Who has something that waits, the oldest first, and the bytes of its oldest."""
        if self._first_bytes is None:
            self._first_bytes = {}
            for submission in self._waiting:
                self._first_bytes.setdefault(submission.sender.who, len(submission.update))
        return self._first_bytes

    def begin(self, who: str, bytes_max: int = TRIAL_BYTES_MAX) -> Sequence[Submission]:
        """Take what of one is tried in one go, at least one if there is any."""
        assert not self._on_trial, "one trial at a time"
        byte_length = 0
        begun, kept = list[Submission](), list[Submission]()
        for submission in self._waiting:
            is_begun = submission.sender.who == who and len(begun) < TRIAL_UPDATES_MAX
            if is_begun:
                byte_length += len(submission.update)
                # Once one is too much, so is every later one: order is kept.
                is_begun = not begun or byte_length <= bytes_max
            (begun if is_begun else kept).append(submission)
        self._on_trial, self._waiting = begun, kept
        self._first_bytes = None
        return tuple(begun)

    def end(self, judged: int) -> None:
        """Let go of the first ``judged`` that were taken; the others wait for the next trial."""
        for submission in self._on_trial[:judged]:
            self._leave(submission)
        self._waiting[:0] = self._on_trial[judged:]
        self._on_trial = []
        self._first_bytes = None

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
        self._first_bytes = None
        return released

    def remove_all_of(self, sender: Sender) -> list[Submission]:
        """Take all that waits of a sender."""
        removed = [each for each in self._waiting if each.sender is sender]
        self._waiting = [each for each in self._waiting if each.sender is not sender]
        self._first_bytes = None
        for submission in removed:
            self._leave(submission)
        return removed

    def remove_all(self) -> list[Submission]:
        """Take everything, also what is on trial."""
        removed = [*self._on_trial, *self._waiting]
        self._on_trial, self._waiting = [], []
        self._first_bytes = None
        self.senders.clear()
        return removed

    def _leave(self, submission: Submission) -> None:
        self.senders[id(submission.sender)] -= 1
        if not self.senders[id(submission.sender)]:
            del self.senders[id(submission.sender)]
