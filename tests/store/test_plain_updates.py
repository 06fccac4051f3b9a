"""yjs_store.plain_updates: keystrokes, told from all else at a glance."""

import random
import re
from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import limits, plain_updates
from yjs_store.inspection import Findings, inspect, is_plain

from .editing import Editor, letters
from .histories import delivered_histories
from .oddities import HONEST, ODD
from .random_updates import random_updates
from .update_builder import (
    ARRAY,
    TRUE,
    Id,
    delete_set,
    embed,
    formatting,
    gc,
    item,
    number,
    one,
    run,
    shared_type,
    update,
    values,
)
from .update_builder import letters as letters_content

# A struct and some deletes, three ranges of three.
PLAIN_FINDINGS = [Findings(one, one, 0, 0, deletes) for one in (0, 1) for deletes in range(10)]
A = letters_content("a")


@pytest.mark.parametrize("client_id", [7, 100, 300, 2**32 - 1, limits.UPDATE_NUMBER_MAX])
def test_typing_and_erasing_is_plain(client_id: int) -> None:
    editor = Editor(client_id)
    typed = [*editor.write_letters("hello"), editor.write("y", 2), editor.write("ab", 0)]
    typed += [editor.erase(1, 2), editor.erase(2, 3)]
    assert all(map(is_plain, typed))
    assert all(map(is_plain, letters("a" * 20_000, client_id)))


@pytest.mark.parametrize("string", ["a", "ab", "abc", "abcd", "a" * 32, "ä", "€", "가", "😀", "\n"])
def test_a_few_characters_are_plain(string: str) -> None:
    assert is_plain(one(item(letters_content(string), origin=(8, 5), right_origin=(9, 4))))
    assert is_plain(one(item(letters_content(string), parent="t" * 16)))


def test_typing_over_a_selection_is_plain() -> None:
    deletes = delete_set((8, [(0, 1), (5, 3), (20, 2)]))
    assert is_plain(update(run(7, 300, [item(A, origin=(7, 299))]), deletes=deletes))


@pytest.mark.parametrize("length", [4, 127, 128, 2**21])
def test_deleting_more_than_a_few_is_not_plain(length: int) -> None:
    """It takes time, in a large document, and a row may have thousands of plain updates."""
    for start in (0, 5):
        deletes = delete_set((8, [(0, 1), (start, length)]))
        assert not is_plain(update(deletes=deletes))
        assert not is_plain(update(run(7, 0, [item(A)]), deletes=deletes))


@pytest.mark.parametrize(
    "update_bytes",
    [
        one(item(shared_type(ARRAY))),
        one(item(values(TRUE), parent="array")),
        one(item(formatting("b", True))),
        one(item(embed({}))),
        one(gc(1)),
        one(item(A, key="k")),
        one(item(A), item(A)),
        one(item(A)) + b"\x00",
    ],
)
def test_what_holds_values_or_types_is_not_plain(update_bytes: bytes) -> None:
    assert not is_plain(update_bytes)


CLOCKS = (0, 1, 127, 128, 129, 255, 256, 16383, 16384, 16512, 2**21 - 1, 2**21, 2**28 - 1)


@pytest.mark.parametrize("own", CLOCKS)
@pytest.mark.parametrize("beside", CLOCKS)
@pytest.mark.parametrize("side", ["left", "right", "both", "behind its own"])
def test_a_struct_stands_only_beside_what_came_before(own: int, beside: int, side: str) -> None:
    there: Id = (7, beside)
    before: Id = (7, max(0, own - 1))
    origins = {
        "left": (there, None),
        "right": (None, there),
        "both": ((8, beside), there),
        "behind its own": (before, there),
    }[side]
    typed = one(item(A, origin=origins[0], right_origin=origins[1]), clock=own)
    assert is_plain(typed) == (beside < own)


@pytest.mark.parametrize("padding", [1, 2, 3])
def test_a_padded_clock_does_not_count_as_larger(padding: int) -> None:
    padded = b"\x01\x01\x07" + number(5, padding=padding) + b"\x84\x07\x09\x01a\x00"
    assert not is_plain(padded)


# A number, and with how many bytes too many it is written.
_padded_clients = st.tuples(st.sampled_from([0, 5, 130, 2**32 - 1]), st.integers(0, 3))
_padded_clocks = st.tuples(st.sampled_from([0, 1, 130, 20_000]), st.integers(0, 2))
_ids = st.tuples(_padded_clients, _padded_clocks)


@given(_padded_clients, _padded_clocks, _ids, st.none() | _ids)
def test_what_stands_beside_itself_is_not_plain_however_ids_are_written(
    client: tuple[int, int], clock: tuple[int, int], left: Any, right: Any
) -> None:
    """Field notes 17 and 18: stock Yjs throws on what needs itself, whenever it is opened."""
    own = b"\x01\x01" + _written(client) + _written(clock)
    beside = b"".join(map(_written, left + (right or ())))
    typed = own + (b"\xc4" if right else b"\x84") + beside + b"\x01a\x00"
    if is_plain(typed):
        assert inspect(typed) == PLAIN_FINDINGS[10]


def _written(padded: tuple[int, int]) -> bytes:
    return number(padded[0], padding=padded[1])


@pytest.mark.parametrize("padded", ["0101050084850007016100", "0101850000840507016100"])
def test_an_id_of_its_own_in_more_bytes_is_not_taken_for_somebody_elses(padded: str) -> None:
    assert not is_plain(bytes.fromhex(padded))


@given(delivered_histories())
def test_what_is_plain_in_a_history_passes(history: tuple[list[bytes], list[bytes]]) -> None:
    for plain in filter(is_plain, history[0]):
        assert inspect(plain) in PLAIN_FINDINGS


def _samples() -> list[bytes]:
    editor = Editor(2**53 - 5)
    samples = [*editor.write_letters("hello ä€😀"), editor.write("y", 2), editor.erase(1, 3)]
    samples += [honest for honest, _ in HONEST.values()]
    samples += [odd for updates in ODD.values() for odd in updates]
    samples += [some for seed in range(30) for some in random_updates(random.Random(seed))]
    return [sample for sample in samples if len(sample) < 200]


SAMPLES = _samples()


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255))))
def test_what_is_plain_passes_however_it_was_made(
    sample: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(sample)
    for index, byte in changes:
        changed[index % len(changed)] = byte
    if is_plain(bytes(changed)):
        assert inspect(bytes(changed)) in PLAIN_FINDINGS
        pycrdt.merge_updates(bytes(changed))


@pytest.mark.parametrize("match", [plain_updates._match, plain_updates._match_letter])
def test_no_quantifier_of_a_pattern_gives_back(match: Any) -> None:
    """So its time is in proportion to the bytes, whatever they are."""
    pattern: bytes = match.__self__.pattern
    variable = re.findall(rb"\{\d+,\d*\}.|[*+?](?![+=!:s(])", pattern)
    assert all(found.endswith(b"+") for found in variable), variable
