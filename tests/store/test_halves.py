"""yjs_store.halves: a character of two units of which somebody cuts one off."""

from array import array
from collections.abc import Sequence

import pycrdt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yjs_store import UpdateRefused, crdt, merging
from yjs_store.halves import heal_all, hide, look, may_have_pairs, show
from yjs_store.pairs import Pairs

from .editing import Editor, letters, need_y_py, read, read_with_y_py
from .halves import (
    BETWEEN,
    CUTS,
    FIRST_HALF,
    HALF,
    LATER,
    SECOND_HALF,
    SMILE,
    THREE,
    cut_histories,
    is_smiling,
)
from .update_builder import delete_set, gc, item, number, one, run, skip, update
from .update_builder import letters as string
from .update_v1 import ids_of

EACH_CUT = pytest.mark.parametrize(("updates", "text"), CUTS.values(), ids=CUTS)


def sent_later(updates: Sequence[bytes], count: int) -> crdt.Replica:
    """A replica that starts with some of them and gets the others."""
    replica = crdt.Replica(updates[:count])
    for one_of_them in updates[count:]:
        replica.integrate(one_of_them)
    return replica


def state_vector(clocks: dict[int, int]) -> bytes:
    entries = (number(client) + number(clock) for client, clock in clocks.items())
    return number(len(clocks)) + b"".join(entries)


def made_by_a_doc(updates: Sequence[bytes]) -> bytes:
    doc = Editor(9)
    doc.see(updates)
    return doc.state


# ---- what yrs does, and why this module is there ---------------------------------------------


def test_the_decoder_still_loses_a_unit() -> None:
    """When this fails, yrs has learned it; then this module may go."""
    assert ids_of([made_by_a_doc([THREE, FIRST_HALF, LATER])]) != ids_of([THREE, FIRST_HALF, LATER])
    assert ids_of([pycrdt.get_update(THREE, state_vector({7: 1}))]).structs != {
        (7, clock) for clock in range(1, 6)
    }


# ---- the same clocks and the same text -------------------------------------------------------


@EACH_CUT
@pytest.mark.parametrize("count", range(4))
def test_a_joiner_gets_the_clocks_that_were_sent_and_the_text_of_stock_yjs(
    updates: list[bytes], text: str, count: int
) -> None:
    answer = sent_later(updates, count).diff(crdt.EMPTY_STATE_VECTOR)
    assert ids_of([answer]) == ids_of(updates)
    assert read(answer).text == text


@EACH_CUT
def test_the_order_in_which_a_cut_arrives_does_not_matter(updates: list[bytes], text: str) -> None:
    three, cut, later = updates
    for order in ([cut, three, later], [later, cut, three], [cut, later, three]):
        for count in range(4):
            answer = sent_later(order, count).diff(crdt.EMPTY_STATE_VECTOR)
            assert ids_of([answer]) == ids_of(updates)
            assert read(answer).text == text


@EACH_CUT
def test_a_cut_may_come_in_one_update_with_what_it_cuts(updates: list[bytes], text: str) -> None:
    replica = sent_later([crdt.merge(updates[:2]), updates[2]], 0)
    # What is repeated is not taken for a character that can be cut again.
    assert not any(map(replica.integrate_news, [updates[0], updates[1], *updates]))
    assert ids_of([replica.diff(crdt.EMPTY_STATE_VECTOR)]) == ids_of(updates)
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == text


@EACH_CUT
def test_characters_that_come_after_a_cut_are_kept_and_cut(updates: list[bytes], text: str) -> None:
    more = one(item(string(SMILE * 2), origin=(7, 10)), clock=11)
    cut = update(deletes=delete_set((7, [(12, 2)])))
    replica = sent_later([*updates, more], 1)
    answer = replica.diff(crdt.EMPTY_STATE_VECTOR)
    assert ids_of([answer]) == ids_of([*updates, more])
    assert read(answer).text == text.replace("later", f"later{SMILE}{SMILE}")
    replica.integrate(cut)
    answer = replica.diff(crdt.EMPTY_STATE_VECTOR)
    assert ids_of([answer]) == ids_of([*updates, more, cut])
    assert read(answer).text == text.replace("later", f"later{HALF}{HALF}")


