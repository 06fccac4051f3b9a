"""A server from its first moment to its last, as clients, balancers and systemd see it."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import websockets
from relay_process import ServerProcess
from relay_support import deadline, text_of, text_update

from relay import server as server_module
from relay.config import Settings, load_settings
from relay.hub import Hub
from relay.server import serve
from relay.service_manager import ServiceManager
from relay.wire import y_websocket as wire
from yjs_store import Store, StoreUnusable, open_store


class Told(ServiceManager):
    """A service manager that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.words: list[str] = []

    def _tell(self, message: str) -> None:
        self.words.append(message)


class Opening:
    """A store that is opened when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.error: Exception | None = None
        self.was_given_up = False
        monkeypatch.setattr(server_module, "open_store", self._open)

    @asynccontextmanager
    async def _open(self, url: str, **options: object) -> AsyncIterator[Store]:
        self.begun.set()
        try:
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.was_given_up = True
            raise
        if self.error is not None:
            raise self.error
        async with open_store(url, **options) as store:  # type: ignore[arg-type]
            yield store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return load_settings({"port": port, "store": f"sqlite:///{tmp_path}/relay.db"}, None)


async def status_of(settings: Settings, path: str) -> tuple[int, object]:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(f"http://127.0.0.1:{settings.port}{path}")
        return response.status_code, response.json()


async def test_while_the_store_opens_clients_come_again_and_lose_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, told, announced = Opening(monkeypatch), Told(), asyncio.Event()
    async with deadline():
        serving = asyncio.create_task(serve(settings, lambda _: announced.set(), told))
        await opening.begun.wait()
        assert await status_of(settings, "/health/live") == (200, {"status": "live"})
        assert await status_of(settings, "/health/ready") == (503, {"status": "starting"})
        assert (await status_of(settings, "/debug/storage"))[0] == 503
        url = f"ws://127.0.0.1:{settings.port}/ws/doc"
        update = text_update("typed while it started")
        async with websockets.connect(url, proxy=None) as client:
            with contextlib.suppress(websockets.ConnectionClosed):
                await client.send(wire.encode_update(update))
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await client.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (
            4503,
            "the server is starting",
        )
        assert not announced.is_set()
        assert "READY=1" not in told.words
        opening.may_go_on.set()
        await announced.wait()
        assert await status_of(settings, "/health/ready") == (200, {"status": "ready"})
        async with websockets.connect(url, proxy=None) as client:
            await client.send(wire.encode_update(update))
            while wire.decode(await client.recv()) != [wire.Update(update)]:
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert await serving == 0
    async with open_store(settings.store) as store:
        assert text_of(await store.load("doc")) == "typed while it started"
    assert told.words[0] == "STATUS=starting: opening the store"
    assert told.words.index("READY=1") < told.words.index("WATCHDOG=1")
    assert "STATUS=ready; 0 connections, 0 documents" in told.words
    assert "STOPPING=1" in told.words


async def test_a_stop_while_the_store_opens_gives_the_opening_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, told = Opening(monkeypatch), Told()
    async with deadline():
        serving = asyncio.create_task(serve(settings, pytest.fail, told))
        await opening.begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await serving == 0
    assert opening.was_given_up
    assert "READY=1" not in told.words


async def test_a_store_that_cannot_be_opened_is_raised_and_nobody_answers_any_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, told = Opening(monkeypatch), Told()
    opening.error = StoreUnusable("no such thing")
    async with deadline():
        serving = asyncio.create_task(serve(settings, pytest.fail, told))
        await opening.begun.wait()
        opening.may_go_on.set()
        with pytest.raises(StoreUnusable, match="no such thing"):
            await serving
        with pytest.raises(httpx.ConnectError):
            await status_of(settings, "/health/live")
    assert "READY=1" not in told.words


async def test_a_broken_part_ends_the_beats(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of which the committer is gone must not be kept alive by its event loop."""
    told = Told()

    async def fail(_store: Store) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Store, "wait_broken", fail)
    async with deadline():
        assert await serve(settings, lambda _: None, told) == 1
    assert "WATCHDOG=1" not in told.words[told.words.index("STOPPING=1") :]


async def test_a_defect_in_what_reports_ends_the_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or nothing would beat any more, and nobody would know why it was killed."""

    def fail(_store: Store) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Store, "degradations", fail)
    async with deadline():
        assert await serve(settings, lambda _: None, Told()) == 1


async def test_who_is_connected_hears_that_it_drains(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced, draining = asyncio.Event(), asyncio.Event()

    async def drain(hub: Hub, _store: Store) -> bool:
        hub.is_draining = True
        await draining.wait()
        return True

    monkeypatch.setattr(server_module, "drain", drain)
    async with deadline(), httpx.AsyncClient(trust_env=False) as client:
        serving = asyncio.create_task(serve(settings, lambda _: announced.set()))
        await announced.wait()
        ready = f"http://127.0.0.1:{settings.port}/health/ready"
        assert (await client.get(ready)).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        # The connection of before: new ones are not taken.
        while (response := await client.get(ready)).status_code == 200:
            pass
        assert (response.status_code, response.json()) == (503, {"status": "draining"})
        draining.set()
        assert await serving == 0


def test_systemd_is_told_by_a_real_process(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(20)
        extra = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        words: list[str] = []

        def hear_until(word: str) -> None:
            while word not in words[-1:]:
                words.append(heard.recv(4096).decode())

        with ServerProcess(tmp_path, extra=extra) as server:
            hear_until("READY=1")
            assert server.url
            hear_until("WATCHDOG=1")
            words.clear()
            hear_until("WATCHDOG=1")
            server.send(signal.SIGTERM)
            hear_until("STOPPING=1")
            assert server.end() == 0
