"""The documents that cannot be read before a checkpoint has mended them; see ``mending``."""

import asyncio

from yjs_store.errors import FoldFailed
from yjs_store.keeper import Keeper


class Unmended:
    """Has what is stored of them folded, and so mended, in another process; one at a time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._names: set[str] = set()
        self._turn = asyncio.Lock()

    def add(self, name: str) -> None:
        """Hear that a document has to be mended before its next use."""
        self._names.add(name)

    def drop(self, name: str) -> None:
        """Forget a document whose life is over."""
        self._names.discard(name)

    async def mend(self, name: str) -> None:
        """Return when a document is mended, at once if it need not be.

        Raises:
            FoldFailed: that was ended from outside, or too often of late; the next who asks tries
                again. It says nothing of what is stored.
            StoreError: as ``Keeper.attempt``.
        """
        if name not in self._names:
            return
        async with self._turn:
            if name not in self._names:
                return
            breaker = self._keeper.breaker(name)
            if not breaker.allows(asyncio.get_running_loop().time()):
                # Each attempt may take minutes, and those who wait for it come again and again.
                raise FoldFailed(name, f"it is tried again later: {breaker.reason}")
            await self._keeper.attempt(name, "mending")
            self._names.discard(name)