def test_what_waits_when_a_cut_comes_is_kept_as_it_was() -> None:
    waiting = one(item(string(SMILE), origin=(8, 0)), client=9)
    replica = sent_later([THREE, waiting, SECOND_HALF], 1)
    assert ids_of([replica.pending()]).structs == {(9, 0), (9, 1)}
    assert SMILE.encode() in replica.pending()
    replica.integrate(BETWEEN)
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == f"{HALF}x{SMILE * 3}"


def test_a_document_that_must_be_mended_is_folded_with_its_characters() -> None:
    """A value of client 8 stands within what turns out to be a letter of client 7."""
    value = bytes.fromhex("0101080028000700016b017e00")
    folded, content = crdt.fold([value, THREE, SECOND_HALF])
    assert content.letters is not None
    assert crdt.difference(content, folded) is None
    assert read(folded).text == f"{HALF}{SMILE}{SMILE}"


@EACH_CUT
def test_a_fold_keeps_clocks_and_text_and_so_does_the_next(updates: list[bytes], text: str) -> None:
    folded, content = crdt.fold(updates[:2])
    assert crdt.difference(content, folded) is None
    again, content = crdt.fold([folded, updates[2]])
    assert crdt.difference(content, again) is None
    assert ids_of([again]) == ids_of(updates)
    assert read(again).text == text


@settings(deadline=None)
@given(cut_histories(), st.integers(0, 25))
def test_whatever_is_cut_nothing_moves_and_nothing_is_lost(
    history: tuple[list[bytes], list[bytes], list[bytes]], started_with: int
) -> None:
    """P2, P3: the model is the same history with a word of two letters for the character."""
    typed, updates, arrived = history
    replica = sent_later(arrived, started_with)
    folded, content = crdt.fold(arrived)
    assert crdt.difference(content, folded) is None
    expected = read(*typed)
    for answer in (replica.diff(crdt.EMPTY_STATE_VECTOR), folded):
        assert ids_of([answer]).structs == ids_of(updates).structs
        assert ids_of([answer]).deleted >= ids_of(updates).deleted
        got = read(*heal_all([answer])[0])
        assert is_smiling(got.text, expected.text)
        assert (got.map, got.array) == (expected.map, expected.array)


@settings(deadline=None)
@given(cut_histories(), st.sets(st.integers(0, 30), max_size=5), st.integers(0, 25))
def test_what_waits_for_a_cut_or_is_cut_while_it_waits_is_kept(
    history: tuple[list[bytes], list[bytes], list[bytes]], late: set[int], started_with: int
) -> None:
    """Field note 2, also through a fold in between."""
    typed, updates, arrived = history
    early = [one_of for index, one_of in enumerate(arrived) if index not in late] or arrived[:1]
    folded, content = crdt.fold(early)
    assert crdt.difference(content, folded) is None
    assert ids_of([folded]).structs == ids_of(early).structs
    replica = sent_later([folded, *early, *arrived], started_with)
    answer = replica.diff(crdt.EMPTY_STATE_VECTOR)
    assert ids_of([answer]).structs == ids_of(updates).structs
    assert is_smiling(read(*heal_all([answer])[0]).text, read(*typed).text)


@settings(deadline=None)
@given(cut_histories())
def test_y_py_reads_in_a_fold_of_cuts_what_pycrdt_reads(
    history: tuple[list[bytes], list[bytes], list[bytes]],
) -> None:
    need_y_py()
    folded = crdt.fold(history[2])[0]
    assert read_with_y_py(folded) == read(folded)


# ---- a state vector within a character -------------------------------------------------------


@pytest.mark.parametrize("count", range(3))
@pytest.mark.parametrize("clock", range(1, 11))
def test_a_state_vector_within_a_character_gets_everything_after_it(count: int, clock: int) -> None:
    # With one update the answer is made of its bytes, with more of a Doc.
    updates = [crdt.merge([THREE, LATER]), one(item(string(SMILE)), client=8)]
    replica = sent_later(updates, count)
    answer = replica.diff(state_vector({7: clock}))
    expected = {(7, later) for later in range(clock, 11)} | {(8, 0), (8, 1)}
    assert ids_of([answer]).structs == expected
    theirs = pycrdt.Doc()
    theirs.apply_update(one(item(string(HALF * clock))))
    theirs.apply_update(answer)
    assert theirs.get_state() in (state_vector({7: 11, 8: 2}), state_vector({8: 2, 7: 11}))
    # Nobody else sees anything of it.
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text.count(SMILE) == 4


