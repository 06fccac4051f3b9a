"""Updates that end, hang or break a decoder that takes them as they come."""

from collections.abc import Iterator, Mapping, Sequence

from pycrdt import Doc, Map, Text

from .update_builder import (
    ARRAY,
    Struct,
    delete_set,
    item,
    letters,
    nested_arrays,
    run,
    shared_type,
    update,
    values,
)

# A client of its own for each, so that nobody else's clocks are in it.
CLIENT = 999_001
DEPTH = 100_000


def nested_types(depth: int, start: int = 0, client: int = CLIENT) -> bytes:
    """So many arrays, each within the one before, from clock ``start`` on."""
    return update(run(client, start, list(_nested(start, depth, client))))


def _nested(start: int, depth: int, client: int) -> Iterator[Struct]:
    for clock in range(start, start + depth):
        parent = "nested" if clock == 0 else (client, clock - 1)
        yield item(shared_type(ARRAY), parent=parent)


def waiting_types(depth: int, number: int) -> bytes:
    """So many arrays, each within the one before, beside a letter that is missing."""
    client = 1000 + number
    first = item(shared_type(ARRAY), origin=(100_000 + number, 0))
    rest = (item(shared_type(ARRAY), parent=(client, clock)) for clock in range(depth - 1))
    return update(run(client, 0, [first, *rest]))


def delete_first(client: int = CLIENT) -> bytes:
    """The deletion of the outermost: 7 bytes."""
    return update(deletes=delete_set((client, [(0, 1)])))


def one_letter_each(count: int, client: int = CLIENT, root: str = "letters") -> bytes:
    """Letters that a decoder joins, each with its own struct: in quadratic time, in one go."""
    structs = [item(letters("a"), parent=root)]
    structs += [item(letters("a"), origin=(client, clock)) for clock in range(count - 1)]
    return update(run(client, 0, structs))


def one_key_each(count: int, client: int = CLIENT, root: str = "keys") -> bytes:
    """Values of a map, none of which can be joined to another."""
    structs = [
        item(values(b"\x7d\x01"), parent=root, key=f"key {number}") for number in range(count)
    ]
    return update(run(client, 0, structs))


def deep_value(depth: int) -> bytes:
    """One value of a map: arrays within each other."""
    return update(run(CLIENT, 0, [item(values(nested_arrays(depth)), parent="map", key="deep")]))


def paste(string: str) -> bytes:
    """One insertion into a text."""
    return update(run(CLIENT, 0, [item(letters(string), parent="text")]))


def vault(byte_length: int) -> bytes:
    """The first sync of many files: a map of maps, each with a text and what is known of it."""
    doc: Doc[Map] = Doc(client_id=CLIENT)
    text = "lorem ipsum, uv " * 300
    with doc.transaction():
        files = doc.get("files", type=Map)
        for number in range(byte_length // len(text)):
            facts = Map({"number": number, "tags": ["a", "b"]})
            files[f"file {number}"] = Map({"text": Text(text), "facts": facts})
    return doc.get_update()


DEEP_VALUE = deep_value(DEPTH)

PANIC_FIRST = bytes.fromhex("0101ef070004010174016100")
PANIC_SECOND = bytes.fromhex("0101ef075f4158000001ef07012201")

# A value within a letter, which is no type: clock 0 of client 8 in clock 0 of client 7.
LETTER = update(run(7, 0, [item(letters("x"), parent="other")]))
CHILD_OF_A_LETTER = bytes.fromhex("0101080028000700016b017e00")

KILLERS: Mapping[str, Sequence[bytes]] = {
    "a value nested a hundred thousand deep": [DEEP_VALUE],
    "a hundred thousand nested types and their deletion": [nested_types(DEPTH), delete_first()],
    "nested types in many updates and their deletion": [
        *(nested_types(250, start) for start in range(0, 5_000, 250)),
        delete_first(),
    ],
    "a panic after a letter": [PANIC_FIRST, PANIC_SECOND],
    "a value within a letter": [LETTER, CHILD_OF_A_LETTER],
}
