"""yjs_store.listing_records: where prefixes end, and places in a list as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store.listing_records import Order, Position, parse_position, position_text, prefix_end

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
EDGES = st.text(st.sampled_from("a\ud7ff\ue000\uffff\U00010000\U0010ffff"), max_size=4)


@given(NAMES | EDGES, NAMES | EDGES)
def test_the_names_with_a_prefix_are_those_from_it_to_its_end(prefix: str, other: str) -> None:
    end = prefix_end(prefix)
    for name in (other, prefix + other, prefix):
        is_between = name >= prefix and (end is None or name < end)
        assert is_between == name.startswith(prefix)
        name.encode()
    if end is not None:
        end.encode()


def test_what_everything_begins_with_has_no_end() -> None:
    assert prefix_end("") is None
    assert prefix_end("\U0010ffff") is None
    assert prefix_end("a\U0010ffff") == "b"


INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(INTEGERS, st.integers(0, 2**63 - 1), NAMES)
def test_a_position_is_what_its_text_says(value: int, document_id: int, name: str) -> None:
    for order in Order:
        made = Position(name, 0) if order is Order.NAME else Position(value, document_id)
        assert parse_position(position_text(made, order), order) == made


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "a.1", "1.a", "1.-1", f"{2**63}.1", "1.2.3"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_position(text, Order.UPDATED)
