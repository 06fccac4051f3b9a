"""yjs_store.crdt: merging, comparing and holding updates without losing what is pending."""

from pathlib import Path

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaving_out import leave_out

from yjs_store import UpdateRefused, crdt
from yjs_store.limits import MERGE_SLICE, PENDING_SCAN_UPDATES
from yjs_store.update_v1 import write_deletes

from .editing import Editor, letters, need_y_py, read, read_with_y_py
from .histories import delivered_histories, deliveries, histories
from .stores import run_python
from .update_v1 import ids_of

PROCESS_STATUS = Path("/proc/self/status")

NOT_UPDATES = [b"", b"\x00", b"\xff" * 11, b"\x01\x01\x07", b"\x05hello", b"\x00\x01\x07\x02\x00"]

# An update that decodes, and one that makes the decoder panic where the first has been applied.
PANIC_FIRST = bytes.fromhex("0101ef070004010174016100")
PANIC_SECOND = bytes.fromhex("0101ef075f4158000001ef07012201")

# A child of a letter that client 7 has yet to type: it decodes, and a Doc that has both raises.
CHILD_OF_A_LETTER = bytes.fromhex("0101080028000700016b017e00")

# Three edits of one client. Where the third comes first and the first comes last, a Doc keeps
# the third as pending although nothing is missing any more.
STUCK = [
    bytes.fromhex("0101020004010174017800"),
    bytes.fromhex("0101020108010161017c4020000000"),
    bytes.fromhex("01010202440200017800"),
]


def fold(*updates: bytes) -> bytes:
    return crdt.fold(updates)[0]


def difference(source: list[bytes], candidate: bytes) -> str | None:
    """As a checkpoint compares: the candidate stands alone."""
    return crdt.difference(crdt.fold(source)[1], candidate)


# ---- merge and diff -----------------------------------------------------------------------------


@given(delivered_histories())
def test_merge_keeps_every_id_whatever_the_order(history: tuple[list[bytes], list[bytes]]) -> None:
    updates, arrived = history
    assert ids_of([crdt.merge(arrived)]) == ids_of(updates)
    assert read(crdt.merge(arrived)) == read(*updates)


@given(delivered_histories(), st.integers(0, 20))
def test_merge_keeps_what_is_pending(
    history: tuple[list[bytes], list[bytes]], missing: int
) -> None:
    """Field note 2."""
    _, arrived = history
    some = [update for update in arrived if update != arrived[missing % len(arrived)]]
    assert ids_of([crdt.merge(some)]) == ids_of(some)


def test_merge_of_nothing_is_the_empty_update() -> None:
    assert crdt.merge([]) == crdt.EMPTY_UPDATE
    assert crdt.merge([crdt.EMPTY_UPDATE] * 3) == crdt.EMPTY_UPDATE


@pytest.mark.parametrize("count", [MERGE_SLICE, MERGE_SLICE + 1, MERGE_SLICE * MERGE_SLICE + 1])
def test_merge_of_more_than_a_slice_has_all(count: int) -> None:
    text = "".join(chr(ord("a") + index % 26) for index in range(count))
    assert read(crdt.merge(letters(text))).text == text


@pytest.mark.parametrize("bad", NOT_UPDATES, ids=bytes.hex)
def test_what_does_not_decode_is_refused(bad: bytes) -> None:
    with pytest.raises(UpdateRefused):
        crdt.check_update(bad)
    with pytest.raises(UpdateRefused):
        crdt.merge([*letters("ab"), bad])
    with pytest.raises(UpdateRefused):
        crdt.diff(bad, crdt.EMPTY_STATE_VECTOR)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_update_or_refused(data: bytes) -> None:
    try:
        crdt.check_update(data)
    except UpdateRefused:
        return
    assert crdt.merge([crdt.merge([data])]) == crdt.merge([data])


