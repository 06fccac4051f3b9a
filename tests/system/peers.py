"""A y-websocket client in Python that keeps and judges every frame it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from pycrdt import Array, Doc, Map, Text, XmlFragment, get_update
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .waiting import DEADLINE_S, Changes
from .ywire import (
    AWARENESS,
    STEP1,
    STEP2,
    SYNC,
    AwarenessEntry,
    Message,
    Reader,
    awareness_message,
    decode_awareness,
    decode_frame,
    decode_state_vector,
    step1,
    step2,
    update_message,
)

Document = Doc[Text | Map | Array | XmlFragment]


class Replicas(NamedTuple):
    """What a client has of a document, over all its connections; see Peer."""

    doc: Document
    confirmed: Document


def new_replicas(client_id: int | None = None) -> Replicas:
    return Replicas(Doc(client_id=client_id), Doc())


class Peer:
    """One connection, the document edited on it, and what the server said.

    `doc` holds what was edited here and what was received. `confirmed` holds only what the server
    sent: what this client saw of others and what was echoed to it, so what must never be lost.
    """

    def __init__(self, socket: ClientConnection, document: str, replicas: Replicas) -> None:
        self.socket = socket
        self.document = document
        self.doc, self.confirmed = replicas
        self.messages: list[Message] = []
        self.updates: list[bytes] = []
        self.awareness: dict[int, AwarenessEntry] = {}
        self.is_synced = False
        self.closed: tuple[int, str] | None = None
        # Called the moment an update has arrived, before anything is done with it.
        self.on_update: Callable[[], None] = lambda: None
        self._changes = Changes()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        document: str,
        *,
        path: str | None = None,
        client_id: int | None = None,
        earlier: Replicas | None = None,
    ) -> AsyncIterator[Self]:
        """Connect, and say nothing; with what it had ``earlier`` a client comes back."""
        address = url + (f"/ws/{document}" if path is None else path)
        # One frame at a time is kept unread, so that a paused reader is a slow one to the server.
        async with connect(
            address, proxy=None, compression=None, max_size=None, max_queue=1, ping_interval=None
        ) as socket:
            peer = cls(socket, document, earlier or new_replicas(client_id))
            try:
                yield peer
            finally:
                peer.resume_reading()
                await socket.close()
                await peer._reader

    @classmethod
    @asynccontextmanager
    async def join(
        cls,
        url: str,
        document: str,
        *,
        path: str | None = None,
        client_id: int | None = None,
        earlier: Replicas | None = None,
    ) -> AsyncIterator[Self]:
        """Connect, and synchronize as a client does; see ``open``."""
        async with cls.open(url, document, path=path, client_id=client_id, earlier=earlier) as peer:
            await peer.sync()
            yield peer

    # -------------------------------------------------------------- sending

    async def sync(self) -> None:
        # From what is confirmed: who comes back learns, too, what was stored of its own edits.
        await self.send(step1(self.confirmed.get_state()))
        await self.until(lambda: self.is_synced, "SyncStep2 arrives")

    async def send(self, frame: bytes | str) -> None:
        await self.socket.send(frame)

    async def send_update(self, update: bytes) -> None:
        await self.send(update_message(update))

    def change(self, editing: Callable[[Document], object]) -> bytes:
        """Edit the document in one transaction; returns the update, which isn't sent."""
        made: list[bytes] = []
        watching = self.doc.observe(lambda event: made.append(event.update))
        try:
            with self.doc.transaction():
                editing(self.doc)
        finally:
            self.doc.unobserve(watching)
        assert len(made) == 1, "a change that changes nothing"
        return made[0]

    async def edit(self, editing: Callable[[Document], object]) -> bytes:
        """Edit the document in one transaction, and send that."""
        update = self.change(editing)
        await self.send_update(update)
        return update

    async def insert(self, at: int, text: str) -> bytes:
        return await self.edit(lambda doc: text_of(doc).insert(at, text))

    async def delete(self, start: int, stop: int) -> bytes:
        def cut(doc: Document) -> None:
            del text_of(doc)[start:stop]

        return await self.edit(cut)

    async def announce(self, *entries: AwarenessEntry) -> None:
        await self.send(awareness_message(entries))

    # -------------------------------------------------------------- reading

    @property
    def text(self) -> str:
        """The root `text` as far as the server confirmed it."""
        return str(text_of(self.confirmed))

    @property
    def text_length(self) -> int:
        """The length of `text` in bytes, cheaper than the text."""
        return len(text_of(self.confirmed))

    def pause_reading(self) -> None:
        """Be a slow reader: take no more frames from the socket."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    async def until(
        self, condition: Callable[[], object], what: str, *, within_s: float = DEADLINE_S
    ) -> None:
        """Wait for a condition, looked at after each frame; a closed connection ends the wait."""

        def look() -> bool:
            if self._reader.done() and not self._reader.cancelled():
                self._reader.result()
            return bool(condition()) or self.closed is not None

        await self._changes.until(look, what, within_s=within_s, now=self.describe)
        assert condition(), f"closed with {self.closed} before: {what}"

    async def wait_text(self, text: str, *, within_s: float = DEADLINE_S) -> None:
        await self.until(lambda: self.text == text, f"the text is {text[:80]!r}", within_s=within_s)

    async def wait_confirmed(self, update: bytes) -> None:
        """Wait until the server sent everything that is in this update (the sender's receipt)."""
        await self.until(lambda: covers(self.confirmed, update), "the update comes back")

    async def wait_closed(self) -> tuple[int, str]:
        """Wait for the end of the connection; returns the close code and the reason."""
        await self.until(lambda: self.closed is not None, "the server closes")
        assert self.closed is not None
        return self.closed

    def present(self) -> dict[int, str]:
        """The awareness states of the clients that are there."""
        return {i: entry.state for i, entry in self.awareness.items() if entry.state != "null"}

    def describe(self) -> str:
        kinds = [(m.kind, m.step, len(m.payload)) for m in self.messages[-20:]]
        return (
            f"text {self.text[-200:]!r}, awareness {self.awareness}, closed {self.closed}, "
            f"{len(self.messages)} messages ending in {kinds}"
        )

    async def _read(self) -> None:
        try:
            while True:
                await self._may_read.wait()
                frame = await self.socket.recv()
                assert isinstance(frame, bytes), f"a text frame from the server: {frame!r}"
                await self._take(decode_frame(frame))
                self._changes.announce()
        except ConnectionClosed:
            self.closed = (self.socket.close_code or 0, self.socket.close_reason or "")
        finally:
            asyncio.get_running_loop().call_soon(self._changes.announce)

    async def _take(self, message: Message) -> None:
        self.messages.append(message)
        if message.kind == AWARENESS:
            self.awareness |= {e.client_id: e for e in decode_awareness(message.payload)}
        elif message.kind == SYNC and message.step == STEP1:
            await self.send(step2(self.doc.get_update(message.payload)))
        elif message.kind == SYNC:
            self.updates.append(message.payload)
            self.on_update()
            self.doc.apply_update(message.payload)
            self.confirmed.apply_update(message.payload)
            self.is_synced |= message.step == STEP2


def document_of(*updates: bytes) -> Document:
    """What pycrdt makes of these updates, applied in this order."""
    doc: Document = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc


def text_of(doc: Document) -> Text:
    return doc.get("text", type=Text)


def array_of(doc: Document) -> Array:
    return doc.get("array", type=Array)


def map_of(doc: Document) -> Map:
    return doc.get("map", type=Map)


def covers(doc: Document, update: bytes) -> bool:
    """Whether everything in an update, its deletions included, is in the document already.

    Applying what is there already announces no change. What waits for a predecessor announces none
    either, and is not there.
    """
    copy = document_of(doc.get_update())
    announced: list[bytes] = []
    watching = copy.observe(lambda event: announced.append(event.update))
    copy.apply_update(update)
    copy.unobserve(watching)
    return not announced and not is_missing_something(copy, update)


def is_missing_something(doc: Document, update: bytes) -> bool:
    """Whether an update has structs beyond the document's clocks, or deletes something there."""
    state_vector = doc.get_state()
    clocks = decode_state_vector(state_vector)
    reader = Reader(get_update(update, state_vector))
    if reader.varuint() > 0:
        return True
    for _ in range(reader.varuint()):
        client_id = reader.varuint()
        for _ in range(reader.varuint()):
            if reader.varuint() + reader.varuint() > clocks.get(client_id, 0):
                return True
    return False
