"""The client for people: what it shows, and what it does when a server is not one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pycrdt
import pytest
import websockets
from relay_support import (
    EMPTY_UPDATE,
    Doc,
    deadline,
    run_ready_tasks,
    state_vector_of,
    text_of,
    text_update,
    typed,
)

from relay.client import ClientError, follow_document, render, send_text
from relay.wire import y_websocket as wire


@pytest.fixture
def doc() -> Doc:
    return pycrdt.Doc()


def reloaded(doc: Doc) -> Doc:
    """Return the document as a client that got it sees it: with roots of no known type."""
    copy: Doc = pycrdt.Doc()
    copy.apply_update(doc.get_update())
    return copy


# ---- what it shows ------------------------------------------------------------------------------


def test_an_empty_document_shows_nothing(doc: Doc) -> None:
    assert render(doc) == ""


def test_a_text_is_shown_as_it_is(doc: Doc) -> None:
    doc["text"] = pycrdt.Text('Grüße "🚲"\nzwei')
    assert render(reloaded(doc)) == 'text: Grüße "🚲"\nzwei'


def test_roots_are_shown_by_name_in_order(doc: Doc) -> None:
    doc["b"] = pycrdt.Text("2")
    doc["ä"] = pycrdt.Text("3")
    doc["a"] = pycrdt.Text("1")
    assert render(reloaded(doc)) == "a: 1\nb: 2\nä: 3"


def test_a_map_is_shown_as_json(doc: Doc) -> None:
    doc["m"] = pycrdt.Map({"ü": pycrdt.Text("t"), "l": pycrdt.Array([1, None, True])})
    assert render(reloaded(doc)) in (
        'm: {"ü": "t", "l": [1.0, null, true]}',
        'm: {"l": [1.0, null, true], "ü": "t"}',
    )


def test_an_array_is_shown_as_json(doc: Doc) -> None:
    doc["a"] = pycrdt.Array(["x", pycrdt.Map({"k": "v"}), "ü"])
    assert render(reloaded(doc)) == 'a: ["x", {"k": "v"}, "ü"]'


def test_xml_is_shown_as_xml(doc: Doc) -> None:
    doc["x"] = fragment = pycrdt.XmlFragment()
    paragraph = fragment.children.append(pycrdt.XmlElement("p", {"class": "a"}))
    paragraph.children.append(pycrdt.XmlText("words"))
    assert render(reloaded(doc)) == 'x: <p class="a">words</p>'


def test_what_cannot_be_json_is_shown_all_the_same(doc: Doc) -> None:
    doc["m"] = pycrdt.Map({"bytes": b"\x00\xff"})
    assert render(reloaded(doc)).startswith("m: {")


def test_a_deleted_text_is_shown_as_nothing(doc: Doc) -> None:
    doc["text"] = text = pycrdt.Text("gone")
    text.clear()
    assert render(reloaded(doc)).strip() in ("", "text:")


# ---- against servers of every kind --------------------------------------------------------------

Handler = Callable[[websockets.ServerConnection], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def followed(handler: Handler, document: str = "doc") -> tuple[list[str], str]:
    """Follow a document until the connection ends; return what was shown, and why it ended."""
    shown: list[str] = []
    async with served(handler) as url, deadline():
        with pytest.raises(ClientError) as caught:
            await follow_document(url, document, shown.append)
    return shown, str(caught.value)


async def test_following_shows_each_change_once_it_is_synced() -> None:
    a, b, c = typed("abc")

    async def serve(socket: Any) -> None:
        assert await socket.recv() == wire.encode_sync_step_1(b"\x00")
        await socket.send(wire.encode_sync_step_1(b"\x00"))
        # The stock server asks, and waits for an answer.
        assert await socket.recv() == wire.encode_sync_step_2(EMPTY_UPDATE)
        await socket.send(wire.encode_update(a))
        await socket.send(wire.encode_sync_step_2(b))
        await socket.send(wire.SIGN_OF_LIFE)
        await socket.send(wire.encode_update(b))
        await socket.send(wire.encode_update(c))
        await socket.close(4410, "the document was deleted")

    shown, why = await followed(serve)
    assert shown == ["text: ab", "text: abc"]
    assert why == "the server closed the connection: 4410 the document was deleted"


async def test_the_document_stays_a_name_on_its_way_into_the_path() -> None:
    paths: list[str] = []

    async def serve(socket: Any) -> None:
        paths.append(socket.request.path)

    for name in ("a/b", "a b?c#d%", "Zürich", "../x"):
        await followed(serve, name)
    assert paths == ["/ws/a/b", "/ws/a%20b%3Fc%23d%25", "/ws/Z%C3%BCrich", "/ws/../x"]


async def test_sending_returns_only_with_the_receipt() -> None:
    before = text_update("kept ")
    sent: list[bytes] = []
    is_sent = asyncio.Event()
    may_answer = asyncio.Event()

    async def serve(socket: Any) -> None:
        assert await socket.recv() == wire.encode_sync_step_1(b"\x00")
        await socket.send(wire.encode_sync_step_1(b"\x00"))
        await socket.send(wire.encode_sync_step_2(before))
        (message,) = wire.decode(await socket.recv())
        assert isinstance(message, wire.Update)
        sent.append(message.update)
        await socket.send(wire.encode_update(text_update("not ours", client_id=9)))
        is_sent.set()
        await may_answer.wait()
        await socket.send(wire.encode_update(message.update))
        await socket.wait_closed()

    async with served(serve) as url, deadline():
        sending = asyncio.create_task(send_text(url, "doc", "text", "and more"))
        await is_sent.wait()
        await run_ready_tasks()
        assert not sending.done()
        may_answer.set()
        await sending
    assert text_of(before, *sent) == "kept and more"
    # Only what is new was sent.
    assert state_vector_of(*sent) == b"\x00"


async def test_sending_without_a_receipt_is_an_error() -> None:
    async def serve(socket: Any) -> None:
        await socket.recv()
        await socket.send(wire.encode_sync_step_2(EMPTY_UPDATE))
        await socket.recv()
        await socket.close(4503, "storage is failing")

    async with served(serve) as url, deadline():
        with pytest.raises(ClientError, match="4503 storage is failing"):
            await send_text(url, "doc", "text", "x")


async def test_a_connection_that_breaks_is_an_error_in_words() -> None:
    async def serve(socket: Any) -> None:
        await socket.recv()
        socket.transport.abort()

    _, why = await followed(serve)
    assert why == "the server closed the connection: without a close frame"


async def test_a_server_that_sends_text_is_no_y_websocket_server() -> None:
    async def serve(socket: Any) -> None:
        await socket.recv()
        await socket.send("welcome")
        await socket.wait_closed()

    _, why = await followed(serve)
    assert why == "the server sent text; it is not a y-websocket server"


@pytest.mark.parametrize(
    "frame",
    [b"\x63", b"\x02\x00\x02no", wire.encode_update(b"no update"), b""],
    ids=["an unknown type", "a refusal of access", "no update", "nothing"],
)
async def test_a_server_that_sends_anything_else_is_an_error_in_words(frame: bytes) -> None:
    async def serve(socket: Any) -> None:
        await socket.recv()
        await socket.send(frame)
        await socket.wait_closed()

    _, why = await followed(serve)
    assert why
