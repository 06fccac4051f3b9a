"""Counts what an update has of items that it says are deleted; pure."""

from bisect import bisect_left
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Ranges, read_content, read_delete_set, read_place

_KIND_BITS: Final = 0x1F
_WITHOUT_PLACE: Final = (0, 10)
_DELETED: Final = 1
_STRING: Final = 4


def kept_items(update: bytes) -> int:
    """Return how many deleted items still have what they held; texts do not count.

    To let go of them costs yrs time that grows with the square of their number, but of texts.

    Raises:
        UpdateRefused: it is not an update of a known form.
    """
    reader = Reader(update)
    found: dict[int, list[int]] = {}
    try:
        for _ in range(reader.number()):
            count, client, clock = reader.number(), reader.number(), reader.number()
            clocks = found.setdefault(client, [])
            for _ in range(count):
                info = reader.byte()
                kind = info & _KIND_BITS
                if kind in _WITHOUT_PLACE:
                    clock += reader.number()
                    continue
                read_place(reader, info)
                if kind not in (_DELETED, _STRING):
                    clocks.append(clock)
                clock += read_content(reader, kind)
        deletes = read_delete_set(reader)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
    return _count_within(found, deletes)


def _count_within(clocks: dict[int, list[int]], ranges: Ranges) -> int:
    """Count those in a range; both are sorted."""
    return sum(
        bisect_left(clocks[client], end) - bisect_left(clocks[client], start)
        for client in clocks.keys() & ranges.keys()
        for start, end in ranges[client]
    )
