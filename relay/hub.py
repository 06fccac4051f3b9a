"""The shell around rooms: who is in which room, timers, and the effects that rooms decide."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import structlog

from relay.answer_turns import AnswerTurns
from relay.connection import Connection
from relay.crowd import Crowd, network_of
from relay.errors import CloseCode, RelayError
from relay.facts import HubFacts, QueueFacts, RoomFacts
from relay.hub_bounds import HubBounds
from relay.limits import (
    CLOSING_S,
    ROOM_GRACE_S,
    SIGN_OF_LIFE_S,
    STORAGE_FAILING_CLOSE_S,
    TICK_S,
    UNLOAD_S,
)
from relay.live_room import LiveRoom
from relay.wire import y_websocket as wire
from yjs_store import Store, Tally

log = structlog.get_logger("relay.hub")


class TooManyDocuments(RelayError):
    """As many documents as may be are in use; it may be opened later."""

    code = CloseCode.TOO_MANY


class Hub:
    """All live rooms of this process."""

    def __init__(
        self,
        store: Store,
        bounds: HubBounds | None = None,
        *,
        echo: bool = True,
        room_grace_s: float = ROOM_GRACE_S,
    ) -> None:
        self._bounds = bounds or HubBounds()
        self._answer_turns = AnswerTurns(self._bounds.answers)
        self._crowd = Crowd(self._bounds.connections_max, self._bounds.connections_per_address_max)
        self._is_every_room_used = False
        self.frames_received = 0
        self.is_draining = False
        self._broadcast_s = Tally()
        self._tick_late_s = 0.0
        self._closed: Counter[int] = Counter()
        self._collapses = 0
        self._store = store
        self._echo = echo
        self._room_grace_s = room_grace_s
        self._rooms: dict[str, LiveRoom] = {}
        self._ids = itertools.count(1)
        self._connections: dict[Connection, None] = {}
        self._each_tick: list[Callable[[], None]] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self._ticking = asyncio.create_task(self._run_ticks(), name="relay-ticks")

    # ---- connections ------------------------------------------------------------------------

    def admit(self, peer: str, task: asyncio.Task[object], host: str = "") -> Connection:
        """Return the record of a new connection, also one too many; pair with ``dismiss``."""
        connection = Connection(next(self._ids), peer, _now_s(), task, self._bounds)
        connection.host = host
        connection.network = network_of(host)
        connection.excess = self._crowd.enter(host)
        self._connections[connection] = None
        self._empty.clear()
        return connection

    def dismiss(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._connections.pop(connection, None)
        self._crowd.leave(connection.host)
        connection.lose()
        self._collapses += connection.outbox.collapses
        if connection.ending is not None:
            self._closed[int(connection.ending.code)] += 1
        if not self._connections:
            self._empty.set()

    async def join(self, name: str, connection: Connection) -> LiveRoom:
        """Bring a connection into the room of a document, loading it once for all who wait.

        Pair with ``LiveRoom.leave``. On return the room's first frames are queued.

        Raises:
            StoreError: the document cannot be opened.
            TooManyDocuments: as many as may be are in use.
        """
        room = self._rooms.get(name)
        if room is None or room.is_over:
            self._make_place(name)
            room = self._rooms[name] = LiveRoom(
                name, self._store, self._bounds.answers, self._broadcast_s, echo=self._echo
            )
        try:
            await room.wait_open()
        finally:
            if room.is_over:
                self._remove(room)
        # No await from here: the room cannot end in between.
        room.join(connection)
        return room

    def ask_for_state(self, name: str, connection: Connection) -> None:
        """Ask a connection of that document for what it has and the document lacks."""
        room = self._rooms.get(name)
        if room is not None and room.has(connection):
            room.ask_for_state(connection)

    async def unload(self, name: str) -> int:
        """Let go of a document after what is unsaved; return how many connections were closed.

        Raises:
            StoreError: it failed meanwhile; its connections are closed all the same.
            TimeoutError: it is not saved in UNLOAD_S; the room goes on, for who comes back.
        """
        room = self._rooms.get(name)
        if room is None:
            return 0
        closed = room.connection_count
        async with asyncio.timeout(UNLOAD_S):
            await room.unload()
        self._remove(room)
        return closed

    def _make_place(self, name: str) -> None:
        """Let the room go that has been there longest of those that nobody uses, if one must."""
        if len(self._rooms) < self._bounds.documents_max or name in self._rooms:
            return
        unused = None
        # Looked for once a tick at most: whoever is refused may ask again very often.
        if not self._is_every_room_used:
            unused = next((r for r in self._rooms.values() if r.is_unused_since(_now_s())), None)
        if unused is None:
            self._is_every_room_used = True
            raise TooManyDocuments("too many documents are in use")
        unused.close()
        self._remove(unused)

    def _remove(self, room: LiveRoom) -> None:
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]

    # ---- time -------------------------------------------------------------------------------

    def call_each_tick(self, callback: Callable[[], None]) -> None:
        """Call back every TICK_S."""
        self._each_tick.append(callback)

    async def _run_ticks(self) -> None:
        while True:
            due_s = _now_s() + TICK_S
            await asyncio.sleep(TICK_S)
            now_s = _now_s()
            self._tick_late_s = max(0.0, now_s - due_s)
            self.tick(now_s)
            for callback in self._each_tick:
                callback()

    @property
    def is_storage_failing(self) -> bool:
        """Whether edits wait for storage that fails, which the engine has logged once.

        What fails for one document, or for reading alone, says nothing of the others.
        """
        return self._store.committer_state.failing_since_s is not None

    def tick(self, now_s: float) -> None:
        """Do what is due: signs of life, stalled readers, awareness, empty rooms."""
        self._is_every_room_used = False
        for connection in tuple(self._connections):
            _look_after(connection, now_s)
        failing_since_s = self._store.failing_since_s
        is_failing = (
            failing_since_s is not None and now_s - failing_since_s > STORAGE_FAILING_CLOSE_S
        )
        for room in tuple(self._rooms.values()):
            room.tick(now_s)
            # Where only a snapshot finds no room, the others' edits are stored: they stay (P5).
            if is_failing and self._store.is_failing_for(room.name):
                room.end_all(
                    CloseCode.STORAGE_FAILING, "storage is failing; your last edits wait for it"
                )
            if room.is_over or room.is_unused_since(now_s - self._room_grace_s):
                room.close()
                self._remove(room)

    # ---- the end ----------------------------------------------------------------------------

    def end_all(self, code: CloseCode, reason: str) -> None:
        """Close every connection, after what is queued for it."""
        for connection in tuple(self._connections):
            connection.end(code, reason, flush=True)

    async def wait_empty(self) -> None:
        """Wait until no connection is left."""
        await self._empty.wait()

    # ---- what can be known ------------------------------------------------------------------

    def facts(self) -> HubFacts:
        """Return what can be known without looking at each connection."""
        return HubFacts(
            connections=len(self._connections),
            rooms=len(self._rooms),
            frames_received=self.frames_received,
            is_draining=self.is_draining,
            closed=dict(self._closed),
            broadcast_s=self._broadcast_s.distribution(),
            tick_late_s=self._tick_late_s,
        )

    def room_facts(self, name: str, connections_max: int) -> RoomFacts | None:
        """Return what can be known of a room, with as many connections; None without one."""
        room = self._rooms.get(name)
        return None if room is None else room.facts(connections_max)

    def room_size(self, name: str) -> int | None:
        """Return how many connections a room has; None when it is not live."""
        room = self._rooms.get(name)
        return None if room is None else room.connection_count

    def queue_facts(self) -> QueueFacts:
        """Return what waits for all connections together."""
        connections = tuple(self._connections)
        return QueueFacts(
            by_permission=dict(Counter(each.permission for each in connections)),
            queued_frames=sum(each.queued_frames for each in connections),
            queued_bytes=sum(each.queued_bytes for each in connections),
            collapsed=sum(each.outbox.resync_from is not None for each in connections),
            collapses=self._collapses + sum(each.outbox.collapses for each in connections),
            unsaved_updates=sum(each.unsaved_updates for each in connections),
        )

    @property
    def connection_count(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def room_count(self) -> int:
        """How many rooms are live."""
        return len(self._rooms)

    async def wait_broken(self) -> None:
        """Wait until the timers have died of a defect, and raise that."""
        await asyncio.shield(self._ticking)

    async def close(self) -> None:
        """Stop the timers and let go of all documents."""
        self._answer_turns.stop()
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        for room in self._rooms.values():
            await room.wait_closed()
        self._rooms.clear()


def _look_after(connection: Connection, now_s: float) -> None:
    if connection.ending is not None and not connection.ending.is_flushed:
        # Who is revoked is not sent the rest of a large frame as slowly as he likes to read it.
        if connection.closing_since_s is None:
            connection.closing_since_s = now_s
        elif now_s - connection.closing_since_s >= CLOSING_S:
            log.warning(
                "connection aborted: not closed",
                connection=connection.connection_id,
                session=connection.session_id,
            )
            connection.abort()
    elif connection.is_too_slow(now_s):
        connection.end(CloseCode.TOO_SLOW, "what was sent was read too slowly")
        log.warning(
            "connection aborted: too slow",
            connection=connection.connection_id,
            session=connection.session_id,
        )
        connection.abort()
    elif connection.sending_since_s is None and now_s - connection.last_sent_s >= SIGN_OF_LIFE_S:
        connection.send(wire.SIGN_OF_LIFE)
        connection.last_sent_s = now_s


def _now_s() -> float:
    return asyncio.get_running_loop().time()
