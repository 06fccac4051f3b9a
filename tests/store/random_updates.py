"""Random sequences of updates, built struct by struct; most are sound, some are not."""

from random import Random
from typing import Final

from .update_builder import (
    NULL,
    TRUE,
    Content,
    Id,
    Struct,
    array,
    binary_content,
    delete_set,
    deleted,
    embed,
    float64,
    formatting,
    gc,
    integer,
    item,
    letters,
    mapping,
    run,
    shared_type,
    skip,
    string,
    sub_document,
    update,
    values,
)

_CLIENTS: Final = (7, 300, 2**32 - 1)
_ROOTS: Final = ("text", "rich", "map", "array", "xml")
_TEXTS: Final = ("a", "bc", "ä€", "😀", "x😀y")


def random_updates(source: Random) -> list[bytes]:
    """Return a few updates of a few clients, each continuing what came before."""
    clocks = dict.fromkeys(_CLIENTS, 0)
    return [_random_update(source, clocks) for _ in range(source.randint(1, 4))]


def _random_update(source: Random, clocks: dict[int, int]) -> bytes:
    runs = []
    for client in source.sample(_CLIENTS, source.randint(0, 3)):
        # Never below what came before: what overlaps a collected struct, Yjs throws on, and that
        # cannot be told from the bytes (engineering/crdt.md).
        clock = clocks[client] + source.choice((0, 0, 0, 0, 1))
        structs: list[Struct] = []
        start = clock
        for _ in range(source.randint(1, 4)):
            structs.append(_random_struct(source, clocks | {client: clock}))
            clock += structs[-1].length
        clocks[client] = max(clocks[client], clock)
        runs.append(run(client, start, structs))
    deletes = [
        (client, [(source.randint(0, clocks[client]), source.randint(1, 4))])
        for client in source.sample(_CLIENTS, source.choice((0, 0, 1, 2)))
    ]
    return update(*runs, deletes=delete_set(*deletes))


def _random_struct(source: Random, clocks: dict[int, int]) -> Struct:
    kind = source.random()
    if kind < 0.04:
        return gc(source.randint(1, 3))
    if kind < 0.07:
        return skip(source.randint(1, 3))
    content = _random_content(source)
    ids = [_random_id(source, clocks) for _ in range(3)]
    place = source.random()
    key = source.choice((None, None, "k"))
    if place < 0.35:
        return item(content, parent=source.choice(_ROOTS), key=key)
    if place < 0.55:
        return item(content, parent=ids[0], key=key)
    # Not both: with neighbours in different parents lists run into each other, and some of what
    # Yjs then does ends in an exception, which cannot be told from the bytes either.
    if place < 0.75:
        return item(content, right_origin=ids[1])
    return item(content, origin=ids[2])


def _random_id(source: Random, clocks: dict[int, int]) -> Id:
    client = source.choice(_CLIENTS)
    return client, source.randint(0, clocks[client] + (source.random() < 0.05))


def _random_content(source: Random) -> Content:
    return source.choice(
        (
            deleted(source.randint(1, 3)),
            binary_content(b"\xff"),
            *(letters(source.choice(_TEXTS)) for _ in range(6)),
            embed({"image": [1, None]}),
            formatting("bold", source.choice((True, None))),
            *(shared_type(source.choice((0, 1, 2, 3, 4, 6)), "p") for _ in range(6)),
            values(*[TRUE, integer(5), array(NULL), float64(0.5)][: source.randint(1, 4)]),
            values(mapping([("k", string("v"))])),
            sub_document("guid"),
        )
    )
