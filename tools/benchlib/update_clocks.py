"""Finds which clocks of a client an update covers, without decoding the update.

What it knows of Yjs update encoding v1 is what text editing makes of it: strings, deleted
ranges and collected ones, with or without origins. Anything else is an error, never a guess.
"""

from benchlib.errors import RunFailed
from benchlib.lib0 import read_var_bytes, read_var_uint

_GC = 0
_DELETED = 1
_STRING = 4
_CONTENT_MASK = 0x1F
_HAS_ORIGIN = 0x80
_HAS_RIGHT_ORIGIN = 0x40
_HAS_PARENT_KEY = 0x20


def find_clocks(update: bytes, client_id: int) -> tuple[int, int] | None:
    """Return the clocks [start, end) of ``client_id``; None when it has no structs in there.

    Raises:
        RunFailed: the update is not what text editing gives.
    """
    try:
        client_count, position = read_var_uint(update, 0)
        for _ in range(client_count):
            struct_count, position = read_var_uint(update, position)
            client, position = read_var_uint(update, position)
            start, position = read_var_uint(update, position)
            length, position = _measure(update, position, struct_count)
            if client == client_id:
                return start, start + length
    except IndexError as error:
        raise RunFailed("the server sent an update that ends early") from error
    return None


def _measure(update: bytes, position: int, struct_count: int) -> tuple[int, int]:
    """Return how many clocks the structs from ``position`` take, and the position after them."""
    clocks = 0
    for _ in range(struct_count):
        info = update[position]
        position += 1
        content = info & _CONTENT_MASK
        if content == _STRING:
            position = _skip_place(update, position, info)
            # What a keystroke looks like is told first: one byte of ASCII.
            if update[position] == 1:
                clocks += 1
                position += 2
                continue
            text, position = read_var_bytes(update, position)
            clocks += len(text) if text.isascii() else len(text.decode().encode("utf-16-le")) // 2
        elif content in (_GC, _DELETED):
            if content == _DELETED:
                position = _skip_place(update, position, info)
            length, position = read_var_uint(update, position)
            clocks += length
        else:
            raise RunFailed(f"the server sent a struct of kind {content}; typing makes none")
    return clocks, position


def _skip_place(update: bytes, position: int, info: int) -> int:
    """Return the position after what says where a struct belongs."""
    origins = info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN)
    if not origins:
        return _skip_parent(update, position, info)
    # An origin is a client and a clock; number after number, each ends at a byte below 0x80.
    for _ in range(4 if origins == _HAS_ORIGIN | _HAS_RIGHT_ORIGIN else 2):
        while update[position] >= 0x80:
            position += 1
        position += 1
    return position


def _skip_parent(update: bytes, position: int, info: int) -> int:
    is_root, position = read_var_uint(update, position)
    if is_root:
        _, position = read_var_bytes(update, position)
    else:
        _, position = read_var_uint(update, position)
        _, position = read_var_uint(update, position)
    if info & _HAS_PARENT_KEY:
        _, position = read_var_bytes(update, position)
    return position
