"""yjs_store.committer: one commit for all that has gathered, tried until it is stored."""

import asyncio
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    DocumentMissing,
    Store,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFailing,
    StoreFull,
    WriterSuperseded,
)
from yjs_store.committer import Committer
from yjs_store.limits import COMMIT_BYTES_MAX, COMMIT_FOLD_S, KIB
from yjs_store.opening import new_uid, now_ms
from yjs_store.records import Append

from .editing import Editor, letters, read
from .stores import (
    NEVER,
    Failing,
    Gate,
    Recorder,
    WatchedBackend,
    raw,
    rows_of,
    steal_lock,
    store_over,
)

# ---- gathering ----------------------------------------------------------------------------------


async def test_what_comes_in_one_turn_of_the_loop_is_one_commit(
    store: Store, backend: WatchedBackend
) -> None:
    names = [f"document {number}" for number in range(50)]
    documents = [await store.open_document(name) for name in names]
    recorder = Recorder()
    for number, document in enumerate(documents):
        for update in letters("abc", client_id=number + 1):
            document.submit(update, recorder)
    await store.wait_settled()
    assert backend.commits == [sorted((name, 1) for name in names)]
    assert len(recorder.receipts) == 150
    for name in names:
        assert read(await store.load(name)).text == "abc"
    assert (store.committer_state.commits, store.committer_state.rows) == (1, 50)


async def test_what_comes_during_a_commit_gathers_for_the_next(
    store: Store, backend: WatchedBackend
) -> None:
    a, b, c = letters("abc")
    document, other = await store.open_document("n"), await store.open_document("m")
    gate = backend.before["append"] = Gate()
    recorder = Recorder()
    document.submit(a, recorder)
    await gate.wait_reached()
    document.submit(b, recorder)
    other.submit(a, recorder)
    document.submit(c, recorder)
    assert recorder.answers == []
    gate.open()
    await store.wait_settled()
    assert backend.commits == [[("n", 1)], [("m", 1), ("n", 2)]]
    assert read(await store.load("n")).text == "abc"


