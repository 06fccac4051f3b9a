"""Values of keys that take several clocks, and what parts them.

Stock Yjs makes such a value when somebody undoes two deletes of one key (UNDONE); nobody honest
parts it. `tests/system/test_long_values.py` asks it what it makes of them.
"""

from hypothesis import strategies as st

from .update_builder import (
    MAP,
    Id,
    Struct,
    delete_set,
    integer,
    item,
    one,
    shared_type,
    update,
    values,
)
from .update_builder import letters as string

# What Yjs sends for: set, deleted by another, set, deleted by another, who undoes both deletes.
UNDONE = [
    bytes.fromhex("010102002801036d6170016b017702763000"),
    bytes.fromhex("000102010001"),
    bytes.fromhex("01010201a80200017702763100"),
    bytes.fromhex("000102010101"),
    bytes.fromhex("01010100a8020102770276307702763100"),
]

# Two values of a key of "map" in one item, and the second is deleted: from the fuzzer.
TWO = bytes.fromhex("010107002801036d6170016b027d017d0100")
SECOND_DELETED = bytes.fromhex("000107010101")

HOLDER: Id = (6, 0)
"""A map in another, within which values can stand."""

HOLD = one(item(shared_type(MAP), parent="map", key="held"), client=6)
DROP = update(deletes=delete_set((6, [(0, 1)])))

# A letter at a time, as nobody types under a key: it takes the key from what it stands beside.
INHERITED = [
    one(item(values(integer(1)), parent=HOLDER, key="k")),
    one(item(string("abc"), origin=(7, 0)), client=8),
    update(deletes=delete_set((8, [(1, 1)]))),
]


@st.composite
def parted_values(draw: st.DrawFn) -> list[bytes]:
    """Values of keys, long ones too, parted by deletes and by what comes between.

    In any order, but each client's one after the other.
    """
    clocks, made, updates = {7: 0, 8: 0}, list[tuple[int, int, int]](), [HOLD]
    for _ in range(draw(st.integers(2, 7))):
        if made and draw(st.booleans()):
            client, clock, length = draw(st.sampled_from(made))
            first = draw(st.integers(0, length - 1))
            count = draw(st.integers(1, length - first))
            updates.append(update(deletes=delete_set((client, [(clock + first, count)]))))
            continue
        client, length = draw(st.sampled_from((7, 8))), draw(st.integers(1, 3))
        updates.append(one(_value(draw, made, length), client=client, clock=clocks[client]))
        made.append((client, clocks[client], length))
        clocks[client] += length
    if draw(st.booleans()):
        updates.insert(draw(st.integers(1, len(updates))), DROP)
    if draw(st.booleans()):
        return updates
    order = [_client(one_of) for one_of in draw(st.permutations(updates))]
    left = {client: iter(_of(updates, client)) for client in order}
    return [next(left[client]) for client in order]


def _client(one_of: bytes) -> int:
    """Whose structs an update has; 0 where nobody waits for it: for deletes, and for HOLD."""
    return one_of[2] if one_of[0] and one_of != HOLD else 0


def _of(updates: list[bytes], client: int) -> list[bytes]:
    return [one_of for one_of in updates if _client(one_of) == client]


def _value(draw: st.DrawFn, made: list[tuple[int, int, int]], length: int) -> Struct:
    is_text = draw(st.booleans())
    content = string("abc"[:length]) if is_text else values(*map(integer, range(length)))
    if not made or draw(st.booleans()):
        parent = draw(st.sampled_from(("map", HOLDER)))
        return item(content, parent=parent, key=draw(st.sampled_from("kl")))
    client, clock, of_length = draw(st.sampled_from(made))
    origin = (client, clock + draw(st.integers(0, of_length - 1)))
    # Without it the key is told by the origin alone.
    return item(content, origin=origin, key="k" if draw(st.booleans()) else None)