def test_one_update_with_a_character_is_asked_for_within_it() -> None:
    replica = crdt.Replica([THREE])
    assert ids_of([replica.diff(state_vector({7: 3}))]).structs == {(7, 3), (7, 4), (7, 5)}


def test_what_waits_is_asked_for_within_a_character() -> None:
    replica = sent_later([LATER, one(item(string(SMILE), origin=(7, 20)), clock=21)], 1)
    answer = replica.diff(state_vector({7: 22}))
    assert ids_of([answer]).structs == {(7, 22)}


@settings(deadline=None)
@given(cut_histories(), st.sets(st.integers(0, 30), max_size=5), st.integers(0, 25), st.data())
def test_any_state_vector_gets_everything_after_it_also_of_what_waits(
    history: tuple[list[bytes], list[bytes], list[bytes]],
    late: set[int],
    started_with: int,
    data: st.DataObject,
) -> None:
    """P2: nothing that is put together for an answer ends within a character."""
    _, _, arrived = history
    early = [one_of for index, one_of in enumerate(arrived) if index not in late]
    replica = sent_later(early, started_with)
    sent = ids_of(early).structs
    clients = sorted({client for client, _ in sent})
    clocks = {client: data.draw(st.integers(0, 12)) for client in clients}
    answer = replica.diff(state_vector(clocks))
    assert ids_of([answer]).structs == {(who, at) for who, at in sent if at >= clocks[who]}


@EACH_CUT
@pytest.mark.parametrize("count", range(4))
def test_an_answer_is_not_searched_for_characters_when_something_waits(
    monkeypatch: pytest.MonkeyPatch, updates: list[bytes], text: str, count: int
) -> None:
    """It took seconds for a large document, and nothing else was done meanwhile (P5)."""
    waiting = one(item(string(SMILE), origin=(8, 9)), client=9)
    replica = sent_later([*updates, waiting], count)
    expected = replica.diff(crdt.EMPTY_STATE_VECTOR)

    def search(updates: Sequence[bytes]) -> Sequence[bytes]:
        raise AssertionError(f"{len(updates)} updates were searched")

    monkeypatch.setattr(merging, "heal_overlaps", search)
    assert replica.diff(crdt.EMPTY_STATE_VECTOR) == expected
    assert ids_of([expected]) == ids_of([*updates, waiting])


# ---- the proof (P3) ----------------------------------------------------------------------------


@EACH_CUT
def test_the_proof_notices_a_candidate_in_which_a_doc_lost_a_half(
    updates: list[bytes], text: str
) -> None:
    content = crdt.fold(updates)[1]
    wrong = made_by_a_doc(updates)
    assert read(wrong).text != text
    assert crdt.difference(content, wrong) is not None


def test_the_proof_notices_what_clocks_and_deletes_do_not_show() -> None:
    content = crdt.fold([THREE, BETWEEN])[1]
    wrong = made_by_a_doc([THREE, BETWEEN])
    assert ids_of([wrong]) == ids_of([THREE, BETWEEN])
    assert crdt.difference(content, wrong) == "the letters differ"


@EACH_CUT
def test_the_proof_takes_the_merged_bytes(updates: list[bytes], text: str) -> None:
    assert crdt.difference(crdt.fold(updates)[1], crdt.merge(updates)) is None


# ---- structs that end within a character -----------------------------------------------------


def test_a_merge_of_structs_that_end_within_a_character_loses_nothing() -> None:
    """An author who sent his halves one by one has one character of them, and may repeat it."""
    halves = [one(item(string(HALF))), one(item(string(HALF), origin=(7, 0)), clock=1)]
    whole, after = one(item(string(SMILE))), one(item(string("z"), origin=(7, 1)), clock=2)
    for updates in ([halves[0], whole, after], [whole, *halves, after], [halves[1], whole, after]):
        merged = crdt.merge(updates)
        assert ids_of([merged]).structs == {(7, 0), (7, 1), (7, 2)}
        assert read(merged).text == f"{HALF}{HALF}z"
        for count in range(4):
            answer = sent_later(updates, count).diff(crdt.EMPTY_STATE_VECTOR)
            assert ids_of([answer]).structs == {(7, 0), (7, 1), (7, 2)}


# ---- news ------------------------------------------------------------------------------------


