"""yjs_store.oversized: what is too large for a row is stored whole by another way, or refused."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    Document,
    DocumentDeleted,
    DocumentFailed,
    FoldFailed,
    Store,
    StoreError,
    StoreFull,
    UpdateTooLarge,
    crdt,
    document,
    fold_process,
    folding,
    paced_replica,
    retrying,
)
from yjs_store.breaker import BreakerState
from yjs_store.format import check_head
from yjs_store.inspection import inspect
from yjs_store.limits import (
    DISK_RESERVE_BYTES,
    JOURNAL_ROW_BYTES_MAX,
    MIB,
    ROW_STRUCTS_MAX,
    SLICE_STRUCTS,
    SLOW_SLICE_STRUCTS,
    UPDATE_BYTES_MAX,
)
from yjs_store.oversized import OversizedGuard
from yjs_store.retrying import StorageState

from .crashes import check_tidy, copy_files, load_all, shows
from .editing import Editor, letters, read, read_with_y_py
from .poison import one_letter_each
from .stores import Failing, Gate, Recorder, WatchedBackend, rows_of, store_over, submit


def paste(letter: str = "x", client_id: int = 20, length: int = JOURNAL_ROW_BYTES_MAX) -> bytes:
    """An update that no row takes, unless told."""
    return Editor(client_id).write(letter * length)


def update_of(byte_length: int) -> bytes:
    """An update of exactly this many bytes."""
    around = len(paste(length=byte_length)) - byte_length
    update = paste(length=byte_length - around)
    assert len(update) == byte_length
    return update


async def count(store: Store, name: str = "n") -> int:
    head = await store.head(name)
    assert head is not None
    return head.oversized_count


async def trim_all(backend: WatchedBackend) -> None:
    while await backend.trim(check_head):
        pass


@contextlib.asynccontextmanager
async def heard(store: Store, name: str = "n") -> AsyncIterator[tuple[Document, Recorder]]:
    """An open document, and what a listener and sender hears of it."""
    async with store.document(name) as opened:
        recorder = Recorder()
        opened.listen(recorder)
        yield opened, recorder
        opened.unlisten(recorder)


# ---- stored -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("byte_length", "oversized"),
    [(JOURNAL_ROW_BYTES_MAX - 1, 0), (JOURNAL_ROW_BYTES_MAX, 0), (JOURNAL_ROW_BYTES_MAX + 1, 1)],
)
async def test_the_bound_decides_which_way_an_update_goes(
    store: Store, path: Path, byte_length: int, oversized: int
) -> None:
    update = update_of(byte_length)
    assert (await store.append("n", update)).seq == 1
    assert await count(store) == oversized
    assert rows_of(path, "n") == [(1, update)][oversized:]
    assert read(await store.load("n")) == read(update)


async def test_everybody_hears_of_a_large_update_as_of_any_other(store: Store) -> None:
    """P1: and what is broadcast is what was sent."""
    update = paste()
    async with heard(store) as (opened, listener):
        sender = await submit(opened, update)
    assert [row.data for row in listener.rows] == [update]
    assert [(told, receipt.seq, news) for told, receipt, news in sender.receipts] == [
        (update, 1, True)
    ]


async def test_a_large_update_is_there_after_a_restart(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    before, after = Editor(7).write("before"), Editor(8).write("after")
    update = paste()
    for one in (before, update, after):
        await store.append("n", one)
    await store.close()
    async with store_over(WatchedBackend(path)) as reopened:
        everything = await reopened.load("n")
        assert await count(reopened) == 1
    assert read(everything) == read_with_y_py(everything) == read(before, update, after)


async def test_several_in_a_row_are_each_counted_and_kept(store: Store, path: Path) -> None:
    updates = [paste("abc"[number], 20 + number) for number in range(3)]
    async with store.document("n") as opened:
        sender = await submit(opened, *updates)
    assert [receipt.seq for _, receipt, _ in sender.receipts] == [1, 2, 3]
    assert [told for told, *_ in sender.receipts] == updates
    assert await count(store) == 3
    assert rows_of(path, "n") == []
    assert read(await store.load("n")) == read(*updates)


async def test_one_among_small_ones_keeps_its_place(store: Store, path: Path) -> None:
    editor = Editor(7)
    updates = [
        editor.write("before"),
        editor.write("x" * JOURNAL_ROW_BYTES_MAX),
        editor.write("after"),
        editor.erase(0, 3),
    ]
    async with heard(store) as (opened, listener):
        sender = await submit(opened, *updates)
    assert [told for told, *_ in sender.receipts] == updates
    assert [receipt.seq for _, receipt, _ in sender.receipts] == [1, 2, 3, 3]
    assert [row.seq for row in listener.rows] == [1, 2, 3]
    assert [seq for seq, _ in rows_of(path, "n") if seq > 2] == [3]
    assert read(await store.load("n")) == editor.read()


async def test_updates_that_are_too_large_only_together_are_rows(store: Store) -> None:
    """A round takes what fits into a row and leaves the rest to the next."""
    updates = [paste(client_id=20 + number, length=9 * MIB // 10) for number in range(4)]
    async with store.document("n") as opened:
        sender = await submit(opened, *updates)
    assert [receipt.seq for _, receipt, _ in sender.receipts] == [1, 2, 3, 4]
    assert await count(store) == 0
    assert read(await store.load("n")) == read(*updates)


async def test_a_large_answer_to_a_sync_is_stored_once(store: Store) -> None:
    update = paste()
    async with store.document("n") as opened:
        first = await submit(opened, update, repeats=True)
        again = await submit(opened, update, repeats=True)
    assert [news for *_, news in first.receipts + again.receipts] == [True, False]
    assert await count(store) == 1


async def test_what_waits_for_a_predecessor_is_kept_beneath_a_large_update(store: Store) -> None:
    """Field note 2: P2 holds on this way, too."""
    waiting, missing = letters("ab", 9)[1], letters("ab", 9)[0]
    large = Editor(20)
    large_updates = [large.write("first"), large.write("x" * JOURNAL_ROW_BYTES_MAX)]
    for update in (waiting, large_updates[1]):
        await store.append("n", update)
    assert await count(store) == 1
    for update in (missing, large_updates[0]):
        await store.append("n", update)
    everything = await store.load("n")
    assert read(everything) == read(waiting, missing, *large_updates)
    assert len(read(everything).text) == 2 + 5 + JOURNAL_ROW_BYTES_MAX


async def test_others_go_on_while_one_is_stored(store: Store, backend: WatchedBackend) -> None:
    gate = backend.before["stage"] = Gate()
    pasting = asyncio.ensure_future(store.append("n", paste()))
    await gate.wait_reached()
    for number, update in enumerate(letters("abc"), start=1):
        assert (await store.append("other", update)).seq == number
    assert not pasting.done()
    gate.open()
    assert (await pasting).seq == 1


@pytest.mark.parametrize("intent", ["create", "publish"])
async def test_nothing_is_shown_before_it_is_published(
    store: Store, backend: WatchedBackend, intent: str
) -> None:
    """P1: neither the update nor what came after it, nor any state that has it."""
    if intent == "publish":
        await store.append("n", letters("z", client_id=9)[0])
    gate = backend.before[intent] = Gate()
    async with heard(store) as (opened, listener):
        sender = Recorder()
        answers: list[bytes] = []
        opened.submit(paste(), sender)
        opened.submit(letters("a")[0], sender)
        await gate.wait_reached()
        opened.when_durable(lambda: answers.append(opened.state_vector()))
        assert (listener.rows, sender.answers, answers) == ([], [], [])
        gate.open()
        await opened.wait_settled()
        assert len(answers) == 1
        first = opened.head.last_seq - 1
        assert [row.seq for row in listener.rows] == [first, first + 1]


@pytest.mark.parametrize("intent", ["stage", "load_staged", "publish"])
async def test_one_that_comes_while_its_document_is_checkpointed_waits_for_that(
    store: Store, backend: WatchedBackend, intent: str
) -> None:
    for update in letters("ab"):
        await store.append("n", update)
    gate = backend.before[intent] = Gate()
    checkpoint = asyncio.ensure_future(store.checkpoint("n"))
    await gate.wait_reached()
    pasting = asyncio.ensure_future(store.append("n", paste()))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not pasting.done()
    gate.open()
    assert ((await checkpoint).cut_seq, (await pasting).seq) == (2, 3)
    assert await count(store) == 1
    assert read(await store.load("n")) == read(*letters("ab"), paste())


@pytest.mark.parametrize("error", [Damaged("n", "part", "a", "b"), StoreFull("no room")])
async def test_an_open_breaker_does_not_stand_before_an_append(
    store: Store, backend: WatchedBackend, error: StoreError
) -> None:
    """Neither that of the document nor that of the store: a checkpoint may fail, an edit not."""
    await store.append("n", letters("a")[0])
    backend.before["stage"] = Failing(error, times=3)
    for _ in range(3):
        with pytest.raises(type(error)):
            await store.checkpoint("n")
    is_stores = isinstance(error, StoreFull)
    assert (store.store_breaker if is_stores else store.breaker("n")).state is BreakerState.OPEN
    assert (await store.append("n", paste())).seq == 2
    assert await count(store) == 1


# ---- storage that does not take it --------------------------------------------------------------


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize(
    "intent", ["create", "load", "room_left", "stage", "load_staged", "publish"]
)
async def test_each_step_that_fails_is_waited_for(
    store: Store, backend: WatchedBackend, path: Path, intent: str
) -> None:
    """P8: every step is failed, and the update is stored once in the end."""
    if intent == "publish":
        await store.append("n", letters("z", client_id=9)[0])
    async with store.document("n") as opened:
        first = opened.head.last_seq + 1
        failing = backend.before[intent] = Failing(StoreFull("no room"), times=2)
        sender = await submit(opened, paste(), letters("a")[0])
    assert failing.count == 2
    assert [receipt.seq for _, receipt, _ in sender.receipts] == [first, first + 1]
    assert await count(store) == 1
    assert (store.failing_since_s, store.failing_because) == (None, None)
    await trim_all(backend)
    await store.close()
    check_tidy(path)


@pytest.mark.usefixtures("no_jitter")
async def test_a_nearly_full_disk_is_waited_for_and_rows_are_still_taken(
    store: Store, backend: WatchedBackend
) -> None:
    """P8: no receipt, the state is shown, and what is small has the room that is left."""
    gate = backend.before["room_left"] = Gate()
    backend.room = DISK_RESERVE_BYTES
    async with heard(store) as (opened, listener):
        sender = Recorder()
        opened.submit(paste(), sender)
        opened.submit(letters("a")[0], sender)
        await gate.wait_reached()
        gate.open()
        backend.before["room_left"] = again = Gate()
        await again.wait_reached()
        assert store.failing_since_s is not None
        assert str(DISK_RESERVE_BYTES) in (store.failing_because or "")
        assert (store.is_failing_for("n"), store.is_failing_for("other")) == (True, False)
        assert (sender.answers, listener.rows) == ([], [])
        assert (await store.append("other", letters("b")[0])).seq == 1
        backend.room = None
        again.open()
        await opened.wait_settled()
        assert [receipt.seq for _, receipt, _ in sender.receipts] == [1, 2]
    assert (store.failing_since_s, store.failing_because) == (None, None)
    assert not store.is_failing_for("n")


async def test_the_store_fails_since_the_first_of_its_ways_does(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer, guard = store.committer_state, StorageState()
    monkeypatch.setattr(OversizedGuard, "state", guard)
    for first, second in ((committer, guard), (guard, committer)):
        first.failing_since_s, second.failing_since_s = 1.0, 2.0
        assert store.failing_since_s == 1.0
        first.failing_since_s = None
        assert store.failing_since_s == 2.0
        second.failing_since_s = None
        assert store.failing_since_s is None


# ---- refused ------------------------------------------------------------------------------------


async def test_an_update_above_the_bound_is_refused_and_all_else_goes_on(store: Store) -> None:
    a, b = letters("ab")
    async with heard(store) as (opened, listener):
        sender = await submit(opened, a, bytes(UPDATE_BYTES_MAX + 1), b)
    ((_, error),) = sender.refusals
    assert isinstance(error, UpdateTooLarge)
    assert (error.byte_length, error.byte_length_max) == (UPDATE_BYTES_MAX + 1, UPDATE_BYTES_MAX)
    assert [told for told, *_ in sender.receipts] == [a, b]
    assert listener.failures == []
    assert read(await store.load("n")).text == "ab"


async def test_an_update_with_which_its_document_would_be_too_large_hurts_only_its_sender(
    store: Store, backend: WatchedBackend, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: the replica has not seen it, so that the others go on."""
    monkeypatch.setattr(fold_process, "FOLD_INLINE_BYTES", UPDATE_BYTES_MAX)
    monkeypatch.setattr(folding, "SNAPSHOT_BYTES_MAX", 2 * MIB)
    await store.append("n", paste("a"))
    update = paste("b", 21)
    async with heard(store) as (opened, listener):
        paster, other = Recorder(), Recorder()
        opened.submit(update, paster)
        opened.submit(letters("x")[0], other)
        await opened.wait_settled()
    assert [type(error) for _, error in paster.refusals] == [UpdateTooLarge]
    assert [receipt.seq for _, receipt, _ in other.receipts] == [2]
    assert listener.failures == []
    assert (await store.append("n", letters("xy")[1])).seq == 3
    assert read(await store.load("n")) == read(paste("a"), *letters("xy"))
    await trim_all(backend)
    await store.close()
    check_tidy(path)


