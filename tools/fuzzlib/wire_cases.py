"""Cases of the strategy "wire": frames and handshakes that no library would send."""

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

from fuzzlib.authoring import new_author
from fuzzlib.awareness_cases import awareness
from fuzzlib.cases import Case, Send, Step
from fuzzlib.encoding import number, sized
from fuzzlib.frames import BINARY, CLOSE, PING, PONG, TEXT, frame
from fuzzlib.handshake_cases import half_handshakes, handshakes
from fuzzlib.mutations import mutate
from fuzzlib.scene import Scene

STRATEGY: Final = "wire"


def make(scene: Scene) -> Case:
    """Return another case."""
    maker = scene.chance.choice(_ATTACKS)
    return Case(STRATEGY, maker.__name__.replace("_", " ").strip(), maker(scene))


def _message(chance: random.Random) -> bytes:
    """Return some message that is in order."""
    update = new_author(chance).update()
    return chance.choice(
        (
            b"\0\0\1\0",
            b"\0\1" + sized(update),
            b"\0\2" + sized(update),
            awareness([(chance.randrange(2**32), 1, "{}")]),
            b"\3",
        )
    )


def _conversation(chance: random.Random) -> list[bytes]:
    return [_message(chance) for _ in range(chance.randint(1, 12))]


def _frames(payloads: Sequence[bytes]) -> list[Step]:
    return [Step(Send.FRAME, payload) for payload in payloads]


def _mutated_messages(scene: Scene) -> list[Step]:
    chance = scene.chance
    return _frames([mutate(each, chance) for each in _conversation(chance)])


def _many_messages_in_a_frame(scene: Scene) -> list[Step]:
    chance = scene.chance
    count = chance.choice((2, 10, 999, 1_000, 1_001, 100_000))
    payload = (chance.choice((b"\3", b"\0\0\1\0", b"\0\2\2\0\0", b"\1\1\0"))) * count
    mixed = b"".join(_conversation(chance)) + chance.choice((b"", b"\x63", b"\0", b"\xff" * 9))
    return _frames([chance.choice((payload, mixed))])


def _lengths(scene: Scene) -> list[Step]:
    chance = scene.chance
    size = chance.choice((1, 127, 2**20, 2**31, 2**32, 2**53 - 1, 2**53, 2**63, 2**64, 2**100))
    head = chance.choice((b"\0\0", b"\0\1", b"\0\2", b"\1", b"\2\0"))
    padded = number(3, padding=chance.choice((1, 3, 5, 8, 9, 30, 1000)))
    return _frames([chance.choice((head + number(size) + b"abc", head + padded + b"\0\0\0"))])


def _unknown_types(scene: Scene) -> list[Step]:
    kinds = (2, 4, 5, 100, 127, 128, 2**31, 2**53, 2**64)
    kind = number(scene.chance.choice(kinds))
    return _frames([scene.chance.choice((kind, b"\0" + kind + b"\0", kind + sized("x")))])


def _noise(scene: Scene) -> list[Step]:
    sizes = (0, 1, 2, 10, 1_000, 70_000)
    return _frames([scene.chance.randbytes(scene.chance.choice(sizes)) for _ in range(3)])


def _state_vectors(scene: Scene) -> list[Step]:
    chance = scene.chance
    clients = chance.choice((1, 100, 50_000))
    vector = number(clients) + b"".join(
        number(chance.choice((n, 2**32, 2**53 - 1))) + number(chance.choice((0, 5, 2**53 - 1)))
        for n in range(clients)
    )
    odd = (vector, mutate(vector, chance), number(2**32) + b"\1\1", b"", b"\1", b"\0" * 1000)
    return _frames([b"\0\0" + sized(chance.choice(odd)) for _ in range(chance.randint(1, 30))])


def _text_frames(scene: Scene) -> list[Step]:
    payload = scene.chance.choice((b"", b"hello", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 100_000))
    return [Step(Send.RAW, frame(TEXT, payload))]


