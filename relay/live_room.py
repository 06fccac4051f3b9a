"""A room with its document: performs the effects that the pure room decides."""

import asyncio
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence

import structlog

from relay.answers import Answers
from relay.awareness_pace import AwarenessPace
from relay.connection import Connection
from relay.delivery import Delivery
from relay.endings import ending_for
from relay.errors import CloseCode
from relay.facts import RoomFacts
from relay.limits import (
    ASKED_PER_ANSWER_BYTE,
    ASKED_PER_ANSWER_MAX,
    BROADCAST_MEASURED_S,
    ORDINARY_MESSAGE_BYTES,
)
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
    Tally,
    UpdateRefused,
)

log = structlog.get_logger("relay.room")

_UNLOADED = "the document must be loaded again"


class LiveRoom:
    """One document that is live in this process, and its connections."""

    def __init__(
        self, name: str, store: Store, answers: Answers, broadcast_s: Tally, *, echo: bool
    ) -> None:
        self.name = name
        self._broadcast_s = broadcast_s
        self._delivery: Delivery | None = None
        # When the next broadcast may be measured.
        self._measured_s = 0.0
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
        log.info("document loaded", document=self.name, seq=document.head.last_seq)

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
            log.info("document unloaded", document=self.name, seq=self._document.head.last_seq)
            self._document.unlisten(self)
            self._store.release_document(self._document)
            self._document = None
        self._error = self._error or StoreError("the room is closed")

    async def unload(self) -> None:
        """End every connection, which comes back by itself, and let go of the document.

        What is unsaved is saved before; who comes meanwhile is ended, too.

        Raises:
            StoreError: the document cannot be opened, or has failed; nobody is in it then.
        """
        self.end_all(CloseCode.DOCUMENT_FAILED, _UNLOADED)
        await self.wait_open()
        while self._document is not None and not self._document.is_settled:
            await self._document.wait_settled()
        # No await from here: nobody can hand in anything now.
        self.end_all(CloseCode.DOCUMENT_FAILED, _UNLOADED)
        self.close()

    async def wait_closed(self) -> None:
        """Close, also when the document is only on its way."""
        await self._opening
        self.close()

    # ---- connections ------------------------------------------------------------------------

    def join(self, connection: Connection) -> None:
        """Take in a connection: it is asked for its state and told of the others."""
        connection.has_echo = self._echo
        connection.keep_refused = functools.partial(self._quarantine, connection)
        connection.joined_s = _now_s()
        self._connections[connection] = None
        self.ask_for_state(connection)
        self._perform(connection, self._room.join())

    def facts(self, connections_max: int) -> RoomFacts:
        """Return what can be known of it, with as many connections at most."""
        now_s = _now_s()
        shown = itertools.islice(self._connections, connections_max)
        return RoomFacts(
            tuple(each.facts(self._room.awareness_clients_of(each), now_s) for each in shown),
            len(self._connections),
            self._room.awareness_clients,
        )

    @property
    def connection_count(self) -> int:
        """How many connections are in it."""
        return len(self._connections)

    def has(self, connection: Connection) -> bool:
        """Say whether a connection is in the room."""
        return connection in self._connections

    def ask_for_state(self, connection: Connection) -> None:
        """Ask a connection for what it has and the document lacks."""
        self._when_durable(connection, self._step_1)

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
        """Send a slow reader, who has read everything queued, what was left out meanwhile.

        The document's part waits until no answer is due: call again when something was sent. So
        one of these waits at most, beside the answer to what the reader asked last.
        """
        outbox = connection.outbox
        state_vector, stale_clients = outbox.take_resync()
        if state_vector is not None and connection.answers_due:
            outbox.resync_from = state_vector
        elif state_vector is not None:
            document = self._open_document()
            self._when_durable(
                connection,
                lambda: wire.encode_update(document.diff(state_vector)),
                is_answer=True,
            )
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
                    # show of others and of cursors goes on (field note 25). It counts (P6).
                    connection.charge(1, _now_s())
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

        def ask_in_turn() -> None:
            if connection.is_listening and self._document is not None:
                self._document.when_durable(guarded_answer)

        def ask() -> None:
            if not connection.is_listening or self._document is None:
                return
            # P6: those who ask for much make others who ask for much wait, and nobody else.
            is_much = is_answer and _is_large(self._document)
            if is_much and not self._answers.may_make(_now_s()):
                self._answers.wait(connection, connection.network, ask_in_turn)
            else:
                answer()

        def answer() -> None:
            connection.note_answered()
            began_s = _now_s()
            try:
                connection.send(make_frame())
            except UpdateRefused as error:
                connection.end(CloseCode.BAD_REQUEST, str(error))
            except (Damaged, DocumentFailed):
                # failed() has ended every connection of the room.
                return
            finally:
                if is_answer:
                    now_s = _now_s()
                    self._answers.note_took(now_s - began_s, now_s)

        guarded_answer = functools.partial(self._guard, connection, answer)
        self._open_document().when_durable(functools.partial(self._guard, connection, ask))

    def _step_1(self) -> bytes:
        """Return the frame that asks for what the document lacks, once that is durable."""
        state_vector = self._open_document().state_vector()
        self._room.note_told(state_vector)
        return wire.encode_sync_step_1(state_vector)

    def _guard(self, connection: Connection, work: Callable[[], None]) -> None:
        """Let a defect in what is done for one connection end that connection.

        The committer calls, or the timer of the answers that wait: it would end them, and with
        them every document (P5).
        """
        try:
            work()
        except Exception:
            log.exception(
                "connection failed: a defect",
                connection=connection.connection_id,
                document=self.name,
            )
            connection.end(CloseCode.INTERNAL_ERROR, "the server has a defect")

    # ---- awareness --------------------------------------------------------------------------

    def _spread(self, effects: Iterable[SpreadAwareness]) -> None:
        """Send news to everybody, now or, where there is much of it, joined with the next."""
        for effect in effects:
            if self._spreading is None and self._pace.wait_s(_now_s()) <= 0:
                self._send_awareness(effect.frame)
                continue
            self._pace.hold(clients_in(effect.frame), self._room.remembers)
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
        now_s = _now_s()
        self._pace.note_sent(len(frame), len(self._connections), now_s)
        clients: Sequence[int] | None = None
        for connection in self._connections:
            if connection.is_listening:
                if not connection.outbox.push_awareness(frame, now_s):
                    clients = clients if clients is not None else clients_in(frame)
                    connection.outbox.leave_out_awareness(clients, self._room.remembers)
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
        now_s = _now_s()
        delivery = self._begin_delivery(now_s) if now_s >= self._measured_s else None
        for connection in self._connections:
            if connection.is_listening and connection is not only_sender:
                connection.outbox.push_update(frame, document.state_vector, now_s)
                connection.wake_writer.set()
                if delivery is not None:
                    connection.expect(delivery)

    def _begin_delivery(self, now_s: float) -> Delivery | None:
        """Return what measures a broadcast; None while another one is on its way."""
        if self._delivery is not None and not self._delivery.is_over:
            return None
        self._measured_s = now_s + BROADCAST_MEASURED_S
        self._delivery = Delivery(self._broadcast_s, now_s)
        return self._delivery

    def switched(self, *, is_read_only: bool) -> None:
        """See yjs_store.Listener: what writers typed meanwhile is in what they have now."""
        if not is_read_only:
            self._open_document().when_durable(self._ask_writers_for_state)

    def _ask_writers_for_state(self) -> None:
        if self._document is None:
            return  # the room was closed meanwhile
        try:
            # Made once for all: it is as long as there are clients in the document.
            frame = self._step_1()
        except (Damaged, DocumentFailed):
            # failed() has ended every connection of the room.
            return
        for connection in self._connections:
            if connection.may_write:
                connection.send(frame)

    def failed(self, error: StoreError) -> None:
        """See yjs_store.Listener."""
        self._error = error
        log.warning("document failed", document=self.name, error=str(error))
        self.end_all(*ending_for(error))


def _is_large(document: Document) -> bool:
    head = document.head
    return head.journal_bytes + head.snapshot_bytes > ORDINARY_MESSAGE_BYTES


def _only_sender(stored: Sequence[Submission]) -> object | None:
    """Return the one sender of everything in a row; None when there are several."""
    senders = {id(submission.sender): submission.sender for submission in stored}
    return next(iter(senders.values())) if len(senders) == 1 else None


def _now_s() -> float:
    return asyncio.get_running_loop().time()
