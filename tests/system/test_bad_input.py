"""What is no proper message, update or name hurts only its sender, and leaves a line in the log."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from urllib.parse import quote

from relay.limits import FRAME_BYTES_MAX
from yjs_store import open_store

from .node import NodeProcess
from .peers import Peer, document_of, text_of
from .raw_socket import (
    close_code,
    frame,
    opening_handshake,
    raw_websocket,
    unupgraded_socket,
)
from .server import RunningServer
from .ywire import (
    AWARENESS,
    EMPTY_STEP2,
    STEP2,
    SYNC,
    UPDATE,
    AwarenessEntry,
    awareness_message,
    encode_bytes,
    query_awareness,
    step1,
    step2,
    update_message,
)

TEXT_FRAME = 1003
BAD_REQUEST = 4400
TOO_LARGE = 4413
UPDATE_REFUSED = 4422

CLOSE = 0x88
BINARY = 0x82

# One insertion of "bad" into the root `text`.
UPDATE_BYTES = bytes.fromhex("01010700040104746578740362616400")

NOT_Y_PROTOCOL: Mapping[str, bytes] = {
    "an unknown message type": b"\x04",
    "a large unknown message type": b"\xff\xff\xff\x7f",
    "an unknown sync step": bytes([SYNC, 3, 0]),
    "a message type cut short": b"\x80",
    "a sync message without a step": bytes([SYNC]),
    "a length cut short": bytes([SYNC, UPDATE, 0x80]),
    "a number of more than 53 bits": bytes([SYNC, UPDATE]) + b"\xff" * 7 + b"\x7f",
    "a number without an end": bytes([SYNC, UPDATE]) + b"\xff" * 200,
    "a length past the end": bytes([SYNC, UPDATE, 5]) + b"abc",
    "a length of four gigabytes": bytes([SYNC, UPDATE]) + b"\xff\xff\xff\xff\x0f" + b"abc",
    "a byte after the message": EMPTY_STEP2 + b"\x80",
    "a bad message after a good update": update_message(UPDATE_BYTES) + b"\x63",
    "a state vector that does not decode": step1(b"\x05\x01"),
    "an awareness update that ends early": bytes([AWARENESS]) + encode_bytes(b"\x02\x01\x01"),
    "awareness of a billion clients": bytes([AWARENESS]) + encode_bytes(b"\xff\xff\xff\xff\x03"),
    "awareness that is not UTF-8": bytes([AWARENESS]) + encode_bytes(b"\x01\x01\x01\x02\xff\xfe"),
    "awareness that is not JSON": awareness_message([AwarenessEntry(1, 1, "{no")]),
    "a frame of HTTP": b"GET / HTTP/1.1\r\n\r\n",
}

NOT_UPDATES: Mapping[str, bytes] = {
    "no bytes": update_message(b""),
    "one byte": update_message(b"\x01"),
    "noise": update_message(bytes(range(1, 200))),
    "text": update_message(b"this is not an update"),
    "an update without its last byte": update_message(UPDATE_BYTES[:-1]),
    "half an update": update_message(UPDATE_BYTES[: len(UPDATE_BYTES) // 2]),
    "a billion structs": update_message(b"\x01\xff\xff\xff\xff\x03\x07\x00"),
    "noise as SyncStep2": step2(bytes(range(1, 200))),
}

# What makes the decoder of yrs 0.28 panic, given what comes before it.
PANIC_AFTER = bytes.fromhex("0101ef070004010174016100")
PANICS = bytes.fromhex("0101ef075f4158000001ef07012201")

BAD_PATHS: Mapping[str, str] = {
    "an empty name": "/",
    "an empty name after the prefix": "/ws/",
    "a name one byte too long": "/ws/" + "n" * 1025,
    "a name too long by its encoding": "/ws/" + quote("é") * 513,
    "a path far too long": "/ws/" + "n" * 6000,
    "a NUL": "/ws/a%00b",
    "a line break": "/a%0Ab",
    "a delete character": "/ws/a%7Fb",
    "a control character of Latin-1": "/ws/a%C2%85b",
    "a percent sign alone": "/ws/100%",
    "half an escape": "/ws/a%4",
    "an escape that is not hexadecimal": "/ws/a%zzb",
    "bytes that are not UTF-8": "/ws/%ff%fe",
    "a surrogate": "/ws/%ed%a0%80",
}

# RFC 6455 forbids each of these; a server that only expects the proper ones may die of them.
BROKEN_FRAMES: Mapping[str, bytes] = {
    "a close frame of one byte": frame(CLOSE, b"\x03"),
    "a close frame with code 0": frame(CLOSE, b"\x00\x00"),
    "a close frame with code 999": frame(CLOSE, b"\x03\xe7"),
    "a close frame with code 1005": frame(CLOSE, b"\x03\xed"),
    "a close frame with code 1006": frame(CLOSE, b"\x03\xee"),
    "a close frame with code 65535": frame(CLOSE, b"\xff\xff"),
    "a close reason that is not UTF-8": frame(CLOSE, b"\x03\xe8\xff\xfe"),
    "a close frame in fragments": frame(0x08, b"\x03\xe8"),
    "a close frame too long": frame(CLOSE, b"\x03\xe8" + b"x" * 200),
    "a ping too long": frame(0x89, b"x" * 200),
    "an unmasked frame": b"\x82\x01\x00",
    "a reserved data opcode": frame(0x83, b"x"),
    "a reserved control opcode": frame(0x8B),
    "a reserved bit": frame(0xC2, b"x"),
    "a continuation of nothing": frame(0x80, b"x"),
    "a text frame that is not UTF-8": frame(0x81, b"\xff\xfe"),
    "a length with its highest bit set": frame(BINARY, length=2**64 - 1),
}


class Room:
    """A bystander at work in a document, and an offender who joins it."""

    def __init__(self, server: RunningServer, document: str, stack: AsyncExitStack) -> None:
        self.server = server
        self.document = document
        self._stack = stack
        self._sent: list[bytes] = []

    async def open(self) -> None:
        self.bystander = await self.join()
        await self._write("before")

    async def join(self) -> Peer:
        peer = Peer.join(self.server.url, quote(self.document))
        return await self._stack.enter_async_context(peer)

    async def offend(self, *frames: bytes | str) -> tuple[int, str]:
        """Send frames as a client of the room; returns how the server closes it."""
        offender = await self.join()
        for one in frames:
            await offender.send(one)
        ending = await offender.wait_closed()
        # Field note 17: what was refused is not acknowledged either.
        assert len(offender.updates) == 1, f"{self.document}: echoed"
        return ending

    async def check_undisturbed(self) -> None:
        """The bystander is still there, saw only its own edits, and can go on."""
        await self._write(", after")
        seen = [m.payload for m in self.bystander.messages if m.step == UPDATE]
        assert seen == self._sent, self.document
        assert self.bystander.present() == {}

    async def _write(self, text: str) -> None:
        update = await self.bystander.insert(len(self.bystander.text), text)
        self._sent.append(update)
        await self.bystander.wait_confirmed(update)


async def check_hurts_only_the_sender(
    server: RunningServer, offences: Mapping[str, bytes | str], code: int
) -> None:
    """Offend in a room each, then look at the others, at the log, and at what was stored."""
    async with AsyncExitStack() as stack:
        rooms = {what: Room(server, what, stack) for what in offences}
        for what, room in rooms.items():
            await room.open()
            log_lines = len(server.log)
            got, reason = await room.offend(offences[what])
            assert (got, bool(reason)) == (code, True), what
            await server.wait_log(rf"\[(warning|error) .*code={code}\b", after=log_lines)
        for room in rooms.values():
            await room.check_undisturbed()
    await server.stop()
    async with open_store(server.store_url) as store:
        assert [head.name for head in await store.list_heads()] == sorted(rooms)
        for what in rooms:
            doc = document_of(await store.load(what))
            assert str(text_of(doc)) == "before, after", what


async def test_frames_that_are_not_y_protocol_close_their_sender(server: RunningServer) -> None:
    await check_hurts_only_the_sender(server, NOT_Y_PROTOCOL, BAD_REQUEST)


async def test_updates_that_do_not_decode_are_refused_and_not_acknowledged(
    server: RunningServer,
) -> None:
    """Field note 17: a malformed update was acknowledged as applied."""
    await check_hurts_only_the_sender(server, NOT_UPDATES, UPDATE_REFUSED)


async def test_text_frames_close_their_sender(server: RunningServer) -> None:
    texts = {"some text": "hello", "no text": "", "what yaos says": '__YPS:{"type":"x"}'}
    await check_hurts_only_the_sender(server, texts, TEXT_FRAME)


async def test_a_refused_update_in_the_middle_of_good_ones_is_all_that_is_refused(
    server: RunningServer,
) -> None:
    """Field note 17: no receipt for it, and none of the others' lost by it."""
    async with Peer.join(server.url, "mixed") as good, Peer.join(server.url, "mixed") as bad:
        for i in range(50):
            await good.insert(3 * i, f"{i:02};")
            if i == 25:
                await bad.send_update(UPDATE_BYTES[:-1])
        text = "".join(f"{i:02};" for i in range(50))
        await good.wait_text(text)
        assert (await bad.wait_closed())[0] == UPDATE_REFUSED
    await server.restart()
    async with Peer.join(server.url, "mixed") as late:
        assert late.text == text


