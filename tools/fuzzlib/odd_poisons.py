"""Poisons of single structs that some decoder does not know, or knows otherwise."""

from collections.abc import Mapping, Sequence
from typing import Final

from fuzzlib.encoding import (
    ANY,
    DELETED,
    DOC,
    EMBED,
    FORMAT,
    GC,
    JSON,
    MOVE,
    SKIP,
    TEXT,
    TYPE,
    WEAK_TYPE,
    Block,
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


def zero_lengths(scene: Scene) -> Sequence[bytes]:
    client = scene.client()
    root = {"parent": "text"}
    empty = scene.chance.choice(
        (
            Struct(TEXT, b"\0", 0, **root),  # type: ignore[arg-type]
            Struct(ANY, b"\0", 0, **root),  # type: ignore[arg-type]
            Struct(JSON, b"\0", 0, **root),  # type: ignore[arg-type]
            Struct(DELETED, b"\0", 0, **root),  # type: ignore[arg-type]
            Struct(GC, b"\0", 0),
            Struct(SKIP, b"\0", 0),
        )
    )
    return scene.chance.choice(
        (
            [one(client, 0, empty), one(client, 0, text("after"))],
            [one(client, 0, text("before"), empty, text("after"))],
            [one(client, 0, text("before")), one(client, 6, empty), deletion(client, 6, 0)],
            [deletion(client, 0, 0), one(client, 0, text("after"))],
            [Update([Block(client, 0, [])]).encode()],
            [Update(deletes=[(client, [])]).encode()],
        )
    )


def kinds_that_stock_clients_lack(scene: Scene) -> Sequence[bytes]:
    """Move, weak links, unknown kinds, types and values: yrs takes some, and Yjs throws."""
    chance, client = scene.chance, scene.client()
    here = b"\0" + number(client) + b"\0"
    struct = chance.choice(
        (
            Struct(MOVE, here, parent="array"),
            Struct(MOVE, b"\x01" + here[1:] + number(client) + b"\1", parent="array"),
            Struct(MOVE, number(chance.randrange(64)) + here[1:] * 2, parent="array"),
            Struct(TYPE, bytes((WEAK_TYPE,)) + b"\0" + here[1:], parent="array"),
            Struct(TYPE, bytes((WEAK_TYPE,)) + b"\3" + here[1:] * 2, parent="map", key="w"),
            Struct(TYPE, number(chance.choice((8, 9, 15, 16, 127, 1000))), parent="array"),
            Struct(chance.randrange(12, 32), b"\1\1x", parent="array"),
            any_struct(bytes((chance.randrange(116),)), parent="array"),
            any_struct(bytes((chance.randrange(128, 256),)) + b"\1", parent="array"),
        )
    )
    return [one(client, 0, any_struct(any_value(1), parent="array"), struct)]


def kinds_that_decoders_read_differently(scene: Scene) -> Sequence[bytes]:
    """JSON contents, of which yrs reads one too many, and hooks, of which it reads no name."""
    chance, client = scene.chance, scene.client()
    strings = [sized(chance.choice(("null", "1", "undefined", ""))) for _ in range(3)]
    count = chance.randint(0, 4)
    struct = chance.choice(
        (
            Struct(JSON, number(count) + b"".join(strings), count, parent="array"),
            Struct(JSON, number(2) + b"".join(strings), 2, parent="map", key="j"),
            Struct(TYPE, b"\5", parent="xml"),
            Struct(TYPE, b"\5" + sized("h"), parent="xml"),
            Struct(TYPE, b"\5" + bytes((SKIP, 1)), parent="xml"),
        )
    )
    return [one(client, 0, struct), one(client, chance.choice((1, 2, 3)), text("after"))]


def texts_that_are_not_texts(scene: Scene) -> Sequence[bytes]:
    """Bad UTF-8, bad JSON, numbers that JSON lacks, keys named as what objects inherit."""
    chance, client = scene.chance, scene.client()
    bad = chance.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80", b"a\xe2\x82"))
    odd = chance.choice(
        (
            b"",
            b"undefined",
            b"NaN",
            b"{",
            b"[1,]",
            b"'a'",
            b"{} {}",
            b"\xef\xbb\xbf1",
            b'"\\ud800"',
            b"-",
        )
    )
    key = chance.choice(("__proto__", "constructor", "toString", "", "\0", "hasOwnProperty"))
    struct = chance.choice(
        (
            Struct(TEXT, sized(bad), len(bad), parent="text"),
            text("x", parent=bad),
            text("x", parent="map", key=bad),
            Struct(EMBED, sized(odd), parent="rich"),
            Struct(FORMAT, sized("bold") + sized(odd), parent="rich"),
            Struct(FORMAT, sized(bad) + sized("1"), parent="rich"),
            Struct(JSON, number(1) + sized(odd), parent="array"),
            any_struct(any_value({key: {key: 1}}), parent="map", key=key),
            Struct(TYPE, b"\1", parent="map", key=key),
            Struct(FORMAT, sized(key) + sized('{"__proto__":{"a":1}}'), parent="rich"),
            Struct(EMBED, sized('{"__proto__":null}'), parent="rich"),
            Struct(TYPE, b"\3" + sized(key), parent="xml"),
            Struct(TYPE, b"\3" + sized(bad), parent="xml"),
            text("x", parent=key),
            Struct(DOC, sized(key) + any_value([1]), parent="array"),
            Struct(DOC, sized("g") + any_value(None), parent="array"),
        )
    )
    return [one(client, 0, struct), one(client, struct.length, text("after"))]


def halves_of_a_character(scene: Scene) -> Sequence[bytes]:
    """Cuts a surrogate pair: by an origin, a delete, or the border of two structs."""
    chance, client, other = scene.chance, scene.client(), scene.client()
    pairs = one(client, 0, text("😀😀😀"))
    middle = chance.choice((0, 2, 4))
    return chance.choice(
        (
            [pairs, one(other, 0, text("x", origin=(client, middle)))],
            [pairs, one(other, 0, text("x", right_origin=(client, middle + 1)))],
            [pairs, deletion(client, middle, 1)],
            [pairs, deletion(client, middle + 1, 2)],
            [pairs, one(client, 5, text("x😀", origin=(client, 5)))],
            [one(other, 0, text("x", origin=(client, middle))), pairs, deletion(client, 1, 4)],
        )
    )


def flags_that_contradict(scene: Scene) -> Sequence[bytes]:
    """First bytes with every flag, before contents that do not follow them."""
    chance, client = scene.chance, scene.client()
    struct = Struct(TEXT, sized("x"), parent="text", info=chance.randrange(256))
    with_ids = Struct(
        chance.randrange(11), b"\1\1x", 1, (client, 0), (client, 0), info=chance.randrange(256)
    )
    return [one(client, 0, text("before")), one(client, 6, chance.choice((struct, with_ids)))]


POISONS: Final[Mapping[str, Maker]] = named(
    zero_lengths,
    kinds_that_stock_clients_lack,
    kinds_that_decoders_read_differently,
    texts_that_are_not_texts,
    halves_of_a_character,
    flags_that_contradict,
)
