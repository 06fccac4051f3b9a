"""Opening handshakes with odd paths and headers, and halves of them."""

from typing import Final

from fuzzlib.cases import Send, Step
from fuzzlib.frames import BINARY, frame
from fuzzlib.mutations import mutate
from fuzzlib.scene import Scene


def handshakes(scene: Scene) -> list[Step]:
    chance = scene.chance
    path = chance.choice(_PATHS)
    lines = [b"GET " + path + b" HTTP/1.1", *_HEADERS]
    for _ in range(chance.randrange(3)):
        lines.insert(chance.randrange(1, len(lines) + 1), chance.choice(_ODD_HEADERS))
    if chance.random() < 0.4:
        lines.pop(chance.randrange(len(lines)))
    request = b"\r\n".join(lines) + b"\r\n\r\n"
    if chance.random() < 0.4:
        request = mutate(request, chance)
    return [Step(Send.HTTP, request + chance.choice((b"", b"\0\1\2", frame(BINARY, b"\3"))))]


def half_handshakes(scene: Scene) -> list[Step]:
    request = b"\r\n".join([b"GET /ws/x HTTP/1.1", *_HEADERS]) + b"\r\n\r\n"
    return [Step(Send.HTTP, request[: scene.chance.randrange(len(request))]) for _ in range(3)]


_HEADERS: Final = (
    b"Host: 127.0.0.1",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
_ODD_HEADERS: Final = (
    b"Sec-WebSocket-Protocol: " + b"p," * 200,
    b"Sec-WebSocket-Protocol: \xff",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover",
    b"Sec-WebSocket-Version: 8",
    b"Sec-WebSocket-Version: x",
    b"Sec-WebSocket-Key: short",
    b"Sec-WebSocket-Key: \xff\xff",
    b"Content-Length: 10",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked, gzip",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Host: ",
    b"Host: a\x00b",
    b"Origin: null",
    b"Origin: http://evil.example",
    b"Cookie: " + b"c=" * 3_000,
    b"X: " + b"x" * 70_000,
    b"no colon",
    b" folded: yes",
    b": empty",
    b"X-Forwarded-For: " + b"1.2.3.4, " * 100,
    b"X-Forwarded-Proto: \xe2\x98\x83",
    b"Authorization: Bearer \xff",
    b"Authorization: " + b"B" * 9_000,
)
_PATHS: Final = (
    b"/",
    b"/ws/",
    b"/ws/hostile",
    b"/ws/%",
    b"/ws/%zz",
    b"/ws/%00",
    b"/ws/%ff%fe",
    b"/ws/../../etc/passwd",
    b"/ws/..%2f..%2fetc",
    b"//",
    b"/ws//",
    b"/ws/" + b"n" * 1_024,
    b"/ws/" + b"n" * 100_000,
    b"/ws/" + b"%c3%a9" * 512,
    b"/ws/a?" + b"q=" * 2_000,
    b"/ws/a?token=%ff",
    b"/ws/a#b",
    b"http://127.0.0.1/ws/a",
    b"*",
    b"",
    b"/health/live",
    b"/debug",
    b"/admin/sessions",
    b"/ws/\xff",
    b"/ws/a b",
)