async def test_a_fold_process_that_is_killed_refuses_it_and_the_document_goes_on(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    """Never half-done: the sender has it still, and may hand it in again."""
    await store.append("n", paste("a"))
    pid = store._parts.checkpointer.folds.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # so that the kill comes in the middle
    async with heard(store) as (opened, listener):
        sender = Recorder()
        opened.submit(paste("b", 21), sender)
        opened.submit(letters("x")[0], sender)
        opened.submit(letters("y", 8)[0], other := Recorder())
        while not store._parts.checkpointer.folds.worker.is_busy:  # noqa: ASYNC110  (a lock announces nothing)
            await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        await opened.wait_settled()
    ((update, error),) = sender.refusals
    assert (update, type(error), "SIGKILL" in str(error)) == (paste("b", 21), FoldFailed, True)
    assert [told for told, *_ in sender.receipts] == letters("x")
    assert [told for told, *_ in other.receipts] == letters("y", 8)
    assert listener.failures == []
    typed = [*letters("x"), *letters("y", 8)]
    assert read(await store.load("n")) == read(paste("a"), *typed)
    seq = (await store.head("n")).last_seq  # type: ignore[union-attr]
    assert (await store.append("n", paste("b", 21))).seq == seq + 1
    assert (await count(store), read(await store.load("n"))) == (
        2,
        read(paste("a"), *typed, paste("b", 21)),
    )
    await trim_all(backend)
    await store.close()
    check_tidy(path)


@pytest.mark.usefixtures("no_jitter")
async def test_storage_that_answers_with_a_refusal_does_not_fail_any_more(
    store: Store, backend: WatchedBackend
) -> None:
    """P8: what is shown ends with the last who waited."""
    await store.append("n", letters("a")[0])
    async with heard(store) as (opened, _):
        gate = backend.before["room_left"] = Gate()
        backend.room = 0
        opened.submit(paste(), Recorder())
        await gate.wait_reached()
        gate.open()
        backend.before["room_left"] = again = Gate()
        await again.wait_reached()
        assert store.failing_because is not None
        await store.delete("n")
        again.open()
        await store.wait_settled()
    assert (store.failing_since_s, store.failing_because) == (None, None)


@pytest.mark.usefixtures("no_jitter")
async def test_what_waits_for_room_is_not_stored_in_the_next_life_of_its_document(
    store: Store, backend: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P9: its sender was told that the document is deleted."""
    monkeypatch.setattr(retrying, "RETRY_FIRST_S", 0.5)
    await store.append("n", letters("a")[0])
    sender = Recorder()
    async with heard(store) as (opened, _):
        gate = backend.before["room_left"] = Gate()
        backend.room = 0
        opened.submit(paste(), sender)
        await gate.wait_reached()
        gate.open()
        while store.failing_because is None:
            await store.statistics()
        await store.delete("n")
        await store.forget("n")
        await store.append("n", letters("b", client_id=9)[0])
        backend.room = None
        await store.wait_settled()
    assert [type(error) for _, error in sender.refusals] == [DocumentDeleted]
    assert read(await store.load("n")).text == "b"


@pytest.mark.parametrize("moment", ["create", "room_left", "stage", "load_staged", "publish"])
async def test_a_document_deleted_meanwhile_stays_deleted(
    store: Store, backend: WatchedBackend, path: Path, moment: str
) -> None:
    """P9: and its sender is told so."""
    if moment != "create":
        await store.append("n", letters("a")[0])
    async with heard(store) as (opened, _):
        gate = backend.before[moment] = Gate()
        sender = Recorder()
        opened.submit(paste(), sender)
        await gate.wait_reached()
        if moment in ("create", "publish"):
            # No deletion runs beside a publication: it comes right after it.
            deleting = asyncio.ensure_future(store.delete("n"))
            gate.open()
            await deleting
        else:
            await store.delete("n")
            gate.open()
            assert [type(error) for _, error in sender.refusals] == [DocumentDeleted]
        await store.wait_settled()
    with pytest.raises(DocumentDeleted):
        await store.load("n")
    await trim_all(backend)
    await store.close()
    check_tidy(path)


# ---- the end ------------------------------------------------------------------------------------


async def test_what_was_handed_in_right_before_the_end_is_stored(
    backend: WatchedBackend, path: Path
) -> None:
    """Field note 9: however many rounds it takes, one way or the other."""
    editor = Editor(7)
    sender = Recorder()
    async with store_over(backend) as store:
        opened = await store.open_document("n")
        for text in ("a", "b" * JOURNAL_ROW_BYTES_MAX, "c", "d" * JOURNAL_ROW_BYTES_MAX, "e"):
            opened.submit(editor.write(text), sender)
    assert [told for told, *_ in sender.receipts] == editor.updates
    async with store_over(WatchedBackend(path)) as store:
        assert read(await store.load("n")) == editor.read()


@pytest.mark.usefixtures("no_jitter")
async def test_a_store_that_is_closed_while_its_disk_is_full_refuses_aloud(
    backend: WatchedBackend, path: Path
) -> None:
    """P8: nobody had a receipt."""
    sender = Recorder()
    async with store_over(backend) as store:
        await store.append("n", letters("a")[0])
        backend.room = 0
        opened = await store.open_document("n")
        opened.submit(paste(), sender)
    assert [type(error) for _, error in sender.refusals] == [StoreFull]
    async with store_over(WatchedBackend(path)) as store:
        assert read(await store.load("n")).text == "a"


async def test_a_defect_fails_the_document_and_is_handed_to_the_supervisor(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 19: nobody waits for ever for a task that is gone."""
    backend.before["stage"] = Failing(ZeroDivisionError("a defect"))
    with pytest.raises(DocumentFailed, match="a defect"):
        await store.append("n", paste())
    with pytest.raises(ZeroDivisionError):
        await store.wait_broken()


async def test_a_crash_at_any_statement_leaves_all_of_it_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: and all of it from the receipt on."""
    monkeypatch.setattr(document, "JOURNAL_ROW_BYTES_MAX", 2000)
    small, large = letters("a")[0], paste(length=5000)
    path = tmp_path / "live.db"
    crashes: list[tuple[Path, bool, bool]] = []
    receipts = Recorder()

    def crash(_: str) -> None:
        copy = tmp_path / f"{len(crashes)}.db"
        copy_files(path, copy)
        has = [told for told, *_ in receipts.receipts]
        crashes.append((copy, small in has, large in has))

    async with store_over(WatchedBackend(path, crash)) as store:
        for update in (large, small):
            opened = await store.open_document("n")
            opened.submit(update, receipts)
            await opened.wait_settled()
            store.release_document(opened)
    assert len(crashes) > 10
    for copy, has_small, has_large in crashes:
        async with store_over(WatchedBackend(copy)) as store:
            shown = await load_all(store)
            allowed = [
                updates
                for updates in ([], [large], [large, small])
                if (small in updates or not has_small) and (large in updates or not has_large)
            ]
            assert any(shows(shown, {"n": updates}) for updates in allowed) or (
                shown == {} and not has_large
            )
            assert (await store.append("n", Editor(9).write("on"))).seq > 0
            assert read(await store.load("n")).text.count("on") == 1


async def test_what_is_slow_to_integrate_is_cut_once_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: whatever is at the place where it goes, everybody else has a turn soon."""
    monkeypatch.setattr(paced_replica, "SLICE_SLOW_S", -1.0)
    update = one_letter_each(ROW_STRUCTS_MAX + 1)
    counts: list[int] = []
    integrate = crdt.Replica.integrate

    def counting(replica: crdt.Replica, piece: bytes) -> None:
        counts.append(inspect(piece).structs)
        integrate(replica, piece)

    async with store.document("n") as opened:
        monkeypatch.setattr(crdt.Replica, "integrate", counting)
        await opened.append(update)
        assert read(await opened.whole()) == read(update)
    assert counts[0] == SLICE_STRUCTS
    assert max(counts[1:]) <= SLOW_SLICE_STRUCTS
