"""What one websocket can make the process hold or do, on real sockets."""

import asyncio
import itertools
from typing import Any

import pytest
import uvloop
from listening import Listening, Raw, close_code, frame, listening, wait_until
from relay_support import deadline
from uvicorn.protocols.utils import ClientDisconnected

from relay import websocket_protocol as protocol_module
from relay.errors import CloseCode
from relay.incoming import IncomingBytes
from relay.limits import (
    IDLE_FRAMES_BURST,
    MESSAGE_FRAGMENTS_MAX,
    MESSAGES_AFTER_CLOSE_MAX,
    ORDINARY_MESSAGE_BYTES,
    PARSE_BYTES_MAX,
    SEND_FRAGMENT_BYTES,
)
from relay.transport_bounds import TransportBounds
from relay.websocket_protocol import WebsocketProtocol

BINARY, FIRST, MIDDLE, LAST, CLOSE, PING = 0x82, 0x02, 0x00, 0x80, 0x88, 0x89
LARGE = 3 * ORDINARY_MESSAGE_BYTES


class App:
    """An application that takes messages while a test lets it, and keeps their sizes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ending: dict[str, Any] | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self.to_send: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        writing = asyncio.create_task(self._write(send))
        try:
            while True:
                await self.reading.wait()
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    self.ending = message
                    return
                self.messages.append(message["bytes"])
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, send: Any) -> None:
        while True:
            await send({"type": "websocket.send", "bytes": await self.to_send.get()})


def protocol_of(server: Listening) -> WebsocketProtocol:
    (protocol,) = server.protocols
    assert isinstance(protocol, WebsocketProtocol)
    return protocol


@pytest.fixture
def app() -> App:
    return App()


async def test_half_a_frame_and_then_nothing_is_closed(app: App) -> None:
    bounds = TransportBounds(message_window_s=0.05)
    async with listening(app, bounds) as server, Raw.websocket(server.port) as raw:
        await raw.send(frame(BINARY, bytes(1000))[:500])
        assert close_code(await raw.rest()) == CloseCode.TOO_SLOW
    assert app.ending is not None
    assert app.ending["code"] == CloseCode.TOO_SLOW


async def test_what_came_whole_before_half_a_frame_counts(app: App) -> None:
    bounds = TransportBounds(message_window_s=0.05)
    async with listening(app, bounds) as server, Raw.websocket(server.port) as raw:
        await raw.send(frame(BINARY, b"whole") + frame(BINARY, b"half")[:8])
        await raw.rest()
    assert app.messages == [b"whole"]


async def test_one_in_the_middle_of_a_message_need_not_answer_pings(app: App) -> None:
    """A first sync over a slow line takes longer than a ping may."""
    async with (
        listening(app, ws_ping_interval=0.02, ws_ping_timeout=0.02) as server,
        Raw.websocket(server.port) as raw,
    ):
        await raw.send(frame(BINARY, bytes(1000))[:500])
        for _ in range(4):
            assert (await raw.reader.readexactly(6))[:1] == bytes([PING])
        await raw.send(frame(BINARY, bytes(1000))[500:])
        await wait_until(lambda: app.messages == [bytes(1000)])


async def test_frames_are_parsed_as_they_are_taken(app: App) -> None:
    """P6: 40,000 frames of nothing in one read would take 50 times its memory."""
    app.reading.clear()
    count = 40_000
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        sending = asyncio.create_task(raw.send(frame(BINARY) * count))
        await wait_until(lambda: not protocol_of(server).queue.empty())
        for _ in range(100):
            await asyncio.sleep(0)
        assert protocol_of(server).queue.qsize() <= PARSE_BYTES_MAX
        app.reading.set()
        await sending
        await wait_until(lambda: len(app.messages) == count)
        assert protocol_of(server).queue.qsize() == 0


async def test_what_was_not_parsed_when_the_client_left_counts(app: App) -> None:
    app.reading.clear()
    count = 5000
    async with listening(app) as server:
        async with Raw.websocket(server.port) as raw:
            await raw.send(frame(BINARY, b"x") * count)
            await wait_until(lambda: len(protocol_of(server)._unparsed) > 0)
            protocol_of(server).transport.abort()
            await server.wait_count(0)
        app.reading.set()
        await wait_until(lambda: app.ending is not None)
    assert len(app.messages) == count


async def test_what_a_client_left_behind_is_parsed_in_turns(app: App) -> None:
    """P5: 40,000 frames of nothing take half a second, and everybody may leave that much."""
    app.reading.clear()
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        await raw.send(frame(BINARY) * 5000)
        protocol = protocol_of(server)
        await wait_until(lambda: len(protocol._unparsed) > 4 * PARSE_BYTES_MAX)
        protocol.transport.abort()
        left = [len(protocol._unparsed)]
        while left[-1]:
            await asyncio.sleep(0)
            left.append(len(protocol._unparsed))
        app.reading.set()
        await wait_until(lambda: app.ending is not None)
    assert max(before - after for before, after in itertools.pairwise(left)) <= PARSE_BYTES_MAX


@pytest.mark.parametrize("last", [frame(PING), b"\xff" * 8], ids=["ping", "no frame"])
def test_nothing_is_sent_to_who_has_left_something_behind(app: App, last: bytes) -> None:
    """P8: a transport of uvloop that is closed raises what would be logged as a crash."""
    app.reading.clear()
    count = 5000
    failures: list[dict[str, Any]] = []

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, each: failures.append(each))
        async with listening(app) as server, Raw.websocket(server.port) as raw:
            protocol = protocol_of(server)
            await raw.send(frame(BINARY, b"x") * count + last)
            await wait_until(lambda: len(protocol._unparsed) > 4 * PARSE_BYTES_MAX)
            unparsed = len(protocol._unparsed)
            protocol.transport.abort()
            await wait_until(lambda: len(protocol._unparsed) < unparsed)
            assert protocol._unparsed
            with pytest.raises(ClientDisconnected):
                await protocol.send({"type": "websocket.send", "bytes": b"x"})
            app.reading.set()
            await wait_until(lambda: app.ending is not None)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(leave())
    assert failures == []
    assert len(app.messages) == count


async def test_a_server_that_ends_leaves_alone_who_is_leaving(app: App) -> None:
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        protocol = protocol_of(server)
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        app.to_send.put_nowait(bytes(64 * SEND_FRAGMENT_BYTES))
        await wait_until(lambda: not protocol.writable.is_set())
        await raw.send(frame(CLOSE))
        await wait_until(protocol.transport.is_closing)
        assert protocol in server.protocols
        protocol.shutdown()
        await wait_until(lambda: app.ending is not None)


async def test_what_a_flood_left_behind_is_not_parsed(app: App) -> None:
    """P5: who has had more turns than anybody may have gets no others for leaving."""
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        protocol = protocol_of(server)
        assert PARSE_BYTES_MAX > IDLE_FRAMES_BURST
        await raw.send(frame(PING) * PARSE_BYTES_MAX + frame(BINARY, b"behind"))
        await wait_until(lambda: protocol._is_resting)
        protocol.transport.abort()
        await wait_until(lambda: app.ending is not None)
    assert app.messages == []


async def test_fragments_of_nothing_are_bounded(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "MESSAGE_FRAGMENTS_MAX", 50)
    assert MESSAGE_FRAGMENTS_MAX > 50
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        await raw.send(frame(FIRST, b"x") + frame(MIDDLE) * 50)
        assert close_code(await raw.rest()) == CloseCode.BAD_REQUEST


async def test_a_message_in_many_fragments_passes(app: App) -> None:
    """As browsers send a large one."""
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        piece = bytes(65536)
        await raw.send(frame(FIRST, piece) + frame(MIDDLE, piece) * 100 + frame(LAST, b"end"))
        await wait_until(lambda: app.messages == [piece * 101 + b"end"])


@pytest.mark.parametrize("idle", [frame(PING, b"x"), frame(0x8A, b"x")], ids=["pings", "pongs"])
async def test_frames_that_carry_nothing_make_the_server_rest(app: App, idle: bytes) -> None:
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        await raw.send(idle * int(IDLE_FRAMES_BURST))
        await raw.send(frame(BINARY, b"still read"))
        await wait_until(lambda: app.messages == [b"still read"])
        await raw.send(idle * int(IDLE_FRAMES_BURST))
        await wait_until(lambda: protocol_of(server)._is_resting)
        assert protocol_of(server).read_paused


async def test_pongs_do_not_gather_for_one_who_does_not_read(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol_module, "IDLE_FRAMES_BURST", 1e9)
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        protocol = protocol_of(server)
        pings = frame(PING, b"x" * 125) * 1000
        while protocol.writable.is_set():
            await raw.send(pings)
            await asyncio.sleep(0)
        for _ in range(20):
            await raw.send(pings)
            await asyncio.sleep(0)
        await raw.send(frame(BINARY, b"read"))
        await wait_until(lambda: app.messages == [b"read"])
        # What is above the bound of the transport is of the pings that were parsed together.
        assert protocol.transport.get_write_buffer_size() < 200_000


async def test_large_messages_take_turns(app: App) -> None:
    incoming = IncomingBytes(bytes_max=LARGE)
    bounds = TransportBounds(incoming=incoming)
    async with (
        listening(app, bounds) as server,
        Raw.websocket(server.port) as first,
        Raw.websocket(server.port) as second,
        Raw.websocket(server.port) as third,
    ):
        message = frame(BINARY, b"1" * 2 * LARGE)
        await first.send(message[: LARGE + 100])
        await wait_until(lambda: incoming.is_full)
        sending = asyncio.create_task(second.send(frame(BINARY, b"2" * 2 * LARGE)))
        await wait_until(lambda: incoming.is_contended)
        # Ordinary ones never wait.
        await third.send(frame(BINARY, b"3" * ORDINARY_MESSAGE_BYTES))
        await wait_until(lambda: len(app.messages) == 1)
        await first.send(message[LARGE + 100 :])
        await wait_until(lambda: len(app.messages) == 3)
        await sending
        assert [each[:1] for each in app.messages] == [b"3", b"1", b"2"]
        assert not incoming.is_full


async def test_one_too_many_to_wait_for_memory_is_told(app: App) -> None:
    incoming = IncomingBytes(bytes_max=LARGE, waiting_max=0)
    bounds = TransportBounds(incoming=incoming)
    async with (
        listening(app, bounds) as server,
        Raw.websocket(server.port) as first,
        Raw.websocket(server.port) as second,
    ):
        await first.send(frame(BINARY, bytes(9 * LARGE))[: 2 * LARGE])
        await wait_until(lambda: incoming.is_full)
        await second.send(frame(BINARY, bytes(9 * LARGE))[: 2 * LARGE])
        assert close_code(await second.rest()) == CloseCode.TOO_MANY


async def test_a_large_message_goes_out_in_fragments_and_waits_for_its_reader(app: App) -> None:
    """P6: a reader that does not read has a fragment or two in the socket, not the whole."""
    message = bytes(range(256)) * 80_000
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        app.to_send.put_nowait(message)
        protocol = protocol_of(server)
        await wait_until(lambda: not protocol.writable.is_set())
        for _ in range(50):
            await asyncio.sleep(0)
        assert protocol.transport.get_write_buffer_size() <= 2 * SEND_FRAGMENT_BYTES
        raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
        async with deadline():
            assert await received(raw, len(message)) == message


async def test_one_who_does_not_read_is_cut_when_the_application_is_done(app: App) -> None:
    """uvicorn closes the socket, which waits for the reader for ever."""
    bounds = TransportBounds(linger_s=0.05)
    async with listening(app, bounds) as server, Raw.websocket(server.port) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        app.to_send.put_nowait(bytes(20_000_000))
        protocol = protocol_of(server)
        await wait_until(lambda: not protocol.writable.is_set())
        (task,) = protocol.tasks
        task.cancel()
        await server.wait_count(0)


async def test_one_who_does_not_answer_a_close_is_cut_in_time() -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4400})

    bounds = TransportBounds(linger_s=0.05)
    async with listening(app, bounds) as server, Raw.websocket(server.port) as raw:
        assert close_code(await raw.rest()) == 4400


async def test_one_who_floods_on_after_a_close_is_not_listened_to() -> None:
    """P6: its frames would be looked through for an answer, and everybody would wait."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.close", "code": 4400})

    count = 40_000
    bounds = TransportBounds(linger_s=0.5)
    async with listening(app, bounds) as server, Raw.websocket(server.port) as raw:
        protocol = protocol_of(server)
        sending = asyncio.create_task(raw.send(frame(BINARY) * count))
        assert close_code(await raw.rest()) == 4400
        await asyncio.gather(sending, return_exceptions=True)
    assert protocol.messages_received <= MESSAGES_AFTER_CLOSE_MAX + PARSE_BYTES_MAX


