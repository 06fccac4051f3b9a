"""One live document: gathers updates, folds them into rows, answers from what is durable.

What a client sends is cleared (``clearing``) or tried (``trials``) before it is gathered.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from time import thread_time
from typing import NamedTuple, Protocol

from yjs_store import crdt, format
from yjs_store.audience import Audience, Listener, Waiter
from yjs_store.clearing import Clearing
from yjs_store.committer import ELSEWHERE, Committer, Elsewhere
from yjs_store.content_watch import ContentWatch
from yjs_store.decoder_failures import failure_of
from yjs_store.errors import (
    DocumentFailed,
    FoldFailed,
    ReadOnlyNow,
    StoreError,
    TrialsFull,
    UpdateRefused,
    UpdateTooLarge,
)
from yjs_store.facts import ContentFacts
from yjs_store.heads import appended_head
from yjs_store.inspection import is_plain
from yjs_store.limits import (
    INLINE_WORK_MAX,
    JOURNAL_ROW_BYTES_MAX,
    TRIAL_BYTES_MAX,
    UPDATE_BYTES_MAX,
)
from yjs_store.paced_replica import PacedReplica
from yjs_store.records import Append, Head, JournalRow, Receipt
from yjs_store.rounds import Beginning, Recovered, Round, sort_tried
from yjs_store.saving import Saving
from yjs_store.submissions import (
    UPDATE,
    Sender,
    Submission,
    Suspects,
    plain,
    take_count,
)
from yjs_store.telemetry import Telemetry
from yjs_store.trial import Passed, Verdict


class Trials(Protocol):
    """Who tries what may not be integrated untried; see ``trials.Trials``."""

    def admit(self, byte_length: int) -> bool:
        """Say whether so much more may wait; if so, it is counted until ``dismiss``."""

    def dismiss(self, byte_length: int) -> None:
        """Hear that so much has its answer."""

    def take(self, document: "Document") -> None:
        """Hear that a document has suspects; they are asked for with ``begin_trial``."""

    def recover(self, document: "Document") -> None:
        """Hear that the decoder failed on a round, which is tried with ``round_updates``."""


class UnderWay(NamedTuple):
    """Updates that wait to be folded, that are on their way to the disk, and on trial."""

    gathered: int
    gathered_bytes: int
    in_flight: int
    suspects: int


class Document:
    """A loaded document. Obtained from ``Store.open_document``.

    Its replica moves only when a round is folded, and a round is folded only when none is in
    flight; so while none is, the replica is exactly what is durable, and everything that is
    read from it waits for such a moment (P1).
    """

    def __init__(
        self,
        head: Head,
        updates: Sequence[bytes],
        committer: Committer,
        clock_ms: Callable[[], int],
        settled: Callable[["Document"], None],
        store_oversized: Callable[["Document", bytes], None],
        trials: Trials,
        telemetry: Telemetry,
    ) -> None:
        self.head = head
        self.error: StoreError | None = None
        self.saving = Saving()
        # As it was found last; None when nobody has looked.
        self.content: ContentFacts | None = None
        self._content_watch = ContentWatch()
        # Why nothing is taken: it failed, or an operator wants it so.
        self._barred: StoreError | None = None
        self._telemetry = telemetry
        self._committer = committer
        self._clock_ms = clock_ms
        self._tell_settled = settled
        self._store_oversized = store_oversized
        self._paced = PacedReplica(updates, thread_time, asyncio.get_running_loop().time)
        # As it was when what has gathered was cleared.
        self._structs_max = self._paced.pace.structs_max
        self._trials = trials
        self._clearing = Clearing(sum(map(len, updates)))
        self._suspects = Suspects()
        self._recovered: Recovered | None = None
        self._gathered: list[Submission] = []
        self._round: Round | None = None
        self._is_marked = False
        self._audience = Audience()

    @property
    def name(self) -> str:
        """The name it is stored under."""
        return self.head.name

    def take_wishes(self) -> list[str]:
        """Return why a checkpoint would help, each reason once."""
        return self._paced.take_wishes()

    @property
    def is_settled(self) -> bool:
        """Whether everything submitted is durable or refused."""
        return self._round is None and not self._gathered and not self._suspects

    # ---- in ---------------------------------------------------------------------------------

    def submit(self, update: bytes, sender: Sender, *, repeats: bool = False) -> None:
        """Hand in an update; ``sender`` hears once what became of it.

        ``repeats`` says that it may well hold nothing new (a SyncStep2): then it is looked at
        before it is stored, and not stored in vain.
        """
        if (
            is_plain(update)
            and self._barred is None
            and not self._suspects.senders
            and not self._paced.is_costly
        ):
            # The way of nearly every update, at the least price.
            self._gathered.append(plain(update, sender, repeats))
            if not self._is_marked:
                self._mark()
        elif self._barred is not None:
            self._refuse(update, sender, self._barred)
        elif len(update) > UPDATE_BYTES_MAX:
            error = UpdateTooLarge("the update", len(update), UPDATE_BYTES_MAX)
            self._refuse(update, sender, error)
        else:
            submission = Submission(update, sender, repeats)
            if self._suspects.has_from(sender):
                # Its updates are integrated in the order in which they came.
                self._suspect(submission)
            else:
                self._clear(submission)

    def _refuse(self, update: bytes, sender: Sender, error: StoreError) -> None:
        self._telemetry.refused += 1
        if not isinstance(error, ReadOnlyNow):
            # The kind alone: what is said of bytes may be part of them.
            kind = type(error).__name__
            self._telemetry.note(self.name, "update refused", error=kind, bytes=len(update))
        sender.refused(update, error)

    def _clear(self, submission: Submission) -> None:
        try:
            structs = self._cleared(submission.update)
        except UpdateRefused as error:
            self._refuse(submission.update, submission.sender, error)
            return
        if structs is None:
            self._suspect(submission)
        else:
            self._gather(submission._replace(found=structs))

    def _cleared(self, update: bytes) -> int | None:
        """Return how many structs and deletes it has; None when it must be tried."""
        if self._paced.is_costly:
            return None
        return self._clearing.clear(update, self._paced.pace.structs_max)

    def _suspect(self, submission: Submission) -> None:
        if self._trials.admit(len(submission.update)):
            self._suspects.add(submission)
            self._trials.take(self)
        else:
            error = TrialsFull("too much waits to be tried")
            self._refuse(submission.update, submission.sender, error)

    def _gather(self, submission: Submission) -> None:
        self._gathered.append(submission)
        self._mark()

    def _mark(self) -> None:
        if self._round is None and not self._is_marked:
            self._is_marked = True
            if self._paced.pace.is_slowed:
                self._committer.mark_later(self, self._paced.rest_s)
            else:
                self._committer.mark(self)

    async def append(self, update: bytes) -> Receipt:
        """Store one update.

        On return it survives a power cut (P1).

        Raises:
            UpdateRefused: it does not decode or is too large; nothing was stored.
            DocumentFailed, FoldFailed, WriterSuperseded: nothing was stored; open the document
                again, then try again.
            ReadOnlyNow: nothing was stored; an operator wants it so for now.
        """
        waiter = Waiter()
        self.submit(update, waiter)
        return await waiter.future

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every row from now on."""
        self._audience.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell it no more."""
        self._audience.remove(listener)

    def bar(self, reason: str | None) -> None:
        """Take nothing from now on, for this reason; with None take everything again.

        What was handed in before still becomes durable.
        """
        was_barred = self._barred is not None
        if self.error is not None:
            return
        self._barred = None if reason is None else ReadOnlyNow(self.name, reason)
        if was_barred != (reason is not None):
            self._audience.tell_switched(is_read_only=not was_barred)

    @property
    def is_read_only(self) -> bool:
        """Whether an operator wants nothing to be written."""
        return isinstance(self._barred, ReadOnlyNow)

    # ---- out --------------------------------------------------------------------------------

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call back at a moment when the replica is exactly what is durable: now, if it is.

        Never called when the document fails first; its listeners hear of that.
        """
        if self.error is not None:
            return
        if self._round is None:
            callback()
        else:
            self._audience.add_when_durable(callback)

    async def wait_settled(self) -> None:
        """Wait until all submitted is durable or refused.

        Raises:
            StoreError: the document failed.
        """
        while not self.is_settled and self.error is None:
            await self._audience.wait_settled()
        if self.error is not None:
            raise self.error

    async def whole(self) -> bytes:
        """Return everything durable as one update, waiting for a moment when that is known.

        Raises:
            StoreError: the document failed.
        """
        await self.wait_settled()
        return self.diff(crdt.EMPTY_STATE_VECTOR)

    def diff(self, state_vector: bytes) -> bytes:
        """Return the durable updates a client at ``state_vector`` lacks, pending included (P2).

        Only from within ``when_durable``.

        Raises:
            UpdateRefused: ``state_vector`` does not decode.
            Damaged: what is stored does not decode any more; the listeners have heard of it.
            DocumentFailed: as ``Damaged``, of what was taken since it was loaded; MendingAwaited.
        """
        assert self._round is None, "what is not durable must not be seen (P1)"
        with self._failing_when_asked():
            return self._paced.replica.diff(state_vector)

    def state_vector(self) -> bytes:
        """Return the state vector; only from within ``when_durable``.

        Raises:
            Damaged: as ``diff``.
        """
        assert self._round is None, "what is not durable must not be seen (P1)"
        with self._failing_when_asked():
            replica = self._paced.replica
            state_vector = replica.state_vector()
            self.content = self._content_watch.look(
                self.content, replica, self.head, self._clock_ms
            )
            return state_vector

    @property
    def under_way(self) -> UnderWay:
        """What was handed in and has no answer yet."""
        return UnderWay(
            gathered=len(self._gathered),
            gathered_bytes=sum(map(len, map(UPDATE, self._gathered))),
            in_flight=0 if self._round is None else len(self._round.taken),
            suspects=self._suspects.count,
        )

    @contextlib.contextmanager
    def _failing_when_asked(self) -> Iterator[None]:
        """Fail the document when the decoder fails on what is stored, or on what it took."""
        try:
            yield
        except crdt.IntegrationFailed as error:
            failure = failure_of(self.name, error)
            self.failed(failure)
            raise failure from error

    # ---- the trials' side -------------------------------------------------------------------

    @property
    def trials_wait_for(self) -> Mapping[str, int]:
        """Who has suspects here, the oldest first, and the bytes of its oldest."""
        return self._suspects.waiting_for

    def begin_trial(
        self, who: str, bytes_max: int = TRIAL_BYTES_MAX
    ) -> tuple[list[bytes], Sequence[Submission]]:
        """Return what is on its way into the document, and what of one to try on top of it.

        That is so many bytes at most, or one.

        Whoever reads the stored document after this call has what was durable before.
        """
        return self.begin_measuring(), self._suspects.begin(who, bytes_max)

    def begin_measuring(self) -> list[bytes]:
        """Return what is on its way into the document; see ``begin_trial``."""
        taken = self._round.taken if self._round is not None else []
        self._clearing.begin_trial()
        return [submission.update for submission in (*taken, *self._gathered)]

    def end_measuring(self, nesting: int) -> None:
        """Hear how deep types are nested in what is stored and was on its way."""
        self._clearing.end_trial(nesting)

    def end_trial(self, suspects: Sequence[Submission], verdicts: Sequence[Verdict]) -> None:
        """Hear the verdicts on the first of what ``begin_trial`` returned; at least one."""
        if self.error is not None:
            return  # they have been answered
        self._suspects.end(len(verdicts))
        refused: dict[int, UpdateRefused] = {}
        for submission, verdict in zip(suspects, verdicts, strict=False):
            self._trials.dismiss(len(submission.update))
            if isinstance(verdict, Passed):
                self._clearing.end_trial(verdict.nesting)
                self._paced.note_built(verdict.built_s)
            else:
                refused.setdefault(id(submission.sender), UpdateRefused(verdict.reason))
            error = refused.get(id(submission.sender))
            if error is None:
                assert isinstance(verdict, Passed), "else there is an error"
                self._gather(submission._replace(found=verdict))
            else:
                # Also what has passed behind it: whether both were tried at once is chance.
                self._refuse_all_of(submission, error)
        self._release_cleared()
        self._go_on()

    def put_off_trial(self) -> None:
        """Hear that what ``begin_trial`` returned must be begun once more."""
        if self.error is None:
            self._suspects.end(0)
            self._go_on()

    def fail_trial(self, suspects: Sequence[Submission], error: StoreError) -> None:
        """Hear that there are no verdicts on what ``begin_trial`` returned."""
        if self.error is not None:
            return
        self._suspects.end(len(suspects))
        for submission in suspects:
            self._trials.dismiss(len(submission.update))
            self._refuse_all_of(submission, error)
        self._go_on()

    def _refuse_all_of(self, submission: Submission, error: StoreError) -> None:
        """Refuse an update, and what waits behind it: nobody makes us try one after the other."""
        self._refuse(submission.update, submission.sender, error)
        for follower in self._suspects.remove_all_of(submission.sender):
            self._trials.dismiss(len(follower.update))
            self._refuse(follower.update, follower.sender, error)

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

        for submission in self._suspects.release(clear):
            self._trials.dismiss(len(submission.update))
            self._gather(submission)

    def _go_on(self) -> None:
        if self._suspects:
            self._trials.take(self)
        elif self.is_settled:
            self._audience.tell_settled()
            self._tell_settled(self)

    @property
    def round_updates(self) -> list[Submission]:
        """What was taken into the round that the decoder failed on."""
        return [] if self._round is None else self._round.taken

    def recover(self, beginning: Beginning, verdicts: Sequence[Verdict]) -> None:
        """Begin anew with what is durable, and with what of the round has passed its trial."""
        if self._round is None or self.error is not None:
            return
        taken, self._round = self._round.taken, None
        self._paced.begin_anew(beginning.durable, is_mended=bool(beginning.round))
        passed, refused = sort_tried(taken, verdicts)
        for submission, error in refused:
            self._refuse(submission.update, submission.sender, error)
        self._gathered[:0] = passed
        self._recovered = Recovered(len(passed), beginning.round)
        self._mark()

    # ---- the committer's side ---------------------------------------------------------------

    def fold(self) -> Append | Elsewhere | None:
        """See committer.Source.fold."""
        assert self._round is None, "one round at a time"
        self._is_marked = False
        self._round = Round(self._take(), self._telemetry.timer_s(), self._recovered)
        try:
            row_update = self._paced.integrate(self._round)
        except crdt.IntegrationFailed as error:
            if self._recovered is None and not isinstance(error, crdt.StartUnreadable):
                self._trials.recover(self)
                return ELSEWHERE
            # It has passed its trial, and still: nobody knows what to do but to load again.
            self.failed(failure_of(self.name, error))
            return None
        self._keep_to_pace()
        if row_update is None:
            return None
        if self._round.to_integrate or len(row_update) > JOURNAL_ROW_BYTES_MAX:
            self._store_oversized(self, row_update)
            return ELSEWHERE
        after = appended_head(self.head, len(row_update), self._clock_ms())
        row = format.seal_row(after.uid, after.last_seq, after.updated_ms, row_update)
        return Append(self.head, format.seal_head(after), row)

    def _take(self) -> list[Submission]:
        """Take what fits into one row, oldest first; at least one submission.

        What has just passed its trial again is taken alone: should the next one fail, it is tried
        in its turn.
        """
        recovered = self._recovered
        count = recovered.first if recovered is not None else None
        if count is None:
            count = take_count(self._gathered, self._paced.pace.structs_max)
        taken, self._gathered = self._gathered[:count], self._gathered[count:]
        return taken

    def _keep_to_pace(self) -> None:
        """Where less fits into a round than before, have tried what was cleared for more."""
        structs_max = self._paced.pace.structs_max
        is_slower = structs_max < self._structs_max
        self._structs_max = structs_max
        if is_slower:
            self._set_back()

    def _set_back(self) -> None:
        """Have tried what was cleared before it was known how long that takes."""
        kept: list[Submission] = []
        set_back: list[Submission] = []
        # Their updates are integrated in the order in which they came.
        behind: set[int] = set()
        for submission in self._gathered:
            is_cleared = not isinstance(submission.found, Passed)
            if is_cleared and submission.structs > self._paced.pace.structs_max:
                behind.add(id(submission.sender))
            if id(submission.sender) not in behind:
                kept.append(submission)
            elif self._trials.admit(len(submission.update)):
                set_back.append(submission)
            else:
                error = TrialsFull("too much waits to be tried")
                self._refuse(submission.update, submission.sender, error)
        self._gathered = kept
        if set_back:
            self._suspects.put_first(set_back)
            self._trials.take(self)

    def settled(self, append: Append | None, document_id: int) -> None:
        """See committer.Source.settled."""
        if append is None:
            self._settle(self.head, None)
        else:
            self._settle(replace(append.after.head, document_id=document_id), append.row)

    async def settled_oversized(self, head: Head, update: bytes) -> None:
        """Hear that what must not become a row is durable, in a snapshot."""
        current = self._round
        if current is None:
            return  # it failed meanwhile
        try:
            for rest_s in self._paced.integrate_large(current.to_integrate):
                self._keep_to_pace()
                await asyncio.sleep(rest_s)
                if self._round is not current:
                    return  # it failed meanwhile
        except crdt.IntegrationFailed as error:
            self.failed(DocumentFailed(self.name, str(error)))
            return
        self._settle(head, format.seal_row(head.uid, head.last_seq, head.updated_ms, update))

    def refused_oversized(self, error: UpdateRefused | FoldFailed) -> None:
        """Hear that what must not become a row cannot be kept, or was too much for the fold.

        Only who sent it is told of the refusal (P5). A replica that has it already is of no use
        any more.
        """
        current = self._round
        if current is None:
            return
        if current.to_integrate:
            current.refuse_stored(error)
            self._settle(self.head, None)
        elif isinstance(error, FoldFailed):
            self.failed(error)
        else:
            current.refuse_stored(error)
            self.failed(DocumentFailed(self.name, f"an update was refused: {error}"))

    def _settle(self, head: Head, row: JournalRow | None) -> None:
        """Tell everybody of what is durable now."""
        current = self._round
        if current is None:
            return  # it failed meanwhile
        self._round = None
        self._recovered = None
        self.head = head
        self._audience.tell_durable()
        receipt = Receipt(self.name, self.head.last_seq)
        if row is not None:
            self._note_saved(current, row.byte_length)
            self._audience.tell_committed(row, current.stored)
        for update, sender, _, _ in current.stored:
            sender.stored(update, receipt, news=True)
        for submission in current.known:
            submission.sender.stored(submission.update, receipt, news=False)
        for submission, error in current.refused:
            self._refuse(submission.update, submission.sender, error)
        if self._gathered:
            self._mark()
        self._audience.tell_settled()
        self._tell_settled(self)

    def _note_saved(self, current: Round, byte_length: int) -> None:
        saving = self.saving
        saving.saves += 1
        now_ms = saving.saved_ms = self._clock_ms()
        saving.save_s = self._telemetry.timer_s() - current.began_s
        self._telemetry.saved(self.head.name, len(current.stored), byte_length, now_ms)

    def failed(self, error: StoreError) -> None:
        """Refuse everything that is not durable, now and from now on."""
        if self.error is not None:
            return
        self.error = self._barred = error
        self._telemetry.note(self.name, "document failed", error=type(error).__name__)
        current, self._round = self._round or Round([]), None
        gathered, self._gathered = self._gathered, []
        suspects = self._suspects.remove_all()
        self._trials.dismiss(sum(len(submission.update) for submission in suspects))
        for submission, refusal in current.refused:
            self._refuse(submission.update, submission.sender, refusal)
        for submission in [*current.unanswered(), *gathered, *suspects]:
            self._refuse(submission.update, submission.sender, error)
        self._audience.tell_failed(error)
        self._audience.tell_settled()
        self._tell_settled(self)