@given(histories(), st.data())
def test_a_flipped_bit_leaves_an_update_or_is_refused(
    updates: list[bytes], data: st.DataObject
) -> None:
    broken = bytearray(data.draw(st.sampled_from(updates)))
    broken[data.draw(st.integers(0, len(broken) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        crdt.check_update(bytes(broken))
    except UpdateRefused:
        return
    # It decodes; integrating it either works or is said to have failed, and nothing else.
    try:
        crdt.Replica([*updates, bytes(broken)]).content()
    except crdt.IntegrationFailed:
        return


@given(delivered_histories(), st.integers(0, 25), st.integers(0, 25))
def test_diff_has_what_a_replica_lacks(
    history: tuple[list[bytes], list[bytes]], had: int, dropped: int
) -> None:
    """Field note 2: pending structs and deletes are among it."""
    updates, arrived = history
    theirs = Editor(9)
    theirs.see(updates[:had])
    some = [update for update in arrived if update != arrived[dropped % len(arrived)]]
    lacking = crdt.diff(crdt.merge(some), theirs.doc.get_state())
    assert ids_of([lacking, *updates[:had]]).structs >= ids_of(some).structs
    assert ids_of([lacking]).deleted == ids_of(some).deleted


@pytest.mark.parametrize("bad", [b"", b"\x01", b"\x01\x07", b"\xff" * 11], ids=bytes.hex)
def test_a_state_vector_that_does_not_decode_is_refused(bad: bytes) -> None:
    with pytest.raises(UpdateRefused):
        crdt.diff(crdt.merge(letters("ab")), bad)
    with pytest.raises(UpdateRefused):
        crdt.parse_state_vector(bad)
    replica = crdt.Replica()
    for update in letters("ab"):
        replica.integrate(update)
    with pytest.raises(UpdateRefused):
        replica.diff(bad)


def test_parse_state_vector_gives_the_next_clock_per_client() -> None:
    assert crdt.parse_state_vector(bytes.fromhex("0207ac02ac0201")) == {7: 300, 300: 1}
    assert crdt.parse_state_vector(crdt.EMPTY_STATE_VECTOR) == {}


def test_parse_delete_set_sorts_and_joins_ranges() -> None:
    # Client 7 deletes 5..6, 0..1, 2..4 and 6..7; client 9 nothing.
    update = bytes([0, 2, 7, 4, 5, 2, 0, 2, 2, 3, 6, 2, 9, 0])
    assert crdt.parse_delete_set(update) == {7: [(0, 8)]}
    assert crdt.parse_delete_set(bytes([0, 1, 7, 2, 4, 1, 0, 1])) == {7: [(0, 1), (4, 5)]}
    assert crdt.parse_delete_set(crdt.EMPTY_UPDATE) == {}


@pytest.mark.parametrize(
    "bad", [b"", b"\x00", b"\x00\x01\x07", b"\x00\x01\x07\x02\x00\x01", letters("a")[0]]
)
def test_parse_delete_set_refuses_structs_and_a_cut_off_set(bad: bytes) -> None:
    with pytest.raises(UpdateRefused):
        crdt.parse_delete_set(bad)


@pytest.mark.parametrize(
    "call",
    [
        "crdt.check_update(b'\\xff\\xff\\xff\\x7f\\x01\\x01\\x01')",
        "crdt.diff(b'\\x00\\x00', b'\\xff\\xff\\xff\\x7f\\x01\\x01')",
    ],
    ids=["clients of an update", "clients of a state vector"],
)
def test_a_number_of_items_that_cannot_follow_reserves_no_memory(call: str) -> None:
    if not PROCESS_STATUS.exists():
        leave_out("asks Linux for the size of a process")
    # In a process of its own, whose largest size is that of this call.
    program = f"""
from pathlib import Path
from yjs_store import UpdateRefused, crdt

def largest_kib():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

before_kib = largest_kib()
try:
    {call}
except UpdateRefused:
    print(largest_kib() - before_kib)
"""
    assert int(run_python(program)) < 50_000


# ---- fold and difference ------------------------------------------------------------------------


@given(delivered_histories())
def test_fold_has_the_content_of_all_updates(history: tuple[list[bytes], list[bytes]]) -> None:
    """Field notes 2 and 4."""
    updates, arrived = history
    folded = fold(*arrived)
    assert read(folded) == read(*updates)
    assert ids_of([folded]).structs == ids_of(updates).structs
    assert ids_of([folded]).deleted >= ids_of(updates).deleted


@given(delivered_histories())
def test_y_py_reads_in_a_fold_what_pycrdt_reads(history: tuple[list[bytes], list[bytes]]) -> None:
    need_y_py()
    updates, arrived = history
    assert read_with_y_py(fold(*arrived)) == read(*updates)


@given(delivered_histories(), st.data())
def test_fold_keeps_what_is_pending(
    history: tuple[list[bytes], list[bytes]], data: st.DataObject
) -> None:
    """Field note 2: whatever is missing, and wherever the fold comes, the end is the same."""
    updates, arrived = history
    late = data.draw(st.sets(st.sampled_from(updates), max_size=5))
    early = [update for update in arrived if update not in late]
    folded = fold(*early)
    assert ids_of([folded]).structs == ids_of(early).structs
    assert ids_of([folded]).deleted >= ids_of(early).deleted
    assert read(fold(folded, *late)) == read(*updates)


def test_fold_is_smaller_than_what_was_typed() -> None:
    typed = letters("a" * 2000)
    assert len(fold(*typed)) < 2100 < len(crdt.merge(typed))


def test_fold_of_nothing_is_the_empty_update() -> None:
    assert fold() == crdt.EMPTY_UPDATE


def test_fold_says_when_the_decoder_failed() -> None:
    with pytest.raises(crdt.IntegrationFailed):
        fold(PANIC_FIRST, PANIC_SECOND)


@given(delivered_histories(), st.data())
def test_difference_is_none_for_complete_content_reached_on_different_paths(
    history: tuple[list[bytes], list[bytes]], data: st.DataObject
) -> None:
    """Folded at once, in another order, in two steps, or merged: the content is the same."""
    updates, arrived = history
    otherwise = data.draw(deliveries(updates))
    half = len(otherwise) // 2
    for candidate in (
        fold(*updates),
        fold(*otherwise),
        fold(fold(*otherwise[:half]), *otherwise[half:]),
        crdt.merge(otherwise),
    ):
        assert difference(arrived, candidate) is None


@given(delivered_histories(), st.data())
def test_difference_is_none_for_a_fold_of_what_is_not_complete(
    history: tuple[list[bytes], list[bytes]], data: st.DataObject
) -> None:
    """Field note 2: whatever is missing, a checkpoint and the one after it go through.

    Only what a fold makes of these very updates: where something is missing, which of two edits
    of one key a Doc has already deleted depends on what came first, though not in the end.
    """
    _, arrived = history
    late = data.draw(st.sets(st.sampled_from(arrived), max_size=5))
    early = [update for update in arrived if update not in late] or arrived[:1]
    half = len(early) // 2
    assert difference(early, fold(*early)) is None
    after_a_checkpoint = [fold(*early[:half]), *early[half:]]
    assert difference(after_a_checkpoint, fold(*after_a_checkpoint)) is None


@pytest.mark.parametrize(
    "pending",
    [
        pytest.param([STUCK[2], STUCK[1], STUCK[0]], id="a struct that waits for nothing any more"),
        pytest.param(
            # An edit of clocks 15 and another of 3..7: all before them is missing.
            ["0101010f08010161017c4020000000", "01010103c4010001010568656c6c6f00"],
            id="a client of whom nothing is integrated",
        ),
        pytest.param(
            # The loser of two edits of one key, the winner of which has a gap before it.
            [
                "010180d0acf30e012801016d016c017e00",
                "010201002701016d016c0128000100017a017c3f80000000",
            ],
            id="a delete that nobody sent",
        ),
        pytest.param(
            # A letter that waits for another, and a delete of both.
            ["0101ac02010401017402797a00", "00024d010801ac02010102"],
            id="a delete of what is pending",
        ),
        pytest.param(
            # Client 300 builds on a struct that has a gap before it.
            [
                "0101ffffffff0f070801056172726179017c4020000000",
                "0101ffffffff0f06c4ffffffff0f01ffffffff0f02017800",
                "0101ac020088ffffffff0f070177017300",
            ],
            id="an answer to what is after a gap",
        ),
    ],
)
def test_difference_is_none_for_what_is_pending(pending: list[str | bytes]) -> None:
    updates = [bytes.fromhex(item) if isinstance(item, str) else item for item in pending]
    assert difference(updates, fold(*updates)) is None


def test_difference_finds_a_dropped_update() -> None:
    typed = letters("abc")
    assert difference(typed, fold(*typed[:2])) is not None
    assert difference(typed[:2], fold(*typed)) is not None


def test_difference_finds_dropped_deletes() -> None:
    """Field note 1: a delete does not move the state vector."""
    editor = Editor(7)
    editor.write("abc")
    before = list(editor.updates)
    editor.erase(1, 2)
    assert crdt.fold(before)[1].structs == crdt.fold(editor.updates)[1].structs
    assert difference(editor.updates, fold(*before)) is not None
    assert difference(before, fold(*editor.updates)) is not None


def test_difference_finds_dropped_pending_structs() -> None:
    """Field note 2: what a Doc says of itself leaves them out."""
    a, _, c, d = letters("abcd")
    doc = Editor(9)
    doc.see([a, c, d])
    assert difference([a, c, d], doc.state) is not None
    assert difference([a, c, d], fold(a, c)) is not None
    assert difference([a, c], fold(a, c, d)) is not None


def test_difference_finds_dropped_pending_deletes() -> None:
    """Field note 2."""
    editor = Editor(7)
    a, b = editor.write("a"), editor.write("b")
    deletion = editor.erase(1, 2)
    assert difference([a, deletion], fold(a)) is not None
    assert read(fold(fold(a, deletion), b)).text == "a"


@given(histories(), st.data())
def test_difference_finds_any_update_that_is_missing(
    updates: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(updates) - 1))
    rest = updates[:index] + updates[index + 1 :]
    # A delete may be no loss: it may be what another edit brings with it.
    if ids_of(rest).structs != ids_of(updates).structs or read(*rest) != read(*updates):
        assert difference(updates, fold(*rest)) is not None


# ---- Replica ------------------------------------------------------------------------------------


@given(delivered_histories(), st.integers(0, 25))
def test_a_replica_answers_as_the_sum_of_its_updates(
    history: tuple[list[bytes], list[bytes]], started_with: int
) -> None:
    updates, arrived = history
    replica = crdt.Replica(arrived[:started_with])
    for update in arrived[started_with:]:
        replica.integrate(update)
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)) == read(*updates)


