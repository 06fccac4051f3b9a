"""Collects the structs that stand within what is no type, as stock Yjs does; pure.

A struct can say that it stands within another that has not arrived. When that arrives and is a
letter, Yjs puts a collected struct in its place; yrs fails, and with it every later update of the
letter's client. Nobody could tell before that it would be so, and a document has both by then.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
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
# The bytes that any struct with a parent by id has: what kind it is, no origin, and no root.
_MAY_STAND_WITHIN: Final = re.compile(rb"[\x01-\x09\x21-\x29]\x80{0,7}\x00", re.DOTALL)
# To read all that names one of some ids is cheaper than to search everything for each of more.
_SEARCHES_MAX: Final = 16


def mend(updates: Sequence[bytes], suspects: Sequence[bytes] | None = None) -> list[bytes]:
    """Return the updates, with what stands within no type of theirs collected; clocks stay.

    Their numbers are written as short as can be, as by ``crdt.merge``. With ``suspects`` only what
    these have is looked for: an update of megabytes takes seconds to read.

    Raises:
        UpdateRefused: one that had to be read is not an update that ``inspect`` passes.
    """
    looked_at = [
        one for one in (updates if suspects is None else suspects) if _MAY_STAND_WITHIN.search(one)
    ]
    try:
        wanted = sorted({each.parent for one in looked_at for each in _structs(one) if each.parent})
        clients = {var_uint(client) for client, _ in wanted}
        readable = [one for one in updates if _may_name(one, clients)]
        not_types = {parent for one in readable for parent in _not_types(one, wanted)}
        ids = {var_uint(client) + var_uint(clock) for client, clock in not_types}
        return [_mended(one, not_types) if _may_name(one, ids) else one for one in updates]
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


def _may_name(update: bytes, names: Collection[bytes]) -> bool:
    return len(names) > _SEARCHES_MAX or any(name in update for name in names)


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
