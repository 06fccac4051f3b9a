"""yjs_store.subdocuments: what they say of themselves is kept, and no Doc of ours has one."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import UpdateRefused, crdt, decoder, subdocuments
from yjs_store.inspection import inspect
from yjs_store.limits import SUBDOCUMENT_OPTIONS_MAX
from yjs_store.subdocuments import (
    hide_subdocuments,
    may_have_subdocuments,
    show_subdocuments,
)

from .random_updates import random_updates
from .update_builder import (
    MAP,
    NULL,
    XML_TEXT,
    Content,
    Struct,
    array,
    binary_content,
    delete_set,
    integer,
    item,
    letters,
    mapping,
    number,
    one,
    shared_type,
    string,
    sub_document,
    text,
    update,
)
from .update_v1 import ids_of

SECRET = b"sixteen bytes or"
META = mapping([("autoLoad", b"\x78"), ("meta", mapping([("page", integer(5))]))])
# Words, so that it takes two bytes to say how many.
LONG_GUID = "a page of a wiki/" * 20

PLACES: dict[str, tuple[Struct, ...]] = {
    "in a list": (item(sub_document("guid", META)),),
    "for a key": (item(sub_document("guid", META), parent="map", key="k"),),
    "within a type": (
        item(shared_type(MAP)),
        item(sub_document("g", META), parent=(7, 0), key="k"),
    ),
    "in an XML text": (item(shared_type(XML_TEXT)), item(sub_document("g", META), parent=(7, 0))),
    "beside one": (item(letters("ab")), item(sub_document("g", META), origin=(7, 0))),
    "between two": (
        item(letters("ab")),
        item(sub_document("g", META), origin=(7, 0), right_origin=(7, 1)),
    ),
    "beside another": (
        item(sub_document("one", META), parent="array"),
        item(sub_document("two", mapping([])), origin=(7, 0)),
        item(binary_content(b"three"), origin=(7, 1)),
        item(sub_document("", mapping([("meta", string("v\x00"))])), origin=(7, 2)),
    ),
    "with a long name": (item(sub_document(LONG_GUID, META)),),
    "a long meta": (item(sub_document("guid", mapping([("meta", string("v" * 70_000))]))),),
    "a long key first": (item(sub_document("guid", mapping([("k" * 200, NULL)]))),),
    "all options": (item(sub_document("g", mapping([(f"{n}", NULL) for n in range(31)]))),),
}
EACH_PLACE = pytest.mark.parametrize("structs", PLACES.values(), ids=PLACES)


def holds(answer: bytes, structs: Sequence[Struct]) -> bool:
    """Say whether all of them are in it, byte for byte; a Doc cuts texts where something stands."""
    return all(struct.data in answer for struct in structs if struct.length == 1)


def state_vector(clocks: dict[int, int]) -> bytes:
    entries = (number(client) + number(clock) for client, clock in clocks.items())
    return number(len(clocks)) + b"".join(entries)


# ---- why this module is there ------------------------------------------------------------------


def test_the_decoder_still_forgets_what_a_sub_document_says_of_itself() -> None:
    """When this fails, and the run of a store below without the module passes, it may go."""
    assert b"page" not in pycrdt.merge_updates(one(*PLACES["in a list"]))


@EACH_PLACE
def test_showing_does_not_read_all_of_an_answer(
    structs: tuple[Struct, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: it would take a microsecond for each struct of a document, in the event loop."""
    many = [item(letters("a"), parent=f"root {n}") for n in range(50)]
    sent = one(*structs, *many)
    replica = crdt.Replica()
    replica.integrate(sent)
    replica.state_vector()  # what waits is looked for
    monkeypatch.setattr(subdocuments, "_items", None)
    assert holds(replica.diff(crdt.EMPTY_STATE_VECTOR), structs)


# ---- what is kept ------------------------------------------------------------------------------


