"""Has updates tried in a process of its own, and finds out which of them ended it."""

import signal
from collections.abc import Sequence
from dataclasses import replace

from yjs_store.errors import Poisoned, StoreError, TrialFailed
from yjs_store.fold_pipe import job_messages
from yjs_store.limits import TRIAL_TIMEOUT_S
from yjs_store.records import StoredDocument
from yjs_store.trial import Failed, Order, Passed, Ready, Suspect, Verdict
from yjs_store.worker_process import DECODER_SIGNALS, Pipes, WorkerFailed, WorkerProcess


class TrialOverran(Exception):
    """It was to be quick, and was not; there is nothing to say of anybody."""


class TrialProcess:
    """One process that tries, one document at a time."""

    def __init__(self) -> None:
        self.worker = WorkerProcess("yjs_store.trial_worker", "trial")

    async def judge(
        self,
        stored: StoredDocument,
        assumed: Sequence[bytes],
        suspects: Sequence[Suspect],
        *,
        is_recovery: bool = False,
        is_quick: bool = False,
    ) -> list[Verdict]:
        """Return verdicts for the first of the suspects, for one at least.

        Each is tried on top of those that passed before it. ``assumed`` is what is on its way
        into the document and has been cleared elsewhere; with ``is_recovery`` all suspects have.

        Raises:
            Poisoned: the decoder fails on what is stored.
            TrialFailed: the process was ended twice, and not by a suspect.
            Damaged: what is stored is not what was written.
            TrialOverran: it ``is_quick``, and had no time for the first of them.
        """
        name = stored.sealed_head.head.name
        is_together = len(suspects) > 1 and not is_recovery
        is_second = False
        while True:
            order = Order(
                len(assumed),
                len(suspects),
                is_recovery=is_recovery,
                is_together=is_together,
                is_quick=is_quick,
            )
            talk = _Talk(order, stored, assumed, suspects)
            verdicts = talk.verdicts
            try:
                await self.worker.ask(talk.run, TRIAL_TIMEOUT_S)
            except WorkerFailed as error:
                if is_quick and error.signal == signal.SIGPROF:
                    if not verdicts:
                        raise TrialOverran from error
                    return verdicts
                if is_together and talk.is_ready and not verdicts:
                    # It is not known of which; and it is no proof against the first, once alone.
                    is_together = False
                    continue
                if not talk.is_ready:
                    if is_second:
                        raise TrialFailed(name, str(error)) from error
                    # It may be something of what nobody has tried.
                    assumed = ()
                elif len(verdicts) < len(suspects) and (
                    error.signal in DECODER_SIGNALS or (is_second and not verdicts)
                ):
                    verdicts.append(Failed(f"the decoder fails on it: {error}"))
            if verdicts or is_second:
                return verdicts
            is_second = True

    async def mend(
        self, stored: StoredDocument, passed: Sequence[bytes]
    ) -> tuple[list[bytes], list[bytes]]:
        """Return what is stored, in pieces, and what has passed, as they must be read together.

        Raises:
            TrialFailed: the process was ended.
            UpdateRefused: one of them is not an update that ``inspect`` passes.
            Damaged: what is stored is not what was written.
        """
        talk = _Talk(Order(len(passed), 0, is_mending=True), stored, passed, ())
        try:
            await self.worker.ask(talk.run_mending, TRIAL_TIMEOUT_S)
        except WorkerFailed as error:
            raise TrialFailed(stored.sealed_head.head.name, str(error)) from error
        return talk.mended[: talk.durable_count], talk.mended[talk.durable_count :]

    async def measure(self, stored: StoredDocument, assumed: Sequence[bytes]) -> int | None:
        """Return how deep types are nested in a document; None when that was not found out.

        Raises:
            Damaged: what is stored is not what was written.
            Poisoned: the decoder fails on it.
        """
        talk = _Talk(Order(len(assumed), 0), stored, assumed, ())
        try:
            await self.worker.ask(talk.run, TRIAL_TIMEOUT_S)
        except WorkerFailed:
            return None
        return talk.nesting

    async def check(self, stored: StoredDocument) -> None:
        """Return when the document can be read, encoded and deleted.

        Raises:
            Poisoned: it cannot.
            TrialFailed: the process was ended from outside.
            Damaged: what is stored is not what was written.
        """
        name = stored.sealed_head.head.name
        talk = _Talk(Order(0, 0, is_check=True), stored, (), ())
        try:
            await self.worker.ask(talk.run, TRIAL_TIMEOUT_S)
        except WorkerFailed as error:
            if error.signal in DECODER_SIGNALS:
                raise Poisoned(name, str(error)) from error
            raise TrialFailed(name, str(error)) from error

    async def close(self) -> None:
        """End the process."""
        await self.worker.close()


class _Talk:
    """One job for the process; what it said so far stays when it dies."""

    def __init__(
        self,
        order: Order,
        stored: StoredDocument,
        assumed: Sequence[bytes],
        suspects: Sequence[Suspect],
    ) -> None:
        self._order = order
        self.suspects = suspects
        self.verdicts: list[Verdict] = []
        self.is_ready = False
        self.nesting: int | None = None
        self.mended: list[bytes] = []
        self.durable_count = 0
        self._stored = stored
        self._assumed = assumed

    async def run(self, pipes: Pipes) -> None:
        """Send the job and read what comes of it; see ``trial_worker.work``."""
        await self._begin(pipes)
        while (answer := await pipes.receive()) is not None:
            verdict, piece_count = answer
            if isinstance(verdict, Passed):
                pieces = [await pipes.receive() for _ in range(piece_count)]
                verdict = replace(verdict, pieces=tuple(pieces))
            self.verdicts.append(verdict)

    async def run_mending(self, pipes: Pipes) -> None:
        """The same where nothing is to be tried."""
        await self._begin(pipes)
        self.durable_count, count = await pipes.receive()
        self.mended = [await pipes.receive() for _ in range(count)]

    async def _begin(self, pipes: Pipes) -> None:
        await pipes.send(self._order)
        for message in job_messages(self._stored, None, 0):
            await pipes.send(message)
        for part in (*self._assumed, *self.suspects):
            await pipes.send(part)
        answer = await pipes.receive()
        if isinstance(answer, StoreError):
            raise answer
        if isinstance(answer, Failed):
            raise Poisoned(self._stored.sealed_head.head.name, answer.reason)
        assert isinstance(answer, Ready), "a job begins with word of its document"
        self.is_ready = True
        self.nesting = answer.nesting
