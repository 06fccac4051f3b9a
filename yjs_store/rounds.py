"""What one fold takes of a document's updates, and how that becomes part of its replica. Pure.

What does not decode is refused, found by halving; what repeats what is known is not stored.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from yjs_store import crdt
from yjs_store.errors import StoreError, UpdateRefused
from yjs_store.limits import PACE_ROUND_S
from yjs_store.submissions import FOUND, REPEATS, UPDATE, Submission, without_repeats
from yjs_store.trial import Passed, Verdict


class Beginning(NamedTuple):
    """What a document goes on from after the decoder failed: what is durable, in pieces.

    ``round`` is what has passed of the round, as it must be read; empty when that is as it came.
    """

    durable: Sequence[bytes]
    round: Sequence[bytes]


class Recovered(NamedTuple):
    """How many of what has gathered have passed their trial again, and how they must be read."""

    first: int
    updates: Sequence[bytes]


@dataclass(slots=True)
class Round:
    """What one fold took, by what will be said of it.

    ``recovered`` is None but where it has passed its trial again. ``to_integrate`` is what becomes
    part of the replica only when it is durable. ``put_back`` was left for the next round, after
    ``repeats_s`` of processor time for what repeats.
    """

    taken: list[Submission]
    began_s: float = 0.0
    recovered: Recovered | None = None
    stored: list[Submission] = field(default_factory=list)
    known: list[Submission] = field(default_factory=list)
    refused: list[tuple[Submission, StoreError]] = field(default_factory=list)
    to_integrate: tuple[bytes, ...] = ()
    put_back: list[Submission] = field(default_factory=list)
    repeats_s: float = 0.0

    @property
    def byte_length(self) -> int:
        """How many bytes it took."""
        return sum(len(submission.update) for submission in self.taken)

    @property
    def structs(self) -> int:
        """How many structs it took, and clocks that are deleted; nearly."""
        return sum(submission.structs for submission in self.taken)

    def refuse_stored(self, error: StoreError) -> None:
        """Note as refused what was to be stored."""
        self.refused += [(submission, error) for submission in self.stored]
        self.stored = []

    def unanswered(self) -> list[Submission]:
        """Return what it took and has not refused."""
        culprits = {id(submission) for submission, _ in self.refused}
        return [submission for submission in self.taken if id(submission) not in culprits]


def integrate(
    current: Round, replica: crdt.Replica, structs_max: int, cpu_s: Callable[[], float]
) -> bytes | None:
    """Integrate what decodes, note the rest as refused; return what is new as one update.

    One that is large where ``structs_max`` fit into a round is not integrated yet.

    Raises:
        IntegrationFailed: the decoder failed; the replica is of no use any more.
    """
    recovered, taken = current.recovered, current.taken
    if recovered is not None:
        for update in recovered.updates:
            # As it must be read; as it was sent, it adds nothing to that, and is what is stored.
            replica.integrate(update)
    elif taken and taken[0].is_large(structs_max):
        return _take_large(current, taken[0])
    parts: list[bytes] = []
    fresh = taken
    if any(map(REPEATS, fresh)):
        parts = _integrate_repeats(current, replica, cpu_s)
        fresh = [submission for submission in current.taken if not submission.repeats]
    are_plain = not any(map(FOUND, fresh))
    for merged, submissions in _merge_decodable(fresh, current.refused, are_plain=are_plain):
        if merged == crdt.EMPTY_UPDATE:
            current.known.extend(submissions)
        else:
            replica.integrate(merged, is_plain=are_plain)
            current.stored.extend(submissions)
            parts.append(merged)
    if len(parts) < 2:
        return parts[0] if parts else None
    return crdt.merge(parts)


def sort_tried(
    taken: Sequence[Submission], verdicts: Sequence[Verdict]
) -> tuple[list[Submission], list[tuple[Submission, UpdateRefused]]]:
    """Return what of a round that the decoder failed on goes on, and what is refused."""
    passed: list[Submission] = []
    refused: list[tuple[Submission, UpdateRefused]] = []
    for submission, verdict in zip(taken, verdicts, strict=True):
        if isinstance(verdict, Passed):
            repeats = submission.repeats and not verdict.is_news
            passed.append(submission._replace(found=verdict, repeats=repeats))
        else:
            # P5: the culprit must not come back with the same bytes.
            refused.append((submission, UpdateRefused(verdict.reason)))
    return passed, refused


def _take_large(current: Round, submission: Submission) -> bytes | None:
    """Note what is stored of an update that must not become a row: it has been tried."""
    passed = submission.found
    assert isinstance(passed, Passed), "only its trial says that it is large"
    if not passed.is_news:
        current.known.append(submission)
        return None
    current.stored.append(submission)
    merged = submission.update if passed.merged is None else passed.merged
    current.to_integrate = passed.pieces or (merged,)
    return merged


def _integrate_repeats(
    current: Round, replica: crdt.Replica, cpu_s: Callable[[], float]
) -> list[bytes]:
    """Integrate what may be known, and return what was not.

    When that has taken as long as a round may, the rest of it is put back, but where all has
    passed its trial again. How long one takes grows with the clients of the document, and nobody
    pays for it with bytes.
    """
    parts: list[bytes] = []
    taken, began_s = current.taken, cpu_s()
    for count, submission in enumerate(taken, 1):
        if not submission.repeats:
            continue
        if _integrate_repeat(current, replica, submission):
            parts.append(submission.update)
        took_s = cpu_s() - began_s
        if took_s > PACE_ROUND_S and count < len(taken) and current.recovered is None:
            kept, current.put_back = without_repeats(taken[count:])
            current.taken = taken[:count] + kept
            current.repeats_s = took_s
            break
    return parts


def _integrate_repeat(current: Round, replica: crdt.Replica, submission: Submission) -> bool:
    try:
        crdt.check_update(submission.update)
        is_news = replica.integrate_news(submission.update)
    except UpdateRefused as error:
        current.refused.append((submission, error))
        return False
    except crdt.StartUnreadable:
        raise
    except crdt.IntegrationFailed as error:
        # The one culprit is known here: it must not come back with the same bytes (P5).
        current.refused.append((submission, UpdateRefused(str(error))))
        raise
    (current.stored if is_news else current.known).append(submission)
    return is_news


def _merge_decodable(
    submissions: list[Submission],
    refused: list[tuple[Submission, StoreError]],
    *,
    are_plain: bool,
) -> Iterator[tuple[bytes, list[Submission]]]:
    """Merge; where something does not decode, halve until it stands alone, and refuse it (P5)."""
    if not submissions:
        return
    try:
        merged = crdt.merge(list(map(UPDATE, submissions)), are_plain=are_plain)
    except UpdateRefused as error:
        if len(submissions) == 1:
            refused.append((submissions[0], error))
            return
        half = len(submissions) // 2
        yield from _merge_decodable(submissions[:half], refused, are_plain=are_plain)
        yield from _merge_decodable(submissions[half:], refused, are_plain=are_plain)
    else:
        yield merged, submissions