async def test_a_client_that_answers_a_close_is_let_go_at_once() -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4400})

    async with listening(app) as server, Raw.websocket(server.port) as raw:
        await raw.reader.readexactly(4)
        # Within less than the 10 s after which a client is not waited for any more.
        async with asyncio.timeout(5):
            await raw.send(frame(0x88, b"\x11\x30"))
            assert await raw.rest() == b""


async def test_a_large_message_that_waits_for_the_application_is_counted(app: App) -> None:
    incoming = IncomingBytes(bytes_max=LARGE)
    app.reading.clear()
    bounds = TransportBounds(incoming=incoming)
    async with listening(app, bounds) as server, Raw.websocket(server.port) as raw:
        await raw.send(frame(BINARY, bytes(LARGE)))
        await wait_until(lambda: not protocol_of(server).queue.empty())
        assert incoming.is_full
        app.reading.set()
        await wait_until(lambda: app.messages == [bytes(LARGE)])
        assert not incoming.is_full


async def test_what_was_not_whole_is_let_go_of_at_once(app: App) -> None:
    """The connection's objects hold each other, and wait for the collector."""
    async with listening(app) as server, Raw.websocket(server.port) as raw:
        await raw.send(frame(FIRST, bytes(LARGE)) + frame(LAST, bytes(LARGE))[:LARGE])
        protocol = protocol_of(server)
        await wait_until(lambda: protocol.held_bytes > LARGE + 1)
        raw.writer.transport.abort()
        await server.wait_count(0)
        assert protocol.held_bytes == 0
        assert protocol.frames == []


async def received(raw: Raw, size: int) -> bytes:
    """Put a message from the server together; the last fragment, and only that, says so."""
    message = b""
    first_bytes = []
    while len(message) < size:
        first_byte, length = await raw.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await raw.reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await raw.reader.readexactly(8), "big")
        first_bytes.append(first_byte)
        message += await raw.reader.readexactly(length)
    assert first_bytes == [FIRST, *[MIDDLE] * (len(first_bytes) - 2), LAST]
    return message
