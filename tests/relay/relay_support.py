"""What the tests of the relay share: a backend with a gate, and sockets without a network.

This directory is no package: it would be called ``relay``, like what it tests.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

import pycrdt
import pytest

from relay.admission import Admission
from relay.auth.anonymous import Anonymous
from relay.auth.origins import Origins
from relay.clock import make_secret
from relay.connection import Connection
from relay.endpoint import WebsocketEndpoint
from relay.hub import Hub
from relay.live_room import LiveRoom
from relay.tracing import NO_TRACING, Tracing
from relay.wire import y_websocket as wire
from yjs_store import CheckpointPolicy, SessionBook, Store, StoreFailing, open_store
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.limits import JOURNAL_ROW_BYTES_MAX
from yjs_store.opening import new_uid, now_ms
from yjs_store.records import Append, StoredDocument

# Reaching it means that something is stuck, not that the machine is slow.
DEADLINE_S = 60.0

EMPTY_UPDATE = b"\x00\x00"
EMPTY_STATE_VECTOR = b"\x00"

ORIGINS = Origins(frozenset(), needs_credential=False)

Doc = pycrdt.Doc[Any]
Test = TypeVar("Test", bound=Callable[..., object])


# ---- documents ----------------------------------------------------------------------------------


def text_update(text: str, client_id: int = 1) -> bytes:
    """Return an update that writes ``text`` into the root ``text`` of an empty document."""
    doc: Doc = pycrdt.Doc(client_id=client_id)
    doc["text"] = pycrdt.Text(text)
    return doc.get_update()


def pending() -> tuple[bytes, bytes]:
    """An update, and the one that it waits for."""
    doc: Doc = pycrdt.Doc(client_id=9)
    text = doc.get("text", type=pycrdt.Text)
    text += "first "
    first = doc.get_update()
    before = doc.get_state()
    text += "second"
    return doc.get_update(before), first


def oversized_update(letter: str = "x") -> bytes:
    """Return an update too large for a journal row, of one letter again and again."""
    return text_update(letter * (JOURNAL_ROW_BYTES_MAX + 1))


def typed(text: str, client_id: int = 1) -> list[bytes]:
    """Return one update for each character, as typing makes them."""
    doc: Doc = pycrdt.Doc(client_id=client_id)
    shared = doc.get("text", type=pycrdt.Text)
    updates = []
    for character in text:
        before = doc.get_state()
        shared += character
        updates.append(doc.get_update(before))
    return updates


def document_of(*updates: bytes) -> Doc:
    """Return a document made of updates."""
    doc: Doc = pycrdt.Doc()
    for update in updates:
        doc.apply_update(update)
    return doc


def text_of(*updates: bytes) -> str:
    """Return what the root ``text`` holds after the updates."""
    return str(document_of(*updates).get("text", type=pycrdt.Text))


def state_vector_of(*updates: bytes) -> bytes:
    return document_of(*updates).get_state()


# ---- time ---------------------------------------------------------------------------------------


def deadline() -> asyncio.Timeout:
    """Bound a wait for something that must happen."""
    return asyncio.timeout(DEADLINE_S)


async def run_ready_tasks(turns: int = 50) -> None:
    """Let every task that can go on do so until all wait; no time passes but theirs."""
    for _ in range(turns):
        await asyncio.sleep(0)


def retries_at_once(test: Test) -> Test:
    """Mark a test in which storage fails: what is tried again is tried after the shortest wait."""
    old_name = "ignore:The .initial. parameter is deprecated:DeprecationWarning"
    return pytest.mark.filterwarnings(old_name)(pytest.mark.usefixtures("no_jitter")(test))


@asynccontextmanager
async def storage_failing(hub: Hub, store: Store, backend: "GatedBackend") -> AsyncIterator[None]:
    """Let storage fail for a while, as somebody's edit has already found out; it is kept."""
    member = await Member.join(hub, "waiting")
    backend.append_error = StoreFailing("I/O error")
    member.send_update(text_update("kept"))
    await backend.wait_appends(2)
    await run_ready_tasks()
    yield
    backend.append_error = None
    await store.wait_settled()
    assert text_of(await store.load("waiting")) == "kept"


async def wait_frames_received(hub: Hub, count: int) -> None:
    """Wait until the hub has been given that many frames, and all that this brings about."""
    async with deadline():
        while hub.frames_received < count:
            await run_ready_tasks()
    await run_ready_tasks()


# ---- awareness ----------------------------------------------------------------------------------

AwarenessTuple = tuple[int, int, str]


