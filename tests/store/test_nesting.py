"""yjs_store.nesting: how deep shared types nest in a document."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import UpdateRefused
from yjs_store.inspection import nesting
from yjs_store.nesting import Nesting, measure_nesting

from .update_builder import (
    ARRAY,
    MAP,
    XML_ELEMENT,
    XML_TEXT,
    Struct,
    delete_set,
    gc,
    item,
    letters,
    one,
    run,
    shared_type,
    skip,
    update,
)

LETTERS = item(letters("ab"))


def chain(depth: int) -> list[Struct]:
    """Arrays of client 7, each in the one before."""
    first = item(shared_type(ARRAY), parent="array")
    return [first, *(item(shared_type(ARRAY), parent=(7, c)) for c in range(depth - 1))]


@pytest.mark.parametrize("depth", [1, 2, 3, 20_000])
def test_each_type_in_another_counts(depth: int) -> None:
    assert nesting(one(*chain(depth))) == depth
    assert nesting(one(*chain(depth), gc(5))) == depth


def test_text_and_roots_do_not_count() -> None:
    assert nesting(b"\x00\x00") == nesting(one(LETTERS)) == 0
    assert nesting(one(LETTERS, item(shared_type(MAP), origin=(7, 1)))) == 1


def test_a_document_of_paragraphs() -> None:
    paragraph = item(shared_type(XML_ELEMENT, "p"), parent="xml")
    beside = item(shared_type(XML_ELEMENT, "p"), origin=(7, 0))
    text = item(shared_type(XML_TEXT), parent=(7, 1))
    assert nesting(one(paragraph, beside, text, item(letters("a"), parent=(7, 2)))) == 2


@pytest.mark.parametrize("side", ["origin", "right_origin"])
def test_a_type_stands_in_what_its_neighbour_stands_in(side: str) -> None:
    inside = item(letters("ab"), parent=(7, 1))
    neighbour: dict[str, tuple[int, int]] = {side: (7, 3)}
    beside = item(shared_type(ARRAY), **neighbour)  # type: ignore[arg-type]
    assert nesting(one(*chain(2), inside, beside)) == 3


def test_types_that_are_deleted_or_wait_count() -> None:
    deletes = delete_set((7, [(0, 1)]))
    assert nesting(update(run(7, 0, chain(3)), deletes=deletes)) == 3
    assert nesting(update(run(7, 5, [item(shared_type(ARRAY), parent=(9, 5))]))) == 1


@given(st.integers(2, 40), st.integers(0, 2**32))
def test_the_order_of_clients_does_not_matter(depth: int, seed: int) -> None:
    """Each array is by another client; its ids say nothing of how deep it is."""
    clients = random.Random(seed).sample(range(100), depth)
    parents: list[tuple[int, int] | str] = ["array", *((client, 0) for client in clients)]
    runs = [
        run(client, 0, [item(shared_type(ARRAY), parent=parent)])
        for client, parent in zip(clients, parents, strict=False)
    ]
    random.Random(seed).shuffle(runs)
    assert nesting(update(*runs)) == depth


def test_by_turns_of_two_clients_it_is_found_without_recursion() -> None:
    count = 20_000
    mine = [item(shared_type(ARRAY), parent=(8, c)) for c in range(count)]
    theirs = [item(shared_type(ARRAY), parent="array")]
    theirs += [item(shared_type(ARRAY), parent=(7, c)) for c in range(count - 1)]
    assert nesting(update(run(7, 0, mine), run(8, 0, theirs))) == 2 * count


def test_types_that_wait_for_each_other_end_somewhere() -> None:
    around = update(
        run(7, 0, [item(shared_type(ARRAY), parent=(8, 0))]),
        run(8, 0, [item(shared_type(ARRAY), parent=(7, 0))]),
    )
    assert 1 <= nesting(around) <= 3


@given(st.integers(2, 30), st.integers(0, 2**32))
def test_no_letters_that_are_missing_bring_types_deeper_than_was_said(
    count: int, seed: int
) -> None:
    """P5: whatever waits for them, and wherever they stand."""
    chance = random.Random(seed)
    structs: list[Struct] = [item(shared_type(ARRAY), parent="array")]
    types = [0]
    for clock in range(1, count):
        is_type = chance.random() < 0.5
        places = {
            "parent": {"parent": (7, chance.choice(types))},
            "one": {"origin": (7, chance.randrange(clock))},
            "two": {"origin": (7, chance.randrange(clock)), "right_origin": (7, clock - 1)},
        }
        place = places[chance.choice(list(places))]
        content = shared_type(ARRAY) if is_type else letters("a")
        structs.append(item(content, **place))  # type: ignore[arg-type]
        types += [clock] * is_type
    missing = {clock for clock in set(range(count)) - set(types) if chance.random() < 0.5}
    kept = [skip(1) if clock in missing else one for clock, one in enumerate(structs)]
    found = measure_nesting(update(run(7, 0, kept)))
    assert nesting(update(run(7, 0, structs))) <= found.possible <= len(types)


def test_types_that_wait_for_one_letter_count_as_deep_as_they_are() -> None:
    """So an author of whom much waits keeps nobody from writing."""
    beside = [item(shared_type(ARRAY), origin=(9, 5)) for _ in range(100)]
    alone = update(run(7, 0, chain(3)), run(8, 0, beside))
    assert measure_nesting(alone) == Nesting(depth=3, possible=4)


@pytest.mark.parametrize("bad", [b"", b"\x01\x01\x07", update(run(7, 0, []), run(7, 0, []))])
def test_what_is_no_update_is_refused(bad: bytes) -> None:
    with pytest.raises(UpdateRefused):
        nesting(bad)
