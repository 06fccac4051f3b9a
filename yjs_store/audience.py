"""Who follows one document, and who waits for it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from yjs_store.errors import StoreError
from yjs_store.records import JournalRow, Receipt
from yjs_store.submissions import Submission


class Listener(Protocol):
    """Who follows a document."""

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        """Hear of a row that is durable now: what was gathered, as one update in its data."""

    def failed(self, error: StoreError) -> None:
        """Hear that the document must be closed and loaded again."""

    def switched(self, *, is_read_only: bool) -> None:
        """Hear that from now on nothing is taken, or again everything."""


class Audience:
    """The listeners of one document, those who wait until it is durable, or until it is settled.

    Who is told may listen, or stop, while the others are told: it counts from the next time on.
    """

    __slots__ = ("_listeners", "_when_durable", "_when_settled")

    def __init__(self) -> None:
        self._listeners: dict[Listener, None] = {}
        self._when_durable: list[Callable[[], None]] = []
        self._when_settled: list[asyncio.Future[None]] = []

    def add(self, listener: Listener) -> None:
        """Tell one more of everything from now on."""
        self._listeners[listener] = None

    def remove(self, listener: Listener) -> None:
        """Tell it no more."""
        self._listeners.pop(listener, None)

    def add_when_durable(self, callback: Callable[[], None]) -> None:
        """Call back at the next ``tell_durable``, once."""
        self._when_durable.append(callback)

    async def wait_settled(self) -> None:
        """Wait for the next ``tell_settled``."""
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._when_settled.append(settled)
        await settled

    def tell_durable(self) -> None:
        """Call back all who wait for a moment in which the replica is what is durable."""
        callbacks, self._when_durable = self._when_durable, []
        for callback in callbacks:
            callback()

    def tell_committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        """Tell the listeners of a row."""
        for listener in tuple(self._listeners):
            listener.committed(row, stored)

    def tell_failed(self, error: StoreError) -> None:
        """Tell the listeners that the document failed; who waits for a moment has none any more."""
        self._when_durable.clear()
        for listener in tuple(self._listeners):
            listener.failed(error)

    def tell_switched(self, *, is_read_only: bool) -> None:
        """Tell the listeners whether something is taken."""
        for listener in tuple(self._listeners):
            listener.switched(is_read_only=is_read_only)

    def tell_settled(self) -> None:
        """Let go on all who wait for that."""
        waiters, self._when_settled = self._when_settled, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Waiter:
    """A sender of one update that waits for its receipt, or raises why there is none."""

    who = ""

    def __init__(self) -> None:
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        """See submissions.Sender."""
        if not self.future.done():
            self.future.set_result(receipt)

    def refused(self, update: bytes, error: StoreError) -> None:
        """See submissions.Sender."""
        if not self.future.done():
            self.future.set_exception(error)