def encode_awareness_states(*entries: AwarenessTuple) -> bytes:
    """Return y-protocols' encoding of (client, clock, JSON); for small numbers and states."""
    encoded = bytes((len(entries),))
    for client, clock, state in entries:
        data = state.encode()
        assert max(client, clock, len(data)) < 0x80, "one byte a number"
        encoded += bytes((client, clock, len(data))) + data
    return encoded


def decode_awareness_states(payload: bytes) -> list[AwarenessTuple]:
    """Return the (client, clock, JSON) of an awareness update; it must be exactly one."""
    numbers = _Numbers(payload)
    entries = []
    for _ in range(numbers.next()):
        client, clock = numbers.next(), numbers.next()
        entries.append((client, clock, numbers.take(numbers.next()).decode()))
    assert numbers.position == len(payload), "bytes after the last state"
    return entries


class _Numbers:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def next(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, length: int) -> bytes:
        self.position += length
        return self._data[self.position - length : self.position]


# ---- a backend with a gate ----------------------------------------------------------------------


class GatedBackend:
    """A real backend whose appends and loads wait at gates, or fail, as a test says."""

    def __init__(self, backend: SqliteBackend) -> None:
        self._backend = backend
        self.append_gate = asyncio.Event()
        self.load_gate = asyncio.Event()
        self.append_error: Exception | None = None
        self.load_error: Exception | None = None
        self.is_full = False
        self.refusals = 0
        self.loads: list[str] = []
        self.appends: list[str] = []
        self._changed = asyncio.Event()
        self.open_gates()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def open_gates(self) -> None:
        self.append_gate.set()
        self.load_gate.set()

    async def append(self, appends: Sequence[Append]) -> Sequence[int]:
        self.appends.extend(append.before.name for append in appends)
        self._changed.set()
        await self.append_gate.wait()
        if self.append_error is not None:
            raise self.append_error
        return await self._backend.append(appends)

    async def load(self, name: str) -> StoredDocument | None:
        self.loads.append(name)
        self._changed.set()
        await self.load_gate.wait()
        if self.load_error is not None:
            raise self.load_error
        return await self._backend.load(name)

    async def room_left(self) -> int:
        if not self.is_full:
            return await self._backend.room_left()
        self.refusals += 1
        self._changed.set()
        return 0

    async def wait_refusals(self, count: int) -> None:
        """Wait until that many snapshots have found no room."""
        await self._wait(lambda: self.refusals >= count)
        await run_ready_tasks()

    async def wait_appends(self, count: int) -> None:
        """Wait until that many rows have been brought to the gate."""
        await self._wait(lambda: len(self.appends) >= count)

    async def wait_loads(self, count: int) -> None:
        """Wait until that many loads have begun."""
        await self._wait(lambda: len(self.loads) >= count)

    async def _wait(self, condition: Callable[[], bool]) -> None:
        async with deadline():
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def fresh_hub() -> AsyncIterator[tuple[Hub, Store]]:
    """Open a hub on an empty store of its own, for the examples of a property."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_store(f"sqlite:///{directory}/relay.db") as store:
            hub = Hub(store)
            try:
                yield hub, store
            finally:
                await hub.close()


def make_store(backend: GatedBackend) -> Store:
    return Store(backend, CheckpointPolicy(), now_ms, new_uid)


@asynccontextmanager
async def reopened_hub(backend: GatedBackend) -> AsyncIterator[Hub]:
    """Open a hub on what is stored, with nothing in memory, as after a restart."""
    store = make_store(backend)
    hub = Hub(store)
    try:
        yield hub
    finally:
        backend.open_gates()
        await hub.close()
        await store.close()


# ---- sockets without a network ------------------------------------------------------------------


class Member:
    """A connection in a room, driven without an endpoint."""

    def __init__(self, connection: Connection, room: LiveRoom) -> None:
        self.connection = connection
        self.room = room

    @classmethod
    async def join(cls, hub: Hub, name: str, task: asyncio.Task[object] | None = None) -> Self:
        connection = hub.admit("tester", task or _this_task())
        return cls(connection, await hub.join(name, connection))

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.room.receive(self.connection, frame)

    def send_update(self, update: bytes) -> None:
        self.send(wire.encode_update(update))

    def leave(self) -> None:
        self.room.leave(self.connection)

    def frames(self) -> list[bytes]:
        """Take what is queued now."""
        return list(_popped(self.connection))

    def messages(self) -> list[wire.Message]:
        """Take what is queued now, decoded."""
        return [message for frame in self.frames() for message in wire.decode(frame)]

    async def next(self) -> wire.Message:
        """Wait for the next frame."""
        async with deadline():
            while (frame := self.connection.outbox.pop()) is None:
                assert self.connection.ending is None, self.connection.ending
                self.connection.wake_writer.clear()
                await self.connection.wake_writer.wait()
        (message,) = wire.decode(frame)
        return message

    async def next_update(self) -> bytes:
        """Wait for the next frame, which must be an update."""
        message = await self.next()
        assert isinstance(message, wire.Update), message
        return message.update

    async def wait_ending(self) -> tuple[int, str]:
        """Wait until the connection is to be closed; return the code and the reason."""
        async with deadline():
            while self.connection.ending is None:
                self.connection.wake_writer.clear()
                await self.connection.wake_writer.wait()
        return int(self.connection.ending.code), self.connection.ending.reason


def _popped(connection: Connection) -> Iterator[bytes]:
    while (frame := connection.outbox.pop()) is not None:
        yield frame


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


_admissions: WeakKeyDictionary[Hub, Admission] = WeakKeyDictionary()


def anonymous_admission(hub: Hub) -> Admission:
    """Return what lets everybody into a hub; its sessions are in memory."""
    if hub not in _admissions:
        backend = MemoryBackend()
        with contextlib.suppress(StopIteration):
            backend.open().send(None)  # it awaits nothing
        sessions = SessionBook(backend.sessions, now_ms)
        _admissions[hub] = Admission(sessions, Anonymous(), now_ms, make_secret, hub.ask_for_state)
    return _admissions[hub]


class AsgiSocket:
    """The client's end of a websocket that the endpoint serves in this process.

    Like a TCP connection it takes frames only while ``reading`` is set.
    """

    def __init__(
        self,
        hub: Hub,
        path: str,
        admission: Admission | None = None,
        query: bytes = b"",
        tracing: Tracing = NO_TRACING,
        client: tuple[str, int] = ("127.0.0.1", 9),
    ) -> None:
        self.sent: list[bytes] = []
        self.accepted = False
        self.is_gone = False
        self.closed: tuple[int, str] | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self._read = 0
        self._changed = asyncio.Event()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "client": client,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [],
            "subprotocols": [],
        }
        admission = admission or anonymous_admission(hub)
        endpoint = WebsocketEndpoint(hub, admission, ORIGINS, tracing)
        self.task = asyncio.create_task(endpoint(scope, self._give, self._take))

    @classmethod
    def open(cls, hub: Hub, document: str) -> Self:
        return cls(hub, f"/ws/{quote(document)}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.reading.set()
        self.disconnect()
        async with deadline():
            await self.task

    async def _give(self) -> dict[str, Any]:
        # A socket that was not read for a while gives nothing before the loop has been round.
        for _ in range(3):
            await asyncio.sleep(0)
        return await self._incoming.get()

    async def _take(self, message: Any) -> None:
        await self.reading.wait()
        if self.is_gone:
            raise ConnectionResetError
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] == "websocket.send":
            assert self.closed is None, "a frame after the close frame"
            self.sent.append(message["bytes"])
        else:
            self.closed = message["code"], message["reason"]
            self.disconnect(message["code"])
        self._changed.set()

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self._incoming.put_nowait({"type": "websocket.receive", "bytes": frame})

    def send_update(self, update: bytes) -> None:
        self.send(wire.encode_update(update))

    def send_text(self, text: str) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def disconnect(self, code: int = 1000) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})

    async def next(self) -> wire.Message:
        """Wait for the next frame."""
        await self._wait(lambda: len(self.sent) > self._read)
        self._read += 1
        (message,) = wire.decode(self.sent[self._read - 1])
        return message

    async def wait_text(self, text: str) -> None:
        """Wait until the updates that were sent, applied to a document, make ``text``."""
        await self._wait(lambda: text_of(*self.updates) == text)

    @property
    def updates(self) -> list[bytes]:
        messages = [message for frame in self.sent for message in wire.decode(frame)]
        return [m.update for m in messages if isinstance(m, wire.Update | wire.SyncStep2)]

    async def wait_closed(self) -> tuple[int, str]:
        """Wait for the close frame; return its code and reason."""
        await self._wait(lambda: self.closed is not None)
        assert self.closed is not None
        return self.closed

    async def _wait(self, condition: Callable[[], bool]) -> None:
        try:
            async with deadline():
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"sent {self.sent}, closed {self.closed}") from None
