"""yjs_store.acts: what operators do, and what they are told came of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yjs_store import (
    AuditRecord,
    CheckpointPolicy,
    CompactResult,
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    NoRoom,
    Store,
    StoreFull,
    StoreSpace,
    UnloadResult,
)
from yjs_store.backend import Backend
from yjs_store.backends.memory import MemoryBackend
from yjs_store.breaker import BreakerState

from .editing import letters, read
from .stores import Failing, Gate, Recorder, WatchedBackend, raw, store_over

A, B, C = letters("abc")
SMALL = CheckpointPolicy(rows_max=3, rows_per_snapshot_mib=0, bytes_min=1 << 30)


@pytest.fixture(params=["memory", "sqlite"])
def any_backend(request: pytest.FixtureRequest, path: Path) -> Backend:
    return MemoryBackend() if request.param == "memory" else WatchedBackend(path)


@pytest.fixture
async def any_store(any_backend: Backend) -> AsyncIterator[Store]:
    async with store_over(any_backend) as store:
        yield store


# ---- compact ------------------------------------------------------------------------------------


async def test_compacting_tells_of_before_and_after_and_again_of_nothing_to_do(
    any_store: Store,
) -> None:
    for update in (A, B):
        await any_store.append("n", update)
    outcome = await any_store.compact("n")
    assert outcome.result is CompactResult.COMPACTED
    assert (outcome.journal_rows_before, outcome.journal_rows_after) == (2, 0)
    assert (outcome.journal_bytes_before, outcome.journal_bytes_after) == (len(A) + len(B), 0)
    assert (outcome.snapshot_bytes_before, outcome.error) == (0, None)
    head = await any_store.head("n")
    assert head is not None
    assert outcome.snapshot_bytes_after == head.snapshot_bytes > 0
    again = await any_store.compact("n")
    assert again.result is CompactResult.NOOP
    assert again.snapshot_bytes_before == again.snapshot_bytes_after == head.snapshot_bytes
    assert read(await any_store.load("n")) == read(A, B)


async def test_compacting_that_fails_says_why_and_changes_nothing(
    store: Store, backend: WatchedBackend
) -> None:
    await store.append("n", A)
    backend.before["stage"] = Failing(StoreFull("no room"))
    outcome = await store.compact("n")
    assert (outcome.result, outcome.error) == (CompactResult.FAILED, "no room")
    assert (outcome.journal_rows_before, outcome.journal_rows_after) == (1, 1)
    assert outcome.snapshot_bytes_after == 0


async def test_compacting_closes_the_breaker_of_the_document(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 10: a breaker that is open tries again, here because a person asks."""
    await store.append("n", A)
    failing = Failing(Damaged("n", "candidate", "the content", "another"))
    backend.before["stage"] = failing
    for _ in range(3):
        with pytest.raises(Damaged):
            await store.checkpoint("n")
    assert store.breaker("n").state is BreakerState.OPEN
    assert (await store.compact("n")).result is CompactResult.FAILED
    assert (store.breaker("n").state, store.breaker("n").failures_in_row) == (
        BreakerState.CLOSED,
        1,
    )
    failing.mend()
    assert (await store.compact("n")).result is CompactResult.COMPACTED
    assert store.breaker("n").failures_in_row == 0


async def test_what_is_not_there_is_not_compacted(any_store: Store) -> None:
    with pytest.raises(DocumentMissing):
        await any_store.compact("n")
    await any_store.append("n", A)
    await any_store.delete("n")
    with pytest.raises(DocumentDeleted):
        await any_store.compact("n")


async def test_all_that_is_due_is_compacted_also_what_nobody_has_opened(path: Path) -> None:
    async with store_over(WatchedBackend(path)) as store:
        for name in ("due", "damaged", "deleted"):
            for update in (A, B, C):
                await store.append(name, update)
        await store.append("not due", A)
        await store.delete("deleted")
    with raw(path) as connection:
        connection.execute("UPDATE documents SET updated_ms = 5 WHERE name = 'damaged'")
    async with store_over(WatchedBackend(path), SMALL) as store:
        assert [head.name for head in await store.list_due()] == ["due"]
        (outcome,) = await store.compact_due()
        assert (outcome.document, outcome.result) == ("due", CompactResult.COMPACTED)
        assert await store.compact_due() == []


