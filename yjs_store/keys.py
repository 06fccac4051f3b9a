"""Says which values of keys are out of date, as a later value of the same key is there; pure.

Yjs shows only the last value of a key, and deletes the one before it when the next one comes. A
value that takes several clocks can be split later, and then both parts are there and not deleted.
"""

from collections.abc import Iterator
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Id, Ranges, covers, joined, read_content, read_place

_KIND_BITS: Final = 0x1F
_HAS_KEY: Final = 0x20
_WITHOUT_PLACE: Final = (0, 10)


def are_outdated(update: bytes, clocks: Ranges) -> bool:
    """Say whether all of some clocks are of values of keys, and none the last of its key.

    Args:
        update: as a Doc writes it, which says of each item whether it has a key.
        clocks: joined.

    Raises:
        UpdateRefused: it is not an update of a known form.
    """
    followed: Ranges = {}
    for client, start, end, origin in _values_of_keys(update):
        # Each clock but the last has the next behind it, and an origin what stands beside it.
        if end - start > 1:
            followed.setdefault(client, []).append((start, end - 1))
        if origin is not None:
            followed.setdefault(origin[0], []).append((origin[1], origin[1] + 1))
    return covers({client: joined(ranges) for client, ranges in followed.items()}, clocks)


def _values_of_keys(update: bytes) -> Iterator[tuple[int, int, int, Id | None]]:
    """Yield the items that have a key: client, clocks from and to, origin."""
    reader = Reader(update)
    try:
        for _ in range(reader.number()):
            count, client, clock = reader.number(), reader.number(), reader.number()
            for _ in range(count):
                info = reader.byte()
                kind = info & _KIND_BITS
                if kind in _WITHOUT_PLACE:
                    clock += reader.number()
                    continue
                origin = read_place(reader, info)[0]
                length = read_content(reader, kind)
                if info & _HAS_KEY:
                    yield client, clock, clock + length, origin
                clock += length
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
