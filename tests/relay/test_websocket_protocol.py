"""Close codes on the wire, from a server of its own process, and what its log says of them."""

import asyncio
import base64
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from relay_process import ServerProcess
from relay_support import deadline, text_of, text_update

from relay.limits import FRAME_BYTES_MAX
from relay.wire import y_websocket as wire
from yjs_store import open_store

SECRET = "the words of the document"
UPDATE = text_update(SECRET)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on a store with one deleted document and one that is damaged."""
    directory = tmp_path_factory.mktemp("server")
    asyncio.run(_prepare(directory))
    with ServerProcess(directory) as server:
        yield server
        assert server.end() == 0
        log = "\n".join(server.log)
        assert "Traceback" not in log
        assert SECRET not in log
        assert len(server.output) == 1


async def _prepare(directory: Path) -> None:
    async with open_store(f"sqlite:///{directory}/relay.db") as store:
        for name in ("deleted", "damaged", "sound"):
            await store.append(name, UPDATE)
        await store.delete("deleted")
    with contextlib.closing(sqlite3.connect(directory / "relay.db")) as database, database:
        database.execute(
            "UPDATE journal SET data = zeroblob(length(data)) WHERE document_id ="
            " (SELECT id FROM documents WHERE name = 'damaged')"
        )


@contextlib.asynccontextmanager
async def connected(server: ServerProcess, path: str) -> AsyncIterator[Any]:
    async with (
        deadline(),
        websockets.connect(
            server.url + path, proxy=None, compression=None, max_size=None
        ) as socket,
    ):
        yield socket


async def closed(socket: Any) -> tuple[int, str]:
    """Read until the server closes; return its code and reason."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code, socket.close_reason


async def test_a_client_edits_and_has_its_receipt(server: ServerProcess) -> None:
    async with connected(server, "/ws/edited") as writer, connected(server, "/edited") as reader:
        for socket in (writer, reader):
            assert await socket.recv() == wire.encode_sync_step_1(b"\x00")
        await writer.send(wire.encode_update(UPDATE))
        for socket in (writer, reader):
            assert await socket.recv() == wire.encode_update(UPDATE)


@pytest.mark.parametrize(
    ("name", "message", "code", "reason"),
    [
        ("text", SECRET, 1003, "y-websocket messages are binary frames, not text"),
        ("no-protocol", b"\x63", 4400, "there is no message type 99"),
        ("empty-frame", b"", 4400, "the frame is empty"),
        ("truncated", wire.encode_update(UPDATE)[:-1], 4400, "a length of"),
        ("no-json", wire.encode_awareness(b"\x01\x01\x01\x03NaN"), 4400, "an awareness state is"),
        ("no-update", wire.encode_update(UPDATE[:-1]), 4422, "it ends early"),
        ("no-step-2", wire.encode_sync_step_2(UPDATE[:-1]), 4422, "it ends early"),
        ("no-vector", wire.encode_sync_step_1(b"\x05\x01"), 4400, ""),
    ],
)
async def test_bad_input_is_closed_with_its_code_reason_and_a_line_in_the_log(
    server: ServerProcess, name: str, message: str | bytes, code: int, reason: str
) -> None:
    async with connected(server, f"/ws/{name}") as socket:
        peer = "{}:{}".format(*socket.local_address)
        await socket.send(message)
        found, told = await closed(socket)
    assert found == code
    assert told.startswith(reason)
    assert told
    entry = await asyncio.to_thread(server.wait_log, ended_in(name))
    assert (entry["event"], entry["level"]) == ("connection closed", "warning")
    assert (entry["code"], entry["reason"], entry["peer"]) == (code, told, peer)
    assert entry["connection"] > 0


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("/", 4400, "the document name is empty"),
        ("/ws/", 4400, "the document name is empty"),
        ("/ws/a%00b", 4400, "the document name has a control character"),
        ("/a%0Ab", 4400, "the document name has a control character"),
        ("/ws/100%", 4400, "the path has a broken percent-encoding"),
        ("/ws/%ff", 4400, "the path is not UTF-8"),
        ("/ws/" + "x" * 1025, 4400, "the document name has 1025 bytes; the bound is 1024"),
        ("/ws/deleted", 4410, "the document was deleted"),
        ("/ws/damaged", 4502, "the document is damaged; an operator can mend it"),
    ],
)
async def test_what_cannot_be_joined_is_closed_with_its_code_reason_and_a_line_in_the_log(
    server: ServerProcess, path: str, code: int, reason: str
) -> None:
    async with connected(server, path) as socket:
        peer = "{}:{}".format(*socket.local_address)
        found, told = await closed(socket)
    assert found == code
    assert told.startswith(reason)
    entry = await asyncio.to_thread(server.wait_log, lambda entry: entry.get("peer") == peer)
    assert (entry["code"], entry["reason"], entry["level"]) == (code, told, "warning")


async def test_what_happens_to_others_is_no_harm_to_a_sound_document(
    server: ServerProcess,
) -> None:
    async with connected(server, "/ws/sound?token=ignored") as socket:
        await socket.send(wire.encode_sync_step_1(b"\x00"))
        while not isinstance(message := wire.decode(await socket.recv())[0], wire.SyncStep2):
            pass
        assert text_of(message.update) == SECRET


