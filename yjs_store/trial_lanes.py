"""The two processes that try: one for what is quick, so that it waits for nothing that takes long.

What may be quick is tried there first, with little time. What had not enough of it comes again
where there is more; and so does at once what is large, or of somebody who has used much.
"""

import asyncio
from collections.abc import Awaitable, Callable

from yjs_store.document import Document
from yjs_store.limits import TRIAL_BYTES_MAX, TRIAL_QUICK_BYTES_MAX
from yjs_store.records import Head, StoredDocument
from yjs_store.retrying import Retrier, StorageState
from yjs_store.trial_process import TrialProcess
from yjs_store.trial_turns import Turns

Load = Callable[[Head], Awaitable[StoredDocument]]


class Lane:
    """One process, the task that gives it work, and the document that it is at."""

    def __init__(self, load: Load, *, is_quick: bool) -> None:
        self.is_quick = is_quick
        self.process = TrialProcess()
        self.document: Document | None = None
        self.task: asyncio.Task[None] | None = None
        self.retrier = Retrier("a trial", StorageState())
        self._load = load

    @property
    def bytes_max(self) -> int:
        """How much is tried at a time."""
        return TRIAL_QUICK_BYTES_MAX if self.is_quick else TRIAL_BYTES_MAX

    @property
    def is_busy(self) -> bool:
        """Whether anything is tried, or chosen for that."""
        return self.task is not None and not self.task.done()

    @property
    def state(self) -> StorageState:
        """How reading what is stored goes."""
        return self.retrier.state

    async def load(self, document: Document) -> StoredDocument:
        """Read what is stored of a document, again and again while storage fails."""
        return await self.retrier.run(lambda: self._load(document.head))


class Choice:
    """Which of the two something is for. Pure."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        # What was not done in the time that is given to what is quick.
        self._overran: set[Document] = set()

    def is_quick(self, document: Document, who: str, byte_length: int) -> bool:
        """Say it of the suspects of one; the oldest of them has this many bytes."""
        return not self._turns.is_slow(who) and self.is_small(document, byte_length)

    def is_small(self, document: Document, byte_length: int) -> bool:
        """Say it of what is no one's."""
        stored_bytes = document.head.journal_bytes + document.head.snapshot_bytes
        is_small = stored_bytes + byte_length <= TRIAL_QUICK_BYTES_MAX
        return is_small and document not in self._overran

    def note_overrun(self, document: Document) -> None:
        """Hear that there was not enough time for a document."""
        self._overran.add(document)

    def note_done(self, document: Document) -> None:
        """Hear that there was, or that it is over."""
        self._overran.discard(document)
