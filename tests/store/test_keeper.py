"""yjs_store.keeper: checkpoints that are due are made, and what is dead is trimmed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from yjs_store import (
    CheckpointPolicy,
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    Store,
    StoreBusy,
    StoreError,
    StoreFull,
    Trouble,
    breaker,
)
from yjs_store.breaker import Breaker, BreakerState
from yjs_store.keeper import Keeper
from yjs_store.records import CheckpointResult, Head, SealedHead

from .editing import Editor, letters, read
from .stores import Failing, Gate, WatchedBackend, raw, rows_of, store_over
from .test_policy import head


def nobody_told(_document: str, _event: str, **_facts: object) -> None:
    """Nobody keeps what happens."""


POLICY = CheckpointPolicy(rows_max=5, rows_per_snapshot_mib=0, bytes_min=1000)


class Watched(WatchedBackend):
    """Says when something was published or trimmed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.changed = asyncio.Event()

        async def note() -> None:
            self.changed.set()

        self.after["publish"] = note

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        is_more_left = await super().trim(check)
        self.changed.set()
        return is_more_left

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
async def backend(path: Path) -> Watched:
    return Watched(path)


@pytest.fixture
async def store(backend: Watched) -> AsyncIterator[Store]:
    async with store_over(backend, POLICY) as store:
        yield store


async def test_a_journal_that_grows_is_folded_and_trimmed(
    store: Store, backend: Watched, path: Path
) -> None:
    typed = letters("abcdefg")
    for update in typed[:5]:
        await store.append("n", update)
    await backend.wait_until(lambda: rows_of(path, "n") == [])
    stored = await store.head("n")
    assert stored is not None
    assert stored.cut_seq == 5
    for update in typed[5:]:
        await store.append("n", update)
    assert read(await store.load("n")).text == "abcdefg"


async def test_a_journal_below_its_bounds_is_left_alone(store: Store) -> None:
    for update in letters("abcd"):
        await store.append("n", update)
    stored = await store.head("n")
    assert stored is not None
    assert (stored.cut_seq, stored.journal_rows) == (0, 4)


async def test_large_rows_make_a_checkpoint_due(store: Store, backend: Watched, path: Path) -> None:
    await store.append("n", Editor(7).write("x" * 2000))
    await backend.wait_until(lambda: rows_of(path, "n") == [])
    assert len(read(await store.load("n")).text) == 2000


async def test_appends_go_on_while_a_checkpoint_is_made(
    store: Store, backend: Watched, path: Path
) -> None:
    """Field note 5: and all of them are there afterwards."""
    typed = letters("abcdefgh")
    gate = backend.before["stage"] = Gate()
    for update in typed[:5]:
        await store.append("n", update)
    await gate.wait_reached()
    for update in typed[5:]:
        await store.append("n", update)
    gate.open()
    await backend.wait_until(lambda: len(rows_of(path, "n")) == 3)
    assert read(await store.load("n")).text == "abcdefgh"


async def test_what_came_during_a_checkpoint_may_be_due_at_once(
    store: Store, backend: Watched, path: Path
) -> None:
    """And nobody has to write another update for that."""
    typed = letters("abcdefghij")
    gate = backend.before["stage"] = Gate()
    for update in typed[:5]:
        await store.append("n", update)
    await gate.wait_reached()
    for update in typed[5:]:
        await store.append("n", update)
    gate.open()
    await backend.wait_until(lambda: rows_of(path, "n") == [])
    assert read(await store.load("n")).text == "abcdefghij"


async def test_what_an_earlier_process_left_is_trimmed(path: Path) -> None:
    first = WatchedBackend(path)
    async with store_over(first) as store:
        await store.append("n", letters("a")[0])
        first.before["trim"] = Failing(StoreBusy("locked"))
        await store.checkpoint("n")
    assert len(rows_of(path, "n")) == 1
    backend = Watched(path)
    async with store_over(backend) as store:
        await backend.wait_until(lambda: rows_of(path, "n") == [])
        assert read(await store.load("n")).text == "a"


async def test_a_deletion_is_followed_by_trimming(
    store: Store, backend: Watched, path: Path
) -> None:
    await store.append("n", letters("a")[0])
    await store.delete("n")

    def is_trimmed() -> bool:
        with raw(path) as connection:
            return connection.execute("SELECT count(*) FROM trims").fetchone() == (0,)

    await backend.wait_until(is_trimmed)
    assert rows_of(path, "n") == []