@given(delivered_histories(), st.integers(0, 25), st.integers(0, 25), st.booleans())
def test_a_replica_gives_each_client_what_it_lacks(
    history: tuple[list[bytes], list[bytes]], had: int, got: int, is_folded: bool
) -> None:
    """Field note 2: also what is pending here; the client may have what it waits for."""
    updates, arrived = history
    early = arrived[:got]
    replica = crdt.Replica([fold(*early)] if is_folded else early)
    theirs = Editor(9)
    theirs.see(updates[:had])
    answer = replica.diff(theirs.doc.get_state())
    assert read(answer, *updates[:had]) == read(*early, *updates[:had])


@given(delivered_histories())
def test_nothing_is_pending_in_a_replica_that_got_everything(
    history: tuple[list[bytes], list[bytes]],
) -> None:
    updates, arrived = history
    replica = crdt.Replica()
    for update in arrived:
        replica.integrate(update)
    reached = crdt.parse_state_vector(replica.state_vector())
    assert reached == crdt.parse_state_vector(pycrdt.get_state(crdt.merge(updates)))
    assert replica.pending() == crdt.EMPTY_UPDATE


def test_a_replica_does_not_wait_for_what_is_there() -> None:
    replica = crdt.Replica()
    for update in reversed(STUCK):
        replica.integrate(update)
    assert crdt.parse_state_vector(replica.state_vector()) == {2: 3}


