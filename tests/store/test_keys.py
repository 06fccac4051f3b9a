"""yjs_store.keys: values that take several clocks and are parted, and what a Doc makes of them."""

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import UpdateRefused, crdt, replica
from yjs_store.inspection import inspect
from yjs_store.kept import kept_items
from yjs_store.keys import are_outdated
from yjs_store.limits import KEPT_BYTES_MIN, KEPT_PUT_OFF

from .editing import Editor, read
from .histories import delivered_histories
from .long_values import DROP, HOLD, INHERITED, SECOND_DELETED, TWO, UNDONE, parted_values
from .update_builder import (
    ARRAY,
    MAP,
    delete_set,
    deleted,
    gc,
    integer,
    item,
    one,
    run,
    shared_type,
    update,
    values,
)
from .update_builder import letters as string
from .update_v1 import ids_of

PARTED_AND_DROPPED = [HOLD, *INHERITED, DROP]


def replica_of(updates: list[bytes], started_with: int = 0) -> crdt.Replica:
    held = crdt.Replica(updates[:started_with])
    for each in updates[started_with:]:
        held.integrate(each)
    return held


# ---- what yrs does, and why a Replica's Doc keeps what is deleted -----------------------------


def test_a_doc_that_collects_still_keeps_a_part_of_what_it_has_collected() -> None:
    """Its type is freed, and it is not. When this fails, yrs has learned it."""
    doc: pycrdt.Doc[object] = pycrdt.Doc()
    for each in PARTED_AND_DROPPED:
        doc.apply_update(each)
    ids = ids_of([doc.get_update()])
    assert (8, 0) in ids.structs - ids.deleted


def test_stock_yjs_makes_such_values_and_they_pass() -> None:
    for each in UNDONE:
        inspect(each)
    assert read(crdt.fold(UNDONE)[0]).map == {"k": "v1"}


# ---- nothing is left in what is deleted ------------------------------------------------------


@given(parted_values(), st.integers(0, 12))
def test_parted_values_can_be_folded_and_folded_again(
    updates: list[bytes], folded_after: int
) -> None:
    """P3: whatever parts them, and wherever a checkpoint comes."""
    folded, content = crdt.fold(updates[:folded_after])
    assert crdt.difference(content, folded) is None
    again, content = crdt.fold([folded, *updates[folded_after:]])
    assert crdt.difference(content, again) is None
    assert ids_of([again]).structs == ids_of(updates).structs
    assert ids_of([again]).deleted >= ids_of(updates).deleted
    assert read(again) == read(crdt.merge(updates))


@given(parted_values(), st.integers(0, 12))
def test_what_a_replica_gives_out_stands_within_what_is_there(
    updates: list[bytes], started_with: int
) -> None:
    held = replica_of([*updates, DROP], started_with)
    for _ in range(2):
        answer = held.diff(crdt.EMPTY_STATE_VECTOR)
        assert ids_of([answer]).structs == ids_of(updates).structs
        inspect(answer)
        # A part that was left would stand within freed memory, whatever that is by now.
        whole = crdt.Replica([answer, crdt.EMPTY_UPDATE])
        assert whole.content().waits == held.content().waits
        held.collect()


def test_the_parts_of_a_value_that_its_type_is_dropped_with_are_deleted() -> None:
    folded, content = crdt.fold(PARTED_AND_DROPPED)
    assert crdt.difference(content, folded) is None
    assert ids_of([folded]).deleted == ids_of(PARTED_AND_DROPPED).structs


def test_the_first_part_of_a_value_is_deleted_by_a_fold() -> None:
    folded, content = crdt.fold([TWO, SECOND_DELETED])
    assert content.deletes == {7: [(0, 2)]}
    assert crdt.difference(content, folded) is None


def test_a_fold_that_deletes_what_is_not_out_of_date_is_not_taken() -> None:
    """P3. Two values without origins, the later first: which counts depends on what came first."""
    first = one(item(values(integer(1), integer(2)), parent="map", key="k"))
    second = one(item(values(integer(3)), parent="map", key="k"), clock=2)
    folded, content = crdt.fold([second, first])
    assert crdt.difference(content, folded) == "the deletes differ"


# ---- collecting ------------------------------------------------------------------------------


@given(delivered_histories(), st.integers(0, 25), st.integers(0, 25))
def test_collecting_changes_nothing_that_is_asked(
    history: tuple[list[bytes], list[bytes]], collected_after: int, got: int
) -> None:
    """Pending structs and deletes too (field note 2)."""
    updates, arrived = history
    early = arrived[: max(1, got)]
    one_replica, other = crdt.Replica(), crdt.Replica()
    for number, each in enumerate(early):
        one_replica.integrate(each)
        other.integrate(each)
        if number == collected_after:
            one_replica.collect()
    assert one_replica.content() == other.content()
    for each in arrived[len(early) :]:
        one_replica.integrate(each)
    answer = one_replica.diff(crdt.EMPTY_STATE_VECTOR)
    assert read(answer) == read(*updates)
    assert not any(map(one_replica.integrate_news, arrived))


