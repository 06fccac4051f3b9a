"""Poisons that nest: values in values, types in types, JSON in JSON."""

from collections.abc import Mapping, Sequence
from typing import Final

from fuzzlib import authoring
from fuzzlib.encoding import (
    ARRAY,
    ARRAY_TYPE,
    DOC,
    ELEMENT_TYPE,
    EMBED,
    FORMAT,
    JSON,
    MAP_TYPE,
    OBJECT,
    TEXT_TYPE,
    TYPE,
    Block,
    Struct,
    Update,
    any_struct,
    any_value,
    deletion,
    number,
    one,
    sized,
)
from fuzzlib.scene import Maker, Scene, named


def _list(depth: int) -> bytes:
    return (bytes((ARRAY,)) + number(1)) * depth + any_value(None)


def _tree(depth: int) -> bytes:
    return (bytes((OBJECT,)) + number(1) + sized("k")) * depth + any_value(None)


def deep_list(scene: Scene) -> Sequence[bytes]:
    return [one(scene.client(), 0, any_struct(_list(scene.depth()), parent="array"))]


def deep_tree(scene: Scene) -> Sequence[bytes]:
    return [one(scene.client(), 0, any_struct(_tree(scene.depth()), parent="map", key="deep"))]


def deep_list_in_document_options(scene: Scene) -> Sequence[bytes]:
    content = sized("guid") + _list(scene.depth())
    return [one(scene.client(), 0, Struct(DOC, content, parent="array"))]


def deep_json(scene: Scene) -> Sequence[bytes]:
    depth = scene.depth()
    kind = scene.chance.choice((JSON, EMBED, FORMAT))
    value = sized("[" * depth + "]" * depth)
    content = {JSON: number(1) + value, EMBED: value, FORMAT: sized("bold") + value}[kind]
    return [one(scene.client(), 0, Struct(kind, content, parent="rich"))]


def deep_after_a_normal_beginning(scene: Scene) -> Sequence[bytes]:
    author = authoring.new_author(scene.chance)
    normal = [author.update() for _ in range(5)]
    poison = any_struct(_list(scene.depth()), parent="array")
    return [*normal, one(author.client, author.clock, poison)]


def _nest(client: int, depth: int, kind: int, per_update: int) -> list[bytes]:
    """Return updates that put shared types into each other, this deep."""
    content = bytes((kind,)) + (sized("p") if kind == ELEMENT_TYPE else b"")
    key = "k" if kind == MAP_TYPE else None
    updates = []
    for start in range(0, depth, per_update):
        structs = [
            Struct(TYPE, content, parent=(client, clock - 1) if clock else "xml", key=key)
            for clock in range(start, min(depth, start + per_update))
        ]
        updates.append(one(client, start, *structs))
    return updates


def deep_types(scene: Scene) -> Sequence[bytes]:
    kind = scene.chance.choice((ARRAY_TYPE, MAP_TYPE, TEXT_TYPE, ELEMENT_TYPE))
    client, depth = scene.client(), scene.depth()
    per_update = scene.chance.choice((100, 1_000, 1_000_000)) if depth > 1_000 else 100
    updates = _nest(client, depth, kind, per_update)
    return [*updates, deletion(client, 0, 1)] if scene.chance.random() < 0.7 else updates


def deep_types_backwards(scene: Scene) -> Sequence[bytes]:
    """Children first, so that all of it waits, and falls into place at once."""
    client, depth = scene.client(), min(scene.depth(), 20_000)
    updates = _nest(client, depth, ARRAY_TYPE, max(1, depth // 20))
    return [deletion(client, 0, 1), *reversed(updates)]


def deep_types_of_many_clients(scene: Scene) -> Sequence[bytes]:
    """Each level by a client of its own: no block is long."""
    first, depth = scene.client(), scene.chance.choice((50, 500, 3_000))
    blocks = [
        Block(first + n, 0, [Struct(TYPE, b"\0", parent=(first + n - 1, 0) if n else "array")])
        for n in range(depth)
    ]
    pieces = [blocks[n : n + 500] for n in range(0, depth, 500)]
    return [*(Update(piece).encode() for piece in pieces), deletion(first, 0, 1)]


POISONS: Final[Mapping[str, Maker]] = named(
    deep_list,
    deep_tree,
    deep_list_in_document_options,
    deep_json,
    deep_after_a_normal_beginning,
    deep_types,
    deep_types_backwards,
    deep_types_of_many_clients,
)
