"""What whoever listens hears of the work of a real store; and that listening stops nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from yjs_store import Damaged, FoldFailed, Store, StoreError, StoreFull, Work, WorkKind
from yjs_store.limits import INLINE_WORK_MAX

from .editing import letters
from .poison import one_key_each
from .stores import Failing, WatchedBackend, raw, store_over

A, B = letters("ab")
SUSPECT = one_key_each(INLINE_WORK_MAX + 1)


@pytest.fixture
def heard(store: Store) -> list[Work]:
    found: list[Work] = []
    store.telemetry.on_work = found.append
    return found


def of(heard: list[Work], kind: WorkKind) -> Work:
    (found,) = [each for each in heard if each.kind is kind]
    assert found.duration_s > 0
    return found


async def test_loads_commits_and_checkpoints_are_heard_of(store: Store, heard: list[Work]) -> None:
    await store.append("n", A)
    result = await store.checkpoint("n", "request")
    load, commit = of(heard, WorkKind.LOAD), of(heard, WorkKind.COMMIT)
    assert (load.document, load.error, load.facts) == ("n", None, {"rows": 0, "bytes": 0})
    assert (commit.document, commit.error, commit.facts) == (None, None, {"rows": 1})
    checkpoint = of(heard, WorkKind.CHECKPOINT)
    assert (checkpoint.document, checkpoint.error) == ("n", None)
    assert checkpoint.facts["reason"] == "request"
    assert checkpoint.facts["journal_bytes_before"] > checkpoint.facts["journal_bytes_after"] == 0
    assert checkpoint.facts["snapshot_bytes_before"] == 0
    assert checkpoint.facts["snapshot_bytes_after"] == result.head.snapshot_bytes


async def test_a_trial_is_heard_of(store: Store, heard: list[Work]) -> None:
    await store.append("n", SUSPECT)
    trial = of(heard, WorkKind.TRIAL)
    assert (trial.document, trial.error) == ("n", None)
    assert trial.facts == {"updates": 1, "refused": 0}


async def test_what_fails_says_of_which_kind_and_nothing_else(
    path: Path, backend: WatchedBackend, heard: list[Work], store: Store
) -> None:
    await store.append("n", A)
    backend.before["append"] = Failing(FoldFailed("n", "secret"), times=1)
    with pytest.raises(StoreError):
        await store.append("n", B)
    backend.before["stage"] = Failing(StoreFull("secret"), times=1)
    with pytest.raises(StoreFull):
        await store.checkpoint("n")
    backend.before["load"] = Failing(Damaged("m", "secret", "a", "b"), times=1)
    with pytest.raises(Damaged):
        await store.open_document("m")
    failed = [(each.kind, each.error) for each in heard if each.error is not None]
    assert failed == [
        (WorkKind.COMMIT, "FoldFailed"),
        (WorkKind.CHECKPOINT, "StoreFull"),
        (WorkKind.LOAD, "Damaged"),
    ]
    assert "secret" not in repr(heard)
    with raw(path) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (1,)


async def test_who_listens_and_fails_stops_nothing(backend: WatchedBackend) -> None:
    def broken(_: Work) -> None:
        raise RuntimeError("a defect")

    async with store_over(backend) as store:
        store.telemetry.on_work = broken
        for update in (A, B, SUSPECT):
            await store.append("n", update)
        assert (await store.checkpoint("n")).published
        assert store.telemetry.faults >= 5


async def test_without_a_listener_nothing_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Callable[..., None] = lambda *_: pytest.fail("somebody made it")  # noqa: E731
    monkeypatch.setattr("yjs_store.telemetry.Work", made)
    await store.append("n", A)
    await store.checkpoint("n")
    assert store.telemetry.faults == 0
