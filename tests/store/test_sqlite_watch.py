"""yjs_store.backends.sqlite_watch: what other processes end is noticed, whatever happens to it."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from yjs_store import StoreFailing, Trouble, open_store
from yjs_store.backends import sqlite_watch
from yjs_store.backends.sqlite_connect import connect
from yjs_store.backends.sqlite_revoker import SqliteRevoker
from yjs_store.backends.sqlite_watch import SessionWatch
from yjs_store.session_records import Choice

from .clock import Clock
from .stores import raw, url
from .test_scrubber import until
from .test_sessions import session


class Noticed:
    """Keeps what was noticed, in order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, session_ids: Sequence[str]) -> None:
        self.ids += session_ids
        self._changed.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.ids) < count:
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def revoked(path: Path, count: int) -> AsyncIterator[None]:
    """An open store with sessions that another process has ended, and nobody acknowledges."""
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        for number in range(count):
            await store.sessions.start(session(str(number), clock.now_ms), None)
        await SqliteRevoker(path).revoke(Choice(user="ann"), lambda stored: stored)
        yield


async def test_all_pages_are_noticed_though_none_is_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_watch, "SESSION_WATCH_PAGE", 3)
    async with revoked(path, 10):
        noticed = Noticed()
        watch = SessionWatch(path, connect, lambda: None, noticed)
        await noticed.wait(10)
        await asyncio.to_thread(watch.close)
        assert noticed.ids == [str(number) for number in range(10)]


async def test_an_id_that_is_no_text_hides_no_other_revocation(path: Path) -> None:
    """P4: or one damaged row would keep every later revocation from being noticed."""
    async with revoked(path, 3):
        with raw(path) as connection:
            connection.execute("UPDATE sessions SET id = CAST(x'ff' AS TEXT) WHERE id = '1'")
        noticed = Noticed()
        watch = SessionWatch(path, connect, lambda: None, noticed)
        await noticed.wait(2)
        await asyncio.to_thread(watch.close)
        assert noticed.ids == ["0", "2"]


async def test_a_page_of_ids_that_are_no_text_hides_no_other_revocation(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_watch, "SESSION_WATCH_PAGE", 1)
    async with revoked(path, 3):
        with raw(path) as connection:
            connection.execute("UPDATE sessions SET id = CAST(x'2fff' AS TEXT) WHERE id = '1'")
        noticed = Noticed()
        watch = SessionWatch(path, connect, lambda: None, noticed)
        await noticed.wait(2)
        await asyncio.to_thread(watch.close)
        assert noticed.ids == ["0", "2"]


async def test_while_revocations_are_not_noticed_the_store_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(url(path)) as store:
        monkeypatch.setattr(sqlite_watch, "list_to_acknowledge", _broken)
        store.sessions.watch(lambda _: None)
        await until(lambda: bool(store.degradations()))
        (found,) = store.degradations()
        assert (found.trouble, found.document) == (Trouble.REVOCATIONS, None)
        assert "disk I/O error" in found.reason
        monkeypatch.undo()
        await until(lambda: not store.degradations())


async def test_a_watch_that_dies_of_a_defect_is_said_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field note 19."""
    died = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(threading, "excepthook", lambda _: loop.call_soon_threadsafe(died.set))

    def fail(_: Path) -> sqlite3.Connection:
        raise ZeroDivisionError

    watch = SessionWatch(path, fail, lambda: None, Noticed())
    async with asyncio.timeout(30):
        await died.wait()
    assert watch.failing_because == "a defect has ended the watch; restart the server"
    await asyncio.to_thread(watch.close)


def _broken(*_: object) -> list[bytes]:
    raise sqlite3.OperationalError("disk I/O error")


async def test_a_watch_that_fails_goes_on_when_storage_heals(path: Path) -> None:
    heal = threading.Event()
    failures = 0

    def fail_first(path: Path) -> sqlite3.Connection:
        nonlocal failures
        if not heal.is_set():
            failures += 1
            raise sqlite3.OperationalError("disk I/O error")
        return connect(path)

    async with revoked(path, 1):
        noticed = Noticed()
        watch = SessionWatch(path, fail_first, lambda: None, noticed)
        async with asyncio.timeout(30):
            while failures < 3:
                await asyncio.to_thread(heal.wait, 0.01)
        heal.set()
        await noticed.wait(1)
        await asyncio.to_thread(watch.close)


async def test_another_file_at_the_place_of_the_store_is_not_watched(path: Path) -> None:
    looked = threading.Event()
    connections = 0

    def gone() -> None:
        looked.set()
        raise StoreFailing("it was removed")

    def count(path: Path) -> sqlite3.Connection:
        nonlocal connections
        connections += 1
        return connect(path)

    watch = SessionWatch(path, count, gone, Noticed())
    assert await asyncio.to_thread(looked.wait, 30)
    await asyncio.to_thread(watch.close)
    assert connections == 0
    assert list(path.parent.iterdir()) == []