@EACH_PLACE
def test_what_comes_out_is_what_was_sent(structs: tuple[Struct, ...]) -> None:
    """P2, of each function on bytes, and of a Doc that has taken it, folded or not."""
    sent = one(*structs)
    inspect(sent)
    assert may_have_subdocuments(sent)
    assert crdt.merge([sent]) == sent
    assert crdt.diff(sent, crdt.EMPTY_STATE_VECTOR) == sent
    replica = crdt.Replica()
    replica.integrate(sent)
    whole = replica.diff(crdt.EMPTY_STATE_VECTOR)
    folded, content = crdt.fold([sent])
    assert crdt.difference(content, folded) is None
    for answer in (whole, replica.collect(), replica.diff(crdt.EMPTY_STATE_VECTOR), folded):
        assert holds(answer, structs)


@EACH_PLACE
def test_what_waits_comes_out_as_it_was_sent(structs: tuple[Struct, ...]) -> None:
    """P2: a letter before them is not there; when it comes, nothing waits."""
    place = (item(letters("x"), parent="other"),)
    sent = one(*place, *structs, client=9)
    waiting = crdt.diff(sent, state_vector({9: 1}))
    replica = crdt.Replica([one(item(letters("y")), client=3)])
    replica.integrate(waiting)
    assert holds(replica.pending(), structs)
    assert holds(replica.diff(crdt.EMPTY_STATE_VECTOR), structs)
    replica.integrate(one(*place, client=9))
    assert holds(replica.diff(crdt.EMPTY_STATE_VECTOR), structs)


def test_a_deleted_one_is_as_deleted_as_anything() -> None:
    sent = one(*PLACES["between two"])
    replica = crdt.Replica([sent, update(deletes=delete_set((7, [(2, 1)])))])
    assert ids_of([replica.diff(crdt.EMPTY_STATE_VECTOR)]).deleted == {(7, 2)}
    replica.collect()
    assert b"meta" not in replica.diff(crdt.EMPTY_STATE_VECTOR)


def test_one_that_stands_beside_a_cut_character_is_kept() -> None:
    """The other thing that a Doc is not shown, at the same time."""
    sent = one(
        item(letters("\U0001f600" * 3)),
        item(sub_document("guid", META), origin=(7, 5)),
    )
    replica = crdt.Replica()
    replica.integrate(sent)
    replica.integrate(update(deletes=delete_set((7, [(0, 1)]))))
    answer = replica.diff(crdt.EMPTY_STATE_VECTOR)
    assert text("guid") + META in answer
    assert ids_of([answer]).structs == ids_of([sent]).structs


# ---- the same as without -----------------------------------------------------------------------


@contextmanager
def shown_to_the_decoder() -> Iterator[None]:
    """As if this module were not there."""
    with (
        patch.object(decoder, "hide_subdocuments", lambda update, _: update),
        patch.object(decoder, "hide_all_subdocuments", lambda updates, _: updates),
    ):
        yield


def answers(updates: Sequence[bytes]) -> list[object]:
    """What a replica says while it takes them, and a fold of them."""
    replica = crdt.Replica()
    said: list[object] = []
    try:
        for one_of_them in updates:
            merged = crdt.merge([one_of_them])
            news = replica.integrate_news(merged)
            ids = ids_of([replica.diff(crdt.EMPTY_STATE_VECTOR)])
            pending = ids_of([replica.pending()])
            said += [news, crdt.parse_state_vector(replica.state_vector()), ids, pending]
            said.append(shape(replica.diff(crdt.EMPTY_STATE_VECTOR)))
        folded, content = crdt.fold(updates)
        said += [shape(folded), content, crdt.difference(content, folded)]
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        said.append(type(error))
    return said


def shape(answer: bytes) -> bytes:
    """What another replica shows of it."""
    bare = hide_subdocuments(answer, SECRET)
    doc = pycrdt.Doc()
    doc.apply_update(bare)
    texts = [str(doc.get(name, type=pycrdt.Text)) for name in ("text", "rich")]
    return repr((texts, sorted(doc.get_state()))).encode()


@given(st.integers(0, 2**32))
def test_a_replica_says_the_same_with_and_without(seed: int) -> None:
    """But for what the decoder forgets: ids, deletes, texts, what waits and what is news."""
    updates = [one_of for one_of in random_updates(Random(seed)) if is_fine(one_of)]
    ours = answers(updates)
    with shown_to_the_decoder():
        theirs = answers(updates)
    assert ours == theirs


