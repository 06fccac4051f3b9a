"""yjs_store.document: what one live document gathers, stores, says and shows."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import (
    Document,
    DocumentFailed,
    Receipt,
    Store,
    StoreFull,
    UpdateRefused,
    WriterSuperseded,
    crdt,
)
from yjs_store.crdt import EMPTY_STATE_VECTOR, EMPTY_UPDATE
from yjs_store.limits import (
    FOLD_BYTES_MAX,
    FOLD_UPDATES_MAX,
    KIB,
    ROW_STRUCTS_MAX,
    UPDATE_BYTES_MAX,
)

from .editing import Editor, letters, read
from .histories import delivered_histories
from .poison import one_key_each
from .stores import (
    Failing,
    Gate,
    Recorder,
    WatchedBackend,
    raw,
    rows_of,
    store_over,
    submit,
)
from .test_crdt import CHILD_OF_A_LETTER, NOT_UPDATES, PANIC_FIRST, PANIC_SECOND

# ---- rows ---------------------------------------------------------------------------------------


async def test_updates_of_one_round_are_one_row_with_the_content_of_all(
    document: Document, path: Path
) -> None:
    typed = letters("abcd")
    recorder = await submit(document, *typed)
    ((seq, data),) = rows_of(path, "n")
    assert seq == 1
    assert read(data).text == "abcd"
    assert recorder.receipts == [(update, Receipt("n", 1), True) for update in typed]


async def test_a_row_holds_what_the_client_sent(document: Document, path: Path) -> None:
    """P2: one update is stored byte for byte, also where its predecessor is missing."""
    _, b = letters("ab")
    await document.append(b)
    assert rows_of(path, "n") == [(1, b)]


async def test_rows_are_numbered_without_gaps_and_the_head_adds_them_up(
    store: Store, document: Document, path: Path
) -> None:
    for update in letters("abcdefgh"):
        await submit(document, update, b"\x07 not an update")
        await submit(document, EMPTY_UPDATE)
        await submit(document, update, repeats=True)
    rows = rows_of(path, "n")
    assert [seq for seq, _ in rows] == list(range(1, 9))
    head = await store.head("n")
    assert head == document.head
    assert head is not None
    assert (head.last_seq, head.cut_seq) == (8, 0)
    assert head.journal_bytes == sum(len(data) for _, data in rows)


async def test_rows_keep_their_order_when_the_clock_steps_back(path: Path) -> None:
    """Field note 7: time is shown, never used for order."""
    times_ms = [5000, 400, 30, 2, 1, 999]
    now_ms = times_ms[:1]
    typed = letters("abcdef")
    async with store_over(WatchedBackend(path), clock_ms=lambda: now_ms[0]) as store:
        for time_ms, update in zip(times_ms, typed, strict=True):
            now_ms[0] = time_ms
            await store.append("n", update)
        assert read(await store.load("n")).text == "abcdef"
        head = await store.head("n")
        assert head is not None
        assert (head.created_ms, head.updated_ms) == (5000, 999)
    assert [data for _, data in rows_of(path, "n")] == typed
    with raw(path) as connection:
        stored_ms = connection.execute("SELECT created_ms FROM journal ORDER BY seq").fetchall()
    assert stored_ms == [(5000,), (400,), (30,), (2,), (1,), (999,)]
    async with store_over(WatchedBackend(path), clock_ms=lambda: 0) as store:
        assert read(await store.load("n")).text == "abcdef"
        await store.append("n", Editor(9).put("k", 1))
        assert (await store.checkpoint("n")).published
        assert read(await store.load("n")).text == "abcdef"


async def test_each_edit_costs_about_its_own_bytes(document: Document, path: Path) -> None:
    """Field note 3: not the delete set of the whole document again with each row."""
    editor = Editor(7)
    editor.write("x" * 4000)
    # Every other letter is deleted: ranges that do not join.
    for index in range(2000):
        editor.erase(index, index + 1)
    await submit(document, *editor.updates)
    delete_set_bytes = len(crdt.diff(editor.state, editor.doc.get_state()))
    assert delete_set_bytes > 4000
    before = len(rows_of(path, "n"))
    for letter in "abc":
        await document.append(editor.write(letter))
        await document.append(editor.erase(0, 1))
    new_rows = [data for _, data in rows_of(path, "n")[before:]]
    assert len(new_rows) == 6
    assert max(map(len, new_rows)) < 40


async def test_what_repeats_what_is_known_adds_no_row(document: Document, path: Path) -> None:
    """Field note 3: each client's SyncStep2 says everything again."""
    editor = Editor(7)
    editor.write_letters("abc")
    editor.erase(0, 1)
    await submit(document, *editor.updates)
    before = rows_of(path, "n")
    recorder = await submit(document, editor.state, editor.state, EMPTY_UPDATE, repeats=True)
    assert rows_of(path, "n") == before
    assert [(receipt.seq, news) for _, receipt, news in recorder.receipts] == [(1, False)] * 3


