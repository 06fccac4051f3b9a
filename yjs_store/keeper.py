"""Keeps the store small in the background: runs checkpoints that are due, and trims."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from yjs_store.breaker import Breaker, BreakerEvent, BreakerState
from yjs_store.errors import (
    DocumentDeleted,
    DocumentMissing,
    Poisoned,
    StoreClosed,
    StoreError,
    StoreUnavailable,
)
from yjs_store.health import Degradation, Trouble
from yjs_store.limits import JOURNAL_ALARM_FACTOR
from yjs_store.policy import CheckpointPolicy, checkpoint_due, is_alarming
from yjs_store.records import CheckpointResult, Head
from yjs_store.telemetry import Note

log = structlog.get_logger("yjs_store.keeper")


class Keeper:
    """One task; one checkpoint or one step of trimming at a time.

    Each document has a circuit breaker, and the store has one for what is not the document's
    fault. A checkpoint that fails changes nothing but its breaker: the journal keeps everything
    meanwhile. ``chance`` gives numbers in [0, 1).
    """

    def __init__(
        self,
        policy: CheckpointPolicy,
        checkpoint: Callable[[str, str], Awaitable[CheckpointResult]],
        trim: Callable[[], Awaitable[bool]],
        chance: Callable[[], float],
        note: Note,
    ) -> None:
        self.store_breaker = Breaker()
        self._policy = policy
        self._checkpoint = checkpoint
        self._trim = trim
        self._chance = chance
        self._tell = note
        self._due: dict[str, str] = {}
        self._breakers: dict[str, Breaker] = {}
        self._alarmed: set[str] = set()
        self._wake = asyncio.Event()
        # What an earlier process left is trimmed first.
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="yjs-store-keeper")

    # ---- what others say --------------------------------------------------------------------

    def consider(self, head: Head) -> None:
        """Look at a head that has just grown; cheap."""
        if head.name in self._due:
            self._watch(head)
            return
        reason = checkpoint_due(head, self._policy)
        if reason is not None:
            self._due[head.name] = reason
            self._wake.set()

    def request(self, name: str, reason: str) -> None:
        """Make a checkpoint due, however little has come."""
        self._due.setdefault(name, reason)
        self._wake.set()

    def drop(self, name: str) -> None:
        """Forget a document that is gone: nothing about it is due, paused or alarming."""
        self._due.pop(name, None)
        self._breakers.pop(name, None)
        self._alarmed.discard(name)

    def request_trim(self) -> None:
        """Say that there is something to trim."""
        self._wake.set()

    async def attempt(self, name: str, reason: str) -> CheckpointResult:
        """Checkpoint now, whatever the breakers say; a success closes them.

        Raises:
            StoreError: it failed; the breakers know.
        """
        self._note(name, BreakerEvent.ATTEMPT)
        started_s = _now_s()
        try:
            result = await self._checkpoint(name, reason)
        except BaseException as error:
            # A cancelled trial, too, must leave no breaker half open.
            self._note_failure(name, error)
            raise
        _log_published(result, _now_s() - started_s)
        self._note(name, BreakerEvent.SUCCESS)
        self._note_store(BreakerEvent.SUCCESS)
        self._due.pop(name, None)
        self._alarmed.discard(name)
        # So much may have come meanwhile that it is due again.
        self.consider(result.head)
        self._wake.set()
        return result

    def reset(self, name: str) -> None:
        """Hear that a person wants the breaker of a document closed."""
        self._note(name, BreakerEvent.RESET)

    @property
    def due(self) -> Mapping[str, str]:
        """Which documents wait for a checkpoint, and why; the longest first."""
        return self._due

    def is_due(self, head: Head) -> bool:
        """Say whether a head that is stored has grown so far that a checkpoint is due."""
        return head.name in self._due or checkpoint_due(head, self._policy) is not None

    @property
    def troubled(self) -> set[str]:
        """The documents whose checkpoints fail, or whose journal has grown for it."""
        return {*self._breakers, *self._alarmed}

    @property
    def alarming_bytes(self) -> int:
        """The length below which no journal is alarming for its bytes."""
        return min(self._policy.bytes_min * JOURNAL_ALARM_FACTOR, 2**63 - 1)

    def is_alarming(self, head: Head) -> bool:
        """Say whether a journal has grown far beyond its bound, also of who was never opened."""
        return head.name in self._alarmed or is_alarming(head, self._policy)

    def breaker(self, name: str) -> Breaker:
        """Return the breaker of a document."""
        return self._breakers.get(name, Breaker())

    def has_alarm(self, name: str) -> bool:
        """Say whether the journal of a document has grown far beyond where it was due."""
        return name in self._alarmed

    def degradations(self, now_ms: int) -> list[Degradation]:
        """Return which checkpoints have paused, and which journals have grown for it."""
        breakers = [(None, self.store_breaker), *self._breakers.items()]
        offset_ms = now_ms - _now_s() * 1000
        paused = [
            Degradation(
                Trouble.CHECKPOINTS,
                name,
                breaker.reason or "",
                since_ms=round(offset_ms + breaker.since_s * 1000),
                trial_ms=round(offset_ms + breaker.trial_s * 1000),
            )
            for name, breaker in breakers
            if breaker.state is not BreakerState.CLOSED
        ]
        grown = [
            Degradation(Trouble.JOURNAL, name, self._reason_for(name))
            for name in sorted(self._alarmed)
        ]
        return paused + grown

    def _reason_for(self, name: str) -> str:
        return self.breaker(name).reason or self.store_breaker.reason or "it grows too fast"

    async def close(self) -> None:
        """Stop; a checkpoint under way is given up, and is made at another time."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_stopped(self) -> None:
        """Wait until the task ends; raise what ended it, if that was a defect."""
        await asyncio.shield(self._task)

    def _note_failure(self, name: str, error: BaseException) -> None:
        """Put a failure where it belongs; no breaker may stay half open after its trial."""
        reason = str(error) or type(error).__name__
        is_trial = self.breaker(name).state is BreakerState.HALF_OPEN
        if isinstance(error, StoreUnavailable):
            self._note_store(BreakerEvent.FAILURE, reason)
        elif self.store_breaker.state is BreakerState.HALF_OPEN:
            # Not the store's fault, which is all that its trial was to find out.
            self._note_store(BreakerEvent.SUCCESS)
        # What is poisoned is not tried again by itself, and is named elsewhere.
        is_documents_fault = isinstance(error, StoreError) and not isinstance(
            error, StoreUnavailable | StoreClosed | Poisoned
        )
        if isinstance(error, DocumentDeleted | DocumentMissing):
            self.drop(name)
        elif is_trial or is_documents_fault:
            self._note(name, BreakerEvent.FAILURE, reason)

    # ---- breakers ---------------------------------------------------------------------------

    def _note(self, name: str, event: BreakerEvent, reason: str = "") -> None:
        before = self.breaker(name)
        after = before.after(event, _now_s(), chance=self._chance(), reason=reason)
        if after == Breaker():
            self._breakers.pop(name, None)
        else:
            self._breakers[name] = after
        _log_change(name, before, after)
        if before.state is not after.state:
            self._tell(
                name, "checkpoint breaker", state=after.state.value, cooldown_s=after.cooldown_s
            )

    def _note_store(self, event: BreakerEvent, reason: str = "") -> None:
        before = self.store_breaker
        self.store_breaker = before.after(event, _now_s(), chance=self._chance(), reason=reason)
        _log_change(None, before, self.store_breaker)

    def _watch(self, head: Head) -> None:
        if head.name not in self._alarmed and is_alarming(head, self._policy):
            self._alarmed.add(head.name)
            self._tell(head.name, "journal alarm", rows=head.journal_rows, bytes=head.journal_bytes)
            log.error(
                "the journal grows; nothing is lost, but opening takes longer",
                document=head.name,
                journal_rows=head.journal_rows,
                journal_bytes=head.journal_bytes,
                reason=self._reason_for(head.name),
            )

    # ---- the task ---------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while (name := self._next_due()) is not None:
                await self._run_checkpoint(name)
            await self._run_trim()
            await self._wait()

    def _next_due(self) -> str | None:
        now_s = _now_s()
        if not self.store_breaker.allows(now_s):
            return None
        return next((name for name in self._due if self.breaker(name).allows(now_s)), None)

    async def _wait(self) -> None:
        """Wait until something is due, or a breaker allows a trial."""
        trials_s = [self.breaker(name).trial_s for name in self._due]
        if not trials_s:
            await self._wake.wait()
            return
        wait_s = max(min(trials_s), self.store_breaker.trial_s) - _now_s()
        try:
            async with asyncio.timeout(max(wait_s, 0.0)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _run_checkpoint(self, name: str) -> None:
        if self.store_breaker.state is BreakerState.OPEN:
            self._note_store(BreakerEvent.ATTEMPT)
        try:
            await self.attempt(name, self._due[name])
        except StoreClosed:
            raise asyncio.CancelledError from None
        except StoreError as error:
            log.warning(
                "checkpoint failed; the journal keeps everything",
                document=name,
                failures=self.breaker(name).failures_in_row or self.store_breaker.failures_in_row,
                error=str(error),
            )

    async def _run_trim(self) -> None:
        try:
            # Each step is its own short transaction, so that commits come in between.
            is_more_left = True
            while is_more_left and not self._wake.is_set():
                is_more_left = await self._trim()
        except StoreClosed:
            raise asyncio.CancelledError from None
        except StoreError as error:
            log.warning("trimming failed; it goes on later", error=str(error))


def _log_published(result: CheckpointResult, duration_s: float) -> None:
    if result.published:
        log.info(
            "checkpoint",
            document=result.document,
            reason=result.reason,
            snapshot=result.head.snapshot_id,
            cut_seq=result.cut_seq,
            rows=result.rows_folded,
            journal_bytes=result.journal_bytes_before,
            snapshot_bytes=result.snapshot_bytes,
            stored_bytes=result.stored_bytes,
            duration_s=round(duration_s, 3),
        )


def _log_change(name: str | None, before: Breaker, after: Breaker) -> None:
    if before.state is after.state:
        return
    log.warning(
        "checkpoint breaker",
        document=name,
        before=before.state.value,
        after=after.state.value,
        reason=after.reason,
        cooldown_s=after.cooldown_s,
    )


def _now_s() -> float:
    return asyncio.get_running_loop().time()