def test_late_predecessors_complete_a_replica() -> None:
    """Field note 2."""
    a, b, c, d = letters("abcd")
    for early, late in (([a, c, d], b), ([b, c, d], a), ([d, c, b], a)):
        replica = crdt.Replica([fold(*early)])
        replica.integrate(late)
        assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == "abcd"
        assert replica.pending() == crdt.EMPTY_UPDATE


def test_a_replica_waits_for_another_client() -> None:
    """Field note 2: what is missing is another client's."""
    ann, bob = Editor(7), Editor(8)
    first, second = ann.write("a"), ann.write("b")
    bob.see([first, second])
    answer = bob.write("c")
    replica = crdt.Replica([fold(first, answer)])
    replica.integrate(second)
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == "abc"


def test_more_pending_than_one_scan_is_kept() -> None:
    """Field note 2, where the replica puts what is pending in order meanwhile."""
    first, *rest = letters("x" * (PENDING_SCAN_UPDATES * 2 + 10))
    replica = crdt.Replica()
    for update in rest:
        replica.integrate(update)
    assert ids_of([replica.diff(crdt.EMPTY_STATE_VECTOR)]) == ids_of(rest)
    replica.integrate(first)
    assert len(read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text) == 1 + len(rest)


def test_news_are_updates_that_change_something() -> None:
    """Field note 1: a delete is news, though the state vector stays."""
    editor = Editor(7)
    replica = crdt.Replica()
    assert replica.integrate_news(editor.write("abc"))
    before = editor.state
    assert replica.integrate_news(editor.erase(0, 1))
    assert not any(map(replica.integrate_news, [before, editor.state, *editor.updates]))
    assert not replica.integrate_news(crdt.EMPTY_UPDATE)
    assert replica.integrate_news(Editor(8).put("k", 1))


