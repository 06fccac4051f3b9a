"""Writes Yjs updates (encoding v1) number by number, honest ones and any oddity.

Nothing is checked: what is asked for is what is written. `tests/store/update_v1.py` reads.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ARRAY, MAP, TEXT, XML_ELEMENT, XML_FRAGMENT, XML_HOOK, XML_TEXT, WEAK_LINK = range(8)

Id = tuple[int, int]
"""A client and a clock."""


def number(value: int, *, padding: int = 0) -> bytes:
    """A var-uint; ``padding`` more bytes than it needs."""
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    if padding:
        data[-1] |= 0x80
        data += b"\x80" * (padding - 1) + b"\x00"
    return bytes(data)


def text(value: str | bytes) -> bytes:
    """A string, or bytes, with its length in bytes before it."""
    data = value.encode() if isinstance(value, str) else value
    return number(len(data)) + data


# ---- values (Any) -------------------------------------------------------------------------------

UNDEFINED: Final = b"\x7f"
NULL: Final = b"\x7e"
FALSE: Final = b"\x79"
TRUE: Final = b"\x78"


def integer(magnitude: int, *, is_negative: bool = False) -> bytes:
    """A var-int: its first byte has six bits and the sign."""
    first = magnitude & 0x3F | (0x40 if is_negative else 0)
    rest = magnitude >> 6
    if not rest:
        return bytes((125, first))
    return bytes((125, first | 0x80)) + number(rest)


def float64(value: float) -> bytes:
    return b"\x7b" + struct.pack(">d", value)


def float32(value: float) -> bytes:
    return b"\x7c" + struct.pack(">f", value)


def bigint(value: int) -> bytes:
    return b"\x7a" + struct.pack(">q", value)


def string(value: str | bytes) -> bytes:
    return b"\x77" + text(value)


def binary(value: bytes) -> bytes:
    return b"\x74" + text(value)


def array(*values: bytes) -> bytes:
    return b"\x75" + number(len(values)) + b"".join(values)


def mapping(entries: Iterable[tuple[str | bytes, bytes]]) -> bytes:
    written = [text(key) + value for key, value in entries]
    return b"\x76" + number(len(written)) + b"".join(written)


def nested_arrays(depth: int) -> bytes:
    """``depth`` arrays, each alone in the one around it."""
    return b"\x75\x01" * (depth - 1) + b"\x75\x00"


# ---- contents: the kind, and what follows -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Content:
    """What an item holds; ``length`` is what the kind says it takes of the clock."""

    kind: int
    data: bytes
    length: int = 1


def deleted(length: int) -> Content:
    return Content(1, number(length), length)


def json_texts(*texts: str | bytes) -> Content:
    return Content(2, number(len(texts)) + b"".join(map(text, texts)), len(texts))


def binary_content(data: bytes) -> Content:
    return Content(3, text(data))


def letters(value: str | bytes) -> Content:
    units = len(value.encode("utf-16-le")) // 2 if isinstance(value, str) else len(value)
    return Content(4, text(value), units)


def embed(value: object | bytes) -> Content:
    return Content(5, text(value if isinstance(value, bytes) else json.dumps(value)))


def formatting(key: str | bytes, value: object | bytes) -> Content:
    value_text = value if isinstance(value, bytes) else json.dumps(value)
    return Content(6, text(key) + text(value_text))


def shared_type(reference: int, name: str | bytes = b"") -> Content:
    named = reference in (XML_ELEMENT, XML_HOOK)
    return Content(7, number(reference) + (text(name) if named else b""))


def values(*encoded: bytes) -> Content:
    return Content(8, number(len(encoded)) + b"".join(encoded), len(encoded))


def sub_document(guid: str | bytes, options: bytes = b"\x76\x00") -> Content:
    return Content(9, text(guid) + options)


# ---- structs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Struct:
    """The bytes of a struct, and how far it moves the clock."""

    data: bytes
    length: int


def gc(length: int, info: int = 0) -> Struct:
    return Struct(bytes((info,)) + number(length), length)


def skip(length: int, info: int = 10) -> Struct:
    return Struct(bytes((info,)) + number(length), length)


def item(
    content: Content,
    *,
    origin: Id | None = None,
    right_origin: Id | None = None,
    parent: str | bytes | Id = "text",
    key: str | bytes | None = None,
    info_bits: int = 0,
) -> Struct:
    """An item; its parent is written only where no origin tells it, as Yjs does."""
    info = content.kind | info_bits
    data = b""
    if origin is not None:
        info |= 0x80
        data += number(origin[0]) + number(origin[1])
    if right_origin is not None:
        info |= 0x40
        data += number(right_origin[0]) + number(right_origin[1])
    if key is not None:
        info |= 0x20
    if origin is None and right_origin is None:
        if isinstance(parent, tuple):
            data += b"\x00" + number(parent[0]) + number(parent[1])
        else:
            data += b"\x01" + text(parent)
        if key is not None:
            data += text(key)
    return Struct(bytes((info,)) + data + content.data, content.length)


# ---- updates ------------------------------------------------------------------------------------


def run(client: int, clock: int, structs: Sequence[Struct], *, count: int | None = None) -> bytes:
    """The structs of one client from a clock on; ``count`` is what it says it has of them."""
    said = len(structs) if count is None else count
    return number(said) + number(client) + number(clock) + b"".join(one.data for one in structs)


def delete_set(*clients: tuple[int, Sequence[tuple[int, int]]]) -> bytes:
    """Ranges to delete, each a clock and a length."""
    written = number(len(clients))
    for client, ranges in clients:
        written += number(client) + number(len(ranges))
        written += b"".join(number(clock) + number(length) for clock, length in ranges)
    return written


def update(*runs: bytes, deletes: bytes = b"\x00") -> bytes:
    return number(len(runs)) + b"".join(runs) + deletes


def one(*structs: Struct, client: int = 7, clock: int = 0) -> bytes:
    """An update of one client."""
    return update(run(client, clock, structs))