# ---- memory -------------------------------------------------------------------------------------


async def test_what_rests_is_unloaded_and_what_is_used_is_not(any_store: Store) -> None:
    await any_store.append("n", A)
    async with any_store.document("n"):
        assert await any_store.unload("n") is UnloadResult.IN_USE
    assert await any_store.unload("n") is UnloadResult.UNLOADED
    assert await any_store.unload("n") is UnloadResult.NOT_LOADED
    await any_store.load_now("n")
    assert any_store.observation.opened.peek("n") is not None
    async with any_store.document("n") as document:
        assert read(await document.whole()) == read(A)


async def test_what_is_not_durable_is_not_unloaded(store: Store, backend: WatchedBackend) -> None:
    """P1: nobody lets go of what is on its way to the disk."""
    gate = backend.before["append"] = Gate()
    recorder = Recorder()
    async with store.document("n") as document:
        document.submit(A, recorder)
        await gate.wait_reached()
    assert await store.unload("n") is UnloadResult.IN_USE
    gate.open()
    await document.wait_settled()
    assert await store.unload("n") is UnloadResult.UNLOADED
    assert read(await store.load("n")) == read(A)


async def test_nothing_is_loaded_where_nothing_is_stored(any_store: Store) -> None:
    with pytest.raises(DocumentMissing):
        await any_store.load_now("n")
    assert any_store.observation.opened.count == 0


# ---- room ---------------------------------------------------------------------------------------


async def test_the_wal_is_truncated_between_commits(store: Store, backend: WatchedBackend) -> None:
    gate = backend.before["append"] = Gate()
    async with store.document("n") as document:
        document.submit(A, Recorder())
        await gate.wait_reached()
        seen: list[int] = []
        before = backend.truncate_wal

        async def truncate() -> object:
            seen.append(len(backend.commits))
            return await before()

        backend.truncate_wal = truncate  # type: ignore[method-assign,assignment]
        gate.open()
        change = await store.truncate_wal()
    assert seen == [1]
    assert change.before.wal_bytes > 0 == change.after.wal_bytes


async def test_vacuum_gives_room_back_and_the_content_stays(any_store: Store) -> None:
    await any_store.append("n", A)
    change = await any_store.vacuum()
    assert change.after.free_bytes == 0
    assert (change.incomplete is None) == (any_store.observation.backend.kind == "sqlite")
    assert read(await any_store.load("n")) == read(A)


async def test_vacuum_is_refused_where_the_disk_has_no_room_for_it(
    store: Store, backend: WatchedBackend
) -> None:
    await store.append("n", A)
    before = await store.observation.space()

    async def space() -> StoreSpace:
        return StoreSpace(before.file_bytes, 0, 0, 2 * before.file_bytes)

    backend.observing.space = space  # type: ignore[method-assign]
    with pytest.raises(NoRoom):
        await store.vacuum()


# ---- audit --------------------------------------------------------------------------------------


async def test_acts_are_kept_and_listed_newest_first(
    any_store: Store,
) -> None:
    def act(action: str, document: str | None) -> AuditRecord:
        return AuditRecord(0, 5, "ann", action, document, False, "done", {"rows": 2})

    numbers = [
        await any_store.audit(act(action, document))
        for action, document in (("compact", "n"), ("vacuum", None), ("delete", "m"))
    ]
    assert numbers == sorted(set(numbers))
    page = await any_store.list_audit(limit=2)
    assert [each.action for each in page.acts] == ["delete", "vacuum"]
    assert page.acts[0].number == numbers[2]
    page = await any_store.list_audit(before=page.following, limit=2)
    assert ([each.action for each in page.acts], page.following) == (["compact"], None)
    page = await any_store.list_audit(document="m")
    assert [(each.action, each.facts) for each in page.acts] == [("delete", {"rows": 2})]


async def test_an_act_that_cannot_be_read_hides_no_other(store: Store, path: Path) -> None:
    for action in ("first", "second"):
        await store.audit(AuditRecord(0, 5, "ann", action, None, False, "done", {}))
    with raw(path) as connection:
        connection.execute("UPDATE audit SET data = X'00' WHERE number = 1")
    page = await store.list_audit()
    assert ([each.action for each in page.acts], page.damaged) == (["second"], 1)
