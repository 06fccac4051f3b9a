"""Has the suspects of all documents tried: one trial at a time, in fair turns.

A document whose round the decoder failed on comes first: until it is known who is to blame, all
its clients wait.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from yjs_store import crdt
from yjs_store.assembling import assemble_cut
from yjs_store.document import Beginning, Document
from yjs_store.errors import DocumentFailed, Poisoned, StoreError, UpdateRefused
from yjs_store.limits import TRIAL_WAITING_BYTES_MAX
from yjs_store.records import Head, StoredDocument
from yjs_store.retrying import Retrier, StorageState
from yjs_store.submissions import Submission
from yjs_store.trial import Passed, Suspect, Verdict
from yjs_store.trial_process import TrialProcess
from yjs_store.trial_turns import Turns

Load = Callable[[Head], Awaitable[StoredDocument]]


class TrialCounts(NamedTuple):
    """What an operator wants to know of trials."""

    trials: int
    recoveries: int
    waiting_bytes: int


class Trials:
    """The documents that wait for a trial; ``load`` reads what is stored under a head."""

    def __init__(self, load: Load) -> None:
        self.process = TrialProcess()
        self.state = StorageState()
        self._retrier = Retrier("a trial", self.state)
        self._load = load
        self._waiting: dict[Document, None] = {}
        self._recovering: dict[Document, None] = {}
        self._unmeasured: dict[Document, None] = {}
        self._turns = Turns()
        self._waiting_bytes = 0
        self._trials = self._recoveries = 0
        self._task: asyncio.Task[None] | None = None
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # ---- what documents say -----------------------------------------------------------------

    def admit(self, byte_length: int) -> bool:
        """See document.Trials."""
        is_full = self._waiting_bytes + byte_length > TRIAL_WAITING_BYTES_MAX
        if not is_full:
            self._waiting_bytes += byte_length
        return not is_full

    def dismiss(self, byte_length: int) -> None:
        """See document.Trials."""
        self._waiting_bytes -= byte_length

    def take(self, document: Document) -> None:
        """See document.Trials."""
        self._waiting.setdefault(document)
        self._wake()

    def recover(self, document: Document) -> None:
        """See document.Trials."""
        self._recovering.setdefault(document)
        self._wake()

    def measure(self, document: Document) -> None:
        """Find out how deep the types of a document are nested, when nobody waits for a trial."""
        self._unmeasured.setdefault(document)
        self._wake()

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="yjs-store-trials")

    # ---- the task ---------------------------------------------------------------------------

    async def _run(self) -> None:
        while self._recovering or self._waiting or self._unmeasured:
            queue, work = next(
                (queue, work)
                for queue, work in (
                    (self._recovering, self._recover),
                    (self._waiting, self._try),
                    (self._unmeasured, self._measure),
                )
                if queue
            )
            document = next(iter(queue))
            if queue is self._waiting:
                document = self._next_waiting()
            del queue[document]
            if document.error is not None:
                continue
            try:
                await work(document)
            except Exception as error:  # noqa: BLE001  (handed to the one who supervises)
                # A defect must not leave the document waiting for ever.
                document.failed(DocumentFailed(document.name, repr(error)))
                if not self._broken.done():
                    self._broken.set_exception(error)

        self._turns.begin_anew()

    def _next_waiting(self) -> Document:
        """Return the document of whose suspects it is the turn, the one that has waited longest."""
        documents: dict[str, Document] = {}
        for document in self._waiting:
            for who in document.trials_wait_for:
                documents.setdefault(who, document)
        if not documents:
            return next(iter(self._waiting))
        return documents[self._turns.choose(documents)]

    async def _try(self, document: Document) -> None:
        """Try the first suspects of whoever has used least of those who have any here."""
        waiting_for = tuple(document.trials_wait_for)
        if not waiting_for:
            return
        who = self._turns.choose(waiting_for)
        assumed, suspects = document.begin_trial(who)
        self._trials += 1
        began_s = asyncio.get_running_loop().time()
        try:
            stored = await self._retrier.run(lambda: self._load(document.head))
            verdicts = await self.process.judge(stored, assumed, _as_suspects(suspects))
        except Poisoned as error:
            document.failed(error)
        except StoreError as error:
            document.fail_trial(suspects, error)
        else:
            document.end_trial(suspects, verdicts)
        finally:
            self._turns.charge(who, asyncio.get_running_loop().time() - began_s)

    async def _measure(self, document: Document) -> None:
        """Measure a document; where that fails, its next trial says why, and of whom."""
        assumed = document.begin_measuring()
        with contextlib.suppress(StoreError):
            stored = await self._load(document.head)
            nesting = await self.process.measure(stored, assumed)
            if nesting is not None:
                document.end_measuring(nesting)

    async def _recover(self, document: Document) -> None:
        """Find out what of a round the decoder fails on, and let the document go on without it."""
        self._recoveries += 1
        suspects = _as_suspects(document.round_updates)
        verdicts: list[Verdict] = []
        passed: list[bytes] = []
        try:
            stored = await self._retrier.run(lambda: self._load(document.head))
            while len(verdicts) < len(suspects):
                rest = suspects[len(verdicts) :]
                found = await self.process.judge(stored, passed, rest, is_recovery=True)
                passed += _passed(rest, found)
                verdicts += found
            beginning = await self._begin_with(stored, passed, verdicts)
        except (crdt.IntegrationFailed, UpdateRefused) as error:
            # It was no one of them alone.
            document.failed(DocumentFailed(document.name, str(error)))
        except StoreError as error:
            document.failed(error)
        else:
            document.recover(beginning, verdicts)

    async def _begin_with(
        self, stored: StoredDocument, passed: Sequence[bytes], verdicts: Sequence[Verdict]
    ) -> Beginning:
        """Return what is durable in pieces, and what has passed, mended where that is needed."""
        if any(isinstance(verdict, Passed) and verdict.needs_mending for verdict in verdicts):
            # One that has passed may itself be what must be mended beside one after it. Not in
            # this process: it may take seconds.
            return Beginning(*await self.process.mend(stored, passed))
        return Beginning(await asyncio.to_thread(assemble_cut, stored), [])

    # ---- life -------------------------------------------------------------------------------

    async def check(self, stored: StoredDocument) -> None:
        """Try a whole document before its first use; see TrialProcess.check."""
        await self.process.check(stored)

    @property
    def counts(self) -> TrialCounts:
        """How much has been tried, and how much waits."""
        return TrialCounts(self._trials, self._recoveries, self._waiting_bytes)

    def begin_closing(self) -> None:
        """From now on give up, aloud, what storage does not give in a few attempts."""
        self._retrier.is_closing = True
        self._unmeasured.clear()

    @property
    def is_busy(self) -> bool:
        """Whether anything waits or is tried."""
        return self._task is not None and not self._task.done()

    async def wait_idle(self) -> None:
        """Wait until nothing is."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    async def wait_broken(self) -> None:
        """Wait until a trial has ended of a defect, and raise that; for supervisors."""
        await asyncio.shield(self._broken)

    async def close(self) -> None:
        """End the process; nothing waits any more."""
        await self.process.close()


def _as_suspects(submissions: Sequence[Submission]) -> list[Suspect]:
    return [Suspect(submission.update, submission.repeats) for submission in submissions]


def _passed(suspects: Sequence[Suspect], verdicts: Sequence[Verdict]) -> list[bytes]:
    both = zip(suspects, verdicts, strict=False)
    return [suspect.update for suspect, verdict in both if isinstance(verdict, Passed)]
