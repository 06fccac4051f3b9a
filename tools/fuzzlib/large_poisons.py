"""Poisons that are many, or say that they are: structs, clients, ranges, lengths, ids."""

from collections.abc import Mapping, Sequence
from typing import Final

from fuzzlib.encoding import (
    Block,
    Update,
    any_struct,
    any_value,
    deletion,
    number,
    one,
    text,
)
from fuzzlib.scene import Maker, Scene, named


def many_small_structs(scene: Scene) -> Sequence[bytes]:
    count = scene.chance.choice((1_000, 10_000, 40_000))
    client = scene.client()
    first = text("x")
    rest = [text("x", origin=(client, clock)) for clock in range(count - 1)]
    return [one(client, 0, first, *rest)]


def many_structs_at_one_place(scene: Scene) -> Sequence[bytes]:
    """Conflicts: everybody inserts at the same place, which each integration walks over."""
    count = scene.chance.choice((500, 3_000, 20_000))
    clients = [scene.client() for _ in range(min(count, 200))]
    client, start = clients[0], 0
    anchor = one(client, 0, text("|"))
    if scene.chance.random() < 0.5:
        structs = [text("y", origin=(client, 0)) for _ in range(count)]
        return [anchor, one(client, start + 1, *structs)]
    blocks = [
        Block(each, 0, [text("z", origin=(client, 0)) for _ in range(count // len(clients))])
        for each in sorted(set(clients[1:]), reverse=True)
    ]
    return [anchor, Update(blocks).encode()]


def many_keys_of_one_name(scene: Scene) -> Sequence[bytes]:
    client, count = scene.client(), scene.chance.choice((100, 5_000))
    return [
        one(client, 0, *(any_struct(any_value(n), parent="map", key="k") for n in range(count)))
    ]


def many_clients(scene: Scene) -> Sequence[bytes]:
    first, count = scene.client(), scene.chance.choice((1_000, 20_000, 60_000))
    return [Update([Block(first + n, 0, [text("c")]) for n in range(count)]).encode()]


def many_deletes(scene: Scene) -> Sequence[bytes]:
    client, count = scene.client(), scene.chance.choice((1_000, 30_000))
    ranges = [(2 * n, 1) for n in range(count)]
    return [one(client, 0, text("ab" * count)), Update(deletes=[(client, ranges)]).encode()]


def huge_count(scene: Scene) -> Sequence[bytes]:
    huge = number(scene.chance.choice((2**31, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**64 - 1)))
    client = number(scene.client())
    head = b"\1\1" + client + b"\0"
    root = b"\1\4text"
    return [
        scene.chance.choice(
            (
                huge + b"\0",
                b"\1" + huge + client + b"\0",
                b"\0" + huge,
                b"\0\1" + client + huge,
                head + b"\4" + root + huge + b"x\0",
                head + b"\x08" + root + huge + b"\x7e\0",
                head + b"\2" + root + huge + b"\0",
                head + b"\0" + huge + b"\0",
                head + b"\x0a" + huge + b"\0",
                head + b"\1" + root + huge + b"\0",
                head + b"\x08" + root + b"\1\x75" + huge + b"\x7e\0",
                head + b"\x08" + root + b"\1\x76" + huge + b"\1k\x7e\0",
                head + b"\x08" + root + b"\1\x74" + huge + b"x\0",
                head + b"\4\1" + huge + b"text\1x\0",
            )
        )
    ]


def huge_ids(scene: Scene) -> Sequence[bytes]:
    """Clocks and client ids at every border, in blocks, origins, parents and deletes."""
    chance = scene.chance
    borders = (2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63, 2**64 - 1)
    big = chance.choice(borders)
    client = scene.client()
    return [
        chance.choice(
            (
                one(big, 0, text("x")),
                one(client, big, text("x")),
                one(client, max(0, big - 1), text("xyz")),
                one(client, 0, text("x", origin=(big, 0))),
                one(client, 0, text("x", origin=(client, big))),
                one(client, 0, text("x", right_origin=(big, big))),
                one(client, 0, text("x", parent=(big, big))),
                deletion(big, 0, 1),
                deletion(client, big, 1),
                deletion(client, 0, big),
                deletion(client, big, big),
            )
        )
    ]


def overlong_numbers(scene: Scene) -> Sequence[bytes]:
    client = scene.client()
    padded = number(client, padding=scene.chance.choice((1, 2, 5, 20, 1000)))
    return [
        b"\1\1" + padded + b"\0\4\1\4text\1x\0",
        b"\1\1" + padded + b"\1\x84" + padded + b"\0\1y\0",
    ]


POISONS: Final[Mapping[str, Maker]] = named(
    many_small_structs,
    many_structs_at_one_place,
    many_keys_of_one_name,
    many_clients,
    many_deletes,
    huge_count,
    huge_ids,
    overlong_numbers,
)