async def test_what_repeats_what_is_pending_adds_no_row(document: Document, path: Path) -> None:
    """Field note 3: or each reconnection of each client would add one."""
    a, _, c = letters("abc")
    await submit(document, a, c)
    for _ in range(3):
        await submit(document, document.diff(EMPTY_STATE_VECTOR), repeats=True)
    assert len(rows_of(path, "n")) == 1


async def test_what_repeats_and_adds_is_stored(document: Document, path: Path) -> None:
    """Field note 1: also where all that it adds is a delete."""
    editor = Editor(7)
    await document.append(editor.write("abc"))
    editor.erase(1, 2)
    recorder = await submit(document, editor.state, repeats=True)
    assert [news for *_, news in recorder.receipts] == [True]
    assert len(rows_of(path, "n")) == 2
    assert read(*[data for _, data in rows_of(path, "n")]).text == "ac"


async def test_an_update_with_nothing_in_it_is_answered_and_not_stored(
    store: Store, document: Document
) -> None:
    recorder = await submit(document, EMPTY_UPDATE)
    assert recorder.receipts == [(EMPTY_UPDATE, Receipt("n", 0), False)]
    assert await store.head("n") is None


async def test_a_round_takes_a_bounded_number_of_updates(document: Document, path: Path) -> None:
    """P6."""
    typed = letters("x" * (FOLD_UPDATES_MAX + 1))
    recorder = await submit(document, *typed)
    assert [receipt.seq for _, receipt, _ in recorder.receipts] == [1] * FOLD_UPDATES_MAX + [2]
    assert len(rows_of(path, "n")) == 2


async def test_a_round_takes_a_bounded_number_of_bytes(document: Document, path: Path) -> None:
    """P6."""
    editors = [Editor(client_id) for client_id in range(1, 6)]
    updates = [editor.write("x" * (400 * KIB)) for editor in editors]
    recorder = await submit(document, *updates)
    assert recorder.answers == updates
    assert [receipt.seq for _, receipt, _ in recorder.receipts] == [1, 1, 2, 2, 3]
    assert all(len(data) <= FOLD_BYTES_MAX for _, data in rows_of(path, "n"))


async def test_an_update_larger_than_a_round_has_one_for_itself(
    document: Document, path: Path
) -> None:
    large, small = Editor(7).write("x" * (FOLD_BYTES_MAX + 1)), letters("a", 8)[0]
    recorder = await submit(document, large, small)
    assert [receipt.seq for _, receipt, _ in recorder.receipts] == [1, 2]
    assert rows_of(path, "n") == [(1, large), (2, small)]


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", NOT_UPDATES, ids=bytes.hex)
@pytest.mark.parametrize("repeats", [False, True])
async def test_what_does_not_decode_hurts_only_its_sender(
    document: Document, path: Path, bad: bytes, repeats: bool
) -> None:
    """Field note 17 and P5: in the middle of a round of others."""
    ann, bob = Recorder(), Recorder()
    typed = letters("abcd")
    for update in typed[:2]:
        document.submit(update, ann)
    document.submit(bad, bob, repeats=repeats)
    for update in typed[2:]:
        document.submit(update, ann)
    await document.wait_settled()
    assert bob.receipts == []
    ((refused, error),) = bob.refusals
    assert refused == bad
    assert isinstance(error, UpdateRefused)
    assert [update for update, *_ in ann.receipts] == typed
    assert read(rows_of(path, "n")[0][1]).text == "abcd"
    assert document.error is None