async def test_an_update_on_which_the_decoder_panics_disturbs_nobody(
    server: RunningServer,
) -> None:
    """Field note 18: it neither ends the process nor makes the document unloadable."""
    async with Peer.join(server.url, "panic") as good:
        await good.wait_confirmed(await good.insert(0, "good"))
        async with Peer.join(server.url, "panic") as bad:
            await bad.send_update(PANIC_AFTER)
            await bad.wait_confirmed(PANIC_AFTER)
            await bad.send_update(PANICS)
            # Refused, or taken as far as it can be read: but never passed on as it came.
            await bad.send(query_awareness() + step1())
            await bad.until(
                lambda: (
                    bad.closed is not None or len([m for m in bad.messages if m.step == STEP2]) > 1
                ),
                "it is refused, or the server has gone on",
            )
        await good.wait_confirmed(await good.insert(4, ", still"))
        assert PANICS not in good.updates
    await server.restart()
    async with Peer.join(server.url, "panic") as late:
        assert late.text == "good, still"


async def test_a_frame_too_big_is_refused_at_its_header(server: RunningServer) -> None:
    async with Peer.join(server.url, "big") as good:
        log_lines = len(server.log)
        async with raw_websocket(server, "big") as bad:
            await bad.send(frame(BINARY, b"\0\2", length=2**31))
            assert close_code(await bad.read_to_end()) == TOO_LARGE
        await good.wait_confirmed(await good.insert(0, "unharmed"))
        await server.wait_log(rf"\[(warning|error) .*code={TOO_LARGE}\b", after=log_lines)