def _fragments(scene: Scene) -> list[Step]:
    """A good message in pieces, with control frames and worse between them."""
    chance = scene.chance
    data = _message(chance)
    pieces = [data[n : n + 1] for n in range(len(data))][: chance.choice((1, 5, 100_000))]
    steps = [Step(Send.RAW, frame(0x02 if n == 0 else 0x00, p)) for n, p in enumerate(pieces)]
    between = chance.choice(
        (b"", frame(PING, b"p"), frame(PONG), frame(BINARY, b"\3"), frame(0x00), frame(CLOSE))
    )
    steps.insert(chance.randrange(len(steps) + 1), Step(Send.RAW, between))
    if chance.random() < 0.8:
        steps.append(Step(Send.RAW, frame(0x80)))
    return steps


def _many_fragments(scene: Scene) -> list[Step]:
    count = scene.chance.choice((100, 10_000, 100_000))
    empty = scene.chance.choice((b"", b"x"))
    return [Step(Send.RAW, frame(0x02) + frame(0x00, empty) * count + frame(0x80))]


def _control_frames(scene: Scene) -> list[Step]:
    chance = scene.chance
    codes = (0, 1, 999, 1000, 1001, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 4999, 5000, 65535)
    close = struct.pack("!H", chance.choice(codes)) + chance.choice(
        (b"", b"bye", b"\xff", b"x" * 123)
    )
    odd = chance.choice(
        (
            frame(CLOSE, close),
            frame(CLOSE, b"\3"),
            frame(CLOSE, close + b"x" * 200),
            frame(PING, b"x" * 126),
            frame(PING, b"x" * 125) * 5_000,
            frame(PONG, b"x" * 125) * 1_000,
            frame(0x09, b"x"),
            frame(0x08),
            frame(PING, length=2**63),
        )
    )
    return [*_frames(_conversation(chance)[:2]), Step(Send.RAW, odd), *_frames([b"\3"])]


def _broken_frames(scene: Scene) -> list[Step]:
    chance = scene.chance
    payload = _message(chance)
    sizes = (2**16, 2**26, 2**26 + 65, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)
    odd = chance.choice(
        (
            frame(BINARY, payload, mask=None),
            frame(chance.randrange(256), payload),
            frame(BINARY | chance.choice((0x40, 0x20, 0x10)), payload),
            frame(BINARY, payload, form=127),
            frame(BINARY, payload, length=chance.choice(sizes), form=127),
            frame(BINARY, payload, length=65535, form=126),
            frame(BINARY, payload)[: chance.randrange(1, 8)],
            frame(BINARY, payload, mask=chance.randbytes(4)),
            chance.randbytes(chance.choice((1, 20, 5_000))),
            mutate(frame(BINARY, payload) * 3, chance),
        )
    )
    return [Step(Send.RAW, odd), *([Step(Send.CUT)] if chance.random() < 0.5 else [])]


def _floods(scene: Scene) -> list[Step]:
    """Much of what is cheap to ask and dear to answer, from sessions that come and go."""
    chance = scene.chance
    payload = chance.choice((b"\3", b"\0\0\1\0", b"\1\1\0", b"\0\1\2\0\0"))
    burst = frame(BINARY, payload) * chance.choice((100, 2_000, 20_000))
    return [
        step
        for session in range(chance.randint(1, 4))
        for step in (Step(Send.RAW, burst, session), Step(Send.CUT, b"", session))
    ]


_ATTACKS: Final[Sequence[Callable[[Scene], list[Step]]]] = (
    _mutated_messages,
    _mutated_messages,
    _many_messages_in_a_frame,
    _lengths,
    _unknown_types,
    _noise,
    _state_vectors,
    _text_frames,
    _fragments,
    _many_fragments,
    _control_frames,
    _broken_frames,
    _broken_frames,
    handshakes,
    handshakes,
    half_handshakes,
    _floods,
)
