"""One live document: gathers updates, folds them into rows, answers from what is durable.

What a client sends is cleared (``clearing``) or tried (``trials``) before it is gathered.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from yjs_store import crdt, format
from yjs_store.clearing import Clearing
from yjs_store.committer import ELSEWHERE, Committer, Elsewhere
from yjs_store.errors import (
    Damaged,
    DocumentFailed,
    FoldFailed,
    MendingAwaited,
    StoreError,
    TrialsFull,
    UpdateRefused,
    UpdateTooLarge,
)
from yjs_store.inspection import is_plain
from yjs_store.limits import (
    INLINE_WORK_MAX,
    JOURNAL_ROW_BYTES_MAX,
    MEND_INLINE_BYTES,
    UPDATE_BYTES_MAX,
)
from yjs_store.records import Append, Head, JournalRow, Receipt
from yjs_store.submissions import REPEATS, UPDATE, Sender, Submission, Suspects, plain, take_count
from yjs_store.trial import Passed, Verdict


class Listener(Protocol):
    """Who follows a document."""

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        """Hear of a row that is durable now: what was gathered, as one update in its data."""

    def failed(self, error: StoreError) -> None:
        """Hear that the document must be closed and loaded again."""


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


class Beginning(NamedTuple):
    """What a document goes on from after the decoder failed: what is durable, in pieces.

    ``round`` is what has passed of the round, as it must be read; empty when that is as it came.
    """

    durable: Sequence[bytes]
    round: Sequence[bytes]


@dataclass(slots=True)
class _Round:
    """What one fold took, by what will be said of it.

    ``to_integrate`` is what becomes part of the replica only when it is durable.
    """

    taken: list[Submission]
    stored: list[Submission] = field(default_factory=list)
    known: list[Submission] = field(default_factory=list)
    refused: list[tuple[Submission, StoreError]] = field(default_factory=list)
    to_integrate: tuple[bytes, ...] = ()


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
    ) -> None:
        self.head = head
        self.error: StoreError | None = None
        self._committer = committer
        self._clock_ms = clock_ms
        self._tell_settled = settled
        self._store_oversized = store_oversized
        # Whether a load of what is stored would have to mend it, and a checkpoint would help.
        self.is_mended = False
        self._replica = crdt.Replica(updates, mend_bytes_max=MEND_INLINE_BYTES)
        self._trials = trials
        self._clearing = Clearing(sum(map(len, updates)))
        self._suspects = Suspects()
        self._recovered: _Recovered | None = None
        self._gathered: list[Submission] = []
        self._round: _Round | None = None
        self._is_marked = False
        self._when_durable: list[Callable[[], None]] = []
        self._when_settled: list[asyncio.Future[None]] = []
        self._listeners: dict[Listener, None] = {}

    @property
    def name(self) -> str:
        """The name it is stored under."""
        return self.head.name

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
        if is_plain(update) and self.error is None and not self._suspects.senders:
            # The way of nearly every update, at the least price.
            self._gathered.append(plain(update, sender, repeats))
            if not self._is_marked:
                self._mark()
        elif self.error is not None:
            sender.refused(update, self.error)
        elif len(update) > UPDATE_BYTES_MAX:
            error = UpdateTooLarge("the update", len(update), UPDATE_BYTES_MAX)
            sender.refused(update, error)
        else:
            submission = Submission(update, sender, repeats)
            if self._suspects.has_from(sender):
                # Its updates are integrated in the order in which they came.
                self._suspect(submission)
            else:
                self._clear(submission)

    def _clear(self, submission: Submission) -> None:
        try:
            structs = self._clearing.clear(submission.update)
        except UpdateRefused as error:
            submission.sender.refused(submission.update, error)
            return
        if structs is None:
            self._suspect(submission)
        else:
            self._gather(submission._replace(found=structs))

    def _suspect(self, submission: Submission) -> None:
        if self._trials.admit(len(submission.update)):
            self._suspects.add(submission)
            self._trials.take(self)
        else:
            error = TrialsFull("too much waits to be tried")
            submission.sender.refused(submission.update, error)

    def _gather(self, submission: Submission) -> None:
        self._gathered.append(submission)
        self._mark()

    def _mark(self) -> None:
        if self._round is None and not self._is_marked:
            self._is_marked = True
            self._committer.mark(self)

    async def append(self, update: bytes) -> Receipt:
        """Store one update.

        On return it survives a power cut (P1).

        Raises:
            UpdateRefused: it does not decode or is too large; nothing was stored.
            DocumentFailed, FoldFailed, WriterSuperseded: nothing was stored; open the document
                again, then try again.
        """
        waiter = _Waiter()
        self.submit(update, waiter)
        return await waiter.future

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every row from now on."""
        self._listeners[listener] = None

    def unlisten(self, listener: Listener) -> None:
        """Tell it no more."""
        self._listeners.pop(listener, None)

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
            self._when_durable.append(callback)

    async def wait_settled(self) -> None:
        """Wait until all submitted is durable or refused.

        Raises:
            StoreError: the document failed.
        """
        while not self.is_settled and self.error is None:
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._when_settled.append(settled)
            await settled
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
            return self._replica.diff(state_vector)

    def state_vector(self) -> bytes:
        """Return the state vector; only from within ``when_durable``.

        Raises:
            Damaged: as ``diff``.
        """
        assert self._round is None, "what is not durable must not be seen (P1)"
        with self._failing_when_asked():
            return self._replica.state_vector()

    @contextlib.contextmanager
    def _failing_when_unreadable(self) -> Iterator[None]:
        try:
            yield
        except crdt.MendingNeeded as error:
            awaited = MendingAwaited(self.name, str(error))
            self.failed(awaited)
            raise awaited from error
        except crdt.StartUnreadable as error:
            damaged = Damaged(self.name, "content", "Yjs updates", str(error))
            self.failed(damaged)
            raise damaged from error

    @contextlib.contextmanager
    def _failing_when_asked(self) -> Iterator[None]:
        """Fail the document, too, when the decoder fails on what it took before."""
        with self._failing_when_unreadable():
            try:
                yield
            except crdt.StartUnreadable:
                raise
            except crdt.IntegrationFailed as error:
                failed = DocumentFailed(self.name, str(error))
                self.failed(failed)
                raise failed from error

    # ---- the trials' side -------------------------------------------------------------------

    @property
    def trials_wait_for(self) -> Iterable[str]:
        """Who has suspects here, the oldest first."""
        return self._suspects.waiting_for

    def begin_trial(self, who: str) -> tuple[list[bytes], Sequence[Submission]]:
        """Return what is on its way into the document, and what of one to try on top of it.

        Whoever reads the stored document after this call has what was durable before.
        """
        return self.begin_measuring(), self._suspects.begin(who)

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
        submission.sender.refused(submission.update, error)
        for follower in self._suspects.remove_all_of(submission.sender):
            self._trials.dismiss(len(follower.update))
            follower.sender.refused(follower.update, error)

    def _release_cleared(self) -> None:
        """Gather what waited only for another of its sender."""
        work_left = INLINE_WORK_MAX

        def clear(submission: Submission) -> Submission | None:
            nonlocal work_left
            try:
                structs = self._clearing.clear(submission.update) if work_left > 0 else None
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
            self._release_waiters()
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
        self._replica = crdt.Replica(beginning.durable, mend_bytes_max=MEND_INLINE_BYTES)
        self.is_mended |= bool(beginning.round)
        passed: list[Submission] = []
        for submission, verdict in zip(taken, verdicts, strict=True):
            if isinstance(verdict, Passed):
                repeats = submission.repeats and not verdict.is_news
                passed.append(submission._replace(found=verdict, repeats=repeats))
            else:
                # P5: the culprit must not come back with the same bytes.
                submission.sender.refused(submission.update, UpdateRefused(verdict.reason))
        self._gathered[:0] = passed
        self._recovered = _Recovered(len(passed), beginning.round)
        self._mark()

    # ---- the committer's side ---------------------------------------------------------------

    def fold(self) -> Append | Elsewhere | None:
        """See committer.Source.fold."""
        assert self._round is None, "one round at a time"
        self._is_marked = False
        self._round = _Round(self._take())
        try:
            with self._failing_when_unreadable():
                row_update = self._integrate(self._round)
                self.is_mended |= self._replica.is_mended
                self._replica.is_mended = False
        except (Damaged, MendingAwaited):
            return None
        except crdt.IntegrationFailed as error:
            if self._recovered is not None:
                # It has passed its trial, and still: nobody knows what to do but to load again.
                self.failed(DocumentFailed(self.name, str(error)))
                return None
            self._trials.recover(self)
            return ELSEWHERE
        if row_update is None:
            return None
        if self._round.to_integrate or len(row_update) > JOURNAL_ROW_BYTES_MAX:
            self._store_oversized(self, row_update)
            return ELSEWHERE
        now_ms = self._clock_ms()
        seq = self.head.last_seq + 1
        after = replace(
            self.head,
            last_seq=seq,
            journal_bytes=self.head.journal_bytes + len(row_update),
            created_ms=self.head.created_ms if self.head.document_id else now_ms,
            updated_ms=now_ms,
        )
        row = format.seal_row(after.uid, seq, now_ms, row_update)
        return Append(self.head, format.seal_head(after), row)

    def _take(self) -> list[Submission]:
        """Take what fits into one row, oldest first; at least one submission.

        What has just passed its trial again is taken alone: should the next one fail, it is tried
        in its turn.
        """
        recovered = self._recovered
        count = take_count(self._gathered) if recovered is None else recovered.first
        taken, self._gathered = self._gathered[:count], self._gathered[count:]
        return taken

    def _integrate(self, current: _Round) -> bytes | None:
        """Integrate what decodes, note the rest as refused; return what is new as one update."""
        if current.taken and current.taken[0].is_large:
            return _take_large(current, current.taken[0])
        for update in () if self._recovered is None else self._recovered.updates:
            # As it must be read; as it was sent, it adds nothing to that, and is what is stored.
            self._replica.integrate(update)
        parts: list[bytes] = []
        fresh = current.taken
        if any(map(REPEATS, fresh)):
            parts += [
                submission.update
                for submission in current.taken
                if submission.repeats and self._integrate_repeat(current, submission)
            ]
            fresh = [submission for submission in fresh if not submission.repeats]
        for merged, submissions in _merge_decodable(fresh, current.refused):
            if merged == crdt.EMPTY_UPDATE:
                current.known.extend(submissions)
            else:
                self._replica.integrate(merged)
                current.stored.extend(submissions)
                parts.append(merged)
        if len(parts) < 2:
            return parts[0] if parts else None
        return crdt.merge(parts)

    def _integrate_repeat(self, current: _Round, submission: Submission) -> bool:
        try:
            crdt.check_update(submission.update)
            is_news = self._replica.integrate_news(submission.update)
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

    def settled(self, append: Append | None, document_id: int) -> None:
        """See committer.Source.settled."""
        if append is None:
            self._settle(self.head, None)
        else:
            self._settle(replace(append.after.head, document_id=document_id), append.row)

    async def settled_oversized(self, head: Head, update: bytes) -> None:
        """Hear that what must not become a row is durable, in a snapshot."""
        current = self._round
        for piece in () if current is None else current.to_integrate:
            if self._round is not current:
                return  # it failed meanwhile
            try:
                self._replica.integrate(piece)
            except crdt.IntegrationFailed as error:
                self.failed(DocumentFailed(self.name, str(error)))
            # So that nobody waits for more than one piece.
            await asyncio.sleep(0)
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
            current.refused += [(submission, error) for submission in current.stored]
            current.stored = []
            self._settle(self.head, None)
        elif isinstance(error, FoldFailed):
            self.failed(error)
        else:
            current.refused += [(submission, error) for submission in current.stored]
            self.failed(DocumentFailed(self.name, f"an update was refused: {error}"))

    def _settle(self, head: Head, row: JournalRow | None) -> None:
        """Tell everybody of what is durable now."""
        current = self._round
        if current is None:
            return  # it failed meanwhile
        self._round = None
        self._recovered = None
        self.head = head
        callbacks, self._when_durable = self._when_durable, []
        for callback in callbacks:
            callback()
        receipt = Receipt(self.name, self.head.last_seq)
        if row is not None:
            for listener in tuple(self._listeners):
                listener.committed(row, current.stored)
        for update, sender, _, _ in current.stored:
            sender.stored(update, receipt, news=True)
        for submission in current.known:
            submission.sender.stored(submission.update, receipt, news=False)
        for submission, error in current.refused:
            submission.sender.refused(submission.update, error)
        if self._gathered:
            self._mark()
        self._release_waiters()
        self._tell_settled(self)

    def failed(self, error: StoreError) -> None:
        """Refuse everything that is not durable, now and from now on."""
        if self.error is not None:
            return
        self.error = error
        current, self._round = self._round or _Round([]), None
        gathered, self._gathered = self._gathered, []
        suspects = self._suspects.remove_all()
        self._trials.dismiss(sum(len(submission.update) for submission in suspects))
        culprits = {id(submission) for submission, _ in current.refused}
        for submission, refusal in current.refused:
            submission.sender.refused(submission.update, refusal)
        for submission in [*current.taken, *gathered, *suspects]:
            if id(submission) not in culprits:
                submission.sender.refused(submission.update, error)
        self._when_durable.clear()
        for listener in tuple(self._listeners):
            listener.failed(error)
        self._release_waiters()
        self._tell_settled(self)

    def _release_waiters(self) -> None:
        waiters, self._when_settled = self._when_settled, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def _take_large(current: _Round, submission: Submission) -> bytes | None:
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


def _merge_decodable(
    submissions: list[Submission], refused: list[tuple[Submission, StoreError]]
) -> Iterator[tuple[bytes, list[Submission]]]:
    """Merge; where something does not decode, halve until it stands alone, and refuse it (P5)."""
    if not submissions:
        return
    try:
        merged = crdt.merge(list(map(UPDATE, submissions)))
    except UpdateRefused as error:
        if len(submissions) == 1:
            refused.append((submissions[0], error))
            return
        half = len(submissions) // 2
        yield from _merge_decodable(submissions[:half], refused)
        yield from _merge_decodable(submissions[half:], refused)
    else:
        yield merged, submissions


class _Recovered(NamedTuple):
    """How many of what has gathered have passed their trial again, and how they must be read."""

    first: int
    updates: Sequence[bytes]


class _Waiter:
    """The sender behind ``append``."""

    who = ""

    def __init__(self) -> None:
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        if not self.future.done():
            self.future.set_result(receipt)

    def refused(self, update: bytes, error: StoreError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