async def test_one_who_is_still_sending_what_is_refused_reads_why(server: RunningServer) -> None:
    """A socket closed on unread bytes would be reset, and the close frame with it."""
    async with raw_websocket(server, "big") as bad:
        await bad.send(frame(BINARY, bytes(FRAME_BYTES_MAX + 1)))
        assert close_code(await bad.read_to_end()) == TOO_LARGE


async def test_paths_that_name_no_document_are_closed_for_good(server: RunningServer) -> None:
    """Field note 22 with them: broken percent-encoding is no internal error."""
    for what, path in BAD_PATHS.items():
        log_lines = len(server.log)
        async with Peer.open(server.url, "", path=path) as peer:
            code, reason = await peer.wait_closed()
            assert (code, bool(reason)) == (BAD_REQUEST, True), what
            assert peer.messages == [], what
        await server.wait_log(rf"\[(warning|error) .*code={BAD_REQUEST}\b", after=log_lines)
    await server.stop()
    async with open_store(server.store_url) as store:
        assert await store.list_heads() == []


async def test_a_request_line_beyond_all_bounds_is_ended_by_the_server(
    server: RunningServer,
) -> None:
    async with unupgraded_socket(server) as bad:
        await bad.send(opening_handshake(server.port, "n" * 20_000))
        answer = await bad.read_to_end()
        assert b" 101 " not in answer
    async with Peer.join(server.url, "others") as good:
        await good.wait_confirmed(await good.insert(0, "unharmed"))


async def test_names_at_the_bound_are_names_and_never_paths(server: RunningServer) -> None:
    """Field note 22: a document called `../../etc` is a document, and no file."""
    files = sorted(server.directory.parent.rglob("*"))
    names = ["n" * 1024, "é" * 512, "../../etc/passwd", "..", "a//b/", " ", "ws"]
    for name in names:
        async with Peer.join(server.url, quote(name)) as peer:
            await peer.wait_confirmed(await peer.insert(0, name))
    assert sorted(server.directory.parent.rglob("*")) == files
    await server.stop()
    async with open_store(server.store_url) as store:
        assert sorted(head.name for head in await store.list_heads()) == sorted(names)


async def test_a_stock_client_with_a_bad_name_is_told_and_stays_away(
    node: NodeProcess, server: RunningServer
) -> None:
    client = await node.open("ann", f"{server.url}/ws", "a%00b")
    await client.wait(closed=True)
    status = await client.status()
    closed = [event for event in status["history"] if event["event"] == "closed"]
    assert [event["code"] for event in closed] == [BAD_REQUEST]
    assert closed[0]["reason"]
    assert not status["shouldConnect"]


async def test_broken_websocket_frames_end_their_connection_and_nothing_else(
    server: RunningServer,
) -> None:
    """Field note 28: a malformed close frame from one client ended the whole process."""
    async with Peer.join(server.url, "frames") as good:
        await good.wait_confirmed(await good.insert(0, "before"))
        for what, broken in BROKEN_FRAMES.items():
            async with raw_websocket(server, "frames") as bad:
                await bad.send(broken)
                await bad.read_to_end()
            assert server.is_running, what
        await good.wait_confirmed(await good.insert(6, ", after"))
        assert good.text == "before, after"


async def test_connections_cut_in_the_middle_end_nothing_else(server: RunningServer) -> None:
    """Field note 28: no way of ending one connection is the end of another."""
    beginnings: Sequence[bytes] = [
        b"",
        b"\x82",
        frame(BINARY, length=100),
        frame(BINARY, update_message(UPDATE_BYTES))[:-3],
        frame(CLOSE, b"\x03\xe8")[:-1],
    ]
    async with Peer.join(server.url, "cut") as good:

        async def cut(beginning: bytes) -> None:
            async with raw_websocket(server, "cut") as bad:
                await bad.send(beginning)
                bad.abort()

        await asyncio.gather(*(cut(beginning) for beginning in beginnings * 10))
        await good.wait_confirmed(await good.insert(0, "unharmed"))
        assert good.text == "unharmed"
