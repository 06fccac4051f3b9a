"""yjs_store.trials and its side of a document: order, one answer each, turns, and the end."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yjs_store import (
    Document,
    DocumentDeleted,
    DocumentFailed,
    FoldFailed,
    Store,
    StoreError,
    StoreFull,
    TrialsFull,
    Trouble,
    UpdateRefused,
    crdt,
    mending,
    replica,
    submissions,
    trial,
    trials,
)
from yjs_store.crdt import EMPTY_UPDATE
from yjs_store.keeper import Keeper
from yjs_store.limits import (
    BREAKER_FAILURES_TO_OPEN,
    INLINE_WORK_MAX,
    MEASURE_BYTES_MIN,
    MEND_INLINE_BYTES,
    TRIAL_QUICK_BYTES_MAX,
    TRIAL_SLOW_S,
    TYPE_NESTING_MAX,
)
from yjs_store.update_v1 import var_uint

from .dying_worker import MODULE
from .editing import Editor, letters, read
from .poison import (
    CHILD_OF_A_LETTER,
    DEEP_VALUE,
    LETTER,
    PANIC_FIRST,
    PANIC_SECOND,
    delete_first,
    nested_types,
    one_key_each,
    one_letter_each,
    paste,
    vault,
)
from .stores import Failing, Gate, Recorder, WatchedBackend, rows_of, store_over, submit


@pytest.fixture
def dying(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The trial process does what the texts of updates say."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    for lane in store._parts.trials._lanes:
        lane.process.worker._module = MODULE
    return store


# What waits for ever fails here, and not the whole run.
DEADLINE_S = 30.0


def large(client: int, word: str = "") -> bytes:
    """An update that must be tried; its values can say what the trial process does."""
    suspect = one_key_each(INLINE_WORK_MAX + 1, client)
    return crdt.merge([suspect, Editor(client + 1).write(word)]) if word else suspect


# ---- one answer each, in order ------------------------------------------------------------------


async def test_what_a_sender_hands_in_behind_a_suspect_waits_behind_it(
    document: Document, path: Path
) -> None:
    ann, bob = Recorder(), Recorder()
    a, b = letters("ab")
    document.submit(large(100), ann)
    document.submit(a, ann)
    document.submit(b, bob)
    assert not document.is_settled
    await document.wait_settled()
    assert [update for update, *_ in ann.receipts] == [large(100), a]
    assert [update for update, *_ in bob.receipts] == [b]
    # Others did not wait for it.
    assert bob.receipts[0][1].seq < ann.receipts[0][1].seq


async def test_an_honest_large_update_is_stored_as_it_came(document: Document, path: Path) -> None:
    """P2: whatever pieces it was integrated in."""
    listener = Recorder()
    document.listen(listener)
    update = one_letter_each(5000, 300)
    recorder = await submit(document, update)
    assert [news for *_, news in recorder.receipts] == [True]
    assert [row.data for row in listener.rows] == [update]
    assert rows_of(path, "n") == []
    assert document.head.oversized_count == 1
    assert crdt.difference(crdt.fold([update])[1], await document.whole()) is None


async def test_a_refusal_takes_along_what_waits_behind_it(dying: Store, document: Document) -> None:
    """P6: nobody makes the process be ended for one update after the other."""
    eve, bob = Recorder(), Recorder()
    updates = [large(200, "SIGSEGV"), large(300, "SIGSEGV"), large(400), letters("a")[0]]
    for update in updates:
        document.submit(update, eve)
    document.submit(large(500), bob)
    await document.wait_settled()
    assert [update for update, _ in eve.refusals] == updates
    assert {type(error) for _, error in eve.refusals} == {UpdateRefused}
    assert (eve.receipts, len(bob.receipts)) == ([], 1)
    assert dying.trial_counts[:3] == (2, 0, 0)


async def test_a_refusal_takes_along_what_was_tried_together_with_it(document: Document) -> None:
    eve, ann = Recorder(), Recorder()
    deep, behind = nested_types(TYPE_NESTING_MAX + 1), delete_first()
    document.submit(deep, eve)
    document.submit(behind, eve)
    document.submit(letters("a")[0], ann)
    await document.wait_settled()
    assert [update for update, _ in eve.refusals] == [deep, behind]
    assert (eve.receipts, len(ann.receipts)) == ([], 1)


@pytest.mark.parametrize("word", ["SIGSEGV", "HANG"])
async def test_what_the_process_dies_of_is_refused_and_all_else_goes_on(
    dying: Store, document: Document, word: str
) -> None:
    ann, bob, eve = Recorder(), Recorder(), Recorder()
    document.submit(large(100), ann)
    document.submit(large(200, word), eve)
    document.submit(large(300), bob)
    await document.wait_settled()
    assert [type(error) for _, error in eve.refusals] == [UpdateRefused]
    assert [update for update, *_ in ann.receipts + bob.receipts] == [large(100), large(300)]
    assert (document.error, eve.receipts) == (None, [])


async def test_append_goes_through_the_same(store: Store) -> None:
    await store.append("n", large(100))
    with pytest.raises(UpdateRefused):
        await store.append("n", nested_types(INLINE_WORK_MAX + 1))
    assert store.trial_counts.trials == 2


async def test_a_trial_knows_what_is_on_its_way(
    document: Document, backend: WatchedBackend
) -> None:
    """It may be what makes an update fail."""
    gate = backend.before["append"] = Gate()
    ann, eve = Recorder(), Recorder()
    document.submit(LETTER, ann)
    await gate.wait_reached()
    document.submit(crdt.merge([CHILD_OF_A_LETTER, large(100)]), eve)
    while not eve.answers:  # noqa: ASYNC110  (a verdict announces itself to nobody else)
        await asyncio.sleep(0)
    gate.open()
    await document.wait_settled()
    assert [type(error) for _, error in eve.refusals] == [UpdateRefused]
    assert len(ann.receipts) == 1


# ---- mending ------------------------------------------------------------------------------------


@pytest.fixture
def mended_here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many updates were mended at a time in this process, which serves others."""
    calls: list[int] = []
    mend = replica.mend
    monkeypatch.setattr(
        replica, "mend", lambda updates: calls.append(len(updates)) or mend(updates)
    )
    return calls