async def test_a_checkpoint_that_fails_changes_nothing_and_appends_go_on(
    store: Store, backend: Watched, path: Path
) -> None:
    """P3: the journal keeps everything meanwhile."""
    failing = backend.before["stage"] = Failing(StoreFull("no room"))
    typed = letters("abcdefgh")
    for update in typed:
        await store.append("n", update)
    while failing.count == 0:
        await store.statistics()
    assert [data for _, data in rows_of(path, "n")] == typed
    assert read(await store.load("n")).text == "abcdefgh"


async def test_a_document_that_is_deleted_is_not_degraded_any_more(
    store: Store, backend: Watched
) -> None:
    """Nor may its next life begin with the breaker of the former."""
    failing = backend.before["load_staged"] = Failing(Damaged("n", "chunk 0", "this", "that"))
    for update in letters("abcdefgh"):
        await store.append("n", update)
    while store.breaker("n").state is not BreakerState.OPEN:
        await store.statistics()
    failing.mend()
    assert [each.document for each in store.degradations()] == ["n"]
    await store.delete("n")
    assert store.degradations() == []


# ---- the keeper alone ---------------------------------------------------------------------------


class Work:
    """Stands in for the store: what the keeper asks to be done."""

    def __init__(self) -> None:
        self.checkpoints: list[tuple[str, str]] = []
        self.trims = 0
        self.trims_left = 0
        self.error: BaseException | None = None
        self.done = asyncio.Event()

    async def checkpoint(self, name: str, reason: str) -> CheckpointResult:
        await asyncio.sleep(0)
        self.checkpoints.append((name, reason))
        self.done.set()
        if self.error is not None:
            raise self.error
        return CheckpointResult(name, reason, True, 5, 5, 50, 10, 10, head(0, 0))

    async def trim(self) -> bool:
        await asyncio.sleep(0)
        self.trims += 1
        self.trims_left -= 1
        if self.trims_left <= 0:
            self.done.set()
        return self.trims_left > 0

    async def wait_done(self) -> None:
        self.done.clear()
        await self.done.wait()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def keeper(work: Work) -> AsyncIterator[Keeper]:
    keeper = Keeper(POLICY, work.checkpoint, work.trim, lambda: 0.0, nobody_told)
    # What an earlier process left is looked for first.
    await work.wait_done()
    yield keeper
    await keeper.close()


async def test_a_head_that_is_due_is_asked_for_once(keeper: Keeper, work: Work) -> None:
    for rows in (4, 5, 6, 7):
        keeper.consider(head(rows, 0))
    await work.wait_done()
    keeper.request_trim()
    await work.wait_done()
    assert work.checkpoints == [("n", "rows")]


async def test_trimming_goes_on_until_nothing_is_left(keeper: Keeper, work: Work) -> None:
    work.trims, work.trims_left = 0, 7
    keeper.request_trim()
    await work.wait_done()
    assert work.trims == 7


async def test_a_checkpoint_comes_before_the_rest_of_trimming(keeper: Keeper, work: Work) -> None:
    work.trims_left = 1 << 60
    keeper.request_trim()
    await asyncio.sleep(0)
    keeper.consider(head(5, 0))
    await work.wait_done()
    assert work.checkpoints == [("n", "rows")]
    work.trims_left = 0


async def test_three_failures_open_the_breaker_of_the_document(keeper: Keeper, work: Work) -> None:
    """Field note 10: a document that cannot be folded is not folded over and over."""
    work.error = Damaged("n", "row 3", "this", "that")
    keeper.consider(head(5, 0))
    for _ in range(3):
        keeper.request_trim()
        await work.wait_done()
    while keeper.breaker("n").state is not BreakerState.OPEN:
        await work.wait_done()
    keeper.request_trim()
    await work.wait_done()
    assert work.checkpoints == [("n", "rows")] * 3
    assert "row 3" in (keeper.breaker("n").reason or "")
    assert keeper.store_breaker.state is BreakerState.CLOSED


