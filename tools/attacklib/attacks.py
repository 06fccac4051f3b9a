"""The attacks: what each does, and which bound answers it."""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pycrdt import Array, Doc, Text
from system.raw_socket import frame, opening_handshake
from system.ywire import (
    AwarenessEntry,
    awareness_message,
    encode_varuint,
    query_awareness,
    step1,
    step2,
    update_message,
)

from attacklib.sockets import Socket, Sockets

BINARY = 0x82
FIRST_FRAGMENT = 0x02
FRAGMENT = 0x00
PING = 0x89
MIB = 1 << 20
GET = b"GET /health/live HTTP/1.1\r\nHost: relay\r\n"

Act = Callable[[Sockets, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attack:
    """``act`` gets the sockets to use, and for how many seconds to go on."""

    name: str
    what: str
    bound: str
    act: Act
    seconds: float = 8.0
    options: tuple[str, ...] = ()


ATTACKS: dict[str, Attack] = {}


def attack(
    what: str, bound: str, *, seconds: float = 8.0, options: tuple[str, ...] = ()
) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        name = act.__name__.replace("_", "-")
        ATTACKS[name] = Attack(name, what, bound, act, seconds, options)
        return act

    return add


def binary(payload: bytes) -> bytes:
    return frame(BINARY, payload)


async def flood(sockets: list[Socket] | tuple[Socket, ...], blob: bytes) -> None:
    """Send the same bytes without end, as fast as each socket takes them."""

    async def one(socket: Socket) -> None:
        while not socket.is_lost:
            await socket.write_all(blob)
            await asyncio.sleep(0)

    await asyncio.gather(*map(one, sockets))


async def flood_again(
    sockets: Sockets, count: int, greeting: bytes, blob: bytes, *, is_reading: bool = True
) -> None:
    """Keep so many sockets that send the same bytes without end; who is cut comes again."""

    async def one() -> None:
        while True:
            socket = await sockets.open(is_reading=is_reading, greeting=greeting)
            if socket is None:
                await asyncio.sleep(0.1)
                continue
            if not is_reading:
                socket.pause()
            await flood([socket], blob)

    await asyncio.gather(*(one() for _ in range(count)))


async def until_over(seconds: float, work: Awaitable[object]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        pass


def text_of_size(size: int) -> bytes:
    doc: Doc[Text] = Doc()
    doc["text"] = Text("".join(chr(97 + i % 26) for i in range(1000)) * (size // 1000))
    return doc.get_update()


def structs_and_one_that_waits(count: int) -> tuple[bytes, bytes]:
    """Make a text of so many structs, and an update whose predecessor nobody has."""
    doc: Doc[Text] = Doc()
    text = doc["text"] = Text()
    with doc.transaction():
        for _ in range(count):
            text.insert(0, "x")
    doc_of_another: Doc[Text] = Doc()
    other = doc_of_another["text"] = Text("missing")
    before = doc_of_another.get_state()
    other += "waits"
    return doc.get_update(), doc_of_another.get_update(before)


async def store(sockets: Sockets, document: str, update: bytes) -> None:
    """Put content into a document, in updates that are no rows of their own kind."""
    writer = await sockets.websocket(document)
    assert writer is not None, "the server takes a first client"
    await writer.write_all(binary(step2(update)))
    await writer.wait_received(len(update))
    writer.abort()


# ---- before there is a websocket ----------------------------------------------------------------


@attack("1,000 sockets that say nothing", "closed after 10 s", seconds=13)
async def silence(sockets: Sockets, seconds: float) -> None:
    await asyncio.gather(*(sockets.open() for _ in range(1000)))
    await asyncio.sleep(seconds)


@attack("1,000 sockets with half a handshake", "closed after 10 s", seconds=13)
async def half_handshake(sockets: Sockets, seconds: float) -> None:
    greeting = opening_handshake(1, "doc")[:100]
    await asyncio.gather(*(sockets.open(greeting=greeting) for _ in range(1000)))
    await asyncio.sleep(seconds)


@attack("500 sockets that send a header a second", "a request is whole in 10 s", seconds=13)
async def slow_headers(sockets: Sockets, seconds: float) -> None:
    await asyncio.gather(*(sockets.open(greeting=GET) for _ in range(500)))
    for second in range(int(seconds)):
        for socket in sockets.all:
            if not socket.is_lost:
                socket.write(b"X-%d: y\r\n" % second)
        await asyncio.sleep(1)


@attack(
    "20 clients at a time that send headers without end, again and again",
    "32 KiB of head, then 400",
)
async def endless_headers(sockets: Sockets, seconds: float) -> None:
    await until_over(seconds, flood_again(sockets, 20, GET, b"X-Header: value\r\n" * 4000))


@attack(
    "20 clients at a time that send a path without end, again and again",
    "8,000 bytes of path, then 400",
)
async def endless_path(sockets: Sockets, seconds: float) -> None:
    await until_over(seconds, flood_again(sockets, 20, b"GET /", b"x" * 65536))


@attack(
    "20 clients at a time that post 1 GB to /health/live, announced or in chunks",
    "413, or the answer; 1 MiB of it is read",
)
async def bodies(sockets: Sockets, seconds: float) -> None:
    head = GET.replace(b"GET", b"POST")
    announced = head + b"Content-Length: 1000000000\r\n\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    await until_over(
        seconds,
        asyncio.gather(
            flood_again(sockets, 10, announced, b"x" * 65536),
            flood_again(sockets, 10, chunked, chunk),
        ),
    )


@attack(
    "20 clients at a time that ask for /health/live in a row without reading",
    "16 in a row, then 400; dropped when nothing was read for 30 s",
    seconds=10,
)
async def pipelining(sockets: Sockets, seconds: float) -> None:
    requests = (GET + b"\r\n") * 1000
    await until_over(seconds, flood_again(sockets, 20, b"", requests, is_reading=False))


@attack("1,000 sockets that ask once and stay", "closed after 5 s", seconds=8)
async def keep_alive(sockets: Sockets, seconds: float) -> None:
    await asyncio.gather(*(sockets.open(greeting=GET + b"\r\n") for _ in range(1000)))
    await asyncio.sleep(seconds)


STRANGE_PATHS = (
    *(b"/../../etc/passwd", b"/..%2f..%2fetc", b"/%", b"/%zz", b"/%ff", b"/a%00b", b"/\x00"),
    *(
        b"/" + b"x" * 100_000,
        b"/./.",
        b"//",
        b"*",
        b"http://[",
        b"/\xff\xfe",
        b"/?" + b"q" * 100_000,
    ),
)


@attack("strange paths: broken encodings, dots, nulls, 100 KB", "400 or 404, never 500")
async def paths(sockets: Sockets, seconds: float) -> None:
    for path in STRANGE_PATHS:
        await sockets.open(greeting=b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(seconds / 4)


@attack(
    "2,500 websockets from one address",
    "2,000 of one address (`--connections-per-address-max`), then 4529",
    seconds=20,
)
async def many_connections(sockets: Sockets, seconds: float) -> None:
    await until_over(seconds, sockets.websockets(2500, "crowd"))
    await asyncio.sleep(2)


@attack(
    "10,500 websockets from one address that may have as many",
    "10,000 in all (`--connections-max`), then 4529",
    seconds=60,
    options=("--connections-per-address-max", "20000"),
)
async def ten_thousand(sockets: Sockets, seconds: float) -> None:
    await until_over(seconds, open_in_rooms(sockets, 10_500))
    await asyncio.sleep(2)


async def open_in_rooms(sockets: Sockets, count: int) -> None:
    for room in range(count // 100):
        await sockets.websockets(100, f"crowd-{room}")


@attack(
    "10,500 documents opened one after the other, 50 at a time",
    "10,000 in memory (`--documents-max`); those nobody is in go first",
    seconds=60,
)
async def many_documents(sockets: Sockets, seconds: float) -> None:
    async def visit(start: int) -> None:
        for number in range(start, 10_500, 50):
            socket = await sockets.websocket(f"many-{number}")
            if socket is not None:
                await socket.write_all(binary(step1()))
                sockets.all.remove(socket)
                socket.abort()

    await until_over(seconds, asyncio.gather(*map(visit, range(50))))


# ---- messages that are not whole ----------------------------------------------------------------


@attack("500 websockets with half a frame, then nothing", "closed with 4508 after 20 s", seconds=24)
async def half_frame(sockets: Sockets, seconds: float) -> None:
    for socket in await sockets.websockets(500, "half"):
        socket.write(binary(update_message(b"x" * 1000))[:500])
    await asyncio.sleep(seconds)


@attack(
    "100 websockets with 16 MiB of a 64 MiB frame each, then a byte a second",
    "128 MiB for all together; the others wait, 60 s at most; who is slow is closed after 20 s",
    seconds=24,
)
async def large_frames(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(100, "large")
    head = frame(BINARY, length=64 * MIB)
    part = bytes(16 * MIB)
    for socket in opened:
        socket.write(head)
    sending = [asyncio.create_task(socket.write_all(part)) for socket in opened]
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        for socket in opened:
            if not socket.is_lost:
                socket.write(b"\0")
    for task in sending:
        task.cancel()


@attack(
    "20 websockets with fragments of nothing, without end",
    "16,384 fragments; 20 of less than 1 KiB a second after 100",
)
async def fragments(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(20, "fragments")
    for socket in opened:
        socket.write(frame(FIRST_FRAGMENT, b"x"))
    await until_over(seconds, flood(list(opened), frame(FRAGMENT) * 10_000))


@attack(
    "20 websockets with pings without end, unread",
    "20 a second after 100; no pong while the socket is full",
)
async def pings(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(20, "pings", is_reading=False)
    await until_over(seconds, flood(list(opened), frame(PING, b"x" * 125) * 500))


@attack(
    "100 clients at a time that come with 40,000 frames of nothing, again and again",
    "4 KiB are parsed at a time; closed with 4400 at the first",
)
async def empty_frames(sockets: Sockets, seconds: float) -> None:
    blob = frame(BINARY) * 40_000

    async def again() -> None:
        while True:
            socket = await sockets.websocket("empty")
            if socket is not None:
                await socket.write_all(blob)
                await socket.lost

    await until_over(seconds, asyncio.gather(*(again() for _ in range(100))))


# ---- whole messages -----------------------------------------------------------------------------


@attack("20 websockets with empty updates without end", "100 a second after 200; reading pauses")
async def empty_updates(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(20, "nothing")
    await until_over(seconds, flood(list(opened), binary(update_message(b"\0\0")) * 5000))


@attack(
    "20 websockets with SyncStep1 without end, on a document of 5 MB",
    "100 a second after 200, 16 KiB of answer count as one; reading pauses",
    seconds=10,
)
async def step1_flood(sockets: Sockets, seconds: float) -> None:
    await store(sockets, "asked", text_of_size(5_000_000))
    opened = await sockets.websockets(20, "asked")
    await until_over(seconds, flood(list(opened), binary(step1()) * 1000))


@attack(
    "50 websockets with SyncStep1 without end, on a document of 100,000 structs, one waiting",
    "making answers has half of the time, and addresses take turns",
    seconds=10,
)
async def step1_of_structs(sockets: Sockets, seconds: float) -> None:
    # In a thread: the bystanders are clients of this very process.
    structs, waiting = await asyncio.to_thread(structs_and_one_that_waits, 100_000)
    await store(sockets, "structs", structs)
    opened = await sockets.websockets(50, "structs")
    await opened[0].write_all(binary(update_message(waiting)))
    await until_over(seconds, flood(list(opened), binary(step1()) * 1000))


def crowd(first: int, count: int) -> bytes:
    """Make a letter of each of so many clients, all at the beginning of one text."""
    clients = range(first + count - 1, first - 1, -1)
    structs = (
        b"\x01" + encode_varuint(client) + b"\x00\x04\x01\x04text\x01c" for client in clients
    )
    return encode_varuint(count) + b"".join(structs) + b"\x00"


@attack(
    "20 websockets that put letters of ever more clients at one place, 100 in each update",
    "rounds of 0.1 s, then the document rests three times as long; tried first after 1 s in all",
    seconds=20,
)
async def many_clients_at_one_place(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(20, "crowded")
    firsts = itertools.count(1_000_000, 100)

    async def put(socket: Socket) -> None:
        while not socket.is_lost:
            await socket.write_all(binary(update_message(crowd(next(firsts), 100))))
            await asyncio.sleep(0)

    await until_over(seconds, asyncio.gather(*map(put, opened)))


def awareness(client: int, clock: int, size: int) -> bytes:
    state = '{"name":"' + "x" * size + '"}'
    return binary(awareness_message([AwarenessEntry(client, clock, state)]))


@attack(
    "100 clients of one room that send 1 KB of awareness without end",
    "100 messages or KiB a second of each after 200; news of a room are joined",
)
async def awareness_flood(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(100, "cursors")

    async def move(number: int, socket: Socket) -> None:
        clock = 1
        while not socket.is_lost:
            moves = b"".join(awareness(number, clock + i, 1000) for i in range(20))
            clock += 20
            await socket.write_all(moves)
            await asyncio.sleep(0)

    await until_over(seconds, asyncio.gather(*(move(i, s) for i, s in enumerate(opened))))


@attack(
    "20 websockets with awareness of 1,000 clients each, 250 bytes a client",
    "256 KiB and 1,000 clients of one connection; 4 MiB and 5,000 clients of one room",
)
async def awareness_clients(sockets: Sockets, seconds: float) -> None:
    opened = await sockets.websockets(20, "bridges")

    async def announce(number: int, socket: Socket) -> None:
        clock = 1
        while not socket.is_lost:
            entries = [
                AwarenessEntry(1000 * number + i, clock, '"' + "x" * 240 + '"') for i in range(1000)
            ]
            clock += 1
            await socket.write_all(binary(awareness_message(entries)))
            await asyncio.sleep(0)

    await until_over(seconds, asyncio.gather(*(announce(i, s) for i, s in enumerate(opened))))


@attack(
    "20 websockets that ask for the awareness of 500 clients without end, unread",
    "100 a second after 200, 16 KiB of answer count as one; reading pauses",
)
async def query_flood(sockets: Sockets, seconds: float) -> None:
    crowd = await sockets.websocket("asked")
    assert crowd is not None, "the server takes a first client"
    entries = [AwarenessEntry(i, 1, '"' + "x" * 400 + '"') for i in range(500)]
    await crowd.write_all(binary(awareness_message(entries)))
    opened = await sockets.websockets(20, "asked", is_reading=False)
    await until_over(seconds, flood(list(opened), binary(query_awareness()) * 1000))


@attack(
    "20 writers that insert without end, each in a document of its own",
    "256 updates or 1 MiB of each under way to the disk; reading pauses",
)
async def flat_out_writers(sockets: Sockets, seconds: float) -> None:
    doc: Doc[Array] = Doc()
    array = doc.get("array", type=Array)
    made: list[bytes] = []
    watching = doc.observe(lambda event: made.append(binary(update_message(event.update))))
    for i in range(50_000):
        array.append(i % 7)
    doc.unobserve(watching)
    blob = b"".join(made)
    opened = [await sockets.websocket(f"writer-{i}") for i in range(20)]
    await until_over(seconds, asyncio.gather(*(s.write_all(blob) for s in opened if s is not None)))
    await asyncio.sleep(max(0.0, seconds - 1))


# ---- readers ------------------------------------------------------------------------------------


@attack(
    "100 clients that never read while one pastes 1 MB twenty times a second",
    "4 MiB or 1,000 frames queued, shared by all, then one diff; closed with 4508 after 60 s",
    seconds=75,
)
async def never_reads(sockets: Sockets, seconds: float) -> None:
    await sockets.websockets(100, "pasted", is_reading=False)
    writer = await sockets.websocket("pasted")
    assert writer is not None, "101 fit"

    async def paste() -> None:
        for client in range(1, 400):
            doc: Doc[Text] = Doc(client_id=client)
            doc["text"] = Text(os.urandom(300_000).hex()[:500_000])
            await writer.write_all(binary(update_message(doc.get_update())))
            await asyncio.sleep(0.05)

    pasting = asyncio.create_task(until_over(15, paste()))
    await asyncio.sleep(seconds)
    await pasting


@attack(
    "100 clients that ask for a document of 20 MB and never read",
    "256 MiB of answers for all together, in pieces of 256 KiB; closed with 4508 after 60 s",
    seconds=75,
)
async def asks_and_never_reads(sockets: Sockets, seconds: float) -> None:
    await store(sockets, "big", text_of_size(20_000_000))
    for socket in await sockets.websockets(100, "big", is_reading=False):
        socket.write(binary(step1()))
    await asyncio.sleep(seconds)


@attack(
    "50 clients that ask for a document of 20 MB and read once a second",
    "1 KiB a second over 60 s at least, or closed with 4508",
    seconds=75,
)
async def reads_slowly(sockets: Sockets, seconds: float) -> None:
    await store(sockets, "big", text_of_size(20_000_000))
    opened = await sockets.websockets(50, "big", is_reading=False)
    for socket in opened:
        socket.write(binary(step1()))
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        for socket in opened[::10]:
            if not socket.is_lost:
                socket.take_some()