@EACH_CUT
def test_a_cut_is_news_once(updates: list[bytes], text: str) -> None:
    replica = crdt.Replica([updates[0]])
    assert replica.integrate_news(updates[1])
    assert not replica.integrate_news(updates[1])
    assert not replica.integrate_news(updates[0])
    assert not replica.integrate_news(updates[1])
    assert not replica.integrate_news(crdt.merge(updates[:2]))
    assert replica.integrate_news(updates[2])
    assert not replica.integrate_news(crdt.merge(updates))
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == text


def test_what_replaces_a_character_is_news_whatever_else_it_says() -> None:
    """So that it is stored, and the next load replaces it, too."""
    replica = crdt.Replica([one(item(string(SMILE)))])
    assert replica.integrate_news(one(item(string(HALF))))
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == HALF * 2
    assert not replica.integrate_news(one(item(string(HALF))))


# ---- the pieces ------------------------------------------------------------------------------


def test_documents_without_such_characters_are_not_looked_at() -> None:
    typed = letters("abc")
    assert not any(map(may_have_pairs, typed))
    assert crdt.fold(typed)[1].letters is None


@pytest.mark.parametrize("text", ["a", "é", "漢", "\uffff", "\ud7ff\ue000"])
def test_characters_of_one_unit_have_no_halves(text: str) -> None:
    assert not may_have_pairs(one(item(string(text))))


@pytest.mark.parametrize("text", ["\U00010000", SMILE, "a\U0010ffff漢"])
def test_characters_of_two_units_are_found_in_the_bytes(text: str) -> None:
    assert may_have_pairs(one(item(string(text))))


def test_only_the_characters_that_are_cut_are_replaced() -> None:
    text = f"a{SMILE}é{SMILE}{SMILE}漢"
    healed, pairs = heal_all([one(item(string(text))), BETWEEN_SECOND_AND_THIRD])
    assert healed[0] == one(item(string(f"a{SMILE}é{HALF}{HALF}{SMILE}漢")))
    assert pairs.cut_at({7: range(20)}) == {7: array("Q", [2, 7])}


BETWEEN_SECOND_AND_THIRD = one(item(string("x"), origin=(7, 4)), client=8)


def test_lengths_of_texts_may_be_written_with_bytes_too_many() -> None:
    padded = item(string(SMILE)).data.replace(b"\x04" + SMILE.encode(), b"")
    data = update(
        number(1) + number(7) + number(0) + padded + number(4, padding=2) + SMILE.encode()
    )
    healed, _ = heal_all([data, SECOND_HALF])
    assert healed[0] == one(item(string(HALF * 2)))


def test_what_nobody_can_read_is_left_as_it_is() -> None:
    unknown = THREE[:-1] + b"\x01\xff"
    assert heal_all([THREE, unknown])[0] == [THREE, unknown]
    with pytest.raises(UpdateRefused):
        look([unknown])


def test_edges_are_what_begins_and_ends() -> None:
    updates = [
        update(
            run(7, 3, [skip(2), gc(4), item(string("ab"), origin=(8, 1), right_origin=(9, 5))]),
            deletes=delete_set((9, [(1, 3)])),
        )
    ]
    edges, pairs = look(updates)
    assert {client: set(clocks) for client, clocks in edges.items()} == {
        7: {3, 5, 9, 11},
        8: {2},
        9: {5, 1, 4},
    }
    assert not pairs
    assert set(look(updates, structs_only=True)[0]) == {7}


@settings(deadline=None)
@given(cut_histories())
def test_what_is_hidden_can_be_shown_again(
    history: tuple[list[bytes], list[bytes], list[bytes]],
) -> None:
    merged = crdt.merge(history[1])
    edges, pairs = look([merged])
    assert bool(edges)
    hidden = hide(merged)
    assert not may_have_pairs(hidden)
    assert ids_of([hidden]) == ids_of([merged])
    assert show(hidden, pairs) == merged
    assert show(hidden, Pairs()) == hidden


def test_u_fffd_that_somebody_typed_stays() -> None:
    text = f"{HALF}{SMILE}{HALF}{HALF}{SMILE}{HALF}"
    typed = one(item(string(text)))
    assert show(hide(typed), look([typed])[1]) == typed
    replica = sent_later([typed, update(deletes=delete_set((7, [(6, 1)])))], 1)
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == f"{HALF}{SMILE}{HALF * 4}"