TEXT = "x" * 2 * MEND_INLINE_BYTES


async def test_a_large_document_is_mended_elsewhere_and_folded_soon(
    document: Document, mended_here: list[int]
) -> None:
    """P5: what takes seconds is done once, and nobody waits for it here."""
    await submit(document, paste(TEXT), CHILD_OF_A_LETTER)
    journal_rows = document.head.journal_rows
    ann = await submit(document, LETTER)
    assert (len(ann.receipts), document.error, mended_here) == (1, None, [])
    while document.head.journal_rows > journal_rows:  # noqa: ASYNC110  (the keeper tells nobody)
        await asyncio.sleep(0)
    assert crdt.parse_state_vector(document.state_vector())[8] == 1


async def test_a_large_document_stored_unmended_is_mended_before_its_second_use(
    path: Path, mended_here: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_unmended(path, monkeypatch)
    async with store_over(WatchedBackend(path)) as store:
        await use_unmended(store)
        document = await store.open_document("n")
        clocks = crdt.parse_state_vector(document.state_vector())
        assert (clocks[7], clocks[8], mended_here) == (1, 1, [])
        assert await document.append(Editor(5).write("still open"))


async def write_unmended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large document that can be read once it is mended: a power cut before its checkpoint."""
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "request", lambda *_: None)
        patch.setattr(Keeper, "consider", lambda *_: None)
        async with store_over(WatchedBackend(path)) as store:
            for update in (paste(TEXT), CHILD_OF_A_LETTER, LETTER):
                await store.append("n", update)


async def use_unmended(store: Store) -> None:
    """The first use finds out that it must be mended."""
    failing = await store.open_document("n")
    with pytest.raises(DocumentFailed):
        failing.state_vector()
    store.release_document(failing)


async def killed_while_folding(store: Store) -> None:
    """Open a document, and kill the process that mends it when it has begun."""
    folding = asyncio.create_task(store.open_document("n"))
    worker = store._parts.checkpointer.folds.worker
    async with asyncio.timeout(30):
        while worker.pid is None:  # noqa: ASYNC110  (it tells nobody)
            await asyncio.sleep(0)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(FoldFailed, match="SIGKILL"):
        await folding


async def test_a_document_whose_mending_is_killed_is_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who kills the process, memory that ran out say, says nothing of what is stored."""
    await write_unmended(path, monkeypatch)
    async with store_over(WatchedBackend(path)) as store:
        await use_unmended(store)
        await killed_while_folding(store)
        assert [each for each in store.degradations() if each.trouble is Trouble.DAMAGE] == []
        document = await store.open_document("n")
        clocks = crdt.parse_state_vector(document.state_vector())
        assert (clocks[7], clocks[8]) == (1, 1)


async def test_a_mending_that_is_killed_again_and_again_rests(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_unmended(path, monkeypatch)
    async with store_over(WatchedBackend(path)) as store:
        await use_unmended(store)
        for _ in range(BREAKER_FAILURES_TO_OPEN):
            await killed_while_folding(store)
        with pytest.raises(FoldFailed, match=r"it is tried again later: .*SIGKILL"):
            await store.open_document("n")
        assert store._parts.checkpointer.folds.worker.pid is None
        await store.checkpoint("n")
        assert (await store.open_document("n")).error is None


async def test_what_a_large_document_waits_for_needs_no_look_at_all_of_it() -> None:
    client = var_uint(2**31 - 5)
    letter = LETTER[:2] + client + LETTER[3:]
    child = CHILD_OF_A_LETTER[:6] + client + CHILD_OF_A_LETTER[7:]
    reads: list[int] = []
    structs = mending._structs

    def counting(update: bytes) -> Iterator[object]:
        reads.append(len(update))
        yield from structs(update)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mending, "_structs", counting)
        bench = trial.Bench([vault(1_000_000), child])
        assert isinstance(bench.judge(trial.Suspect(letter)), trial.Passed)
    assert bench.is_mended
    assert max(reads) < 1000


# ---- bounds and turns ---------------------------------------------------------------------------


async def test_what_waits_is_bounded_and_what_is_too_much_may_come_again(
    store: Store, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6."""
    monkeypatch.setattr(trials, "TRIAL_WAITING_BYTES_MAX", 2 * len(large(100)) + 10)
    recorders = [Recorder() for _ in range(3)]
    for number, recorder in enumerate(recorders):
        document.submit(large(100 + number), recorder)
    assert [type(error) for _, error in recorders[2].refusals] == [TrialsFull]
    assert recorders[2].refusals[0][1].retry_safe
    await document.wait_settled()
    assert store.trial_counts.waiting_bytes == 0
    document.submit(large(102), recorders[2])
    await document.wait_settled()
    assert [len(recorder.receipts) for recorder in recorders] == [1, 1, 1]


async def test_documents_take_turns(dying: Store) -> None:
    """P6: one that has much to try does not hold up another for more than a turn."""
    busy, other = await dying.open_document("busy"), await dying.open_document("other")
    flood, once = Recorder(), Recorder()
    for number in range(6):
        busy.submit(large(100 + 2 * number, "SLOW"), flood)
    other.submit(large(500), once)
    await other.wait_settled()
    assert (len(once.receipts), len(flood.answers) < 6) == (1, True)
    await busy.wait_settled()
    assert len(flood.receipts) == 6


async def test_who_has_used_much_waits_behind_who_has_used_little(dying: Store) -> None:
    """P5: documents and connections are had for nothing, so turns are not counted by these."""
    floods = [Recorder("eve") for _ in range(5)]
    for number, flood in enumerate(floods):
        busy = await dying.open_document(f"busy {number}")
        busy.submit(large(100 + number), flood)
        busy.submit(large(200 + number), flood)
    once = Recorder("ann")
    other = await dying.open_document("other")
    other.submit(large(500), once)
    await other.wait_settled()
    assert len(once.receipts) == 1
    assert sum(len(flood.answers) for flood in floods) <= 2


async def test_what_is_quick_does_not_wait_for_what_takes_long(
    store: Store, document: Document, backend: WatchedBackend
) -> None:
    """P5: and of who has little, nothing takes long."""
    eve, ann = Recorder("eve"), Recorder("ann")
    gate = backend.before["load"] = Gate()
    document.submit(crdt.merge([large(100), paste("x" * TRIAL_QUICK_BYTES_MAX)]), eve)
    await gate.wait_reached()
    del backend.before["load"]
    try:
        other = await store.open_document("other")
        other.submit(large(500), ann)
        async with asyncio.timeout(DEADLINE_S):
            await other.wait_settled()
        assert (len(ann.receipts), eve.answers) == (1, [])
    finally:
        gate.open()
    await document.wait_settled()
    assert len(eve.receipts) == 1


async def test_who_has_used_much_is_tried_where_there_is_more_time(
    store: Store, document: Document
) -> None:
    trials = store._parts.trials
    trials._turns.charge("eve", 2 * TRIAL_SLOW_S)
    document.submit(large(100), Recorder("eve"))
    document.submit(large(200), Recorder("ann"))
    assert list(trials._whose(trials.long, document)) == ["eve"]
    assert list(trials._whose(trials.quick, document)) == ["ann"]
    await document.wait_settled()


async def test_what_is_not_done_quickly_is_done_where_there_is_more_time(
    dying: Store, document: Document
) -> None:
    """Nobody is blamed for that it was not, and once it is done it may be quick again."""
    eve = Recorder("eve")
    document.submit(large(200, "HANG"), eve)
    await document.wait_settled()
    assert [type(error) for _, error in eve.refusals] == [UpdateRefused]
    assert "SIGXCPU" in str(eve.refusals[0][1])
    assert dying.trial_counts.trials == 2
    document.submit(large(300), eve)
    await document.wait_settled()
    assert (len(eve.receipts), dying.trial_counts.trials) == (1, 3)
    assert not dying._parts.trials._choice._overran


async def test_of_one_document_too_each_has_a_turn(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each sender keeps its order."""
    monkeypatch.setattr(submissions, "TRIAL_UPDATES_MAX", 2)
    eve, ann = Recorder("eve"), Recorder("ann")
    sent = [large(100 + number) for number in range(6)]
    for update in sent:
        document.submit(update, eve)
    document.submit(large(500), ann)
    while not ann.answers:  # noqa: ASYNC110  (a verdict announces itself to nobody else)
        await asyncio.sleep(0)
    assert len(eve.answers) <= 2
    await document.wait_settled()
    assert [update for update, *_ in eve.receipts] == sent


async def test_types_are_measured_and_go_on(store: Store, document: Document) -> None:
    """A document of many types that are not deep is edited on, with a trial now and then."""
    editor = Editor(7)
    flat = [
        editor.change(lambda: editor.array.extend([crdt_map() for _ in range(100)]))
        for _ in range(12)
    ]
    recorder = await submit(document, *flat)
    assert len(recorder.receipts) == 12
    assert 0 < store.trial_counts.trials < 12


async def test_a_large_document_is_measured_when_it_is_loaded(path: Path) -> None:
    """Nobody's first type waits for a trial of the whole."""
    async with store_over(WatchedBackend(path)) as store:
        await store.append("large", paste("x" * MEASURE_BYTES_MIN))
        await store.append("large", nested_types(TYPE_NESTING_MAX - 2, client=5))
    async with store_over(WatchedBackend(path)) as store, store.document("large") as document:
        await store.wait_settled()
        await document.append(nested_types(2, client=6))
        assert store.trial_counts.trials == 0
        await document.append(nested_types(1, client=7))
        assert store.trial_counts.trials == 1, "the bound is what was measured, not nothing"


def crdt_map() -> object:
    import pycrdt  # noqa: PLC0415  (only here)

    return pycrdt.Map({"k": 1})


# ---- what happens meanwhile ---------------------------------------------------------------------


async def test_a_document_that_is_deleted_meanwhile_answers_everybody_once(
    store: Store, document: Document
) -> None:
    """P9."""
    await document.append(letters("a")[0])
    recorder = Recorder()
    for update in (large(100), letters("ab")[1]):
        document.submit(update, recorder)
    await store.delete("n")
    await store.wait_settled()
    assert [type(error) for _, error in recorder.refusals] == [DocumentDeleted] * 2
    assert (recorder.receipts, store.trial_counts.waiting_bytes) == ([], 0)


async def test_a_document_that_was_released_stays_until_everything_has_its_answer(
    store: Store, document: Document
) -> None:
    recorder = Recorder()
    document.submit(large(100), recorder)
    store.release_document(document)
    async with store.document("n") as again:
        assert again is document
        await again.wait_settled()
    assert len(recorder.receipts) == 1


async def test_a_store_that_is_closed_stores_what_waits_for_its_trial(path: Path) -> None:
    """Field note 9."""
    recorder = Recorder()
    async with store_over(WatchedBackend(path)) as store:
        document = await store.open_document("n")
        for update in (large(100), letters("a")[0], large(200)):
            document.submit(update, recorder)
    assert [update for update, *_ in recorder.receipts] == [
        large(100),
        letters("a")[0],
        large(200),
    ]
    async with store_over(WatchedBackend(path)) as store:
        assert read(await store.load("n")) == read(large(100), *letters("a"), large(200))


@pytest.mark.usefixtures("no_jitter")
async def test_storage_that_fails_is_waited_for_and_shown(
    store: Store, document: Document, backend: WatchedBackend
) -> None:
    """P8."""
    backend.before["load"] = Failing(StoreFull("no room"), times=2)
    recorder = await submit(document, large(100))
    assert len(recorder.receipts) == 1
    assert (store.failing_because, store.failing_since_s) == (None, None)


@pytest.mark.usefixtures("no_jitter")
async def test_a_document_that_waits_for_what_cannot_be_read_is_known(
    store: Store, document: Document, backend: WatchedBackend
) -> None:
    """P8: its clients are closed after a while, and those of the others are not."""
    behind = await store.open_document("behind")
    backend.before["load"] = Failing(StoreFull("no room"), times=1_000_000)
    for one in (document, behind):
        one.submit(large(100), Recorder())
    while not store.is_failing_for("n"):  # noqa: ASYNC110  (it announces itself to nobody)
        await asyncio.sleep(0)
    assert (store.is_failing_for("behind"), store.is_failing_for("other")) == (True, False)
    del backend.before["load"]
    await store.wait_settled()
    assert not any(map(store.is_failing_for, ("n", "behind")))


async def test_a_defect_fails_the_document_and_is_handed_to_the_supervisor(
    store: Store, document: Document, backend: WatchedBackend
) -> None:
    """Field note 19."""
    backend.before["load"] = Failing(ZeroDivisionError("a defect"), times=1)
    recorder = Recorder()
    document.submit(large(100), recorder)
    with pytest.raises(StoreError, match="a defect"):
        await document.wait_settled()
    assert len(recorder.refusals) == 1
    with pytest.raises(ZeroDivisionError):
        await store.wait_broken()


# ---- everything together ------------------------------------------------------------------------

POISON = [
    DEEP_VALUE,
    nested_types(INLINE_WORK_MAX + 1, 0, 800),
    nested_types(600, 0, 801),
    delete_first(801),
    PANIC_FIRST,
    PANIC_SECOND,
    b"bad",
    b"",
]


@settings(max_examples=12)
@given(data=st.data())
async def test_of_any_mix_each_is_answered_once_and_the_accepted_are_stored(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """P5: what is stored equals the merge of exactly what was accepted."""
    typed: list[Callable[[], bytes]] = [
        lambda editor=editor: editor.write("x")  # type: ignore[misc]
        for editor in (Editor(901), Editor(902))
    ]
    kinds = st.sampled_from(["plain", "suspect", "poison", "again", "wait"])
    accepted: list[bytes] = []
    async with store_over(WatchedBackend(tmp_path_factory.mktemp("mix") / "s.db")) as store:
        document = await store.open_document("n")
        senders = [Recorder() for _ in range(3)]
        sent: list[list[bytes]] = [[] for _ in senders]
        for number, kind in enumerate(data.draw(st.lists(kinds, max_size=10))):
            which = data.draw(st.integers(0, 2))
            if kind == "wait":
                await document.wait_settled()
                continue
            update = EMPTY_UPDATE
            if kind == "plain":
                update = typed[which % 2]()
            elif kind == "suspect":
                update = large(1000 + 2 * number)
            elif kind == "poison":
                update = data.draw(st.sampled_from(POISON))
            elif sent[which]:
                update = data.draw(st.sampled_from(sent[which]))
            document.submit(update, senders[which], repeats=data.draw(st.booleans()))
            sent[which].append(update)
        await document.wait_settled()
        for recorder, updates in zip(senders, sent, strict=True):
            assert sorted(recorder.answers) == sorted(updates)
            assert all(isinstance(error, UpdateRefused) for _, error in recorder.refusals)
            accepted += [update for update, *_ in recorder.receipts]
        assert store.trial_counts.waiting_bytes == 0
        whole = await document.whole()
        assert crdt.difference(crdt.fold([crdt.merge(accepted)])[1], whole) is None
        if accepted and await store.head("n") is not None:
            assert crdt.difference(crdt.fold([whole])[1], await store.load("n")) is None
