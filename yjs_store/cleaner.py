"""Removes on a schedule what was kept for its time: sessions, entries of the quarantine."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from yjs_store.errors import StoreClosed, StoreError
from yjs_store.limits import CLEANING_FIRST_S, CLEANING_S

log = structlog.get_logger("yjs_store.cleaner")


class Cleaner:
    """One task; ``removals`` remove what is too old, by what it is, and say how many."""

    def __init__(self, removals: Mapping[str, Callable[[], Awaitable[int]]]) -> None:
        self._removals = removals
        self._task = asyncio.create_task(self._run(), name="yjs-store-cleaner")

    async def close(self) -> None:
        """Stop; each step that is under way is carried out or not at all."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_stopped(self) -> None:
        """Wait until the task ends; raise what ended it, if that was a defect."""
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        # Whoever comes back after a restart goes first.
        await asyncio.sleep(CLEANING_FIRST_S)
        while True:
            for what, remove in self._removals.items():
                await _clean(what, remove)
            await asyncio.sleep(CLEANING_S)


async def _clean(what: str, remove: Callable[[], Awaitable[int]]) -> None:
    try:
        removed = await remove()
    except StoreClosed:
        raise asyncio.CancelledError from None
    except StoreError as error:
        log.warning("cleaning failed; it goes on later", what=what, error=str(error))
    else:
        if removed:
            log.info("cleaned", what=what, removed=removed)
