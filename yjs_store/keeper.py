"""Keeps the store small in the background: runs checkpoints that are due, and trims."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from yjs_store.errors import StoreClosed, StoreError
from yjs_store.policy import CheckpointPolicy, checkpoint_due, checkpoint_retry_s
from yjs_store.records import Head

log = structlog.get_logger("yjs_store.keeper")


class Keeper:
    """One task; one checkpoint or one step of trimming at a time.

    A checkpoint that fails changes nothing but the time of the next attempt, and is logged:
    the journal keeps everything meanwhile.
    """

    def __init__(
        self,
        policy: CheckpointPolicy,
        checkpoint: Callable[[str, str], Awaitable[object]],
        trim: Callable[[], Awaitable[bool]],
    ) -> None:
        self._policy = policy
        self._checkpoint = checkpoint
        self._trim = trim
        self._due: dict[str, str] = {}
        self._failures: dict[str, tuple[int, float]] = {}
        self._wake = asyncio.Event()
        # What an earlier process left is trimmed first.
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="yjs-store-keeper")

    def consider(self, head: Head) -> None:
        """Look at a head that has just grown; cheap."""
        if head.name in self._due:
            return
        reason = checkpoint_due(head, self._policy)
        if reason is None or self._is_left_alone(head.name):
            return
        self._due[head.name] = reason
        self._wake.set()

    def request_trim(self) -> None:
        """Say that there is something to trim."""
        self._wake.set()

    async def close(self) -> None:
        """Stop, at the latest after the step under way; what is left goes on at the next start."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_stopped(self) -> None:
        """Wait until the task ends; raise what ended it, if that was a defect."""
        await asyncio.shield(self._task)

    def _is_left_alone(self, name: str) -> bool:
        failures = self._failures.get(name)
        return failures is not None and asyncio.get_running_loop().time() < failures[1]

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                name = next(iter(self._due))
                await self._run_checkpoint(name, self._due[name])
                del self._due[name]
            await self._run_trim()

    async def _run_checkpoint(self, name: str, reason: str) -> None:
        try:
            await self._checkpoint(name, reason)
        except StoreClosed:
            raise asyncio.CancelledError from None
        except StoreError as error:
            count = self._failures.get(name, (0, 0.0))[0] + 1
            retry_s = checkpoint_retry_s(count)
            self._failures[name] = (count, asyncio.get_running_loop().time() + retry_s)
            log.warning(
                "checkpoint failed; the journal keeps everything",
                document=name,
                failures=count,
                retry_s=retry_s,
                error=str(error),
            )
        else:
            self._failures.pop(name, None)

    async def _run_trim(self) -> None:
        try:
            # Each step is its own short transaction, so that commits come in between.
            is_more_left = True
            while is_more_left and not self._due:
                is_more_left = await self._trim()
        except StoreClosed:
            raise asyncio.CancelledError from None
        except StoreError as error:
            log.warning("trimming failed; it goes on later", error=str(error))
