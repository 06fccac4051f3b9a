"""yjs_store.slicing: the same content in pieces."""

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import UpdateRefused, crdt
from yjs_store.inspection import inspect, slices
from yjs_store.limits import DELETES_CUT_MAX, SLICE_DELETES, SLICE_STRUCTS, UPDATE_CLOCK_MAX

from .editing import read
from .histories import delivered_histories
from .update_builder import delete_set, gc, item, letters, one, run, skip, update
from .update_v1 import ids_of


def replica_of(updates: list[bytes]) -> crdt.Replica:
    replica = crdt.Replica()
    for one_update in updates:
        replica.integrate(crdt.merge([one_update]))
    return replica


def without(updates: list[bytes], index: int) -> list[bytes]:
    return [one_update for at, one_update in enumerate(updates) if at != index % len(updates)]


@given(delivered_histories(), st.integers(1, 5))
def test_slices_say_what_the_whole_says(
    history: tuple[list[bytes], list[bytes]], structs_max: int
) -> None:
    whole = crdt.merge(history[1])
    pieces = slices(whole, structs_max)
    assert ids_of(pieces) == ids_of([whole])
    assert replica_of(pieces).content() == replica_of([whole]).content()
    doc = pycrdt.Doc[pycrdt.Text]()
    for piece in pieces:
        assert inspect(piece).structs <= structs_max
        doc.apply_update(piece)
    # Not even a Doc that keeps nothing back has anything to wait for.
    assert read(doc.get_update()) == read(whole)


@given(delivered_histories(), st.integers(1, 5), st.integers(0, 20))
def test_slices_keep_what_is_pending(
    history: tuple[list[bytes], list[bytes]], structs_max: int, missing: int
) -> None:
    early = without(history[0], missing)
    whole = crdt.merge(early)
    pieces = slices(whole, structs_max)
    assert ids_of(pieces) == ids_of([whole])
    sliced, at_once = replica_of(pieces), replica_of([whole])
    kept = ids_of([sliced.diff(crdt.EMPTY_STATE_VECTOR)])
    assert kept.structs == ids_of([whole]).structs
    # Of two values of one key a Doc may delete the loser by itself, before the gap is closed.
    assert kept.deleted >= ids_of([whole]).deleted
    for late in history[0]:
        sliced.integrate(late)
        at_once.integrate(late)
    assert sliced.content() == at_once.content()
    assert not sliced.content().waits


def test_a_struct_comes_after_those_it_stands_beside() -> None:
    """Two clients who write by turns: each letter stands behind the one before."""
    mine = [item(letters("a"))]
    mine += [item(letters("a"), origin=(8, clock)) for clock in range(999)]
    theirs = [item(letters("b"), origin=(7, clock)) for clock in range(1000)]
    doc = pycrdt.Doc[pycrdt.Text]()
    for index, piece in enumerate(slices(update(run(8, 0, theirs), run(7, 0, mine)), 10), 1):
        doc.apply_update(piece)
        assert sum(crdt.parse_state_vector(doc.get_state()).values()) == 10 * index
    assert str(doc.get("text", type=pycrdt.Text)) == "ab" * 1000


def test_structs_that_wait_for_each_other_are_kept() -> None:
    around = update(
        run(7, 0, [item(letters("a"), origin=(8, 0)), item(letters("c"), origin=(7, 0))]),
        run(8, 0, [item(letters("b"), origin=(9, 0))]),
        run(9, 0, [item(letters("b"), origin=(7, 0))]),
    )
    pieces = slices(around, 1)
    assert len(pieces) == 4
    assert ids_of(pieces) == ids_of([around])


def test_gaps_and_deletes_are_kept() -> None:
    structs = [gc(3), skip(4), item(letters("a"), origin=(7, 2)), skip(5)]
    deletes = delete_set((7, [(0, 3)]), (9, [(5, 1)]))
    whole = update(run(7, 0, structs), deletes=deletes)
    pieces = slices(whole, 1)
    assert ids_of(pieces) == ids_of([whole])
    assert pieces[-1] == b"\x00" + deletes


def test_what_is_small_is_not_cut() -> None:
    whole = one(item(letters("a")), item(letters("b"), origin=(7, 0)))
    assert slices(whole, 2) == [whole]
    assert slices(crdt.EMPTY_UPDATE, 1) == [crdt.EMPTY_UPDATE]


@pytest.mark.parametrize("bad", [b"", b"\x01\x01\x07", update(run(7, 0, []), run(7, 0, []))])
def test_what_is_no_update_is_refused(bad: bytes) -> None:
    with pytest.raises(UpdateRefused):
        slices(bad, 1)


def test_what_is_deleted_is_cut_too_the_newest_first() -> None:
    """A few bytes delete everything, which a document does in a time that others would notice."""
    most = 2 * SLICE_DELETES + 5
    whole = update(
        run(9, 0, [item(letters("x"))]), deletes=delete_set((7, [(0, most)]), (8, [(3, 2), (9, 1)]))
    )
    pieces = slices(whole, 10)
    assert len(pieces) == 4
    assert inspect(pieces[0]).structs == 1
    deleted = [inspect(piece).deletes for piece in pieces[1:]]
    assert deleted == [SLICE_DELETES, SLICE_DELETES, 8]
    assert crdt.parse_delete_set(pieces[1]) == {7: [(most - SLICE_DELETES, most)]}
    assert crdt.parse_delete_set(pieces[3]) == {7: [(0, 5)], 8: [(3, 5), (9, 10)]}
    assert ids_of(pieces) == ids_of([whole])
    assert crdt.cut(whole) == slices(whole, SLICE_STRUCTS)


def test_few_deletes_stay_with_their_structs() -> None:
    whole = update(run(9, 0, [item(letters("x"))]), deletes=delete_set((7, [(0, SLICE_DELETES)])))
    assert slices(whole, 1) == [whole]


def test_ranges_far_beyond_what_anybody_wrote_make_few_pieces() -> None:
    """P6: ten bytes say 2^31 clocks, and another client's say it again."""
    far = update(deletes=delete_set(*((client, [(0, UPDATE_CLOCK_MAX)]) for client in (7, 8, 9))))
    pieces = slices(far, 10)
    assert len(pieces) == 1 + DELETES_CUT_MAX // SLICE_DELETES + 1
    assert crdt.merge(pieces) == far
