"""The documents in memory: loaded once however many ask, and kept a while after the last."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from yjs_store.document import Document
from yjs_store.errors import StoreError
from yjs_store.limits import RESTING_BYTES_MAX, RESTING_DOCUMENTS_MAX


@dataclass(slots=True, eq=False)
class _Entry:
    """A document that is in memory or on its way there."""

    loading: "asyncio.Task[Document]"
    users: int = 0

    @property
    def document(self) -> Document | None:
        """None while it is on its way, and when it could not be loaded."""
        task = self.loading
        is_loaded = task.done() and not task.cancelled() and task.exception() is None
        return task.result() if is_loaded else None


class OpenDocuments:
    """Documents by name, counted by their users; ``load`` reads one."""

    def __init__(self, load: Callable[[str], Awaitable[Document]]) -> None:
        self._load = load
        self._entries: dict[str, _Entry] = {}
        self._resting: dict[str, Document] = {}

    async def open(self, name: str) -> Document:
        """Load a document, or join those who have it; pair with ``release``.

        Raises:
            StoreError: it cannot be loaded; the next who asks tries again.
        """
        entry = self._entries.get(name)
        if entry is None:
            loading = asyncio.create_task(self._load_one(name), name=f"load {name}")
            entry = self._entries[name] = _Entry(loading)
        entry.users += 1
        self._resting.pop(name, None)
        try:
            # Shielded: one who gives up waiting does not take the document from the others.
            return await asyncio.shield(entry.loading)
        except BaseException:
            entry.users -= 1
            document = entry.document
            if document is not None:
                # It came in the very moment in which this one gave up.
                self.drop_when_unused(document)
            elif entry.users == 0:
                self._forget(name, entry)
            raise

    async def _load_one(self, name: str) -> Document:
        return await self._load(name)

    def release(self, document: Document) -> None:
        """Say that one user is done; after the last, the document may leave memory."""
        entry = self._entry_of(document)
        if entry is not None:
            entry.users -= 1
            self.drop_when_unused(document)

    def drop_when_unused(self, document: Document) -> None:
        """Let a document go that failed, or that nobody uses and that is all durable."""
        entry = self._entry_of(document)
        if entry is None:
            return
        if document.error is not None:
            self._forget(document.name, entry)
        elif entry.users == 0 and document.is_settled:
            self._let_rest(document)

    async def find(self, name: str) -> Document | None:
        """Return the document if it is in memory or on its way there.

        One that is on its way may have read the head before it was changed just now.
        """
        entry = self._entries.get(name)
        if entry is None:
            return None
        try:
            document = await asyncio.shield(entry.loading)
        except StoreError:
            return None
        return document if document.error is None else None

    def peek(self, name: str) -> tuple[Document, int] | None:
        """Return a document that is in memory now, and how many use it; changes nothing."""
        entry = self._entries.get(name)
        document = None if entry is None else entry.document
        if entry is None or document is None or document.error is not None:
            return None
        return document, entry.users

    def in_memory(self) -> list[Document]:
        """Return the documents that are in memory now."""
        found = (entry.document for entry in self._entries.values())
        return [document for document in found if document is not None and document.error is None]

    @property
    def count(self) -> int:
        """How many are in memory or on their way there."""
        return len(self._entries)

    def unload(self, name: str) -> bool:
        """Let a document go that rests; False when somebody uses it, or something is unsaved."""
        entry = self._entries.get(name)
        if entry is None or name not in self._resting:
            return False
        self._forget(name, entry)
        return True

    async def close(self) -> None:
        """Wait for what is on its way, and forget everything."""
        loading = [entry.loading for entry in self._entries.values()]
        await asyncio.gather(*loading, return_exceptions=True)
        self._entries.clear()
        self._resting.clear()

    def _entry_of(self, document: Document) -> _Entry | None:
        """Return the entry of this very document; None when it failed, whoever has its place."""
        entry = self._entries.get(document.name)
        return entry if entry is not None and entry.document is document else None

    def _let_rest(self, document: Document) -> None:
        """Keep an unused document for a while; drop those that have rested longest."""
        self._resting.pop(document.name, None)
        self._resting[document.name] = document
        byte_length = sum(map(_byte_length, self._resting.values()))
        for name, resting in tuple(self._resting.items()):
            if len(self._resting) <= RESTING_DOCUMENTS_MAX and byte_length <= RESTING_BYTES_MAX:
                break
            byte_length -= _byte_length(resting)
            self._forget(name, self._entries[name])

    def _forget(self, name: str, entry: _Entry) -> None:
        if self._entries.get(name) is entry:
            del self._entries[name]
            self._resting.pop(name, None)


def _byte_length(document: Document) -> int:
    return document.head.journal_bytes + document.head.snapshot_bytes
