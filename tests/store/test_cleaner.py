"""yjs_store.cleaner: what was kept for its time goes, and never beside a store that closes."""

import asyncio
from pathlib import Path

import pytest

from yjs_store import Store, StoreFailing, cleaner, open_store
from yjs_store.cleaner import Cleaner
from yjs_store.limits import QUARANTINE_KEPT_MS

from .clock import Clock
from .stores import url
from .test_sessions import HOUR_MS, session


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner, "CLEANING_FIRST_S", 0.0)
    monkeypatch.setattr(cleaner, "CLEANING_S", 0.0)


async def test_an_open_store_removes_what_is_too_old(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        await store.sessions.start(session("old", clock.now_ms), None)
        await store.quarantine.put("notes", b"bad", "it is bad", "ann")
        clock.now_ms += QUARANTINE_KEPT_MS + HOUR_MS
        await store.sessions.start(session("new", clock.now_ms), None)
        async with asyncio.timeout(30):
            while len(await store.sessions.list(with_ended=True)) + await _entries(store) > 1:
                pass
        assert await store.sessions.find("new") is not None


async def _entries(store: Store) -> int:
    return len(await store.quarantine.list())


async def test_cleaning_that_fails_is_tried_again_and_holds_up_nothing_else() -> None:
    calls: list[str] = []
    done = asyncio.Event()

    async def fail() -> int:
        calls.append("fails")
        raise StoreFailing("the disk is gone")

    async def work() -> int:
        calls.append("works")
        if len(calls) >= 4:
            done.set()
        return 0

    cleaning = Cleaner({"what fails": fail, "what works": work})
    async with asyncio.timeout(30):
        await done.wait()
    await cleaning.close()
    assert calls[:4] == ["fails", "works", "fails", "works"]


async def test_a_defect_is_not_hidden() -> None:
    async def break_() -> int:
        raise LookupError("a defect")

    cleaning = Cleaner({"what breaks": break_})
    with pytest.raises(LookupError):
        await cleaning.wait_stopped()
    await cleaning.close()


async def test_nothing_is_cleaned_after_the_close() -> None:
    begun = asyncio.Event()
    steps = 0

    async def work() -> int:
        nonlocal steps
        begun.set()
        await asyncio.sleep(0)
        steps += 1
        return 0

    cleaning = Cleaner({"it": work})
    await begun.wait()
    await cleaning.close()
    before = steps
    for _ in range(10):
        await asyncio.sleep(0)
    assert steps == before
