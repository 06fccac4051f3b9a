"""Collects the structs that stand within what is no type, as stock Yjs does; pure.

A struct can say that it stands within another that has not arrived. When that arrives and is a
letter, Yjs puts a collected struct in its place; yrs fails, and with it every later update of the
letter's client. Nobody could tell before that it would be so, and a document has both by then.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Id, read_content, read_place, var_uint

_KIND_BITS: Final = 0x1F
_GC: Final = 0
_SKIP: Final = 10
_WITHOUT_CONTENT: Final = (_GC, _SKIP)
# What yrs lets others stand within: what is collected or deleted, and types.
_CAN_HOLD: Final = (_GC, _SKIP, 1, 7)


def mend(updates: Sequence[bytes]) -> list[bytes]:
    """Return the updates, with what stands within no type of theirs collected; clocks stay.

    Raises:
        UpdateRefused: one is not an update that ``inspect`` passes.
    """
    try:
        wanted = sorted({each.parent for one in updates for each in _structs(one) if each.parent})
        if not wanted:
            return list(updates)
        not_types = {parent for one in updates for parent in _not_types(one, wanted)}
        return [_mended(one, not_types) for one in updates]
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error


@dataclass(frozen=True, slots=True)
class _Struct:
    """Where a struct is in the bytes, and what it says; ``parent`` where that is an item."""

    client: int
    clock: int
    length: int
    start: int
    end: int
    kind: int
    parent: Id | None


def _structs(update: bytes) -> Iterator[_Struct]:
    reader = Reader(update)
    for _ in range(reader.number()):
        count, client, clock = reader.number(), reader.number(), reader.number()
        for _ in range(count):
            start = reader.position
            info = reader.byte()
            kind = info & _KIND_BITS
            if kind in _WITHOUT_CONTENT:
                parent, length = None, reader.number()
            else:
                parent = read_place(reader, info)[2]
                length = read_content(reader, kind)
            yield _Struct(client, clock, length, start, reader.position, kind, parent)
            clock += length


def _not_types(update: bytes, wanted: Sequence[Id]) -> Iterator[Id]:
    """Yield which of the wanted are in the update and nothing can stand within them."""
    for struct in _structs(update):
        if struct.kind not in _CAN_HOLD:
            first = bisect_left(wanted, (struct.client, struct.clock))
            end = bisect_left(wanted, (struct.client, struct.clock + struct.length))
            yield from wanted[first:end]


def _mended(update: bytes, not_types: set[Id]) -> bytes:
    parts: list[bytes] = []
    position = 0
    for struct in _structs(update):
        if struct.parent in not_types:
            parts += (update[position : struct.start], b"\x00", var_uint(struct.length))
            position = struct.end
    return b"".join((*parts, update[position:]))
