"""Work that nobody waits for: its tasks are kept, and a defect of one is heard of."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Tasks of one owner, who awaits ``wait_broken`` and, in the end, ``close``."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._look_at_end)

    def _look_at_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def wait_broken(self) -> None:
        """Wait until something here has died of a defect, and raise that."""
        await asyncio.shield(self._broken)

    async def wait_idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self.wait_idle()
        self._broken.cancel()
