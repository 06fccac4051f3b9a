"""Poisons of the right structs in the wrong places: parents, origins, gaps, deletes, order."""

from collections.abc import Mapping, Sequence
from typing import Final

from fuzzlib.encoding import (
    ANY,
    BINARY,
    DELETED,
    DOC,
    FORMAT,
    GC,
    SKIP,
    TEXT,
    TYPE,
    Struct,
    Update,
    any_struct,
    any_value,
    deletion,
    number,
    one,
    sized,
    text,
)
from fuzzlib.scene import Maker, Scene, named


def dangling(scene: Scene) -> Sequence[bytes]:
    """Refers to what an honest client has written, or is about to, in every role."""
    chance, victim, client = scene.chance, scene.victim(), scene.client()
    struct = chance.choice(
        (
            text("d", parent=victim),
            text("d", parent=victim, key="k"),
            text("d", origin=victim),
            text("d", right_origin=victim),
            text("d", origin=victim, right_origin=(client, 0)),
            any_struct(any_value(None), parent=victim, key=""),
            Struct(TYPE, b"\0", parent=victim),
            Struct(DELETED, number(1), parent=victim),
        )
    )
    clock = chance.choice((0, 0, 1))
    return [one(client, clock, struct), one(client, clock + 1, text("after"))]


def on_both_sides(scene: Scene) -> Sequence[bytes]:
    """To the left and to the right of one thing that an honest client wrote: no such place is."""
    victim, client = scene.victim(), scene.client()
    struct = text("d", origin=victim, right_origin=victim)
    return [one(client, 0, struct), one(client, 1, text("after"))]


def parent_of_the_wrong_kind(scene: Scene) -> Sequence[bytes]:
    """The parent is there, and is a text, a value, a deleted thing, itself or its own child."""
    chance, client = scene.chance, scene.client()
    first = chance.choice(
        (
            text("ab"),
            any_struct(any_value(1), parent="array"),
            Struct(BINARY, sized(b"b"), parent="array"),
            Struct(FORMAT, sized("bold") + sized("true"), parent="rich"),
            Struct(DOC, sized("g") + any_value({}), parent="array"),
            Struct(DELETED, number(2), 2, parent="text"),
            Struct(GC, number(2), 2),
        )
    )
    parent = (client, chance.choice((0, 0, 1, first.length, first.length + 1)))
    key = chance.choice((None, None, "k", ""))
    second = chance.choice((text("c", parent=parent, key=key), Struct(TYPE, b"\1", parent=parent)))
    if chance.random() < 0.5:
        return [one(client, 0, first), one(client, first.length, second, text("after"))]
    return [one(client, 0, first, second)]


def origins_that_contradict(scene: Scene) -> Sequence[bytes]:
    """Left and right in different parents, in the wrong order, the same, or itself."""
    chance, client = scene.chance, scene.client()
    start = one(
        client, 0, text("abc"), text("def", parent="rich"), text("k", parent="map", key="k")
    )
    ids = [(client, clock) for clock in range(9)]
    structs = []
    for clock in range(7, 12):
        left, right = chance.choice((None, *ids)), chance.choice(ids)
        structs.append(Struct(TEXT, sized("x"), 1, left, right))
        ids.append((client, clock))
    return [start, one(client, 7, *structs)]


def roots_in_two_roles(scene: Scene) -> Sequence[bytes]:
    """One root as a sequence and as a map, and parents that nest in a circle."""
    client = scene.client()
    circle = [
        Struct(TYPE, b"\0", parent=(client, 1)),
        Struct(TYPE, b"\0", parent=(client, 0)),
    ]
    return scene.chance.choice(
        (
            [one(client, 0, text("x", parent="map"), text("y", parent="text", key="k"))],
            [one(client, 0, *circle)],
            [one(client, 0, Struct(TYPE, b"\0", parent=(client, 0)))],
            [one(client, 1, circle[1]), one(client, 0, circle[0]), deletion(client, 0, 2)],
            [
                one(
                    client,
                    0,
                    Struct(TYPE, b"\1", parent="text"),
                    Struct(TYPE, b"\2", parent="array"),
                )
            ],
        )
    )


def deletes_of_types(scene: Scene) -> Sequence[bytes]:
    """A type goes, with all in it, before, while or after its children come."""
    client, other = scene.client(), scene.client()
    tree = [Struct(TYPE, b"\1", parent="array")]
    tree += [Struct(TYPE, b"\0", parent=(client, n), key="k") for n in range(3)]
    late = one(other, 0, text("late", parent=(client, 3)), Struct(TYPE, b"\0", parent=(client, 2)))
    gone = deletion(client, 0, scene.chance.choice((1, 2, 4, 100)))
    parts = [one(client, 0, *tree), late, gone, one(other, 5, text("later", parent=(client, 1)))]
    scene.chance.shuffle(parts)
    return parts


def deletes_of_what_is_not_there(scene: Scene) -> Sequence[bytes]:
    chance, client = scene.chance, scene.client()
    victim, clock = scene.victim()
    return [
        chance.choice(
            (
                deletion(client, 5, 5),
                deletion(client, 0, 2**31),
                deletion(victim, clock + 1_000, 10),
                Update(deletes=[(client, [(5, 5), (5, 5), (0, 20), (7, 1)])]).encode(),
                Update(deletes=[(client, [(0, 1)]), (client, [(0, 1)])]).encode(),
            )
        ),
        one(client, 0, text("deleted before it came")),
    ]


def skips(scene: Scene) -> Sequence[bytes]:
    """Gaps within an update: filled later, never, or beginning and ending it."""
    client = scene.client()
    gap = Struct(SKIP, number(3), 3)
    whole = one(client, 0, text("a"), gap, text("z"))
    return scene.chance.choice(
        (
            [whole, one(client, 1, text("bcd"))],
            [whole],
            [one(client, 0, gap), one(client, 0, text("abc"))],
            [one(client, 0, gap, text("z")), one(client, 0, text("abc"))],
            [one(client, 0, text("a"), gap, gap, gap)],
            [one(client, 0, text("a"), Struct(SKIP, number(2**31), 2**31), text("z"))],
        )
    )


def letters_one_by_one(scene: Scene) -> Sequence[bytes]:
    """Backwards: everything waits for the first, which comes last."""
    client, count = scene.client(), scene.chance.choice((20, 200))
    letters = [text("q", origin=(client, n - 1) if n else None) for n in range(count)]
    return [one(client, clock, letters[clock]) for clock in reversed(range(count))]


def the_known_panics(scene: Scene) -> Sequence[bytes]:
    victim, clock = scene.victim()
    return scene.chance.choice(
        (
            [
                bytes.fromhex("0101ef070004010174016100"),
                bytes.fromhex("0101ef075f4158000001ef07012201"),
            ],
            [one(scene.client(), 0, Struct(ANY, b"\1\x7e", parent=(victim, clock), key="k"))],
            [bytes.fromhex("0101080028000700016b017e00")],
        )
    )


POISONS: Final[Mapping[str, Maker]] = named(
    dangling,
    on_both_sides,
    parent_of_the_wrong_kind,
    origins_that_contradict,
    roots_in_two_roles,
    deletes_of_types,
    deletes_of_what_is_not_there,
    skips,
    letters_one_by_one,
    the_known_panics,
)
