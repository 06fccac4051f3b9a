"""A room with its document: performs the effects that the pure room decides."""

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence

import structlog

from relay.answers import Answers
from relay.awareness_pace import AwarenessPace
from relay.connection import Connection
from relay.endings import ending_for
from relay.errors import CloseCode
from relay.limits import ASKED_PER_ANSWER_BYTE, ASKED_PER_ANSWER_MAX, ORDINARY_MESSAGE_BYTES
from relay.room import AnswerStep1, Effect, Reply, Room, SpreadAwareness, Submit, clients_in
from relay.wire import y_websocket as wire
from yjs_store import (
    Damaged,
    Document,
    DocumentFailed,
    JournalRow,
    Store,
    StoreError,
    Submission,
    UpdateRefused,
)

log = structlog.get_logger("relay.room")


class LiveRoom:
    """One document that is live in this process, and its connections."""

    def __init__(self, name: str, store: Store, answers: Answers, *, echo: bool) -> None:
        self.name = name
        self._answers = answers
        self._pace = AwarenessPace()
        self._spreading: asyncio.TimerHandle | None = None
        self._store = store
        self._echo = echo
        self._room = Room()
        self._connections: dict[Connection, None] = {}
        self._document: Document | None = None
        self._error: StoreError | None = None
        self._opening = asyncio.create_task(self._open(), name=f"open {name}")
        self._waiting = 0
        self._unused_since_s = _now_s()

    # ---- life -------------------------------------------------------------------------------

    async def _open(self) -> None:
        try:
            document = await self._store.open_document(self.name)
        except StoreError as error:
            self._error = error
            return
        document.listen(self)
        self._document = document

    async def wait_open(self) -> None:
        """Wait until the document is loaded.

        Raises:
            StoreError: it cannot be.
        """
        self._waiting += 1
        try:
            await asyncio.shield(self._opening)
        finally:
            self._waiting -= 1
            self._unused_since_s = _now_s()
        if self._error is not None:
            raise self._error

    @property
    def is_over(self) -> bool:
        """Whether the document cannot be used any more; a new room may take its place."""
        return self._error is not None

    def is_unused_since(self, before_s: float) -> bool:
        """Whether nobody was here after that time, and everything is saved."""
        return (
            not self._connections
            and self._waiting == 0
            and self._unused_since_s <= before_s
            and self._document is not None
            and self._document.is_settled
        )

    def close(self) -> None:
        """Let go of the document; what it still has to save it saves by itself."""
        if self._spreading is not None:
            self._spreading.cancel()
        if self._document is not None:
            self._document.unlisten(self)
            self._store.release_document(self._document)
            self._document = None
        self._error = self._error or StoreError("the room is closed")

    async def wait_closed(self) -> None:
        """Close, also when the document is only on its way."""
        await self._opening
        self.close()

    # ---- connections ------------------------------------------------------------------------

    def join(self, connection: Connection) -> None:
        """Take in a connection: it is asked for its state and told of the others."""
        connection.has_echo = self._echo
        connection.keep_refused = functools.partial(self._quarantine, connection)
        self._connections[connection] = None
        self.ask_for_state(connection)
        self._perform(connection, self._room.join())

    def has(self, connection: Connection) -> bool:
        """Say whether a connection is in the room."""
        return connection in self._connections

    def ask_for_state(self, connection: Connection) -> None:
        """Ask a connection for what it has and the document lacks."""
        document = self._open_document()
        self._when_durable(connection, lambda: wire.encode_sync_step_1(document.state_vector()))

    def leave(self, connection: Connection) -> None:
        """Let a connection go; the others hear that its clients are gone."""
        self._connections.pop(connection, None)
        self._unused_since_s = _now_s()
        self._perform(connection, self._room.leave(connection))

    def receive(self, connection: Connection, frame: bytes) -> None:
        """Handle a frame.

        Raises:
            MalformedMessage: it is not y-protocol; nothing of it counts.
        """
        effects = self._room.receive(connection, frame, _now_s(), connection.charge)
        self._perform(connection, effects)

    def resync(self, connection: Connection) -> None:
        """Send a slow reader, who has read everything queued, what was left out meanwhile."""
        state_vector, stale_clients = connection.outbox.take_resync()
        if state_vector is not None:
            document = self._open_document()
            self._when_durable(connection, lambda: wire.encode_update(document.diff(state_vector)))
        frame = self._room.states_of(stale_clients)
        if frame is not None:
            connection.send(frame)

    def tick(self, now_s: float) -> None:
        """Let time pass."""
        self._spread(self._room.tick(now_s))

    def end_all(self, code: CloseCode, reason: str) -> None:
        """Close every connection of the room."""
        for connection in tuple(self._connections):
            connection.end(code, reason)

    # ---- effects ----------------------------------------------------------------------------

    def _perform(self, connection: Connection, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Submit):
                # Nearly all are: asked first, and by the cheapest question.
                if not connection.may_write:
                    # Refused without a word: stock clients have no ear for it, and what they
                    # show of others and of cursors goes on (field note 25).
                    continue
                connection.note_submitted(effect.update)
                document = self._open_document()
                document.submit(effect.update, connection, repeats=effect.repeats)
                continue
            match effect:
                case SpreadAwareness():
                    self._spread((effect,))
                case AnswerStep1(state_vector):
                    self._answer_step_1(connection, state_vector)
                case Reply(frame):
                    connection.send(frame)

    def _answer_step_1(self, connection: Connection, state_vector: bytes) -> None:
        document = self._open_document()

        def make() -> bytes:
            frame = wire.encode_sync_step_2(document.diff(state_vector))
            cost = min(len(frame) * ASKED_PER_ANSWER_BYTE, ASKED_PER_ANSWER_MAX)
            connection.charge(cost, _now_s())
            if len(frame) > ORDINARY_MESSAGE_BYTES:
                connection.note_answer_made(len(frame))
            return frame

        self._when_durable(connection, make, is_answer=True)

    def _when_durable(
        self, connection: Connection, make_frame: Callable[[], bytes], *, is_answer: bool = False
    ) -> None:
        """Send a frame made from the document once that is exactly what is durable (P1)."""

        connection.answers_due += 1

        def ask() -> None:
            self._open_document().when_durable(answer)

        def ask_again() -> None:
            if connection.is_listening and self._document is not None:
                ask()

        def answer() -> None:
            # P6: one who asks for much and does not read makes others who ask for much wait.
            if is_answer and self._answers.is_full and self._is_large():
                self._answers.wait(connection, ask_again)
                return
            connection.note_answered()
            try:
                connection.send(make_frame())
            except UpdateRefused as error:
                connection.end(CloseCode.BAD_REQUEST, str(error))
            except (Damaged, DocumentFailed):
                # failed() has ended every connection of the room.
                return

        ask()

    def _is_large(self) -> bool:
        head = self._open_document().head
        return head.journal_bytes + head.snapshot_bytes > ORDINARY_MESSAGE_BYTES

    # ---- awareness --------------------------------------------------------------------------

    def _spread(self, effects: Iterable[SpreadAwareness]) -> None:
        """Send news to everybody, now or, where there is much of it, joined with the next."""
        for effect in effects:
            if self._spreading is None and self._pace.wait_s(_now_s()) <= 0:
                self._send_awareness(effect.frame)
                continue
            self._pace.hold(clients_in(effect.frame))
            if self._spreading is None:
                wait_s = self._pace.wait_s(_now_s())
                loop = asyncio.get_running_loop()
                self._spreading = loop.call_later(wait_s, self._send_held_awareness)

    def _send_held_awareness(self) -> None:
        self._spreading = None
        frame = self._room.states_of(self._pace.take_held())
        if frame is not None:
            self._send_awareness(frame)

    def _send_awareness(self, frame: bytes) -> None:
        self._pace.note_sent(len(frame), len(self._connections), _now_s())
        clients: Sequence[int] | None = None
        for connection in self._connections:
            if connection.is_listening:
                if not connection.outbox.push_awareness(frame):
                    clients = clients if clients is not None else clients_in(frame)
                    connection.outbox.leave_out_awareness(clients)
                connection.wake_writer.set()

    def _quarantine(self, connection: Connection, update: bytes, reason: str) -> None:
        """Keep a refused update for a person to look at; nobody waits for that."""
        # Written as a literal of each, for a user may be called anything.
        sender = f"peer {connection.peer!r}"
        if connection.user:
            sender += f", user {connection.user!r}"
        if connection.session_id:
            sender += f", session {connection.session_id!r}"
        self._store.quarantine.put(self.name, update, reason, sender)

    def _open_document(self) -> Document:
        assert self._document is not None, "nobody is in a room whose document is not open"
        return self._document

    # ---- the document's side ----------------------------------------------------------------

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        """See yjs_store.Listener: what is durable now becomes visible (P1)."""
        document = self._open_document()
        frame = wire.encode_update(row.data)
        only_sender = None if self._echo else _only_sender(stored)
        for connection in self._connections:
            if connection.is_listening and connection is not only_sender:
                connection.outbox.push_update(frame, document.state_vector)
                connection.wake_writer.set()

    def failed(self, error: StoreError) -> None:
        """See yjs_store.Listener."""
        self._error = error
        log.warning("document failed", document=self.name, error=str(error))
        self.end_all(*ending_for(error))


def _only_sender(stored: Sequence[Submission]) -> object | None:
    """Return the one sender of everything in a row; None when there are several."""
    senders = {id(submission.sender): submission.sender for submission in stored}
    return next(iter(senders.values())) if len(senders) == 1 else None


def _now_s() -> float:
    return asyncio.get_running_loop().time()
