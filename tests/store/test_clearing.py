"""yjs_store.clearing: what may be integrated untried, what must be tried, what is refused."""

import pytest

from yjs_store import UpdateRefused
from yjs_store.clearing import Clearing
from yjs_store.limits import (
    DELETES_INLINE_MAX,
    INLINE_BYTES_MAX,
    INLINE_WORK_MAX,
    TYPE_BYTES_MIN,
    TYPE_NESTING_MAX,
)

from .editing import letters
from .poison import DEEP_VALUE, nested_types, one_key_each, paste
from .test_crdt import NOT_UPDATES
from .update_builder import delete_set
from .update_builder import update as deleting


@pytest.mark.parametrize("update", [*letters("ab"), paste("x" * 1000)])
def test_what_is_typed_is_integrated_at_once(update: bytes) -> None:
    assert Clearing(0).clear(update) == 1


def test_a_few_hundred_structs_are_looked_at_and_integrated() -> None:
    assert Clearing(0).clear(one_key_each(500)) == 500


@pytest.mark.parametrize(
    "update", [one_key_each(INLINE_WORK_MAX + 1), paste("x" * INLINE_BYTES_MAX)]
)
def test_what_takes_long_to_look_at_must_be_tried(update: bytes) -> None:
    assert Clearing(0).clear(update) is None


@pytest.mark.parametrize("update", [*NOT_UPDATES, DEEP_VALUE])
def test_what_no_client_may_get_is_refused(update: bytes) -> None:
    with pytest.raises(UpdateRefused):
        Clearing(0).clear(update)


def test_types_are_counted_however_many_updates_they_come_in() -> None:
    clearing = Clearing(0)
    for clock in range(0, TYPE_NESTING_MAX, 100):
        assert clearing.clear(nested_types(100, clock)) == 100
    assert clearing.clear(nested_types(1, TYPE_NESTING_MAX)) is None
    assert clearing.clear(letters("a")[0]) == 1


def test_a_document_that_was_loaded_may_be_all_types() -> None:
    stored_bytes = TYPE_BYTES_MIN * (TYPE_NESTING_MAX - 10)
    assert Clearing(stored_bytes).clear(nested_types(10)) == 10
    assert Clearing(stored_bytes + TYPE_BYTES_MIN).clear(nested_types(10)) is None


def test_what_a_trial_measured_counts_with_what_came_since() -> None:
    clearing = Clearing(TYPE_BYTES_MIN * TYPE_NESTING_MAX)
    assert clearing.clear(nested_types(1)) is None
    clearing.begin_trial()
    clearing.end_trial(3)
    assert clearing.clear(nested_types(TYPE_NESTING_MAX - 4)) is not None
    clearing.begin_trial()
    assert clearing.clear(nested_types(1)) == 1
    clearing.end_trial(TYPE_NESTING_MAX - 1)
    assert clearing.clear(nested_types(1)) is None


def test_no_type_takes_less_than_is_reckoned_with() -> None:
    assert len(nested_types(10_000)) / 10_000 >= TYPE_BYTES_MIN


def test_deleting_counts_like_structs_and_much_of_it_must_be_tried() -> None:
    """A few bytes delete everything: what gathers into one row is bounded by what it deletes."""
    clearing = Clearing(0)
    some = deleting(deletes=delete_set((7, [(0, 100), (200, 50)])))
    assert clearing.clear(some) == 150
    assert clearing.clear(deleting(deletes=delete_set((7, [(0, DELETES_INLINE_MAX)])))) is not None
    assert clearing.clear(deleting(deletes=delete_set((7, [(0, DELETES_INLINE_MAX + 1)])))) is None
