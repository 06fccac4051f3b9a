"""Reads which clocks the structs of an update cover; pure, for updates that have decoded before.

What it knows is Yjs's update encoding v1: for each client a run of structs from a clock on, then
the delete set. Contents are only skipped. It serves what is rare (pending structs), so it is
plain and not fast.
"""

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader

Ranges = dict[int, list[tuple[int, int]]]
"""Per client the clock ranges [start, end), sorted and joined."""

Id = tuple[int, int]
"""A client and a clock."""

Place = tuple[Id | None, Id | None, Id | None]
"""The origin of an item, its right origin, and its parent where that is an item."""

_GC: Final = 0
_SKIP: Final = 10
_HAS_ORIGIN: Final = 0x80
_HAS_RIGHT_ORIGIN: Final = 0x40
_HAS_PARENT_SUB: Final = 0x20
_KIND_BITS: Final = 0x1F

# Yjs type references that are followed by a name: XmlElement and XmlHook.
_NAMED_TYPES: Final = (3, 5)


def read_ranges(update: bytes) -> tuple[Ranges, Ranges]:
    """Return the clocks of the structs (gaps left out) and of the delete set.

    Raises:
        UpdateRefused: the bytes are not what this module knows.
    """
    reader = Reader(update)
    try:
        structs: Ranges = {}
        for _ in range(reader.number()):
            count, client, clock = reader.number(), reader.number(), reader.number()
            for _ in range(count):
                is_gap, length = read_struct(reader)
                if not is_gap and length:
                    structs.setdefault(client, []).append((clock, clock + length))
                clock += length
        deletes = read_delete_set(reader)
    except (IndexError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
    return {client: joined(ranges) for client, ranges in structs.items()}, deletes


def whole_part(beginning: bytes) -> bytes:
    """Return an update with what is whole in the beginning of an update that was cut off.

    Raises:
        UpdateRefused: the bytes are not the beginning of one.
    """
    reader = Reader(beginning)
    runs: list[_Run] = []
    deletes: Ranges = {}
    try:
        for _ in range(reader.number()):
            count, client, clock = reader.number(), reader.number(), reader.number()
            runs.append(_Run(client, clock, reader.position, reader.position))
            for _ in range(count):
                read_struct(reader)
                runs[-1].count += 1
                runs[-1].end = reader.position
        _read_deletes_into(reader, deletes)
    except IndexError:
        pass  # this is where it was cut off
    except (KeyError, UnicodeDecodeError, struct.error) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
    runs = [run for run in runs if run.count]
    written = [
        b"".join(map(var_uint, (run.count, run.client, run.clock))) + beginning[run.start : run.end]
        for run in runs
    ]
    return var_uint(len(runs)) + b"".join(written) + _write_delete_set(deletes)


def write_deletes(deletes: Ranges) -> bytes:
    """Return an update that only deletes these clocks."""
    return var_uint(0) + _write_delete_set(deletes)


def write_state_vector(clocks: dict[int, int]) -> bytes:
    """Return a state vector of the next clock per client."""
    numbers = [len(clocks), *(number for entry in clocks.items() for number in entry)]
    return b"".join(map(var_uint, numbers))


@dataclass(slots=True)
class _Run:
    """Structs of one client, one after the other, and where their bytes are."""

    client: int
    clock: int
    start: int
    end: int
    count: int = 0


def _write_delete_set(deletes: Ranges) -> bytes:
    numbers = [len(deletes)]
    for client, ranges in deletes.items():
        numbers += [client, len(ranges)]
        for start, end in ranges:
            numbers += [start, end - start]
    return b"".join(map(var_uint, numbers))


def var_uint(number: int) -> bytes:
    """Write a number."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ranges sorted, with those that touch made one."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def united(many: Iterable[Ranges]) -> Ranges:
    """Return the clocks that are in any of them."""
    ranges: Ranges = {}
    for one in many:
        for client, of_client in one.items():
            ranges.setdefault(client, []).extend(of_client)
    return {client: joined(of_client) for client, of_client in ranges.items() if of_client}


def beyond(ranges: Ranges, clocks: dict[int, int]) -> Ranges:
    """Return the parts of ``ranges`` at and after each client's clock."""
    parts = {
        client: [
            (max(start, clocks.get(client, 0)), end)
            for start, end in of_client
            if end > clocks.get(client, 0)
        ]
        for client, of_client in ranges.items()
    }
    return {client: of_client for client, of_client in parts.items() if of_client}


def minus(ranges: Ranges, others: Ranges) -> Ranges:
    """Return the clocks of ``ranges`` that are not in ``others``; both are joined."""
    parts = {
        client: list(_without(of_client, others.get(client, [])))
        for client, of_client in ranges.items()
    }
    return {client: of_client for client, of_client in parts.items() if of_client}


def _without(
    ranges: list[tuple[int, int]], others: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    index = 0
    for start, end in ranges:
        while index < len(others) and others[index][1] <= start:
            index += 1
        at, left = index, start
        while at < len(others) and others[at][0] < end:
            if others[at][0] > left:
                yield left, others[at][0]
            left = others[at][1]
            at += 1
        if left < end:
            yield left, end


def covers(known: Ranges, asked: Ranges) -> bool:
    """Say whether every clock of ``asked`` is in ``known``; both are joined.

    Anybody may send tens of thousands of ranges, so the work is not their product.
    """
    return all(
        _is_within(start, end, known.get(client, []))
        for client, ranges in asked.items()
        for start, end in ranges
    )


def _is_within(start: int, end: int, ranges: list[tuple[int, int]]) -> bool:
    at = bisect_left(ranges, (start + 1, 0)) - 1
    return at >= 0 and end <= ranges[at][1]


def read_struct(reader: Reader) -> tuple[bool, int]:
    """Read a struct; return whether it is a gap, and how many clocks it takes.

    Raises:
        IndexError, KeyError, UnicodeDecodeError, UpdateRefused: it is not of a known form.
    """
    info = reader.byte()
    kind = info & _KIND_BITS
    if kind in (_GC, _SKIP):
        return kind == _SKIP, reader.number()
    read_place(reader, info)
    return False, read_content(reader, kind)


def read_content(reader: Reader, kind: int) -> int:
    """Read what an item holds; return how many clocks it takes.

    Raises:
        IndexError, KeyError, UnicodeDecodeError, UpdateRefused: it is not of a known form.
    """
    return _CONTENTS[kind](reader)


def read_place(reader: Reader, info: int) -> Place:
    """Read where an item stands, from its ``info`` on.

    Raises:
        IndexError, UpdateRefused: it is not of a known form.
    """
    origin = (reader.number(), reader.number()) if info & _HAS_ORIGIN else None
    right_origin = (reader.number(), reader.number()) if info & _HAS_RIGHT_ORIGIN else None
    parent = None
    if origin is None and right_origin is None:
        if reader.number() == 1:
            reader.skip(reader.number())
        else:
            parent = (reader.number(), reader.number())
        if info & _HAS_PARENT_SUB:
            reader.skip(reader.number())
    return origin, right_origin, parent


def _read_deleted(reader: Reader) -> int:
    return reader.number()


def _read_json(reader: Reader) -> int:
    length = reader.number()
    for _ in range(length):
        reader.skip(reader.number())
    return length


def _read_one_bytes(reader: Reader) -> int:
    reader.skip(reader.number())
    return 1


def _read_string(reader: Reader) -> int:
    # Clocks count UTF-16 code units.
    return len(reader.text().encode("utf-16-le")) // 2


def _read_format(reader: Reader) -> int:
    reader.skip(reader.number())
    reader.skip(reader.number())
    return 1


def _read_type(reader: Reader) -> int:
    if reader.number() in _NAMED_TYPES:
        reader.skip(reader.number())
    return 1


def _read_any_list(reader: Reader) -> int:
    length = reader.number()
    for _ in range(length):
        read_any(reader)
    return length


def _read_doc(reader: Reader) -> int:
    reader.skip(reader.number())
    read_any(reader)
    return 1


_CONTENTS: Final[dict[int, Callable[[Reader], int]]] = {
    1: _read_deleted,
    2: _read_json,
    3: _read_one_bytes,
    4: _read_string,
    5: _read_one_bytes,
    6: _read_format,
    7: _read_type,
    8: _read_any_list,
    9: _read_doc,
}


def read_any(reader: Reader) -> None:
    """Read a value.

    Raises:
        IndexError, KeyError, UpdateRefused: it is not of a known form.
    """
    # A stack instead of recursion: what is nested deeply must not end this process.
    open_containers: list[tuple[int, bool]] = []
    while True:
        kind = reader.byte()
        if kind in (_ANY_ARRAY, _ANY_OBJECT):
            open_containers.append((reader.number(), kind == _ANY_OBJECT))
        elif kind in _ANY_WITH_LENGTH:
            reader.skip(reader.number())
        elif kind == _ANY_INTEGER:
            reader.number()
        else:
            reader.skip(_ANY_FIXED[kind])
        while open_containers and open_containers[-1][0] == 0:
            open_containers.pop()
        if not open_containers:
            return
        left, is_object = open_containers.pop()
        open_containers.append((left - 1, is_object))
        if is_object:
            reader.skip(reader.number())


_ANY_ARRAY: Final = 117
_ANY_OBJECT: Final = 118
_ANY_INTEGER: Final = 125
# Binary and string.
_ANY_WITH_LENGTH: Final = (116, 119)
# Bytes after the kind: bigint, float64, float32; undefined, null, true and false have none.
_ANY_FIXED: Final = {122: 8, 123: 8, 124: 4, 127: 0, 126: 0, 121: 0, 120: 0}


def read_delete_set(reader: Reader) -> Ranges:
    """Read a delete set.

    Raises:
        IndexError, UpdateRefused: it is not of a known form.
    """
    deletes: Ranges = {}
    _read_deletes_into(reader, deletes)
    return {client: joined(ranges) for client, ranges in deletes.items()}


def _read_deletes_into(reader: Reader, deletes: Ranges) -> None:
    for _ in range(reader.number()):
        client = reader.number()
        for _ in range(reader.number()):
            start, length = reader.number(), reader.number()
            deletes.setdefault(client, []).append((start, start + length))
