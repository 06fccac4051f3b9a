"""A y-websocket client for people and tests: follows a document, or adds to it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pycrdt
import websockets

from relay.errors import MalformedMessage
from relay.limits import FRAME_BYTES_MAX, STORED_LOOK_S, STORED_WITHIN_S
from relay.wire import y_websocket as wire
from yjs_store import UpdateRefused, check_update, covers_all

_Doc = pycrdt.Doc[Any]

_NOTHING = b"\x00"
_EMPTY_UPDATE = b"\x00\x00"


class ClientError(Exception):
    """The server could not be reached or closed the connection; the text says why."""


class DocumentClosed(ClientError):
    """The server was reached, and does not give this document or does not take what was sent."""


@asynccontextmanager
async def _connected(
    url: str, document: str, token: str | None
) -> AsyncIterator[websockets.ClientConnection]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    address = f"{url.rstrip('/')}/ws/{quote(document, safe='/')}"
    try:
        async with websockets.connect(
            address, max_size=FRAME_BYTES_MAX, additional_headers=headers
        ) as socket:
            yield socket
    except websockets.ConnectionClosed as error:
        closed = error.rcvd
        why = f"{closed.code} {closed.reason}" if closed else "without a close frame"
        raise DocumentClosed(f"the server closed the connection: {why}") from error
    except (OSError, ValueError, OverflowError, websockets.WebSocketException) as error:
        raise ClientError(f"cannot connect to {address}: {error}") from error


async def follow_document(
    url: str, document: str, show: Callable[[str], None], token: str | None = None
) -> None:
    """Show the document, and again after each change, until the connection ends.

    Raises:
        ClientError: it could not be reached, or the server closed the connection.
    """
    doc: _Doc = pycrdt.Doc()
    shown = None
    async with _connected(url, document, token) as socket:
        await socket.send(wire.encode_sync_step_1(doc.get_state()))
        is_synced = False
        while True:
            for message in await _receive(socket):
                match message:
                    case wire.SyncStep2(update):
                        _integrate(doc, update)
                        is_synced = True
                    case wire.Update(update):
                        _integrate(doc, update)
                    case wire.SyncStep1():
                        await socket.send(wire.encode_sync_step_2(_EMPTY_UPDATE))
            content = render(doc)
            if is_synced and content != shown:
                show(content)
                shown = content


async def fetch_document(url: str, document: str, token: str | None = None) -> bytes:
    """Return the document as one update, which is not looked at: it may be anything.

    Raises:
        ClientError: it could not be reached, or the server closed the connection.
    """
    async with _connected(url, document, token) as socket:
        return await _whole(socket)


async def send_update(
    url: str,
    document: str,
    update: bytes,
    token: str | None = None,
    within_s: float = STORED_WITHIN_S,
) -> None:
    """Send an update; on return the server has it on disk.

    Asked for the document, it gives what is durable; an echo may be switched off.

    Raises:
        ClientError: it could not be reached, or closed the connection.
        DocumentClosed: it did not take the update in time; who may only read is not told so.
    """
    async with _connected(url, document, token) as socket:
        await socket.send(wire.encode_update(update))
        try:
            async with asyncio.timeout(within_s):
                while not covers_all(await _whole(socket), update):
                    # An echo, or anything else, is a reason to look again at once.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(STORED_LOOK_S):
                            await _receive(socket)
        except TimeoutError as error:
            why = f"not stored within {within_s:g} s; perhaps it may only be read"
            raise DocumentClosed(why) from error
        except UpdateRefused as error:
            raise DocumentClosed(str(error)) from error


async def _whole(socket: websockets.ClientConnection) -> bytes:
    """Ask for everything; return it as one update."""
    await socket.send(wire.encode_sync_step_1(_NOTHING))
    while True:
        for message in await _receive(socket):
            match message:
                case wire.SyncStep2(update):
                    return update
                case wire.SyncStep1():
                    await socket.send(wire.encode_sync_step_2(_EMPTY_UPDATE))


async def send_text(
    url: str, document: str, root: str, text: str, token: str | None = None
) -> None:
    """Append to a shared text; on return the server has it on disk.

    Raises:
        ClientError: it could not be reached, or closed the connection before its receipt.
    """
    ours: _Doc = pycrdt.Doc()
    theirs: _Doc = pycrdt.Doc()
    async with _connected(url, document, token) as socket:
        await socket.send(wire.encode_sync_step_1(theirs.get_state()))
        is_sent = False
        while not (is_sent and _covers(theirs, ours)):
            for message in await _receive(socket):
                match message:
                    case wire.SyncStep2(update):
                        _integrate(theirs, update)
                        if not is_sent:
                            _integrate(ours, update)
                            await socket.send(wire.encode_update(_append(ours, root, text)))
                            is_sent = True
                    case wire.Update(update):
                        # It comes after the commit: with our edit in it, it is the receipt.
                        _integrate(theirs, update)


def _append(doc: _Doc, root: str, text: str) -> bytes:
    before = doc.get_state()
    shared = doc.get(root, type=pycrdt.Text)
    shared += text
    return doc.get_update(before)


def _covers(theirs: _Doc, ours: _Doc) -> bool:
    """Say whether everything written in ``ours`` has come back."""
    lacking = ours.get_update(theirs.get_state())
    return lacking[:1] == b"\x00"  # no structs


async def _receive(socket: websockets.ClientConnection) -> list[wire.Message]:
    frame = await socket.recv()
    if isinstance(frame, str):
        raise ClientError("the server sent text; it is not a y-websocket server")
    try:
        return wire.decode(frame)
    except MalformedMessage as error:
        raise ClientError(f"the server does not speak y-websocket: {error}") from error


def _integrate(doc: _Doc, update: bytes) -> None:
    try:
        check_update(update)
        doc.apply_update(update)
    except (UpdateRefused, ValueError, RuntimeError) as error:
        raise ClientError(f"the server sent something that is no Yjs update: {error}") from error


def render(doc: _Doc) -> str:
    """Return a document for reading: each shared type by name, texts as they are."""
    return "\n".join(f"{name}: {_render_root(doc, name)}" for name in sorted(doc.keys()))


def _render_root(doc: _Doc, name: str) -> str:
    # The type of a root is not stored; the first that shows something is taken.
    text = str(doc.get(name, type=pycrdt.Text))
    if text:
        return text
    for kind in (pycrdt.Map, pycrdt.Array):
        try:
            value = doc.get(name, type=kind).to_py()
        except ValueError:
            continue  # it holds XML
        if value:
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(doc.get(name, type=pycrdt.XmlFragment))
