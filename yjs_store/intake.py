"""What is handed in to one document until a round takes it: gathered, or on trial first. Pure.

What a client sends is cleared (``clearing``) or tried (``trials``) before it is gathered; of one
sender everything is gathered in the order in which it came.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from yjs_store.clearing import Clearing
from yjs_store.errors import StoreError, TrialsFull, UpdateRefused, UpdateTooLarge
from yjs_store.limits import INLINE_WORK_MAX, UPDATE_BYTES_MAX
from yjs_store.paced_replica import PacedReplica
from yjs_store.refusals import Refusals
from yjs_store.rounds import Recovered
from yjs_store.submissions import UPDATE, Sender, Submission, Suspects, take_count, without_repeats
from yjs_store.trial import Passed, Verdict


class Admission(Protocol):
    """Who bounds what waits for a trial, over all documents; see ``trials.Trials``."""

    def admit(self, byte_length: int) -> bool:
        """Say whether so much more may wait; if so, it is counted until ``dismiss``."""

    def dismiss(self, byte_length: int) -> None:
        """Hear that so much has its answer."""


class UnderWay(NamedTuple):
    """Updates that wait to be folded, that are on their way to the disk, and on trial."""

    gathered: int
    gathered_bytes: int
    in_flight: int
    suspects: int


class Intake:
    """What one document has been handed and no round has taken.

    ``barred`` is why nothing is taken, None when everything is; ``suspect_senders`` is empty when
    nothing waits for a trial. Who tells it of anything sees afterwards whether something has
    ``gathered`` and whether there are ``suspects``.
    """

    __slots__ = (
        "_admission",
        "_clearing",
        "_refusals",
        "_structs_max",
        "_work",
        "barred",
        "gathered",
        "suspect_senders",
        "suspects",
    )

    def __init__(
        self, stored_bytes: int, work: PacedReplica, admission: Admission, refusals: Refusals
    ) -> None:
        self.barred: StoreError | None = None
        self.gathered: list[Submission] = []
        self.suspects = Suspects()
        # Asked for every keystroke, so at the least price.
        self.suspect_senders = self.suspects.senders
        self._clearing = Clearing(stored_bytes)
        self._work = work
        # What fitted into a round when it was last asked.
        self._structs_max = work.pace.structs_max
        self._admission = admission
        self._refusals = refusals

    def __bool__(self) -> bool:
        return bool(self.gathered or self.suspects)

    def under_way(self, in_flight: int) -> UnderWay:
        """Return how much has no answer yet, with what a round has taken."""
        return UnderWay(
            gathered=len(self.gathered),
            gathered_bytes=sum(map(len, map(UPDATE, self.gathered))),
            in_flight=in_flight,
            suspects=self.suspects.count,
        )

    # ---- in and out -------------------------------------------------------------------------

    def put(self, update: bytes, sender: Sender, *, repeats: bool) -> bool:
        """Gather or refuse an update, or have it wait for its trial; say whether it waits."""
        if self.barred is not None:
            self._refusals.refuse(update, sender, self.barred)
        elif len(update) > UPDATE_BYTES_MAX:
            error = UpdateTooLarge("the update", len(update), UPDATE_BYTES_MAX)
            self._refusals.refuse(update, sender, error)
        else:
            submission = Submission(update, sender, repeats)
            if self.suspects.has_from(sender):
                # Its updates are integrated in the order in which they came.
                return self._suspect(submission)
            return self._clear(submission)
        return False

    def take(self, recovered: Recovered | None) -> list[Submission]:
        """Take what fits into one row, oldest first; at least one if anything has gathered.

        What has just passed its trial again is taken alone: should the next one fail, it is tried
        in its turn.
        """
        if recovered is None:
            count = take_count(self.gathered, self._work.pace.structs_max)
        else:
            count = recovered.first
        taken, self.gathered = self.gathered[:count], self.gathered[count:]
        return taken

    def put_first(self, submissions: Sequence[Submission]) -> None:
        """Gather what a round gives back, before all that has come since."""
        self.gathered[:0] = submissions

    def put_back(self, submissions: Sequence[Submission]) -> None:
        """Gather what a round had no time for, behind what others have sent since.

        The next round may be a small one, and they need not wait for what repeats.
        """
        if submissions:
            first, rest = without_repeats([*submissions, *self.gathered])
            self.gathered = first + rest

    def keep_to_pace(self) -> bool:
        """Hear that the pace may be another; say whether some that has gathered must be tried.

        Where less fits into a round than before, that is what was cleared for more.
        """
        before, self._structs_max = self._structs_max, self._work.pace.structs_max
        return self._structs_max < before and self._set_back(self._structs_max)

    def _set_back(self, structs_max: int) -> bool:
        kept: list[Submission] = []
        set_back: list[Submission] = []
        # Their updates are integrated in the order in which they came.
        behind: set[int] = set()
        for submission in self.gathered:
            is_cleared = not isinstance(submission.found, Passed)
            if is_cleared and submission.structs > structs_max:
                behind.add(id(submission.sender))
            if id(submission.sender) not in behind:
                kept.append(submission)
            elif self._is_admitted(submission):
                set_back.append(submission)
        self.gathered = kept
        if set_back:
            self.suspects.put_first(set_back)
        return bool(set_back)

    def remove_all(self) -> list[Submission]:
        """Take everything: nobody tries or folds it any more."""
        gathered, self.gathered = self.gathered, []
        suspects = self.suspects.remove_all()
        self._admission.dismiss(sum(len(submission.update) for submission in suspects))
        return [*gathered, *suspects]

    def _clear(self, submission: Submission) -> bool:
        try:
            structs = self._cleared(submission.update)
        except UpdateRefused as error:
            self._refusals.refuse(submission.update, submission.sender, error)
            return False
        if structs is None:
            return self._suspect(submission)
        self.gathered.append(submission._replace(found=structs))
        return False

    def _cleared(self, update: bytes) -> int | None:
        """Return how many structs and deletes it has; None when it must be tried."""
        if self._work.is_costly:
            return None
        return self._clearing.clear(update, self._work.pace.structs_max)

    def _suspect(self, submission: Submission) -> bool:
        is_admitted = self._is_admitted(submission)
        if is_admitted:
            self.suspects.add(submission)
        return is_admitted

    def _is_admitted(self, submission: Submission) -> bool:
        """Say whether it may wait for its trial; it is refused if not."""
        is_admitted = self._admission.admit(len(submission.update))
        if not is_admitted:
            error = TrialsFull("too much waits to be tried")
            self._refusals.refuse(submission.update, submission.sender, error)
        return is_admitted

    # ---- trials -----------------------------------------------------------------------------

    def begin_measuring(self) -> None:
        """Hear that the nesting of what was cleared until now is measured."""
        self._clearing.begin_trial()

    def end_measuring(self, nesting: int) -> None:
        """Hear how deep types are nested in what is stored and was on its way."""
        self._clearing.end_trial(nesting)

    def end_trial(self, suspects: Sequence[Submission], verdicts: Sequence[Verdict]) -> None:
        """Hear the verdicts on the first of what ``suspects.begin`` returned; at least one."""
        self.suspects.end(len(verdicts))
        refused: dict[int, UpdateRefused] = {}
        for submission, verdict in zip(suspects, verdicts, strict=False):
            self._admission.dismiss(len(submission.update))
            if isinstance(verdict, Passed):
                self._clearing.end_trial(verdict.nesting)
                self._work.note_built(verdict.built_s)
            else:
                refused.setdefault(id(submission.sender), UpdateRefused(verdict.reason))
            error = refused.get(id(submission.sender))
            if error is None:
                assert isinstance(verdict, Passed), "else there is an error"
                self.gathered.append(submission._replace(found=verdict))
            else:
                # Also what has passed behind it: whether both were tried at once is chance.
                self._refuse_all_of(submission, error)
        self._release_cleared()

    def fail_trial(self, suspects: Sequence[Submission], error: StoreError) -> None:
        """Hear that there are no verdicts on what ``suspects.begin`` returned."""
        self.suspects.end(len(suspects))
        for submission in suspects:
            self._admission.dismiss(len(submission.update))
            self._refuse_all_of(submission, error)

    def _refuse_all_of(self, submission: Submission, error: StoreError) -> None:
        """Refuse an update, and what waits behind it: nobody makes us try one after the other."""
        self._refusals.refuse(submission.update, submission.sender, error)
        for follower in self.suspects.remove_all_of(submission.sender):
            self._admission.dismiss(len(follower.update))
            self._refusals.refuse(follower.update, follower.sender, error)

    def _release_cleared(self) -> None:
        """Gather what waited only for another of its sender."""
        work_left = INLINE_WORK_MAX

        def clear(submission: Submission) -> Submission | None:
            nonlocal work_left
            try:
                structs = self._cleared(submission.update) if work_left > 0 else None
            except UpdateRefused:
                # The trial finds the same, and in its turn.
                return None
            if structs is None:
                return None
            work_left -= structs
            return submission._replace(found=structs)

        for submission in self.suspects.release(clear):
            self._admission.dismiss(len(submission.update))
            self.gathered.append(submission)
