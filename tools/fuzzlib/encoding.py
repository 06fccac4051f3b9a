"""Writes what lib0 and Yjs write, and what they never would; nothing is checked here."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

# The tags of lib0's Any, and the kinds of structs, by the names that Yjs gives them.
UNDEFINED, NULL, INTEGER, FLOAT32, FLOAT64, BIGINT = 127, 126, 125, 124, 123, 122
FALSE, TRUE, STRING, OBJECT, ARRAY, BYTES = 121, 120, 119, 118, 117, 116
(
    GC,
    DELETED,
    JSON,
    BINARY,
    TEXT,
    EMBED,
    FORMAT,
    TYPE,
    ANY,
    DOC,
    SKIP,
    MOVE,
) = range(12)
ARRAY_TYPE, MAP_TYPE, TEXT_TYPE, ELEMENT_TYPE, FRAGMENT_TYPE, HOOK_TYPE, XML_TEXT_TYPE = range(7)
WEAK_TYPE = 7

Id = tuple[int, int]


def number(value: int, *, padding: int = 0) -> bytes:
    """Return a varUint, of any size; ``padding`` adds bytes that a proper encoder leaves out."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    if padding:
        encoded[-1] |= 0x80
        encoded += b"\x80" * (padding - 1) + b"\x00"
    return bytes(encoded)


def signed(value: int) -> bytes:
    """Return a varInt: six bits and a sign in the first byte."""
    sign, value = (0x40, -value) if value < 0 else (0, value)
    if value < 0x40:
        return bytes((sign | value,))
    return bytes((0x80 | sign | value & 0x3F,)) + number(value >> 6)


def sized(data: bytes | str) -> bytes:
    """Return a varUint8Array or a varString."""
    data = data.encode() if isinstance(data, str) else data
    return number(len(data)) + data


def any_value(value: object) -> bytes:  # noqa: PLR0911
    """Return a value as lib0 writes it; bytes stand for themselves, so that anything can nest."""
    match value:
        case None:
            return bytes((NULL,))
        case bool():
            return bytes((TRUE if value else FALSE,))
        case int():
            return bytes((INTEGER,)) + signed(value)
        case float():
            return bytes((FLOAT64,)) + struct.pack(">d", value)
        case str():
            return bytes((STRING,)) + sized(value)
        case bytes():
            return value
        case list():
            return bytes((ARRAY,)) + number(len(value)) + b"".join(map(any_value, value))
        case dict():
            pairs = b"".join(sized(key) + any_value(each) for key, each in value.items())
            return bytes((OBJECT,)) + number(len(value)) + pairs
    raise TypeError(f"no value of Yjs: {type(value)}")


@dataclass(frozen=True, slots=True)
class Struct:
    """One struct: its kind, where it goes, and its content as bytes behind all that.

    ``length`` is how many clocks it takes, which the encoding of most kinds does not say.
    """

    kind: int
    content: bytes
    length: int = 1
    origin: Id | None = None
    right_origin: Id | None = None
    # A root by name, an item by id; ignored where there is an origin, as in Yjs.
    parent: str | bytes | Id | None = None
    key: str | bytes | None = None
    # Replaces the first byte, for flags that contradict what follows.
    info: int | None = None

    def encode(self) -> bytes:
        """Return its bytes."""
        if self.kind in (GC, SKIP):
            return bytes((self.kind if self.info is None else self.info,)) + self.content
        info = self.kind
        middle = b""
        if self.origin is not None:
            info |= 0x80
            middle += number(self.origin[0]) + number(self.origin[1])
        if self.right_origin is not None:
            info |= 0x40
            middle += number(self.right_origin[0]) + number(self.right_origin[1])
        if self.key is not None:
            info |= 0x20
        if self.origin is None and self.right_origin is None:
            middle += self._place()
        return bytes((info if self.info is None else self.info,)) + middle + self.content

    def _place(self) -> bytes:
        parent = "text" if self.parent is None else self.parent
        if isinstance(parent, tuple):
            place = b"\x00" + number(parent[0]) + number(parent[1])
        else:
            place = b"\x01" + sized(parent)
        return place if self.key is None else place + sized(self.key)


@dataclass(frozen=True, slots=True)
class Block:
    """Structs of one client, one after the other from a clock on."""

    client: int
    clock: int
    structs: Sequence[Struct]
    # Replaces the number of structs that the block announces.
    count: int | None = None

    def encode(self) -> bytes:
        """Return its bytes."""
        count = len(self.structs) if self.count is None else self.count
        head = number(count) + number(self.client) + number(self.clock)
        return head + b"".join(each.encode() for each in self.structs)


@dataclass(frozen=True, slots=True)
class Update:
    """A whole update: blocks, and deleted ranges (clock, length) by client."""

    blocks: Sequence[Block] = ()
    deletes: Sequence[tuple[int, Sequence[tuple[int, int]]]] = ()
    tail: bytes = field(default=b"")

    def encode(self) -> bytes:
        """Return its bytes."""
        body = number(len(self.blocks)) + b"".join(each.encode() for each in self.blocks)
        body += number(len(self.deletes))
        for client, ranges in self.deletes:
            body += number(client) + number(len(ranges))
            body += b"".join(number(clock) + number(length) for clock, length in ranges)
        return body + self.tail


def text(value: str, **place: object) -> Struct:
    """Return a string; its length is counted in UTF-16, as Yjs counts."""
    length = len(value.encode("utf-16-le", "surrogatepass")) // 2
    return Struct(TEXT, sized(value), length, **place)  # type: ignore[arg-type]


def any_struct(content: bytes, **place: object) -> Struct:
    """Return one value, as ``any_value`` writes it."""
    return Struct(ANY, number(1) + content, **place)  # type: ignore[arg-type]


def one(client: int, clock: int, *structs: Struct) -> bytes:
    """Return an update of one block."""
    return Update([Block(client, clock, structs)]).encode()


def deletion(client: int, clock: int, length: int) -> bytes:
    """Return an update that only deletes."""
    return Update(deletes=[(client, [(clock, length)])]).encode()
