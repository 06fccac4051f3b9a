"""What a socket may do before it is a websocket: little, and not for long."""

import asyncio

import pytest
from listening import Raw, handshake, listening
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from relay.limits import (
    PIPELINED_REQUESTS_MAX,
    REFUSED_BODY_BYTES,
    REQUEST_BODY_BYTES_MAX,
    REQUEST_HEAD_BYTES_MAX,
    REQUEST_URL_BYTES_MAX,
)
from relay.sockets import Sockets
from relay.transport_bounds import TransportBounds

HURRIED_S = 0.05


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def live(_: Request) -> Response:
    return PlainTextResponse("live")


async def long(_: Request) -> Response:
    return PlainTextResponse(bytes(20_000_000))


APP = Starlette(
    routes=[Route("/live", live), Route("/long", long), Route("/echo", echo, methods=["POST"])]
)
GET = b"GET /live HTTP/1.1\r\nHost: relay\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: relay\r\n"


def hurried() -> TransportBounds:
    return TransportBounds(request_s=HURRIED_S, response_stalled_s=HURRIED_S)


@pytest.mark.parametrize(
    "beginning",
    [b"", GET, handshake()[:50], POST + b"Content-Length: 10\r\n\r\nhalf"],
    ids=["nothing", "half a request", "half a handshake", "half a body"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(beginning: bytes) -> None:
    async with listening(APP, hurried()) as server, Raw.open(server.port) as raw:
        await raw.send(beginning)
        assert b" 200 " not in await raw.rest()


@pytest.mark.parametrize("drop", [b"X: y\r\n", b"\r\n"], ids=["headers", "empty lines"])
async def test_a_request_in_drops_is_not_waited_for_either(drop: bytes) -> None:
    """Slow-loris: each drop is progress, and the request is never whole."""
    async with listening(APP, hurried()) as server, Raw.open(server.port) as raw:
        await raw.send(GET if drop != b"\r\n" else b"")
        async with asyncio.timeout(HURRIED_S * 100):
            while not raw.reader.at_eof() and not raw.writer.transport.is_closing():
                raw.writer.write(drop)
                try:
                    async with asyncio.timeout(HURRIED_S / 10):
                        assert await raw.reader.read(1000) == b""
                except (TimeoutError, ConnectionError):
                    continue


async def test_a_second_request_has_its_own_time() -> None:
    async with listening(APP, hurried()) as server, Raw.open(server.port) as raw:
        await raw.send(GET + b"\r\n")
        assert b" 200 " in await raw.head()
        await raw.send(GET)
        assert b" 200 " not in await raw.rest()


@pytest.mark.parametrize(
    ("beginning", "more"),
    [(GET, b"X-Header: value\r\n" * 100), (b"GET /", b"x" * 5000)],
    ids=["headers", "a path"],
)
async def test_a_head_without_end_is_refused(beginning: bytes, more: bytes) -> None:
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send(beginning + more * (2 * REQUEST_HEAD_BYTES_MAX // len(more)))
        assert b" 400 " in (await raw.head()).splitlines()[0]


async def test_a_path_too_long_is_refused_and_one_at_the_bound_is_not() -> None:
    for size, status in ((REQUEST_URL_BYTES_MAX + 1, b" 400 "), (3000, b" 404 ")):
        async with listening(APP) as server, Raw.open(server.port) as raw:
            await raw.send(b"GET /" + b"x" * (size - 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status in (await raw.head()).splitlines()[0], size


STRANGE_PATHS = (
    *(b"/../../etc/passwd", b"/..%2f..%2fetc", b"/%", b"/%zz", b"/%ff", b"/a%00b", b"/\x00"),
    *(b"/" + b"x" * 100_000, b"/./.", b"//", b"*", b"http://[", b"/\xff\xfe", b"/live/../x"),
)


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=[repr(path[:20]) for path in STRANGE_PATHS])
@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"CONNECT", b"OPTIONS"])
async def test_a_strange_path_is_no_internal_error(path: bytes, method: bytes) -> None:
    """Field note 22."""
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send(method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status = (await raw.head()).split(b" ")[1]
        assert status in (b"400", b"404"), status


async def test_a_body_announced_above_the_bound_is_refused_before_it_comes() -> None:
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send(POST + b"Content-Length: %d\r\n\r\n" % (REQUEST_BODY_BYTES_MAX + 1))
        assert b" 413 " in await raw.head()


async def test_a_body_above_the_bound_is_refused_when_it_is_too_much() -> None:
    async with listening(APP) as server, Raw.open(server.port) as raw:
        chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        await raw.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)
        assert b" 413 " in await raw.head()


async def test_a_body_at_the_bound_is_taken() -> None:
    body = bytes(REQUEST_BODY_BYTES_MAX)
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert b" 200 " in await raw.head()
        assert await raw.reader.readexactly(len(body)) == body


@pytest.mark.parametrize("head", [GET, POST], ids=["unread", "refused"])
async def test_of_a_body_nobody_wants_little_is_read(head: bytes) -> None:
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send(head + b"Content-Length: 1000000000\r\n\r\n")
        assert b" 200 " in (answer := await raw.head()) or b" 413 " in answer
        taken = await raw.flood(bytes(65536))
        # What the sockets' buffers hold comes to it.
        assert taken < REFUSED_BODY_BYTES + 20_000_000


async def test_a_response_nobody_reads_is_not_waited_for() -> None:
    async with listening(APP, hurried()) as server, Raw.open(server.port) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await raw.send(b"GET /long HTTP/1.1\r\nHost: relay\r\n\r\n")
        await server.wait_count(1)
        await server.wait_count(0)


async def test_many_requests_in_a_row_are_refused() -> None:
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send((GET + b"\r\n") * (PIPELINED_REQUESTS_MAX + 2))
        assert b" 400 " in await raw.rest()


async def test_a_few_requests_in_a_row_are_answered() -> None:
    async with listening(APP) as server, Raw.open(server.port) as raw:
        await raw.send((GET + b"\r\n") * PIPELINED_REQUESTS_MAX)
        for _ in range(PIPELINED_REQUESTS_MAX):
            assert b" 200 " in await raw.head()
            assert await raw.reader.readexactly(4) == b"live"


async def test_one_socket_too_many_is_cut() -> None:
    bounds = TransportBounds(Sockets(1, 9), request_s=1000)
    async with listening(APP, bounds) as server, Raw.open(server.port) as a:
        await a.send(GET + b"\r\n")
        assert b" 200 " in await a.head()
        async with Raw.open(server.port) as b:
            assert await b.rest() == b""
        a.writer.close()
        await server.wait_count(0)
        async with Raw.open(server.port) as c:
            await c.send(GET + b"\r\n")
            assert b" 200 " in await c.head()
