"""yjs_store.letters: what the proof of a checkpoint compares where clocks do not tell enough."""

import pytest
from hypothesis import given, settings

from yjs_store import UpdateRefused, crdt
from yjs_store.letters import fingerprint

from .halves import cut_histories
from .histories import delivered_histories
from .update_builder import (
    deleted,
    gc,
    item,
    one,
    shared_type,
    skip,
    update,
    values,
)
from .update_builder import letters as string

WHOLE = one(item(string("abcd"), right_origin=(9, 0)))
HALVES = [
    one(item(string("ab"), right_origin=(9, 0))),
    one(item(string("cd"), origin=(7, 1), right_origin=(9, 0)), clock=2),
]


@settings(deadline=None)
@given(delivered_histories())
def test_a_fold_has_the_fingerprint_of_its_updates(
    history: tuple[list[bytes], list[bytes]],
) -> None:
    """Also of documents that are not asked for it, for they have no characters of two units."""
    folded, content = crdt.fold(history[1])
    assert fingerprint([folded], content.deletes) == fingerprint(history[1], content.deletes)


@settings(deadline=None)
@given(cut_histories())
def test_it_does_not_depend_on_the_order(
    history: tuple[list[bytes], list[bytes], list[bytes]],
) -> None:
    _, updates, arrived = history
    assert fingerprint(updates, {}) == fingerprint(arrived, {}) is not None


def test_it_is_the_same_however_a_text_is_cut_and_repeated() -> None:
    expected = fingerprint([WHOLE], {})
    assert fingerprint(HALVES, {}) == expected
    assert fingerprint([HALVES[1], WHOLE, HALVES[0], WHOLE], {}) == expected


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(one(item(string("abcx"), right_origin=(9, 0))), id="a letter"),
        pytest.param(one(item(string("abcd"), right_origin=(9, 0)), clock=1), id="a clock"),
        pytest.param(one(item(string("abcd"), right_origin=(9, 0)), client=8), id="a client"),
        pytest.param(one(item(string("abcd"), right_origin=(9, 1))), id="a right origin"),
        pytest.param(one(item(string("abcd"), origin=(9, 0))), id="an origin"),
        pytest.param(one(item(string("abc"), right_origin=(9, 0))), id="an end"),
        pytest.param(one(item(values(*[b"\x7e"] * 4), right_origin=(9, 0))), id="a kind"),
        pytest.param(
            update(HALVES[0][1:-1], b"\x01\x08\x02" + HALVES[1][4:-1]), id="whose letters they are"
        ),
    ],
)
def test_it_is_another_for_another(other: bytes) -> None:
    assert fingerprint([other], {}) != fingerprint([WHOLE], {})


def test_what_is_deleted_or_collected_has_no_part_in_it() -> None:
    deletes = {7: [(0, 1), (2, 4)]}
    left = one(gc(1), item(string("b"), origin=(7, 0), right_origin=(9, 0)), item(deleted(2)))
    assert fingerprint([left], deletes) == fingerprint([WHOLE], deletes)
    assert fingerprint([left], {}) != fingerprint([WHOLE], {})
    beyond = {7: [(0, 1), (2, 9)], 8: [(0, 5)]}
    assert fingerprint([left, one(skip(5), client=8)], beyond) == fingerprint([WHOLE], beyond)


def test_nothing_is_said_of_what_is_there_twice_and_not_the_same() -> None:
    assert fingerprint([WHOLE, one(item(string("bx"), origin=(7, 0)), clock=1)], {}) is None


def test_what_is_no_update_is_refused() -> None:
    with pytest.raises(UpdateRefused):
        fingerprint([b"\x01\x01\x07\x00\x04\x01"], {})
    assert fingerprint([one(item(shared_type(2), parent="map", key="k"))], {}) is not None
