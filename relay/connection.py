"""One websocket as the hub sees it: what it owes the disk, what waits to be sent, why it ends."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from relay.endings import ending_for
from relay.errors import CloseCode
from relay.limits import (
    CLOSE_REASON_BYTES_MAX,
    CONNECTION_UNSAVED_BYTES_MAX,
    CONNECTION_UNSAVED_UPDATES_MAX,
)
from relay.outbox import Outbox
from relay.wire import y_websocket as wire
from yjs_store import Receipt, StoreError, UpdateRefused

_EMPTY_UPDATE = b"\x00\x00"


class Ending(NamedTuple):
    """How a connection is to be closed; ``facts`` are for the log."""

    code: CloseCode
    reason: str
    facts: dict[str, int]


class Connection:
    """State of one websocket. The endpoint reads and writes; the hub decides."""

    __slots__ = (
        "_progress",
        "_task",
        "_unsaved_bytes",
        "_unsaved_updates",
        "answers_due",
        "connection_id",
        "ending",
        "has_echo",
        "is_aborted",
        "is_lost",
        "keep_refused",
        "last_sent_s",
        "may_write",
        "outbox",
        "peer",
        "sending_since_s",
        "session_id",
        "user",
        "wake_writer",
    )

    def __init__(
        self, connection_id: int, peer: str, now_s: float, task: asyncio.Task[object]
    ) -> None:
        self.connection_id = connection_id
        self.peer = peer
        # Who it is, once that is known, and whether its updates count.
        self.user = ""
        self.session_id = ""
        self.may_write = True
        self.outbox = Outbox()
        self.wake_writer = asyncio.Event()
        self.ending: Ending | None = None
        self.is_aborted = False
        self.is_lost = False
        self.has_echo = True
        # Gets each update that is refused for what it is, and why; set by its room.
        self.keep_refused: Callable[[bytes, str], None] | None = None
        self.answers_due = 0
        self._task = task
        self.last_sent_s = now_s
        self.sending_since_s: float | None = None
        self._unsaved_updates = 0
        self._unsaved_bytes = 0
        self._progress = asyncio.Event()

    # ---- what is under way to the disk ------------------------------------------------------

    def note_submitted(self, update: bytes) -> None:
        """Count an update that was handed to the document."""
        self._unsaved_updates += 1
        self._unsaved_bytes += len(update)

    @property
    def must_wait(self) -> bool:
        """Whether to read no further until something is saved, answered or sent (P6).

        The last two keep a client that asks and does not read from filling the memory.
        """
        return self.ending is None and (
            self._unsaved_updates >= CONNECTION_UNSAVED_UPDATES_MAX
            or self._unsaved_bytes >= CONNECTION_UNSAVED_BYTES_MAX
            or self.answers_due > 0
            or (self.outbox.is_full and not self.is_lost)
        )

    async def wait_ready(self) -> None:
        """Wait until ``must_wait`` no longer holds."""
        while self.must_wait:
            self._progress.clear()
            await self._progress.wait()

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        """See yjs_store.Sender. News comes back with the broadcast; the rest is echoed here."""
        self._note_answered(update)
        if not news and self.has_echo and update != _EMPTY_UPDATE:
            self.send(wire.encode_update(update))

    def refused(self, update: bytes, error: StoreError) -> None:
        """See yjs_store.Sender."""
        self._note_answered(update)
        if isinstance(error, UpdateRefused) and self.keep_refused is not None:
            self.keep_refused(update, str(error))
        code, reason = ending_for(error)
        self.end(code, reason, update_bytes=len(update))

    def _note_answered(self, update: bytes) -> None:
        self._unsaved_updates -= 1
        self._unsaved_bytes -= len(update)
        self._progress.set()

    # ---- what is to be sent -----------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Queue a reply."""
        if self.is_listening:
            self.outbox.push(frame)
            self.wake_writer.set()

    def note_answered(self) -> None:
        """Count an answer that waited for the document to be durable."""
        self.answers_due -= 1
        self._progress.set()

    def note_sent(self, now_s: float) -> None:
        """Count a frame that was handed to the socket."""
        self.last_sent_s = now_s
        self.sending_since_s = None
        self._progress.set()

    def end(self, code: CloseCode, reason: str, *, flush: bool = False, **facts: int) -> None:
        """Close soon; ``flush`` sends what is queued first. Only the first call counts."""
        if self.ending is not None:
            return
        self.ending = Ending(code, _short(reason), facts)
        if not flush:
            self.outbox.clear()
        self.wake_writer.set()
        self._progress.set()

    @property
    def is_listening(self) -> bool:
        """Whether anything that is queued can still reach the client."""
        return self.ending is None and not self.is_lost

    def lose(self) -> None:
        """Hear that nothing can be sent any more; what the client sent before still counts."""
        self.is_lost = True
        self.sending_since_s = None
        self.outbox.clear()
        self._progress.set()

    @property
    def is_ending(self) -> bool:
        """Whether the connection is to be closed; what it sends from then on does not count."""
        return self.ending is not None

    def abort(self) -> None:
        """Drop the socket of a client that does not even take a close frame."""
        if not self.is_aborted:
            self.is_aborted = True
            self._task.cancel()


def _short(reason: str) -> str:
    """Cut to what a close frame carries, at a character boundary."""
    return reason.encode()[:CLOSE_REASON_BYTES_MAX].decode(errors="ignore")