def is_fine(one_of: bytes) -> bool:
    try:
        inspect(one_of)
    except UpdateRefused:
        return False
    return True


@given(st.integers(0, 2**32))
def test_what_is_hidden_is_shown_as_it_was(seed: int) -> None:
    for sent in filter(is_fine, random_updates(Random(seed))):
        hidden = hide_subdocuments(sent, SECRET)
        assert ids_of([hidden]) == ids_of([sent])
        assert show_subdocuments(hidden, SECRET) == sent
        assert not has_sub_document(hidden)
        # Without reading all of it, where the decoder has written it.
        merged = pycrdt.merge_updates(hidden)
        assert not has_sub_document(merged)
        assert has_sub_document(show_subdocuments(merged, SECRET)) == has_sub_document(sent)


def has_sub_document(one_of: bytes) -> bool:
    """Whether the decoder tells of one."""
    doc, found = pycrdt.Doc(), list[object]()
    doc.observe_subdocs(lambda event: found.append(1))
    try:
        # What waits must be there to be told of.
        doc.apply_update(one_of)
    except (ValueError, RuntimeError):
        return False
    return bool(found)


# ---- who has none, and who makes believe -------------------------------------------------------


def test_a_place_in_too_many_bytes_is_found_all_the_same() -> None:
    """Numbers may be longer than they need be; the decoder makes them short."""
    struct = item(sub_document("guid", META))
    long_place = struct.data.replace(b"\x09\x01\x04text", b"\x09\x01\x84\x00text")
    assert long_place != struct.data
    hidden = hide_subdocuments(one(Struct(long_place, 1)), SECRET)
    assert show_subdocuments(pycrdt.merge_updates(hidden), SECRET) == one(struct)


@pytest.mark.parametrize("value", [SECRET, SECRET + b"\x06" + text("g") + META, b"v\x00"])
def test_a_value_that_looks_like_a_hidden_one_is_a_value(value: bytes) -> None:
    """P5. Nobody knows the secret of this process."""
    sent = one(item(binary_content(value)))
    assert crdt.merge([sent]) == sent
    assert crdt.fold([sent])[0] == sent


@pytest.mark.parametrize(
    "content",
    [letters("v"), letters("v\x00"), letters("v\x01\x01kw"), binary_content(b"v\x00\x00")],
)
def test_what_looks_like_options_and_is_none_is_left(content: Content) -> None:
    sent = one(item(content))
    assert hide_subdocuments(sent, SECRET) == sent


def test_an_update_of_an_unknown_form_is_left_to_the_decoder() -> None:
    for bad in (b"", b"v\x00", one(*PLACES["in a list"])[:-8], b"\x01\x01\x07\x00\x0bv\x00"):
        assert hide_subdocuments(bad, SECRET) == bad


def test_more_options_than_can_be_found_are_refused() -> None:
    """Also where their number is written in more bytes than it needs."""
    many = mapping([(f"{n}", NULL) for n in range(SUBDOCUMENT_OPTIONS_MAX + 1)])
    for options in (many, b"v" + number(0, padding=1)):
        with pytest.raises(UpdateRefused, match="options"):
            inspect(one(item(sub_document("guid", options))))
    inspect(one(item(sub_document("guid", mapping([("k", array())])))))


# ---- memory ------------------------------------------------------------------------------------


def test_a_store_lets_documents_go_that_have_sub_documents(tmp_path: Path) -> None:
    """P6: opened, asked, folded and closed again and again they take no more than others."""
    growths = {
        what: int(
            subprocess.run(
                [sys.executable, "-m", "store.opening_often", str(tmp_path / what), what],
                capture_output=True,
                check=True,
                text=True,
                cwd=Path(__file__).parents[1],
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            ).stdout
        )
        for what in ("with", "without")
    }
    # A Doc that is not let go of takes 12 MB, each time.
    assert growths["with"] < growths["without"] + 20_000_000, growths