async def test_a_commit_carries_a_bounded_number_of_bytes(
    store: Store, backend: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is.
    monkeypatch.setattr("yjs_store.committer.COMMIT_FOLD_S", math.inf)
    update = Editor(7).write("x" * 1000 * KIB)
    count = COMMIT_BYTES_MAX // len(update) + 3
    documents = [await store.open_document(f"document {number}") for number in range(count)]
    recorder = Recorder()
    for document in documents:
        document.submit(update, recorder)
    await store.wait_settled()
    assert len(recorder.receipts) == count
    sizes = [len(commit) * len(update) for commit in backend.commits]
    assert len(sizes) == 2
    assert max(sizes) <= COMMIT_BYTES_MAX + len(update)


async def test_documents_take_turns(store: Store, backend: WatchedBackend) -> None:
    """Field note 32: one that always has more does not keep the others waiting."""
    busy, quiet = await store.open_document("busy"), await store.open_document("quiet")
    updates = letters("x" * 20)

    class Flood(Recorder):
        def stored(self, update: bytes, *_: object, **__: object) -> None:
            if updates:
                busy.submit(updates.pop(0), self)

    busy.submit(updates.pop(0), Flood())
    quiet_recorder = Recorder()
    quiet.submit(letters("q")[0], quiet_recorder)
    await store.wait_settled()
    assert ("quiet", 1) in backend.commits[0]
    assert sum(("busy", seq) in commit for commit in backend.commits for seq in range(30)) == 20


class Folding:
    """A source that has something to fold so many times, of which nothing is to be stored."""

    def __init__(self, committer: Committer, times: int) -> None:
        self.folds = 0
        self._committer = committer
        self._times = times

    def fold(self) -> None:
        self.folds += 1

    def settled(self, append: Append | None, _document_id: int) -> None:
        assert append is None
        if self.folds < self._times:
            self._committer.mark(self)

    def failed(self, error: StoreError) -> None:
        raise error


async def test_others_have_their_turn_while_nothing_is_to_be_stored(
    backend: WatchedBackend,
) -> None:
    """P5: who repeats without end what is known holds nobody up."""
    committer = Committer(backend)
    source = Folding(committer, 3)
    committer.mark(source)
    turns = 0
    while source.folds < 3:
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 3
    await committer.close()


async def test_folding_for_one_commit_takes_a_bounded_time(backend: WatchedBackend) -> None:
    """P5: nobody waits for many documents that are each as slow as one may be."""
    looks = itertools.count()
    committer = Committer(backend, cpu_s=lambda: next(looks) * 0.6 * COMMIT_FOLD_S)
    sources = [Folding(committer, 1) for _ in range(5)]
    for source in sources:
        committer.mark(source)
    folded = []
    while not folded or folded[-1] < 5:
        await asyncio.sleep(0)
        folded.append(sum(source.folds for source in sources))
    assert [count for count in dict.fromkeys(folded) if count] == [2, 4, 5]
    await committer.close()


# ---- between commits ----------------------------------------------------------------------------


async def test_exclusive_work_sees_no_append_in_flight(
    store: Store, backend: WatchedBackend
) -> None:
    """A deletion that comes during a commit waits for it, and the next commit for the deletion."""
    a, b = letters("ab")
    document, other = await store.open_document("n"), await store.open_document("m")
    gate = backend.before["append"] = Gate()
    recorder = Recorder()
    document.submit(a, recorder)
    await gate.wait_reached()
    deletion = asyncio.ensure_future(store.delete("n"))
    await asyncio.sleep(0)
    document.submit(b, recorder)
    other.submit(a, recorder)
    assert not deletion.done()
    gate.open()
    await deletion
    await store.wait_settled()
    assert [update for update, *_ in recorder.receipts] == [a, a]
    assert [update for update, _ in recorder.refusals] == [b]
    assert backend.commits == [[("n", 1)], [("m", 1)]]


async def test_exclusive_work_that_fails_tells_the_one_who_asked_and_stops_nothing(
    store: Store, backend: WatchedBackend
) -> None:
    await store.append("n", letters("a")[0])
    backend.before["publish"] = Failing(StoreBusy("locked"), times=1)
    with pytest.raises(StoreBusy):
        await store.checkpoint("n")
    assert (await store.append("n", letters("ab")[1])).seq == 2
    assert (await store.checkpoint("n")).published


async def test_one_who_stops_waiting_for_exclusive_work_stops_nothing(
    store: Store, backend: WatchedBackend
) -> None:
    await store.append("n", letters("a")[0])
    gate = backend.before["publish"] = Gate()
    checkpoint = asyncio.ensure_future(store.checkpoint("n"))
    await gate.wait_reached()
    checkpoint.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await checkpoint
    await store.append("n", letters("ab")[1])
    assert read(await store.load("n")).text == "ab"


# ---- when storage fails -------------------------------------------------------------------------


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize("error", [StoreBusy, StoreFull, StoreFailing])
async def test_a_write_that_fails_is_tried_again_and_nobody_has_a_receipt_meanwhile(
    store: Store, backend: WatchedBackend, path: Path, error: type[StoreFailing]
) -> None:
    """Field note 8 and P8."""
    a, b, c = letters("abc")
    failing = backend.before["append"] = Failing(error("refused"), times=3)
    recorder = Recorder()
    document = await store.open_document("n")
    document.submit(a, recorder)
    await backend.wait_failures(1)
    document.submit(b, recorder)
    document.submit(c, recorder)
    # The last user leaves; the document stays with what it holds.
    store.release_document(document)
    assert recorder.answers == []
    assert rows_of(path, "n") == []
    assert await store.open_document("n") is document
    await store.wait_settled()
    assert failing.count == 3
    assert recorder.answers == [a, b, c]
    assert recorder.refusals == []
    assert [seq for seq, _ in rows_of(path, "n")] == [1, 2]
    assert read(*[data for _, data in rows_of(path, "n")]).text == "abc"


@pytest.mark.usefixtures("no_jitter")
async def test_an_operator_sees_that_storage_fails_and_that_it_works_again(
    store: Store, backend: WatchedBackend
) -> None:
    """P8."""
    failing = backend.before["append"] = Failing(StoreFull("no room"))
    appending = asyncio.ensure_future(store.append("n", letters("a")[0]))
    await backend.wait_failures(3)
    assert store.committer_state.failures_in_row >= 1
    assert store.committer_state.failing_since_s is not None
    assert store.committer_state.failing_because == "no room"
    assert not appending.done()
    failing.mend()
    assert (await appending).seq == 1
    assert store.committer_state.failing_since_s is None
    assert store.committer_state.failing_because is None
    assert store.committer_state.failures_in_row == 0


@pytest.mark.usefixtures("no_jitter")
async def test_a_full_disk_heals_without_a_restart(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    """Field note 8 and P8: what waited is stored in order once there is room."""
    await store.append("n", letters("a")[0])
    ((pages,),) = await backend.execute("PRAGMA page_count")
    assert isinstance(pages, int)
    await backend.execute(f"PRAGMA max_page_count = {pages + 2}")
    large = Editor(8).write("x" * 50_000)
    b, c = letters("abc")[1:]
    recorder = Recorder()
    async with store.document("n") as document:
        for update in (large, b):
            document.submit(update, recorder)
        await backend.wait_failures(3)
        assert "no room left" in str(store.committer_state.failing_because)
        document.submit(c, recorder)
        assert recorder.answers == []
        assert len(rows_of(path, "n")) == 1
        await backend.execute("PRAGMA max_page_count = 100000")
        await document.wait_settled()
    assert recorder.answers == [large, b, c]
    assert [receipt.seq for _, receipt, _ in recorder.receipts] == [2, 2, 3]
    assert read(await store.load("n")).text in ("abc" + "x" * 50_000, "x" * 50_000 + "abc")


@pytest.mark.usefixtures("no_jitter")
async def test_closing_while_the_disk_fails_ends_and_refuses_aloud(
    path: Path, backend: WatchedBackend
) -> None:
    """P8: nobody has a receipt for what was not stored."""
    recorder = Recorder()
    async with store_over(backend) as store:
        document = await store.open_document("n")
        backend.before["append"] = Failing(StoreFull("no room"))
        for update in letters("ab"):
            document.submit(update, recorder)
    assert recorder.receipts == []
    assert [type(error) for _, error in recorder.refusals] == [StoreFull, StoreFull]
    assert rows_of(path, "n") == []


async def test_a_damaged_file_fails_the_documents_of_the_commit_and_the_store_goes_on(
    store: Store, backend: WatchedBackend
) -> None:
    error = Damaged("*", "file", "sound", "broken")
    backend.before["append"] = Failing(error, times=1)
    with pytest.raises(Damaged):
        await store.append("n", letters("a")[0])
    assert (await store.append("n", letters("a")[0])).seq == 1


# ---- superseded ---------------------------------------------------------------------------------


async def test_a_superseded_document_fails_alone(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    """Field note 16 and P7: the others of the same commit are stored."""
    a, b = letters("ab")
    documents = {name: await store.open_document(name) for name in ("x", "y", "z")}
    for document in documents.values():
        await document.append(a)
    with raw(path) as connection:
        connection.execute("UPDATE documents SET last_seq = 7 WHERE name = 'y'")
    recorders = {name: Recorder() for name in documents}
    for name, document in documents.items():
        document.submit(b, recorders[name])
    await store.wait_settled()
    assert recorders["x"].refusals == recorders["z"].refusals == []
    assert [receipt.seq for _, receipt, _ in recorders["x"].receipts] == [2]
    ((_, error),) = recorders["y"].refusals
    assert isinstance(error, WriterSuperseded)
    assert error.document == "y"
    assert len(rows_of(path, "y")) == 1
    with pytest.raises(Damaged):
        await store.open_document("y")


async def test_a_superseded_store_stores_nothing_more(path: Path) -> None:
    """Field note 16 and P7: of two writers the staler one is refused."""
    a, b = letters("ab")
    old_backend, new_backend = WatchedBackend(path), WatchedBackend(path)
    async with store_over(old_backend) as old:
        document = await old.open_document("n")
        await document.append(a)
        steal_lock(path)
        async with store_over(new_backend) as new:
            for name in ("n", "new"):
                with pytest.raises(WriterSuperseded) as raised:
                    await old.append(name, b)
                assert raised.value.document is None
            with pytest.raises(WriterSuperseded):
                await old.checkpoint("n")
            with pytest.raises(WriterSuperseded):
                await old.delete("n")
            assert rows_of(path, "new") == []
            assert (await new.append("n", b)).seq == 2
            assert read(await new.load("n")).text == "ab"
            assert await new.head("new") is None


# ---- the end ------------------------------------------------------------------------------------


async def test_closing_stores_what_was_submitted(path: Path, backend: WatchedBackend) -> None:
    """Field note 9: a burst, and the stop right after its last edit."""
    recorder = Recorder()
    async with store_over(backend) as store:
        document = await store.open_document("n")
        for update in letters("x" * 300):
            document.submit(update, recorder)
    assert len(recorder.receipts) == 300
    assert len(read(*[data for _, data in rows_of(path, "n")]).text) == 300


async def test_closing_stores_what_came_during_the_last_commit(
    path: Path, backend: WatchedBackend
) -> None:
    """Field note 9."""
    a, b = letters("ab")
    recorder = Recorder()
    async with store_over(backend) as store:
        document = await store.open_document("n")
        gate = backend.before["append"] = Gate()
        document.submit(a, recorder)
        await gate.wait_reached()
        document.submit(b, recorder)
        gate.open()
    assert recorder.answers == [a, b]
    assert len(rows_of(path, "n")) == 2


async def test_after_closing_everything_is_refused(backend: WatchedBackend) -> None:
    recorder = Recorder()
    async with store_over(backend) as store:
        document = await store.open_document("n")
    document.submit(letters("a")[0], recorder)
    ((_, error),) = recorder.refusals
    assert isinstance(error, StoreClosed)
    for call in (store.delete("n"), store.load("n"), store.append("m", letters("a")[0])):
        with pytest.raises(StoreClosed):
            await call


async def test_a_defect_leaves_nobody_waiting_and_is_raised_to_the_supervisor(
    backend: WatchedBackend,
) -> None:
    """Field note 19: a task that dies of a defect does not die unheard."""
    await backend.open()
    store = Store(backend, NEVER, now_ms, new_uid, lambda: 0.0)
    document, other = await store.open_document("n"), await store.open_document("m")
    backend.before["append"] = Failing(ZeroDivisionError("a defect"))
    recorder = Recorder()
    document.submit(letters("a")[0], recorder)
    other.submit(letters("a")[0], recorder)
    deletion = asyncio.ensure_future(store.delete("m"))
    with pytest.raises(ZeroDivisionError):
        await store.wait_broken()
    await store.wait_settled()
    assert [type(error) for _, error in recorder.refusals] == [StoreClosed, StoreClosed]
    with pytest.raises((StoreClosed, DocumentMissing)):
        await deletion
    document.submit(letters("b")[0], recorder)
    assert recorder.receipts == []
    with pytest.raises(ZeroDivisionError):
        await store.close()
    await backend.close()


class Source:
    """A source that keeps what it hears; ``fold`` and ``when_failed`` are what it does."""

    def __init__(
        self,
        fold: Callable[[], None] = lambda: None,
        when_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._fold = fold
        self._when_failed = when_failed
        self.errors: list[StoreError] = []

    def fold(self) -> None:
        self._fold()

    def settled(self, append: Append | None, document_id: int) -> None:
        raise AssertionError("nothing of it is stored")

    def failed(self, error: StoreError) -> None:
        self.errors.append(error)
        self._when_failed()


FOR_EVER_S = 1e6
TIMEOUT_S = 30


def dying() -> None:
    raise ZeroDivisionError("a defect")


async def wait_dead(committer: Committer) -> None:
    with pytest.raises(ZeroDivisionError):
        await committer.wait_stopped()


async def test_who_rests_when_the_committer_dies_is_failed(backend: WatchedBackend) -> None:
    committer, resting = Committer(backend), Source()
    committer.mark_later(resting, FOR_EVER_S)
    committer.mark(Source(dying))
    await wait_dead(committer)
    assert [type(error) for error in resting.errors] == [StoreClosed]
    async with asyncio.timeout(TIMEOUT_S):
        await committer.wait_idle()


async def test_who_would_rest_when_the_committer_has_died_is_failed_at_once(
    backend: WatchedBackend,
) -> None:
    """Or whoever waits until the store is idle would wait for ever."""
    committer, late = Committer(backend), Source()
    committer.mark(Source(dying))
    await wait_dead(committer)
    committer.mark_later(late, FOR_EVER_S)
    assert [type(error) for error in late.errors] == [StoreClosed]
    async with asyncio.timeout(TIMEOUT_S):
        await committer.wait_idle()


@pytest.mark.parametrize("rest_s", [0, FOR_EVER_S])
async def test_who_comes_while_a_dead_committer_fails_the_others_is_failed_too(
    backend: WatchedBackend, rest_s: float
) -> None:
    committer, late = Committer(backend), Source()
    committer.mark(Source(dying, lambda: committer.mark_later(late, rest_s)))
    await wait_dead(committer)
    assert [type(error) for error in late.errors] == [StoreClosed]
    async with asyncio.timeout(TIMEOUT_S):
        await committer.wait_idle()
