"""Has the suspects of all documents tried, in fair turns: one trial at a time of what is quick, and
one of what takes long.

A document whose round the decoder failed on comes first: until it is known who is to blame, all
its clients wait.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple

from yjs_store import crdt
from yjs_store.assembling import assemble_cut
from yjs_store.document import Document
from yjs_store.errors import DocumentFailed, Poisoned, StoreError, UpdateRefused
from yjs_store.limits import TRIAL_WAITING_BYTES_MAX
from yjs_store.records import StoredDocument
from yjs_store.retrying import StorageState
from yjs_store.rounds import Beginning
from yjs_store.submissions import Submission
from yjs_store.trial import Failed, Passed, Suspect, Verdict
from yjs_store.trial_lanes import Choice, Lane, Load
from yjs_store.trial_process import TrialOverran
from yjs_store.trial_turns import Turns


class TrialCounts(NamedTuple):
    """What an operator wants to know of trials."""

    trials: int
    recoveries: int
    waiting_bytes: int
    refused: int
    processes_died: int


Tried = Callable[[str, float, str | None, int, int], None]
"""Who hears how each trial went; see Telemetry.tried."""


class Trials:
    """The documents that wait for a trial; ``load`` reads what is stored under a head."""

    def __init__(self, load: Load, tried: Tried = lambda *_: None) -> None:
        self._load = load
        self._tell_tried = tried
        self.quick, self.long = Lane(load, is_quick=True), Lane(load, is_quick=False)
        self._lanes = (self.quick, self.long)
        self._waiting: dict[Document, None] = {}
        self._recovering: dict[Document, None] = {}
        self._unmeasured: dict[Document, None] = {}
        # Tried or measured at the moment; that of one document is not done twice at a time.
        self._under_way: set[Document] = set()
        self._turns = Turns()
        self._choice = Choice(self._turns)
        self._waiting_bytes = 0
        self._trials = self._recoveries = self._refused = 0
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # ---- what documents say -----------------------------------------------------------------

    def admit(self, byte_length: int) -> bool:
        """See intake.Admission."""
        is_full = self._waiting_bytes + byte_length > TRIAL_WAITING_BYTES_MAX
        if not is_full:
            self._waiting_bytes += byte_length
        return not is_full

    def dismiss(self, byte_length: int) -> None:
        """See intake.Admission."""
        self._waiting_bytes -= byte_length

    def take(self, document: Document) -> None:
        """See document.Trials."""
        self._waiting.setdefault(document)
        if document not in self._under_way:
            for lane in self._lanes:
                # Looking at the others as well would take long where there are many.
                if not lane.is_busy and self._waits_for(lane, document):
                    self._wake(lane)

    def recover(self, document: Document) -> None:
        """See document.Trials."""
        self._recovering.setdefault(document)
        self._wake_all()

    def measure(self, document: Document) -> None:
        """Find out how deep the types of a document are nested, when nobody waits for a trial."""
        self._unmeasured.setdefault(document)
        self._wake_all()

    def _wake_all(self) -> None:
        for lane in self._lanes:
            self._wake(lane)

    def _wake(self, lane: Lane) -> None:
        if not lane.is_busy:
            name = "yjs-store-quick-trials" if lane.is_quick else "yjs-store-long-trials"
            lane.task = asyncio.create_task(self._run(lane), name=name)

    # ---- the tasks --------------------------------------------------------------------------

    async def _run(self, lane: Lane) -> None:
        while (work := self._next(lane)) is not None:
            document = lane.document = work.document
            try:
                await work.do(document)
            except Exception as error:  # noqa: BLE001  (handed to the one who supervises)
                # A defect must not leave the document waiting for ever.
                document.failed(DocumentFailed(document.name, repr(error)))
                if not self._broken.done():
                    self._broken.set_exception(error)
            finally:
                lane.document = None
                if work.is_exclusive:
                    self._under_way.discard(document)
            # What this one was at may be for the other now.
            self._wake_all()
        is_last = not any(other.is_busy for other in self._lanes if other is not lane)
        if is_last and not self._waiting:
            self._turns.begin_anew()

    def _next(self, lane: Lane) -> "_Work | None":
        """Return what a lane does next, and take it out of what waits."""
        for document in self._recovering:
            if self._choice.is_small(document, _round_bytes(document)) == lane.is_quick:
                del self._recovering[document]
                return _Work(document, lambda document: self._recover(document, lane), False)
        chosen = self._next_waiting(lane)
        if chosen is not None:
            document, who = chosen
            del self._waiting[document]
            self._under_way.add(document)
            return _Work(document, lambda document: self._try(document, who, lane))
        for document in () if lane.is_quick else self._unmeasured:
            if document not in self._under_way:
                del self._unmeasured[document]
                self._under_way.add(document)
                return _Work(document, self._measure)
        return None

    def _next_waiting(self, lane: Lane) -> tuple[Document, str] | None:
        """Return whose turn it is, and of which document: the one that has waited longest."""
        documents: dict[str, Document] = {}
        for document in tuple(self._waiting):
            if document in self._under_way:
                continue
            if document.error is not None or not document.trials_wait_for:
                del self._waiting[document]
                self._choice.note_done(document)
            for who in self._whose(lane, document):
                documents.setdefault(who, document)
        if not documents:
            return None
        who = self._turns.choose(documents)
        return documents[who], who

    def _whose(self, lane: Lane, document: Document) -> Iterator[str]:
        """Yield who has suspects in a document that are for a lane."""
        for who, byte_length in document.trials_wait_for.items():
            if self._choice.is_quick(document, who, byte_length) == lane.is_quick:
                yield who

    def _waits_for(self, lane: Lane, document: Document) -> bool:
        return any(True for _ in self._whose(lane, document))

    async def _try(self, document: Document, who: str, lane: Lane) -> None:
        """Try the first suspects that one has in a document."""
        assumed, suspects = document.begin_trial(who, lane.bytes_max)
        self._trials += 1
        began_s = asyncio.get_running_loop().time()
        verdicts: Sequence[Verdict] = ()
        failed: Exception | None = None
        try:
            stored = await lane.load(document)
            verdicts = await lane.process.judge(
                stored, assumed, _as_suspects(suspects), is_quick=lane.is_quick
            )
        except TrialOverran as error:
            failed = error
            self._choice.note_overrun(document)
            document.put_off_trial()
            return
        except Poisoned as error:
            failed = error
            document.failed(error)
        except StoreError as error:
            failed = error
            document.fail_trial(suspects, error)
        else:
            self._count_refused(verdicts)
            document.end_trial(suspects, verdicts)
        finally:
            took_s = asyncio.get_running_loop().time() - began_s
            self._turns.charge(who, took_s)
            self._tell(document, took_s, failed, suspects, verdicts)
        self._choice.note_done(document)

    def _tell(
        self,
        document: Document,
        took_s: float,
        failed: Exception | None,
        tried: Sequence[Submission],
        verdicts: Sequence[Verdict],
    ) -> None:
        refused = sum(isinstance(verdict, Failed) for verdict in verdicts)
        kind = None if failed is None else type(failed).__name__
        self._tell_tried(document.name, took_s, kind, len(tried), refused)

    def _count_refused(self, verdicts: Sequence[Verdict]) -> None:
        self._refused += sum(isinstance(verdict, Failed) for verdict in verdicts)

    async def _measure(self, document: Document) -> None:
        """Measure a document; where that fails, its next trial says why, and of whom."""
        assumed = document.begin_measuring()
        with contextlib.suppress(StoreError):
            stored = await self._load(document.head)
            nesting = await self.long.process.measure(stored, assumed)
            if nesting is not None:
                document.end_measuring(nesting)

    async def _recover(self, document: Document, lane: Lane) -> None:
        """Find out what of a round the decoder fails on, and let the document go on without it."""
        if document.error is not None:
            self._choice.note_done(document)
            return
        self._recoveries += 1
        taken = document.round_updates
        suspects = _as_suspects(taken)
        verdicts: list[Verdict] = []
        passed: list[bytes] = []
        failed: Exception | None = None
        began_s = asyncio.get_running_loop().time()
        try:
            stored = await lane.load(document)
            while len(verdicts) < len(suspects):
                rest = suspects[len(verdicts) :]
                found = await lane.process.judge(
                    stored, passed, rest, is_recovery=True, is_quick=lane.is_quick
                )
                passed += _passed(rest, found)
                verdicts += found
            beginning = await self._begin_with(stored, passed, verdicts, lane)
        except TrialOverran as error:
            failed = error
            self._choice.note_overrun(document)
            self._recovering.setdefault(document)
            return
        except (crdt.IntegrationFailed, UpdateRefused) as error:
            failed = error
            # It was no one of them alone.
            document.failed(DocumentFailed(document.name, str(error)))
        except StoreError as error:
            failed = error
            document.failed(error)
        else:
            self._count_refused(verdicts)
            document.recover(beginning, verdicts)
            took_s = asyncio.get_running_loop().time() - began_s
            for who in _culprits(taken, verdicts):
                self._turns.charge(who, took_s)
        finally:
            took_s = asyncio.get_running_loop().time() - began_s
            self._tell(document, took_s, failed, taken, verdicts)
        self._choice.note_done(document)

    async def _begin_with(
        self,
        stored: StoredDocument,
        passed: Sequence[bytes],
        verdicts: Sequence[Verdict],
        lane: Lane,
    ) -> Beginning:
        """Return what is durable in pieces, and what has passed, mended where that is needed."""
        if any(isinstance(verdict, Passed) and verdict.needs_mending for verdict in verdicts):
            # One that has passed may itself be what must be mended beside one after it. Not in
            # this process: it may take seconds.
            return Beginning(*await lane.process.mend(stored, passed))
        return Beginning(await asyncio.to_thread(assemble_cut, stored), [])

    # ---- life -------------------------------------------------------------------------------

    async def check(self, stored: StoredDocument) -> None:
        """Try a whole document before its first use; see TrialProcess.check."""
        await self.long.process.check(stored)

    @property
    def counts(self) -> TrialCounts:
        """How much has been tried, and how much waits."""
        died = sum(lane.process.worker.deaths for lane in self._lanes)
        return TrialCounts(self._trials, self._recoveries, self._waiting_bytes, self._refused, died)

    @property
    def state(self) -> StorageState:
        """How reading goes where it has failed longest; in order when it works."""
        failing = [lane.state for lane in self._lanes if lane.state.failing_since_s is not None]
        return min(failing, key=lambda state: state.failing_since_s or 0.0, default=StorageState())

    def is_failing_for(self, name: str) -> bool:
        """Whether what waits in a document for its trial waits for storage that fails."""
        failing = [lane for lane in self._lanes if lane.state.failing_since_s is not None]
        return any(name == document.name for lane in failing for document in self._behind(lane))

    def _behind(self, lane: Lane) -> Iterator[Document]:
        """Yield the document that a lane is at, and those that wait for it."""
        if lane.document is not None:
            yield lane.document
        for document in self._recovering:
            if self._choice.is_small(document, _round_bytes(document)) == lane.is_quick:
                yield document
        for document in self._waiting:
            if document not in self._under_way and self._waits_for(lane, document):
                yield document

    def begin_closing(self) -> None:
        """From now on give up, aloud, what storage does not give in a few attempts."""
        for lane in self._lanes:
            lane.retrier.is_closing = True
        self._unmeasured.clear()

    @property
    def is_busy(self) -> bool:
        """Whether anything waits or is tried."""
        return any(lane.is_busy for lane in self._lanes)

    async def wait_idle(self) -> None:
        """Wait until nothing is."""
        while self.is_busy:
            tasks = [lane.task for lane in self._lanes if lane.task is not None]
            await asyncio.shield(asyncio.gather(*tasks))

    async def wait_broken(self) -> None:
        """Wait until a trial has ended of a defect, and raise that; for supervisors."""
        await asyncio.shield(self._broken)

    async def close(self) -> None:
        """End the processes; nothing waits any more."""
        await asyncio.gather(*(lane.process.close() for lane in self._lanes))


class _Work(NamedTuple):
    """What is to be done with a document, and whether that excludes the other lane.

    A recovery does not: all who are in the document wait for it.
    """

    document: Document
    do: Callable[[Document], Awaitable[None]]
    is_exclusive: bool = True


def _round_bytes(document: Document) -> int:
    return sum(len(submission.update) for submission in document.round_updates)


def _culprits(taken: Sequence[Submission], verdicts: Sequence[Verdict]) -> set[str]:
    both = zip(taken, verdicts, strict=True)
    return {submission.sender.who for submission, found in both if isinstance(found, Failed)}


def _as_suspects(submissions: Sequence[Submission]) -> list[Suspect]:
    return [Suspect(submission.update, submission.repeats) for submission in submissions]


def _passed(suspects: Sequence[Suspect], verdicts: Sequence[Verdict]) -> list[bytes]:
    both = zip(suspects, verdicts, strict=False)
    return [suspect.update for suspect, verdict in both if isinstance(verdict, Passed)]