async def test_every_bad_update_of_a_round_is_found(document: Document, path: Path) -> None:
    """P5: not one of them is stored, and not one good one is lost."""
    typed = letters("abcdefghijklm")
    mixed = [update for letter in typed for update in (letter, b"bad")]
    recorder = await submit(document, b"bad", *mixed)
    assert len(recorder.refusals) == len(typed) + 1
    assert [update for update, *_ in recorder.receipts] == typed
    assert read(*[data for _, data in rows_of(path, "n")]).text == "abcdefghijklm"


async def test_a_round_of_nothing_but_refusals_stores_nothing(
    store: Store, document: Document
) -> None:
    with pytest.raises(UpdateRefused):
        await document.append(b"bad")
    assert await store.head("n") is None
    assert (await document.append(letters("a")[0])).seq == 1


async def test_an_update_that_is_too_large_is_refused_before_it_is_looked_at(
    document: Document,
) -> None:
    """P6."""
    recorder = Recorder()
    document.submit(bytes(UPDATE_BYTES_MAX + 1), recorder)
    ((_, error),) = recorder.refusals
    assert isinstance(error, UpdateRefused)
    assert str(UPDATE_BYTES_MAX) in str(error)
    assert document.is_settled


@pytest.mark.parametrize("repeats", [False, True])
async def test_what_the_decoder_fails_on_is_refused_and_its_room_goes_on(
    store: Store, document: Document, path: Path, repeats: bool
) -> None:
    """Field note 18 and P5: nobody but its sender notices, and the culprit is refused for good."""
    ann, bob, listener = Recorder(), Recorder(), Recorder()
    typed = letters("abc", 7)
    await document.append(typed[0])
    document.listen(listener)
    document.submit(typed[1], ann)
    document.submit(CHILD_OF_A_LETTER, bob, repeats=repeats)
    document.submit(typed[2], ann)
    await document.wait_settled()
    assert [type(error) for _, error in bob.refusals] == [UpdateRefused]
    assert bob.receipts == []
    assert [update for update, *_ in ann.receipts] == typed[1:]
    assert (listener.failures, document.error) == ([], None)
    assert read(*[row.data for row in listener.rows], typed[0]).text == "abc"
    assert store.trial_counts.recoveries == 1
    assert read(await document.whole()).text == "abc"
    assert read(*[data for _, data in rows_of(path, "n")]).text == "abc"


async def test_one_who_wrote_within_what_was_to_come_keeps_nobody_from_writing(
    store: Store, document: Document, path: Path
) -> None:
    """Field note 18: what stands within a letter is collected, as stock Yjs does, or its author
    could never write again."""
    eve, ann, listener = Recorder(), Recorder(), Recorder()
    document.listen(listener)
    document.submit(CHILD_OF_A_LETTER, eve)
    await document.wait_settled()
    for letter in (typed := letters("abc", 7)):
        document.submit(letter, ann)
        await document.wait_settled()
    assert [update for update, *_ in ann.receipts] == typed
    assert (listener.failures, document.error) == ([], None)
    whole = await document.whole()
    # The clocks of both; the value is gone.
    assert crdt.parse_state_vector(document.state_vector()) == {7: 3, 8: 1}
    assert read(whole).text == "abc"
    assert read(await store.load("n")).text == "abc"
    await store.checkpoint("n")
    assert read(await store.load("n")).text == "abc"
    recorder = await submit(document, Editor(9).write("on"))
    assert len(recorder.receipts) == 1


@pytest.mark.parametrize("repeats", [False, True])
async def test_one_who_writes_within_what_comes_in_the_same_round_fails_nobody(
    store: Store, document: Document, path: Path, repeats: bool
) -> None:
    """P5: neither is durable, and both have passed; the letter's author is not to blame."""
    eve, ann, listener = Recorder(), Recorder(), Recorder()
    document.listen(listener)
    a, b = letters("ab", 7)
    document.submit(CHILD_OF_A_LETTER, eve)
    document.submit(a, ann, repeats=repeats)
    await document.wait_settled()
    assert [update for update, *_ in ann.receipts] == [a]
    assert (listener.failures, document.error) == ([], None)
    await document.append(b)
    assert read(await document.whole()).text == "ab"
    # P2: stored as it was sent, and read as stock Yjs reads it.
    (_, row), _ = rows_of(path, "n")
    assert (
        crdt.difference(crdt.fold([CHILD_OF_A_LETTER])[1], crdt.diff(row, b"\x01\x07\x01")) is None
    )
    assert read(await store.load("n")).text == "ab"