async def test_an_open_breaker_is_a_degradation_with_reason_and_next_trial(
    monkeypatch: pytest.MonkeyPatch, keeper: Keeper, work: Work
) -> None:
    """Field note 10: health said "healthy" while the journal grew without end."""
    monkeypatch.setattr(breaker, "BREAKER_COOLDOWN_FIRST_S", 100.0)
    assert keeper.degradations(0) == []
    work.error = Damaged("n", "row 3", "this", "that")
    keeper.consider(head(5, 0))
    while keeper.breaker("n").state is not BreakerState.OPEN:
        await work.wait_done()
    keeper.consider(head(500, 0))
    paused, grown = keeper.degradations(1_000_000)
    assert (paused.trouble, paused.document) == (Trouble.CHECKPOINTS, "n")
    assert "row 3" in paused.reason
    assert paused.since_ms is not None
    assert paused.trial_ms == paused.since_ms + 100_000
    assert 990_000 < paused.since_ms <= 1_000_000
    assert (grown.trouble, grown.document, grown.reason) == (Trouble.JOURNAL, "n", paused.reason)
    work.error = None
    await keeper.attempt("n", "request")
    assert keeper.degradations(0) == []


async def test_storage_that_fails_opens_the_breaker_of_the_store_and_no_other(
    keeper: Keeper, work: Work
) -> None:
    work.error = StoreFull("no room")
    keeper.consider(head(5, 0))
    while keeper.store_breaker.state is not BreakerState.OPEN:
        await work.wait_done()
    assert work.checkpoints == [("n", "rows")] * 3
    assert keeper.breaker("n").state is BreakerState.CLOSED


@pytest.mark.parametrize("error", [Damaged("n", "row 3", "this", "that"), StoreFull("no room")])
async def test_an_open_breaker_is_tried_again_and_closed_by_a_success(
    monkeypatch: pytest.MonkeyPatch, keeper: Keeper, work: Work, error: StoreError
) -> None:
    """Field note 10: not never again."""
    monkeypatch.setattr(breaker, "BREAKER_COOLDOWN_FIRST_S", 0.0)
    work.error = error
    keeper.consider(head(5, 0))
    while len(work.checkpoints) < 5:
        await work.wait_done()
    work.error = None
    while keeper.breaker("n") != Breaker() or keeper.store_breaker != Breaker():
        await work.wait_done()
    assert len(work.checkpoints) >= 6


async def test_a_request_is_tried_at_once_and_its_success_closes_the_breaker(
    keeper: Keeper, work: Work
) -> None:
    work.error = Damaged("n", "row 3", "this", "that")
    keeper.consider(head(5, 0))
    while keeper.breaker("n").state is not BreakerState.OPEN:
        await work.wait_done()
    work.error = None
    await keeper.attempt("n", "request")
    assert keeper.breaker("n") == Breaker()


@pytest.mark.parametrize("error", [DocumentDeleted("n"), DocumentMissing("n")])
async def test_a_document_that_is_gone_is_not_due_any_more(
    keeper: Keeper, work: Work, error: StoreError
) -> None:
    work.error = error
    keeper.consider(head(5, 0))
    keeper.consider(head(5000, 0))
    assert keeper.has_alarm("n")
    await work.wait_done()
    keeper.request_trim()
    await work.wait_done()
    assert work.checkpoints == [("n", "rows")]
    assert keeper.degradations(0) == []
    for _ in range(5):
        with pytest.raises(type(error)):
            await keeper.attempt("n", "request")
    assert keeper.breaker("n") == Breaker()


async def test_a_request_that_is_given_up_leaves_no_breaker_half_open(
    monkeypatch: pytest.MonkeyPatch, keeper: Keeper, work: Work
) -> None:
    monkeypatch.setattr(breaker, "BREAKER_COOLDOWN_FIRST_S", 1e9)
    work.error = Damaged("n", "row 3", "this", "that")
    keeper.consider(head(5, 0))
    while keeper.breaker("n").state is not BreakerState.OPEN:
        await work.wait_done()
    work.error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await keeper.attempt("n", "request")
    assert keeper.breaker("n").state is BreakerState.OPEN


async def test_a_defect_ends_the_keeper_and_is_raised_to_the_supervisor(work: Work) -> None:
    """Field note 19."""
    keeper = Keeper(POLICY, work.checkpoint, work.trim, lambda: 0.0, nobody_told)
    work.error = ZeroDivisionError("a defect")
    keeper.consider(head(5, 0))
    with pytest.raises(ZeroDivisionError):
        await keeper.wait_stopped()
    await keeper.close()


async def test_closing_stops_in_the_middle_of_the_work(work: Work) -> None:
    keeper = Keeper(POLICY, work.checkpoint, work.trim, lambda: 0.0, nobody_told)
    work.trims_left = 1 << 60
    keeper.request_trim()
    await asyncio.sleep(0)
    await keeper.close()
    done = work.trims
    await asyncio.sleep(0)
    assert work.trims == done
