"""One live document: has what is handed in folded into rows, and answers from what is durable.

It decides little itself: ``intake`` has what waits, ``rounds`` what one fold takes,
``paced_replica`` how much goes at a time, ``audience`` who hears of it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from time import thread_time
from typing import Protocol

from yjs_store import crdt, format
from yjs_store.audience import Audience, Listener, Waiter
from yjs_store.committer import ELSEWHERE, Committer, Elsewhere
from yjs_store.content_watch import ContentWatch
from yjs_store.decoder_failures import failure_of
from yjs_store.errors import DocumentFailed, FoldFailed, ReadOnlyNow, StoreError, UpdateRefused
from yjs_store.facts import ContentFacts
from yjs_store.heads import appended_head
from yjs_store.inspection import is_plain
from yjs_store.intake import Admission, Intake, UnderWay
from yjs_store.limits import JOURNAL_ROW_BYTES_MAX, TRIAL_BYTES_MAX
from yjs_store.paced_replica import PacedReplica
from yjs_store.records import Append, Head, JournalRow, Receipt
from yjs_store.refusals import Refusals
from yjs_store.rounds import Beginning, Recovered, Round, sort_tried
from yjs_store.saving import Saving
from yjs_store.submissions import Sender, Submission, plain
from yjs_store.telemetry import Telemetry
from yjs_store.trial import Verdict


class Trials(Admission, Protocol):
    """Who tries what may not be integrated untried; see ``trials.Trials``."""

    def take(self, document: "Document") -> None:
        """Hear that a document has suspects; they are asked for with ``begin_trial``."""

    def recover(self, document: "Document") -> None:
        """Hear that the decoder failed on a round, which is tried with ``round_updates``."""


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
        self._telemetry = telemetry
        self._committer = committer
        self._clock_ms = clock_ms
        self._tell_settled = settled
        self._store_oversized = store_oversized
        self._paced = PacedReplica(updates, thread_time, asyncio.get_running_loop().time)
        self._trials = trials
        self._refusals = Refusals(head.name, telemetry)
        stored_bytes = sum(map(len, updates))
        self._intake = Intake(stored_bytes, self._paced, trials, self._refusals)
        self._recovered: Recovered | None = None
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
        return self._round is None and not self._intake

    # ---- in ---------------------------------------------------------------------------------

    def submit(self, update: bytes, sender: Sender, *, repeats: bool = False) -> None:
        """Hand in an update; ``sender`` hears once what became of it.

        ``repeats`` says that it may well hold nothing new (a SyncStep2): then it is looked at
        before it is stored, and not stored in vain.
        """
        intake = self._intake
        if (
            is_plain(update)
            and intake.barred is None
            and not intake.suspect_senders
            and not self._paced.is_costly
        ):
            # The way of nearly every update, at the least price.
            intake.gathered.append(plain(update, sender, repeats))
            if not self._is_marked:
                self._mark()
        elif intake.put(update, sender, repeats=repeats):
            self._trials.take(self)
        elif intake.gathered:
            self._mark()

    def _mark(self) -> None:
        if self._round is None and not self._is_marked:
            self._is_marked = True
            self._committer.mark_later(self, self._paced.rest_s)

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
        was_barred = self._intake.barred is not None
        if self.error is not None:
            return
        self._intake.barred = None if reason is None else ReadOnlyNow(self.name, reason)
        if was_barred != (reason is not None):
            self._audience.tell_switched(is_read_only=not was_barred)

    @property
    def is_read_only(self) -> bool:
        """Whether an operator wants nothing to be written."""
        return isinstance(self._intake.barred, ReadOnlyNow)

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
        return self._intake.under_way(len(self.round_updates))

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
        return self._intake.suspects.waiting_for

    def begin_trial(
        self, who: str, bytes_max: int = TRIAL_BYTES_MAX
    ) -> tuple[list[bytes], Sequence[Submission]]:
        """Return what is on its way into the document, and what of one to try on top of it.

        That is so many bytes at most, or one.

        Whoever reads the stored document after this call has what was durable before.
        """
        return self.begin_measuring(), self._intake.suspects.begin(who, bytes_max)

    def begin_measuring(self) -> list[bytes]:
        """Return what is on its way into the document; see ``begin_trial``."""
        self._intake.begin_measuring()
        on_their_way = (*self.round_updates, *self._intake.gathered)
        return [submission.update for submission in on_their_way]

    def end_measuring(self, nesting: int) -> None:
        """Hear how deep types are nested in what is stored and was on its way."""
        self._intake.end_measuring(nesting)

    def end_trial(self, suspects: Sequence[Submission], verdicts: Sequence[Verdict]) -> None:
        """Hear the verdicts on the first of what ``begin_trial`` returned; at least one."""
        if self.error is None:  # else they have been answered
            self._intake.end_trial(suspects, verdicts)
            self._go_on()

    def put_off_trial(self) -> None:
        """Hear that what ``begin_trial`` returned must be begun once more."""
        if self.error is None:
            self._intake.suspects.end(0)
            self._go_on()

    def fail_trial(self, suspects: Sequence[Submission], error: StoreError) -> None:
        """Hear that there are no verdicts on what ``begin_trial`` returned."""
        if self.error is None:
            self._intake.fail_trial(suspects, error)
            self._go_on()

    def _go_on(self) -> None:
        if self._intake.gathered:
            self._mark()
        if self._intake.suspects:
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
        self._refusals.refuse_each(refused)
        self._intake.put_first(passed)
        self._recovered = Recovered(len(passed), beginning.round)
        self._mark()

    # ---- the committer's side ---------------------------------------------------------------

    def fold(self) -> Append | Elsewhere | None:
        """See committer.Source.fold."""
        assert self._round is None, "one round at a time"
        self._is_marked = False
        taken = self._intake.take(self._recovered)
        self._round = Round(taken, self._telemetry.timer_s(), self._recovered)
        try:
            row_update = self._paced.integrate(self._round)
        except crdt.IntegrationFailed as error:
            self._intake.put_back(self._round.put_back)
            if self._recovered is None and not isinstance(error, crdt.StartUnreadable):
                self._trials.recover(self)
                return ELSEWHERE
            # It has passed its trial, and still: nobody knows what to do but to load again.
            self.failed(failure_of(self.name, error))
            return None
        self._intake.put_back(self._round.put_back)
        self._keep_to_pace()
        if row_update is None:
            return None
        if self._round.to_integrate or len(row_update) > JOURNAL_ROW_BYTES_MAX:
            self._store_oversized(self, row_update)
            return ELSEWHERE
        after = appended_head(self.head, len(row_update), self._clock_ms())
        row = format.seal_row(after.uid, after.last_seq, after.updated_ms, row_update)
        return Append(self.head, format.seal_head(after), row)

    def _keep_to_pace(self) -> None:
        if self._intake.keep_to_pace():
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
        self._refusals.refuse_each(current.refused)
        if self._intake.gathered:
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
        self.error = self._intake.barred = error
        self._telemetry.note(self.name, "document failed", error=type(error).__name__)
        current, self._round = self._round or Round([]), None
        waiting = self._intake.remove_all()
        self._refusals.refuse_each(current.refused)
        self._refusals.refuse_all([*current.unanswered(), *waiting], error)
        self._audience.tell_failed(error)
        self._audience.tell_settled()
        self._tell_settled(self)
