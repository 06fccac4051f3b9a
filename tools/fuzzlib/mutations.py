"""Changes good bytes into bad ones: anywhere, at the numbers, or in how they are delivered."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from fuzzlib.encoding import number

_BORDERS: Final = (0, 1, 63, 64, 127, 128, 2**14, 2**31 - 1, 2**32 - 1, 2**32, 2**53, 2**64 - 1)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to four changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_CHANGES)(data, chance)
    return data


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return b"\0"
    at = chance.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]


def _replace(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes((chance.randrange(256),)) + data[at + 1 :]


def _border(data: bytes, chance: random.Random) -> bytes:
    """Put a number at the border of some range in place of a byte."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + number(chance.choice(_BORDERS)) + data[at + 1 :]


def _step(data: bytes, chance: random.Random) -> bytes:
    """Make a count, a length, a clock or a kind one more or one less."""
    if not data:
        return b"\1"
    at = chance.randrange(len(data))
    return data[:at] + bytes(((data[at] + chance.choice((-1, 1))) % 256,)) + data[at + 1 :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.randint(1, 8)) + data[at:]


def _cut(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randint(1, 8) :]


def _end(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    piece = data[start : start + chance.randint(1, 32)]
    return data[:start] + piece * chance.choice((2, 3, 50)) + data[start + len(piece) :]


_CHANGES: Final[Sequence[Callable[[bytes, random.Random], bytes]]] = (
    _flip,
    _replace,
    _border,
    _border,
    _step,
    _step,
    _insert,
    _cut,
    _end,
    _repeat,
)


def misdeliver(updates: Sequence[bytes], chance: random.Random) -> list[bytes]:
    """Return what is delivered of a history: out of order, twice, or not at all."""
    delivered = [each for each in updates if chance.random() > 0.1]
    delivered += [each for each in updates if chance.random() < 0.1]
    if chance.random() < 0.3:
        chance.shuffle(delivered)
    else:
        for _ in range(len(delivered) // 4):
            at = chance.randrange(len(delivered))
            delivered.insert(chance.randrange(len(delivered)), delivered.pop(at))
    return delivered
