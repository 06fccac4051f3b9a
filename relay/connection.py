"""One websocket as the hub sees it: what it owes the disk, what waits to be sent, why it ends."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from relay.allowance import Allowance
from relay.delivery import Delivery
from relay.endings import ending_for
from relay.errors import CloseCode
from relay.facts import ConnectionFacts
from relay.hub_bounds import HubBounds
from relay.limits import (
    ASKED_BURST,
    ASKED_PER_S,
    CLOSE_REASON_BYTES_MAX,
    CONNECTION_UNSAVED_BYTES_MAX,
    CONNECTION_UNSAVED_UPDATES_MAX,
    SUBMISSION_BYTES,
)
from relay.outbox import Outbox
from relay.reading_pace import ReadingPace
from relay.wire import y_websocket as wire
from yjs_store import Permission, ReadOnlyNow, Receipt, StoreError, UpdateRefused

_EMPTY_UPDATE = b"\x00\x00"


class Ending(NamedTuple):
    """How a connection is to be closed, and whether after its queue; ``facts`` are for the log."""

    code: CloseCode
    reason: str
    facts: dict[str, int]
    is_flushed: bool


class Connection:
    """State of one websocket. The endpoint reads and writes; the hub decides."""

    __slots__ = (
        "_asked",
        "_bounds",
        "_delivery",
        "_frames_to_delivery",
        "_handed_bytes",
        "_incoming",
        "_is_resting",
        "_pace",
        "_progress",
        "_task",
        "_unsaved_bytes",
        "_unsaved_updates",
        "answers_due",
        "closing_since_s",
        "connection_id",
        "ending",
        "excess",
        "has_echo",
        "host",
        "is_aborted",
        "is_lost",
        "joined_s",
        "keep_refused",
        "last_sent_s",
        "may_write",
        "network",
        "outbox",
        "peer",
        "permission",
        "sending_progress",
        "sending_since_s",
        "session_id",
        "user",
        "wake_writer",
    )

    def __init__(
        self,
        connection_id: int,
        peer: str,
        now_s: float,
        task: asyncio.Task[object],
        bounds: HubBounds | None = None,
    ) -> None:
        self.connection_id = connection_id
        self.peer = peer
        # Who it is, once that is known, and whether its updates count.
        self.user = ""
        self.session_id = ""
        self.may_write = True
        self.permission = Permission.WRITE
        self.joined_s = now_s
        # Of what there are too many with this one.
        self.excess: str | None = None
        self.host = ""
        # The address it is counted for; see crowd.network_of.
        self.network = ""
        self.outbox = Outbox()
        self.wake_writer = asyncio.Event()
        self.ending: Ending | None = None
        # When the hub first saw that it is to be closed.
        self.closing_since_s: float | None = None
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
        self._bounds = bounds or HubBounds()
        self._incoming = self._bounds.incoming
        self._asked = Allowance(ASKED_PER_S, ASKED_BURST, now_s)
        self._is_resting = False
        self._pace = ReadingPace(now_s)
        self._handed_bytes = 0
        # A broadcast that is measured, and how many frames it takes until its own is sent.
        self._delivery: Delivery | None = None
        self._frames_to_delivery = 0
        # Of the frame that is being sent: how much the socket has. And what has not left it.
        self.sending_progress: Callable[[], tuple[int, int]] = self._assume_nothing_left

    # ---- what is under way to the disk ------------------------------------------------------

    def note_submitted(self, update: bytes) -> None:
        """Count an update that was handed to the document."""
        update_bytes = len(update)
        self._unsaved_updates += 1
        self._unsaved_bytes += update_bytes
        self._incoming.unsaved_bytes += update_bytes + SUBMISSION_BYTES

    @property
    def must_wait(self) -> bool:
        """Whether to read no further until something is saved, answered or sent (P6).

        The last two keep a client that asks and does not read from filling the memory; one that
        cannot be sent anything has no answers. Where all connections together have much under way,
        each has one message under way.
        """
        return self.ending is None and (
            self._is_resting
            or self._unsaved_updates >= CONNECTION_UNSAVED_UPDATES_MAX
            or self._unsaved_bytes >= CONNECTION_UNSAVED_BYTES_MAX
            or (self.answers_due > 0 and not self.is_lost)
            or (
                self._incoming.unsaved_bytes >= self._incoming.unsaved_bytes_max
                and self._unsaved_updates > 0
            )
            or (self.outbox.is_full and not self.is_lost)
        )

    async def wait_ready(self) -> None:
        """Wait until ``must_wait`` no longer holds."""
        while self.must_wait:
            self._progress.clear()
            await self._progress.wait()

    @property
    def who(self) -> str:
        """See yjs_store.Sender: the address, for with --auth none all are one person."""
        return self.network

    def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
        """See yjs_store.Sender. News comes back with the broadcast; the rest is echoed here."""
        self._note_answered(update)
        if not news and self.has_echo and update != _EMPTY_UPDATE:
            self.send(wire.encode_update(update))

    def refused(self, update: bytes, error: StoreError) -> None:
        """See yjs_store.Sender."""
        self._note_answered(update)
        if isinstance(error, ReadOnlyNow):
            # As where one may only read: without a word, and it is asked for when that is over.
            self.charge(1, asyncio.get_running_loop().time())
            return
        if isinstance(error, UpdateRefused) and self.keep_refused is not None:
            self.keep_refused(update, str(error))
        code, reason = ending_for(error)
        self.end(code, reason, update_bytes=len(update))

    def _note_answered(self, update: bytes) -> None:
        update_bytes = len(update)
        self._unsaved_updates -= 1
        self._unsaved_bytes -= update_bytes
        self._incoming.unsaved_bytes -= update_bytes + SUBMISSION_BYTES
        if self._incoming.waiting:
            self._incoming.give_turns()
        self._progress.set()

    def charge(self, cost: float, now_s: float) -> None:
        """Count what brings no content; after too much of it, rest with reading for a while."""
        rest_s = self._asked.take(cost, now_s)
        if rest_s > 0 and not self._is_resting:
            self._is_resting = True
            asyncio.get_running_loop().call_later(rest_s, self._end_rest)

    def _end_rest(self) -> None:
        self._is_resting = False
        self._progress.set()

    # ---- what is to be sent -----------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Queue a reply."""
        if self.is_listening:
            self.outbox.push(frame, asyncio.get_running_loop().time())
            self.wake_writer.set()

    def note_answered(self) -> None:
        """Count an answer that waited for the document to be durable."""
        self.answers_due -= 1
        self._progress.set()

    def note_sent(self, now_s: float, frame_bytes: int) -> None:
        """Count a frame that was handed to the socket."""
        self._handed_bytes += frame_bytes
        self.last_sent_s = now_s
        self.sending_since_s = None
        if self._delivery is not None:
            self._frames_to_delivery -= 1
            if self._frames_to_delivery == 0:
                self._delivery.handed_over(now_s)
                self._delivery = None
        if not self.outbox:
            self._bounds.answers.note_read(self)
        self._progress.set()

    def expect(self, delivery: Delivery) -> None:
        """Tell of the frame that was queued last when the socket has it."""
        if self.outbox:
            delivery.expect()
            self._delivery = delivery
            self._frames_to_delivery = len(self.outbox) + (self.sending_since_s is not None)

    def _give_up_delivery(self) -> None:
        if self._delivery is not None:
            self._delivery.given_up()
            self._delivery = None

    def is_too_slow(self, now_s: float) -> bool:
        """Whether the client takes what is sent to it more slowly than the least rate."""
        under_way_bytes, unsent_bytes = self.sending_progress()
        return self._pace.is_too_slow(self._handed_bytes + under_way_bytes, unsent_bytes, now_s)

    def _assume_nothing_left(self) -> tuple[int, int]:
        return 0, int(self.sending_since_s is not None)

    def note_answer_made(self, answer_bytes: int) -> None:
        """Count a large answer, until everything queued is read."""
        if self.is_listening:
            self._bounds.answers.note_made(self, answer_bytes)

    def end(self, code: CloseCode, reason: str, *, flush: bool = False, **facts: int) -> None:
        """Close soon; ``flush`` sends what is queued first. Only the first call counts."""
        if self.ending is not None:
            return
        self.ending = Ending(code, _short(reason), facts, flush)
        if not flush:
            self.outbox.clear()
            self._give_up_delivery()
            self._bounds.answers.forget(self)
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
        self._give_up_delivery()
        self._bounds.answers.forget(self)
        self._progress.set()

    @property
    def unsaved_updates(self) -> int:
        """Updates of it that were handed to the document and are neither durable nor refused."""
        return self._unsaved_updates

    @property
    def queued_frames(self) -> int:
        """Frames that wait to be sent, and the one that is being sent."""
        return len(self.outbox) + (self.sending_since_s is not None)

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent, and what the socket has not taken."""
        return self.outbox.byte_length + self.sending_progress()[1]

    def facts(self, awareness_clients: int, now_s: float) -> ConnectionFacts:
        """Return what can be known of it."""
        is_sending = self.sending_since_s is not None
        oldest_s = self.outbox.popped_s if is_sending else self.outbox.oldest_s
        return ConnectionFacts(
            connection_id=self.connection_id,
            user=self.user,
            session_id=self.session_id,
            peer=self.peer,
            permission=self.permission,
            joined_s=self.joined_s,
            queued_frames=self.queued_frames,
            queued_bytes=self.queued_bytes,
            lag_s=0.0 if oldest_s is None else max(0.0, now_s - oldest_s),
            is_collapsed=self.outbox.resync_from is not None,
            unsaved_updates=self._unsaved_updates,
            awareness_clients=awareness_clients,
        )

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