def ended_in(document: str) -> Callable[[dict[str, Any]], bool]:
    """The line of the log about how a connection to a document ended."""
    return lambda entry: entry.get("document") == document and "code" in entry


def header_of(length: int) -> bytes:
    """The head of a binary frame, masked with zeros."""
    return b"\x82\xff" + length.to_bytes(8, "big") + bytes(4)


async def test_a_frame_over_the_bound_is_refused_at_its_header(server: ServerProcess) -> None:
    async with connected(server, "/ws/too-big") as socket:
        await socket.recv()
        socket.transport.write(header_of(FRAME_BYTES_MAX + 1) + b"\x00\x02")
        code, reason = await closed(socket)
        assert (code, "64 MiB" in reason) == (4413, True)
    entry = await asyncio.to_thread(server.wait_log, ended_in("too-big"))
    assert (entry["code"], entry["level"], entry["reason"]) == (4413, "warning", reason)


async def test_what_came_whole_before_a_frame_over_the_bound_is_stored(
    server: ServerProcess,
) -> None:
    """P5: also when both are in one packet."""
    async with connected(server, "/ws/before") as socket, connected(server, "/ws/before") as other:
        for each in (socket, other):
            assert await each.recv() == wire.encode_sync_step_1(b"\x00")
        update = wire.encode_update(UPDATE)
        head = bytes((0x82, 0x80 | len(update))) + bytes(4)
        socket.transport.write(head + update + header_of(FRAME_BYTES_MAX + 1))
        assert (await closed(socket))[0] == 4413
        assert await other.recv() == update


async def test_fragments_are_bounded_together(server: ServerProcess) -> None:
    async with connected(server, "/ws/fragments") as socket:
        await socket.recv()
        first = FRAME_BYTES_MAX // 2
        with contextlib.suppress(websockets.ConnectionClosed):
            await socket.send([bytes(first), bytes(first), bytes(first)])
        assert (await closed(socket))[0] == 4413


async def test_text_that_is_not_utf8_is_closed_as_the_rfc_says(server: ServerProcess) -> None:
    async with connected(server, "/ws/no-utf8") as socket:
        await socket.recv()
        socket.transport.write(b"\x81\x82" + bytes(4) + b"\xff\xfe")
        assert (await closed(socket))[0] == 1007
    entry = await asyncio.to_thread(server.wait_log, ended_in("no-utf8"))
    assert (entry["code"], entry["level"]) == (1007, "warning")


async def test_a_close_frame_that_is_none_ends_only_its_connection(server: ServerProcess) -> None:
    """Field note 28: it ended the whole process."""
    bodies = {b"\x03": 1002, b"\x00\x00": 1002, b"\x03\xed": 1002, b"\xff\xff": 1002}
    for body, code in (bodies | {b"\x03\xe8\xff": 1007}).items():
        async with connected(server, "/ws/close-frames") as socket:
            await socket.recv()
            socket.transport.write(bytes((0x88, 0x80 | len(body))) + bytes(4) + body)
            assert (await closed(socket))[0] == code
    async with connected(server, "/ws/close-frames") as socket:
        await socket.recv()


async def test_a_frame_that_is_none_while_much_is_on_its_way_out_is_no_crash(
    server: ServerProcess,
) -> None:
    """What is still sent after that must end quietly; the log is looked at in the end."""
    text = "x" * 1_000_000
    async with connected(server, "/ws/much") as socket:
        await socket.recv()
        await socket.send(wire.encode_update(text_update(text)))
        await socket.recv()
        socket.transport.pause_reading()
        for _ in range(30):
            await socket.send(wire.encode_sync_step_1(b"\x00"))
        reserved_opcode = b"\x83\x80" + bytes(4)
        socket.transport.write(reserved_opcode)
        socket.transport.resume_reading()
        assert (await closed(socket))[0] == 1002


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /ws/\xff\xfe HTTP/1.1\r\n",
        b"GET /ws/doc HTTP/1.1\r\nX: \xff\r\n",
        b"NONSENSE\r\n",
        b"GET /ws/" + b"x" * 20_000 + b" HTTP/1.1\r\n",
        b"GET /ws/doc HTTP/1.1\r\nSec-WebSocket-Key: short\r\n",
    ],
    ids=["a path of bytes", "a header of bytes", "no request", "an endless line", "two keys"],
)
async def test_a_handshake_that_is_none_gets_an_answer_or_an_end(
    server: ServerProcess, request_: bytes
) -> None:
    """Field note 22: and never an internal error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    key = base64.b64encode(os.urandom(16))
    writer.write(
        request_ + b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    async with deadline():
        with contextlib.suppress(ConnectionResetError):
            answer = await reader.read(65536)
            assert b" 500 " not in answer.split(b"\r\n")[0]
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_health_is_served_beside_the_websockets(server: ServerProcess) -> None:
    async with httpx.AsyncClient(base_url=server.url.replace("ws:", "http:")) as client:
        assert (await client.get("/health/live")).json() == {"status": "live"}
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        assert (await client.get("/ws/sound")).status_code == 404
