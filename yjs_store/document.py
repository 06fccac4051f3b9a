"""One live document: gathers updates, folds them into rows, answers from what is durable."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from yjs_store import crdt, format
from yjs_store.committer import ELSEWHERE, Committer, Elsewhere
from yjs_store.errors import Damaged, DocumentFailed, StoreError, UpdateRefused, UpdateTooLarge
from yjs_store.limits import (
    FOLD_BYTES_MAX,
    FOLD_UPDATES_MAX,
    JOURNAL_ROW_BYTES_MAX,
    UPDATE_BYTES_MAX,
)
from yjs_store.records import Append, Head, JournalRow, Receipt


class Sender(Protocol):
    """Who handed in an update, and hears what became of it. Each update is answered once."""

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        """Hear that the update is durable; ``news`` is False when it repeated what was known."""

    def refused(self, update: bytes, error: StoreError) -> None:
        """Hear that it was not stored; the error says why and whether to try again."""


class Submission(NamedTuple):
    """An update that was handed in, and by whom."""

    update: bytes
    sender: Sender
    repeats: bool


class Listener(Protocol):
    """Who follows a document."""

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        """Hear of a row that is durable now: what was gathered, as one update in its data."""

    def failed(self, error: StoreError) -> None:
        """Hear that the document must be closed and loaded again."""


@dataclass(slots=True)
class _Round:
    """What one fold took, by what will be said of it."""

    taken: list[Submission]
    stored: list[Submission] = field(default_factory=list)
    known: list[Submission] = field(default_factory=list)
    refused: list[tuple[Submission, StoreError]] = field(default_factory=list)


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
    ) -> None:
        self.head = head
        self.error: StoreError | None = None
        self._committer = committer
        self._clock_ms = clock_ms
        self._tell_settled = settled
        self._store_oversized = store_oversized
        self._replica = crdt.Replica(updates)
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
        return self._round is None and not self._gathered

    # ---- in ---------------------------------------------------------------------------------

    def submit(self, update: bytes, sender: Sender, *, repeats: bool = False) -> None:
        """Hand in an update; ``sender`` hears once what became of it.

        ``repeats`` says that it may well hold nothing new (a SyncStep2): then it is looked at
        before it is stored, and not stored in vain.
        """
        if self.error is not None:
            sender.refused(update, self.error)
        elif len(update) > UPDATE_BYTES_MAX:
            error = UpdateTooLarge("the update", len(update), UPDATE_BYTES_MAX)
            sender.refused(update, error)
        else:
            self._gathered.append(Submission(update, sender, repeats))
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
        """
        assert self._round is None, "what is not durable must not be seen (P1)"
        with self._failing_when_unreadable():
            return self._replica.diff(state_vector)

    def state_vector(self) -> bytes:
        """Return the state vector; only from within ``when_durable``.

        Raises:
            Damaged: as ``diff``.
        """
        assert self._round is None, "what is not durable must not be seen (P1)"
        with self._failing_when_unreadable():
            return self._replica.state_vector()

    @contextlib.contextmanager
    def _failing_when_unreadable(self) -> Iterator[None]:
        try:
            yield
        except crdt.StartUnreadable as error:
            damaged = Damaged(self.name, "content", "Yjs updates", str(error))
            self.failed(damaged)
            raise damaged from error

    # ---- the committer's side ---------------------------------------------------------------

    def fold(self) -> Append | Elsewhere | None:
        """See committer.Source.fold."""
        assert self._round is None, "one round at a time"
        self._is_marked = False
        self._round = _Round(self._take())
        try:
            with self._failing_when_unreadable():
                row_update = self._integrate(self._round)
        except Damaged:
            return None
        except crdt.IntegrationFailed as error:
            self.failed(DocumentFailed(self.name, str(error)))
            return None
        if row_update is None:
            return None
        if len(row_update) > JOURNAL_ROW_BYTES_MAX:
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
        """Take what fits into one row, oldest first; at least one submission."""
        count = byte_length = 0
        for submission in self._gathered:
            byte_length += len(submission.update)
            if count == FOLD_UPDATES_MAX or (count and byte_length > FOLD_BYTES_MAX):
                break
            count += 1
        taken, self._gathered = self._gathered[:count], self._gathered[count:]
        return taken

    def _integrate(self, current: _Round) -> bytes | None:
        """Integrate what decodes, note the rest as refused; return what is new as one update."""
        parts = [
            submission.update
            for submission in current.taken
            if submission.repeats and self._integrate_repeat(current, submission)
        ]
        fresh = [submission for submission in current.taken if not submission.repeats]
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

    def settled_oversized(self, head: Head, update: bytes) -> None:
        """Hear that the update that was too large for a row is durable, in a snapshot."""
        self._settle(head, format.seal_row(head.uid, head.last_seq, head.updated_ms, update))

    def refused_oversized(self, error: UpdateRefused) -> None:
        """Hear that the update that was too large for a row cannot be kept at all.

        The replica has it already, so the document must be loaded again without it. Only who
        sent it is told of the refusal (P5).
        """
        if self._round is not None:
            self._round.refused.extend((submission, error) for submission in self._round.stored)
        self.failed(DocumentFailed(self.name, f"an update was refused: {error}"))

    def _settle(self, head: Head, row: JournalRow | None) -> None:
        """Tell everybody of what is durable now."""
        current = self._round
        if current is None:
            return  # it failed meanwhile
        self._round = None
        self.head = head
        callbacks, self._when_durable = self._when_durable, []
        for callback in callbacks:
            callback()
        receipt = Receipt(self.name, self.head.last_seq)
        if row is not None:
            for listener in tuple(self._listeners):
                listener.committed(row, current.stored)
        for submission in current.stored:
            submission.sender.stored(submission.update, receipt, news=True)
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
        culprits = {id(submission) for submission, _ in current.refused}
        for submission, refusal in current.refused:
            submission.sender.refused(submission.update, refusal)
        for submission in [*current.taken, *gathered]:
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


def _merge_decodable(
    submissions: list[Submission], refused: list[tuple[Submission, StoreError]]
) -> Iterator[tuple[bytes, list[Submission]]]:
    """Merge; where something does not decode, halve until it stands alone, and refuse it (P5)."""
    if not submissions:
        return
    try:
        merged = crdt.merge([submission.update for submission in submissions])
    except UpdateRefused as error:
        if len(submissions) == 1:
            refused.append((submissions[0], error))
            return
        half = len(submissions) // 2
        yield from _merge_decodable(submissions[:half], refused)
        yield from _merge_decodable(submissions[half:], refused)
    else:
        yield merged, submissions


class _Waiter:
    """The sender behind ``append``."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        if not self.future.done():
            self.future.set_result(receipt)

    def refused(self, update: bytes, error: StoreError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
