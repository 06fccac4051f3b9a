"""Histories in which people type characters beyond U+FFFF and cut them, as editors in UTF-16 do."""

import re
from collections.abc import Sequence

from hypothesis import strategies as st

from .histories import delivered_histories
from .update_builder import delete_set, item, one, update
from .update_builder import letters as string

SMILE = "\U0001f600"
HALF = "\ufffd"

# `histories` types this word, which has two units as well, and nothing else with these bytes.
_WORD, _WORD_BYTES = "yz", b"\x02yz"
_SMILE_BYTES = b"\x04" + SMILE.encode()


THREE = one(item(string(SMILE * 3)))
LATER = one(item(string("later"), origin=(7, 5)), clock=6)
FIRST_HALF = update(deletes=delete_set((7, [(0, 1)])))
SECOND_HALF = update(deletes=delete_set((7, [(1, 1)])))
TWO_HALVES = update(deletes=delete_set((7, [(1, 2)])))
BETWEEN = one(item(string("x"), origin=(7, 0), right_origin=(7, 1)), client=8)
AFTER_HALF = one(item(string("x"), origin=(7, 2)), client=3)

# What stock Yjs 13 shows after them; tests/system/test_halves.py asks it.
CUTS = {
    "the first is deleted": ([THREE, FIRST_HALF, LATER], f"{HALF}{SMILE}{SMILE}later"),
    "the second is deleted": ([THREE, SECOND_HALF, LATER], f"{HALF}{SMILE}{SMILE}later"),
    "of two one is deleted": ([THREE, TWO_HALVES, LATER], f"{HALF}{HALF}{SMILE}later"),
    "typed between": ([THREE, BETWEEN, LATER], f"{HALF}x{HALF}{SMILE}{SMILE}later"),
    "typed after one": ([THREE, AFTER_HALF, LATER], f"{SMILE}{HALF}x{HALF}{SMILE}later"),
}


def smiling(updates: Sequence[bytes]) -> list[bytes]:
    """The updates with a character of two units for each word of two letters."""
    return [update.replace(_WORD_BYTES, _SMILE_BYTES) for update in updates]


def is_smiling(text: str, typed: str) -> bool:
    """Say whether a text is what was typed, with a character or its halves for the word."""
    expected = "".join(f"[{letter}{HALF}]" if letter in _WORD else letter for letter in typed)
    return re.fullmatch(expected, text.replace(SMILE, _WORD)) is not None


@st.composite
def cut_histories(draw: st.DrawFn) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """A history as typed with the word, with the character, and as the latter arrives."""
    updates, arrived = draw(delivered_histories())
    return updates, smiling(updates), smiling(arrived)