def test_what_is_deleted_is_let_go_of_in_time() -> None:
    """P6: a replica is not what was ever sent to it."""
    editor = Editor(7)
    held = crdt.Replica()
    paste = "x" * (KEPT_BYTES_MIN // 4)
    for _ in range(12):
        held.integrate(editor.write(paste))
        held.integrate(editor.erase(0, len(paste)))
        assert len(held.diff(crdt.EMPTY_STATE_VECTOR)) < KEPT_BYTES_MIN + 2 * len(paste)


def test_what_takes_long_to_let_go_of_is_put_off_and_not_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P5, P6: time and memory both have a bound."""
    monkeypatch.setattr(replica, "KEPT_ITEMS_MAX", 3)
    monkeypatch.setattr(replica, "KEPT_BYTES_MIN", 2_000)
    one_replica, editor = crdt.Replica(), Editor(7)
    for number in range(5):
        one_replica.integrate(editor.push(number, 0))
    one_replica.integrate(editor.change(editor.array.clear))
    kept: list[int] = []
    for _ in range(160):
        one_replica.integrate(editor.write("x" * 1_000))
        one_replica.integrate(editor.erase(0, 1_000))
        kept.append(len(one_replica.diff(crdt.EMPTY_STATE_VECTOR)))
    assert max(kept) > 20_000
    assert max(kept) < (KEPT_PUT_OFF + 3) * 2_000
    assert min(kept[80:]) < 4_000


def test_a_large_document_is_not_searched_for_what_is_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P5: that would take longer than anything may take."""
    monkeypatch.setattr(replica, "COLLECT_BYTES_MAX", 5_000)
    monkeypatch.setattr(replica, "KEPT_BYTES_MIN", 2_000)
    monkeypatch.setattr(replica, "kept_items", lambda _: pytest.fail("it was searched"))
    held, editor = crdt.Replica([Editor(8).write("x" * 10_000)]), Editor(7)
    for _ in range(20):
        held.integrate(editor.write("x" * 100))
        held.integrate(editor.erase(0, 100))
    for _ in range(20):
        held.integrate(editor.write("x" * 1_000))
        held.integrate(editor.erase(0, 1_000))
    assert len(held.diff(crdt.EMPTY_STATE_VECTOR)) > 30_000


def test_deleted_items_are_counted_and_texts_are_not() -> None:
    held = [*map(shared_type, (ARRAY, MAP)), values(integer(1), integer(2)), deleted(2)]
    structs = [gc(1), *(item(content, parent="array") for content in (*held, string("abc")))]
    whole = run(7, 0, structs)
    assert kept_items(update(whole)) == 0
    assert kept_items(update(whole, deletes=delete_set((7, [(0, 10)])))) == 3
    assert kept_items(update(whole, deletes=delete_set((7, [(2, 1)]), (8, [(0, 9)])))) == 1
    with pytest.raises(UpdateRefused):
        kept_items(update(whole)[:-4])


# ---- which values are out of date ------------------------------------------------------------

LONG = one(item(values(*map(integer, range(3))), key="k"))
# As a Doc writes them: a merge forgets that what has an origin has a key.
FOLLOWED = update(
    run(8, 0, [item(values(integer(1)), origin=(7, 2), key="k")]),
    run(7, 0, [item(values(*map(integer, range(3))), key="k")]),
)
TYPED = one(item(string("abc")))


@pytest.mark.parametrize(
    ("written", "clocks", "expected"),
    [
        pytest.param(LONG, {7: [(0, 2)]}, True, id="all but the last"),
        pytest.param(LONG, {7: [(0, 3)]}, False, id="the last"),
        pytest.param(FOLLOWED, {7: [(0, 3)]}, True, id="another came"),
        pytest.param(FOLLOWED, {7: [(0, 3)], 8: [(0, 1)]}, False, id="the other"),
        pytest.param(TYPED, {7: [(0, 1)]}, False, id="letters"),
        pytest.param(one(gc(3)), {7: [(0, 1)]}, False, id="collected"),
        pytest.param(LONG, {9: [(0, 1)]}, False, id="what is not there"),
    ],
)
def test_values_are_out_of_date_when_another_of_the_key_is_behind_them(
    written: bytes, clocks: dict[int, list[tuple[int, int]]], expected: bool
) -> None:
    assert are_outdated(written, clocks) == expected


def test_what_nobody_can_read_is_refused() -> None:
    with pytest.raises(UpdateRefused):
        are_outdated(LONG[:-3], {})