def test_news_are_updates_that_wait() -> None:
    """Field note 2."""
    editor = Editor(7)
    a, b = editor.write("a"), editor.write("b")
    deletion = editor.erase(0, 2)
    replica = crdt.Replica()
    assert replica.integrate_news(b)
    assert replica.integrate_news(deletion)
    assert replica.integrate_news(a)
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == ""


@pytest.mark.parametrize("missing", [0, 1])
def test_what_waits_already_is_no_news(missing: int) -> None:
    """Field note 3: a client repeats with each SyncStep2 what is pending at its side."""
    editor = Editor(7)
    editor.write_letters("abcd")
    editor.erase(2, 3)
    early = editor.updates[:missing] + editor.updates[missing + 1 :]
    replica = crdt.Replica()
    for update in early:
        replica.integrate(update)
    repeated = replica.diff(crdt.EMPTY_STATE_VECTOR)
    assert not replica.integrate_news(repeated)
    assert not replica.integrate_news(crdt.merge(early))


def test_repeating_much_that_waits_is_not_quadratic() -> None:
    """Found by tools/fuzz_relay: with the square of these this would go on for hours."""
    many = [(2 * clock, 2 * clock + 1) for clock in range(300_000)]
    replica = crdt.Replica([write_deletes({9: many})])
    assert not replica.integrate_news(write_deletes({9: many[:-1]}))
    assert replica.integrate_news(write_deletes({9: [(1, 2), *many[1:]]}))


@pytest.mark.parametrize("bad", NOT_UPDATES, ids=bytes.hex)
def test_news_that_do_not_decode_are_refused(bad: bytes) -> None:
    replica = crdt.Replica(letters("ab"))
    with pytest.raises((UpdateRefused, crdt.IntegrationFailed)):
        replica.integrate_news(bad)


def test_a_replica_says_when_the_decoder_failed() -> None:
    replica = crdt.Replica()
    replica.integrate(PANIC_FIRST)
    with pytest.raises(crdt.IntegrationFailed):
        replica.integrate(PANIC_SECOND)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_replica_says_when_a_parent_is_no_parent(is_first: bool) -> None:
    """Field note 18: or thirteen bytes of one client end the process."""
    replica = crdt.Replica()
    first, second = CHILD_OF_A_LETTER, letters("a", 7)[0]
    if not is_first:
        first, second = second, first
    replica.integrate(first)
    with pytest.raises(crdt.IntegrationFailed):
        replica.integrate(second)


def test_a_replica_says_when_it_cannot_be_built() -> None:
    replica = crdt.Replica([PANIC_FIRST, PANIC_SECOND])
    with pytest.raises(crdt.StartUnreadable):
        replica.diff(crdt.EMPTY_STATE_VECTOR)


def test_a_replica_of_one_update_answers_with_its_bytes() -> None:
    update = crdt.merge(letters("abc"))
    assert crdt.Replica([update]).diff(crdt.EMPTY_STATE_VECTOR) == update
    assert crdt.Replica().diff(crdt.EMPTY_STATE_VECTOR) == crdt.EMPTY_UPDATE
    assert crdt.parse_state_vector(crdt.Replica([update]).state_vector()) == {7: 3}
    assert crdt.parse_state_vector(crdt.Replica().state_vector()) == {}


def test_a_snapshot_that_carries_its_own_gap_says_what_is_pending() -> None:
    """A Doc of it repeats the bytes, pending included, as if all were carried out."""
    with_gap = bytes.fromhex("0104030004010474657874017844030001780a01c403010300017800")
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    doc.apply_update(with_gap)
    assert doc.get_update() == with_gap
    found = crdt.fold([with_gap])[1]
    assert found.waits
    assert found.structs == {3: [(0, 2), (3, 4)]}