async def test_what_comes_while_a_round_is_tried_again_is_tried_in_its_turn(
    store: Store, document: Document
) -> None:
    """P5: the next who makes the decoder fail must not be taken for a defect of the round."""
    eve, ann, listener = Recorder(), Recorder(), Recorder()
    document.listen(listener)
    a, b, c = letters("abc", 7)
    await document.append(a)
    document.submit(CHILD_OF_A_LETTER, eve)
    document.submit(b, ann)
    while not store.trial_counts.recoveries:  # noqa: ASYNC110  (turns of the loop, no time)
        await asyncio.sleep(0)
    other_child = CHILD_OF_A_LETTER.replace(b"\x01\x08", b"\x01\x09", 1)
    document.submit(other_child, eve)
    document.submit(c, ann)
    await document.wait_settled()
    assert [update for update, _ in eve.refusals] == [CHILD_OF_A_LETTER, other_child]
    assert [update for update, *_ in ann.receipts] == [b, c]
    assert (listener.failures, document.error) == ([], None)
    assert store.trial_counts.recoveries == 2
    assert read(await document.whole()).text == "abc"


async def test_a_decoder_that_fails_on_an_answer_takes_nobody_elses_receipt_along(
    store: Store, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: answers are made where rounds settle; the committer goes on, with the others too."""
    listener, failures = Recorder(), list[DocumentFailed]()

    def fail(replica: crdt.Replica, state_vector: bytes) -> bytes:
        raise crdt.IntegrationFailed("whatever it is asked")

    def answer() -> None:
        with pytest.raises(DocumentFailed) as caught:
            document.diff(EMPTY_STATE_VECTOR)
        failures.append(caught.value)

    document.listen(listener)
    recorder = Recorder()
    async with store.document("other") as other:
        with monkeypatch.context() as patch:
            patch.setattr(crdt.Replica, "diff", fail)
            # Last: what is handed in before may be settled before anybody looks.
            document.submit(letters("a")[0], recorder)
            while document._round is None:  # noqa: ASYNC110  (turns of the loop, no time)
                await asyncio.sleep(0)
            document.when_durable(answer)
            await other.append(letters("b")[0])
            await asyncio.gather(document.wait_settled(), return_exceptions=True)
        assert len(failures) == 1
        assert listener.failures == failures
        # What is durable has its receipt; whoever opens it again finds it.
        assert len(recorder.receipts) == 1
        assert recorder.refusals == []
        async with store.document("n") as again:
            assert again is not document
            assert read(await again.whole()).text == "a"
        assert (await other.append(letters("c", 9)[0])).seq == 2


async def test_a_round_on_which_the_decoder_fails_again_fails_its_document(
    store: Store, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field note 18: the last resort; what is durable is untouched, and can be opened again."""

    def fail(replica: crdt.Replica, update: bytes, *, is_plain: bool = False) -> None:
        raise crdt.IntegrationFailed("whatever it is given")

    await document.append(letters("a")[0])
    with monkeypatch.context() as patch:
        patch.setattr(crdt.Replica, "integrate", fail)
        recorder = await _submit_to_failure(document, letters("b", 8)[0])
    assert [type(error) for _, error in recorder.refusals] == [DocumentFailed]
    async with store.document("n") as again:
        assert again is not document
        assert (await again.append(letters("c", 9)[0])).seq == 2


async def test_what_can_be_seen_to_make_the_decoder_fail_is_not_given_to_it(
    store: Store, document: Document
) -> None:
    await document.append(PANIC_FIRST)
    with pytest.raises(UpdateRefused):
        await document.append(PANIC_SECOND)
    assert store.trial_counts.recoveries == 0
    assert (await document.append(letters("a", 9)[0])).seq == 2


async def test_a_failed_document_refuses_and_tells_everybody(
    store: Store, document: Document, path: Path
) -> None:
    listener, gone = Recorder(), Recorder()
    document.listen(listener)
    document.listen(gone)
    document.unlisten(gone)
    await document.append(letters("a")[0])
    with raw(path) as connection:
        connection.execute("UPDATE store SET epoch = epoch + 1")
    recorder = await _submit_to_failure(document, *letters("ab"))
    assert [type(error) for _, error in recorder.refusals] == [WriterSuperseded] * 2
    assert [type(error) for error in listener.failures] == [WriterSuperseded]
    assert gone.failures == []
    late = Recorder()
    document.submit(letters("c")[0], late)
    assert late.refusals == [(letters("c")[0], document.error)]
    never_called: list[None] = []
    document.when_durable(lambda: never_called.append(None))
    assert never_called == []
    with pytest.raises(WriterSuperseded):
        await document.wait_settled()


async def _submit_to_failure(document: Document, *updates: bytes) -> Recorder:
    recorder = Recorder()
    for update in updates:
        document.submit(update, recorder)
    with pytest.raises((DocumentFailed, WriterSuperseded)):
        await document.wait_settled()
    return recorder


@given(
    st.lists(
        st.tuples(st.sampled_from([*letters("abc"), b"bad", b"", EMPTY_UPDATE]), st.booleans()),
        max_size=12,
    )
)
async def test_every_update_is_answered_once(
    tmp_path_factory: pytest.TempPathFactory, submissions: list[tuple[bytes, bool]]
) -> None:
    async with store_over(WatchedBackend(tmp_path_factory.mktemp("once") / "store.db")) as store:
        document = await store.open_document("n")
        recorder = Recorder()
        for update, repeats in submissions:
            document.submit(update, recorder, repeats=repeats)
        await document.wait_settled()
        assert sorted(recorder.answers) == sorted(update for update, _ in submissions)


# ---- what is seen, and when ---------------------------------------------------------------------


async def test_nothing_is_told_before_it_is_in_the_file(
    document: Document, backend: WatchedBackend, path: Path
) -> None:
    """P1: a reader beside the store sees the row at the moment anybody hears of it."""
    seen: list[tuple[str, int]] = []

    class Witness(Recorder):
        def committed(self, row: object, stored: object) -> None:
            seen.append(("committed", len(rows_of(path, "n"))))

        def stored(self, update: bytes, receipt: Receipt, *, news: bool) -> None:
            seen.append(("stored", len(rows_of(path, "n"))))

    witness = Witness()
    document.listen(witness)
    document.submit(letters("a")[0], witness)
    await document.wait_settled()
    document.submit(letters("ab")[1], witness)
    await document.wait_settled()
    assert seen == [("committed", 1), ("stored", 1), ("committed", 2), ("stored", 2)]


async def test_a_listener_hears_of_each_row_and_of_nothing_else(
    document: Document, path: Path
) -> None:
    listener = Recorder()
    document.listen(listener)
    await submit(document, *letters("ab"))
    await submit(document, letters("ab")[0], repeats=True)
    await submit(document, b"bad")
    await submit(document, letters("abc")[2])
    assert [(row.seq, row.data) for row in listener.rows] == rows_of(path, "n")


async def test_what_is_not_durable_is_not_shown(
    document: Document, backend: WatchedBackend
) -> None:
    """P1."""
    a, b = letters("ab")
    await document.append(a)
    gate = backend.before["append"] = Gate()
    recorder = Recorder()
    document.submit(b, recorder)
    await gate.wait_reached()
    shown: list[bytes] = []
    document.when_durable(lambda: shown.append(document.diff(EMPTY_STATE_VECTOR)))
    assert shown == []
    with pytest.raises(AssertionError, match="durable"):
        document.diff(EMPTY_STATE_VECTOR)
    with pytest.raises(AssertionError, match="durable"):
        document.state_vector()
    gate.open()
    await document.wait_settled()
    (answer,) = shown
    assert read(answer).text == "ab"
    assert crdt.parse_state_vector(document.state_vector()) == {7: 2}


async def test_what_has_only_gathered_is_not_shown(document: Document) -> None:
    """P1."""
    shown: list[bytes] = []
    document.submit(letters("a")[0], Recorder())
    document.when_durable(lambda: shown.append(document.diff(EMPTY_STATE_VECTOR)))
    assert shown == [EMPTY_UPDATE]


@pytest.mark.usefixtures("no_jitter")
async def test_what_waits_for_the_disk_is_not_shown(
    document: Document, backend: WatchedBackend
) -> None:
    """Field note 8 and P1."""
    failing = backend.before["append"] = Failing(StoreFull("no room"))
    listener, recorder = Recorder(), Recorder()
    document.listen(listener)
    document.submit(letters("a")[0], recorder)
    await backend.wait_failures(2)
    shown: list[bytes] = []
    document.when_durable(lambda: shown.append(document.diff(EMPTY_STATE_VECTOR)))
    assert (shown, listener.rows, recorder.answers) == ([], [], [])
    failing.mend()
    await document.wait_settled()
    assert read(*shown).text == "a"


async def test_what_comes_while_a_commit_is_on_its_way_is_in_the_next(
    document: Document, backend: WatchedBackend, path: Path
) -> None:
    """Field note 6: also in the last moment before the document hears that it is durable."""
    typed = letters("abc")
    gates = backend.before["append"], backend.after["append"] = Gate(), Gate()
    recorder = Recorder()
    document.submit(typed[0], recorder)
    for gate, update in zip(gates, typed[1:], strict=True):
        await gate.wait_reached()
        document.submit(update, recorder)
        assert not document.is_settled
        gate.open()
    await document.wait_settled()
    assert read(*(data for _, data in rows_of(path, "n"))).text == "abc"
    assert sorted(recorder.answers) == sorted(typed)


class Follower(Recorder):
    """Joins as a client does: takes what is durable and listens from the same moment on."""

    def __init__(self, document: Document, state_vector: bytes) -> None:
        super().__init__()
        self._document = document
        self._state_vector = state_vector
        self.first: bytes | None = None
        document.when_durable(self._join)

    def _join(self) -> None:
        self.first = self._document.diff(self._state_vector)
        self._document.listen(self)

    @property
    def everything(self) -> list[bytes]:
        assert self.first is not None
        return [self.first, *[row.data for row in self.rows]]


class Step:
    SUBMIT, JOIN, TURN, COMMIT = range(4)


@given(
    delivered_histories(steps_max=12),
    st.lists(st.sampled_from([Step.SUBMIT, Step.SUBMIT, Step.JOIN, Step.TURN, Step.COMMIT])),
)
async def test_one_who_joins_at_any_moment_misses_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    history: tuple[list[bytes], list[bytes]],
    steps: list[int],
) -> None:
    """Field note 15: the snapshot and the subscription are one moment, whatever is under way."""
    updates, arrived = history
    backend = WatchedBackend(tmp_path_factory.mktemp("join") / "store.db")
    to_come: Iterator[bytes] = iter(arrived)
    async with store_over(backend) as store:
        document = await store.open_document("n")
        followers: list[Follower] = []
        gate = Gate()

        async def stop_at_gate() -> None:
            await gate()

        backend.before["append"] = backend.after["append"] = stop_at_gate
        for step in steps:
            if step == Step.SUBMIT and (update := next(to_come, None)) is not None:
                document.submit(update, Recorder())
            elif step == Step.JOIN:
                followers.append(Follower(document, EMPTY_STATE_VECTOR))
            elif step == Step.TURN:
                await asyncio.sleep(0)
            elif step == Step.COMMIT:
                # What is under way goes on to the next gate, before or after the commit.
                gate.open()
                gate = Gate()
                await asyncio.sleep(0)
        for update in to_come:
            document.submit(update, Recorder())
        gate.open()
        del backend.before["append"], backend.after["append"]
        await document.wait_settled()
        for follower in followers:
            assert read(*follower.everything) == read(*updates)


async def test_a_document_that_is_let_go_leaves_memory_at_once(store: Store) -> None:
    """P6: not when the collector happens to come by; no part of it refers back to it."""
    document = await store.open_document("n")
    await submit(document, *letters("abc"), one_key_each(ROW_STRUCTS_MAX + 1))
    assert store.trial_counts.trials == 1
    await document.whole()
    gone = weakref.ref(document)
    gc.collect()
    gc.disable()
    try:
        store.release_document(document)
        del document
        await store.unload("n")
        # The task of its last trial ends in a turn of the loop.
        await asyncio.sleep(0)
        assert gone() is None
    finally:
        gc.enable()
