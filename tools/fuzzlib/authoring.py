"""Valid updates at random: what both Yjs and yrs can express, by an author who keeps count.

JSON contents and XML hooks are left out: yrs 0.28 does not read them as Yjs writes them.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Final

from fuzzlib.encoding import (
    ANY,
    ARRAY_TYPE,
    BINARY,
    BYTES,
    DELETED,
    DOC,
    ELEMENT_TYPE,
    EMBED,
    FLOAT32,
    FORMAT,
    FRAGMENT_TYPE,
    MAP_TYPE,
    TEXT,
    TEXT_TYPE,
    TYPE,
    UNDEFINED,
    XML_TEXT_TYPE,
    Block,
    Id,
    Struct,
    Update,
    any_value,
    number,
    sized,
    text,
)

CLIENT_IDS: Final = 2**31
# The sequences and maps that every client of the system tests has at the root.
SEQUENCES: Final = ("text", "rich", "array", "xml")
ALPHABET: Final = "etaoin shrdlu é 語 😀 \n\0 uv"
# How UTF-8 begins where UTF-16 needs two units.
_PAIRS: Final = b"\xf0"
_TYPES: Final = (
    ARRAY_TYPE,
    MAP_TYPE,
    TEXT_TYPE,
    ELEMENT_TYPE,
    FRAGMENT_TYPE,
    XML_TEXT_TYPE,
)


@dataclass(slots=True)
class Author:
    """One client id: what it has written, and what there is to refer to."""

    client: int
    chance: random.Random
    clock: int = 0
    # What it has written: clock, length, and whether it can only be deleted as a whole.
    items: list[tuple[int, int, bool]] = field(default_factory=list)
    # Own shared types, which can be parents.
    types: list[tuple[Id, int]] = field(default_factory=list)
    _rows: dict[object, list[tuple[Id, Id]]] = field(default_factory=dict)

    def update(self, structs_max: int = 6) -> bytes:
        """Return the next update: some structs, and now and then deletes."""
        clock = self.clock
        structs = [self._struct() for _ in range(self.chance.randint(0, structs_max))]
        blocks = [Block(self.client, clock, structs)] if structs else []
        wants_deletes = not structs or self.chance.random() < 0.3
        return Update(blocks, self._deletes() if wants_deletes else ()).encode()

    def _struct(self) -> Struct:
        place, row = self._place()
        struct = self._content(place)
        if struct.kind == TYPE:
            self.types.append(((self.client, self.clock), struct.content[0]))
        if row is not None:
            self._put(struct, place, row)
        # A deletion must not halve a character: what comes of that is a case of its own.
        is_whole = struct.kind == TEXT and _PAIRS in struct.content
        self.items.append((self.clock, struct.length, is_whole))
        self.clock += struct.length
        return struct

    def _place(self) -> tuple[dict[str, object], list[tuple[Id, Id]] | None]:
        """Return where a struct goes, and what is in that sequence: first and last ids, in order.

        Neighbours are named as Yjs names them: on the left and on the right.
        """
        chance = self.chance
        parent: str | Id = chance.choice(SEQUENCES)
        if self.types and chance.random() < 0.4:
            parent, kind = chance.choice(self.types)
            if kind in (MAP_TYPE, ELEMENT_TYPE) and chance.random() < 0.6:
                return {"parent": parent, "key": f"{self.clock}"}, None
        elif chance.random() < 0.2:
            return {"parent": "map", "key": f"{self.client}.{self.clock}"}, None
        row = self._rows.setdefault(parent, [])
        at = chance.choice((len(row), chance.randrange(len(row) + 1)))
        place: dict[str, object] = {"parent": parent}
        if at > 0:
            place["origin"] = row[at - 1][1]
        if at < len(row):
            place["right_origin"] = row[at][0]
        return place, row

    def _put(self, struct: Struct, place: dict[str, object], row: list[tuple[Id, Id]]) -> None:
        """Note what a sequence holds now."""
        right = place.get("right_origin")
        at = next((n for n, (first, _) in enumerate(row) if first == right), len(row))
        last = (self.client, self.clock + struct.length - 1)
        row.insert(at, ((self.client, self.clock), last))

    def _content(self, place: dict[str, object]) -> Struct:
        """Return what such a place may have: formats, embeds and strings belong into texts."""
        is_text = place.get("parent") in ("text", "rich", None)
        makers = (_string, _string, _string, _format, _embed, _type, _gone)
        others = (_any, _any, _binary, _type, _doc, _gone)
        return self.chance.choice(makers if is_text else others)(self.chance, place)

    def _deletes(self) -> list[tuple[int, list[tuple[int, int]]]]:
        if not self.items:
            return []
        clock, length, is_whole = self.chance.choice(self.items)
        if is_whole:
            return [(self.client, [(clock, length)])]
        start = self.chance.randrange(length)
        return [(self.client, [(clock + start, self.chance.randint(1, length - start))])]


def new_author(chance: random.Random) -> Author:
    """Return an author with an id that nobody else has."""
    return Author(chance.randrange(2**16, CLIENT_IDS), chance)


def words(chance: random.Random, length_max: int = 12) -> str:
    """Return some text, with characters of all lengths."""
    return "".join(chance.choices(ALPHABET, k=chance.randint(1, length_max)))


def value(chance: random.Random, depth: int = 3) -> object:  # noqa: PLR0911
    """Return a value with every tag that a JavaScript client can read."""
    kind = chance.randrange(11 if depth else 8)
    match kind:
        case 0:
            return bytes((UNDEFINED,))
        case 1:
            return chance.choice((None, True, False))
        case 2:
            return chance.choice((0, -1, 63, 64, -(2**31), 2**31 - 1, chance.randrange(10**6)))
        case 3:
            return bytes((FLOAT32,)) + chance.choice((bytes(4), b"\x3f\xc0\0\0", b"\x7f\x80\0\0"))
        case 4:
            return chance.choice((0.5, -0.0, 1e300, float("inf"), float("nan"), 2.0**53))
        case 5:
            return bytes((122,)) + chance.randbytes(8)
        case 6:
            return bytes((BYTES,)) + sized(chance.randbytes(chance.randrange(20)))
        case 8 | 9:
            return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
        case 10:
            return {words(chance, 4): value(chance, depth - 1) for _ in range(chance.randrange(4))}
        case _:
            return words(chance)


def json_value(chance: random.Random, depth: int = 3) -> object:
    """Return a value that JSON has."""
    kind = chance.randrange(6 if depth else 4)
    if kind < 4:
        return (None, chance.random() < 0.5, chance.randrange(10**6) / 2, words(chance))[kind]
    length = chance.randrange(4)
    if kind == 4:
        return [json_value(chance, depth - 1) for _ in range(length)]
    return {words(chance, 4): json_value(chance, depth - 1) for _ in range(length)}


def as_json(chance: random.Random) -> bytes:
    """Return a JSON text, sized."""
    return sized(json.dumps(json_value(chance)))


def _string(chance: random.Random, place: dict[str, object]) -> Struct:
    return text(words(chance), **place)


def _any(chance: random.Random, place: dict[str, object]) -> Struct:
    values = [any_value(value(chance)) for _ in range(chance.randint(1, 4))]
    return Struct(ANY, number(len(values)) + b"".join(values), len(values), **place)  # type: ignore[arg-type]


def _binary(chance: random.Random, place: dict[str, object]) -> Struct:
    return Struct(BINARY, sized(chance.randbytes(chance.randrange(40))), **place)  # type: ignore[arg-type]


def _embed(chance: random.Random, place: dict[str, object]) -> Struct:
    return Struct(EMBED, as_json(chance), **place)  # type: ignore[arg-type]


def _format(chance: random.Random, place: dict[str, object]) -> Struct:
    content = sized(chance.choice(("bold", "a", "é"))) + as_json(chance)
    return Struct(FORMAT, content, **place)  # type: ignore[arg-type]


def _type(chance: random.Random, place: dict[str, object]) -> Struct:
    kind = chance.choice(_TYPES)
    name = sized(chance.choice(("p", "h1"))) if kind == ELEMENT_TYPE else b""
    return Struct(TYPE, bytes((kind,)) + name, **place)  # type: ignore[arg-type]


def _doc(chance: random.Random, place: dict[str, object]) -> Struct:
    options = any_value({"autoLoad": True} if chance.random() < 0.5 else {})
    return Struct(DOC, sized(f"sub-{chance.randrange(100)}") + options, **place)  # type: ignore[arg-type]


def _gone(chance: random.Random, place: dict[str, object]) -> Struct:
    length = chance.randint(1, 5)
    return Struct(DELETED, number(length), length, **place)  # type: ignore[arg-type]
