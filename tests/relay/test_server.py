"""The relay as a whole: it starts with its settings, supervises its parts, and stops when told."""

import asyncio
import contextlib
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import websockets
from relay_process import ServerProcess
from relay_support import deadline, text_update

from relay import hub as hub_module
from relay import server as server_module
from relay.config import Settings, load_settings
from relay.errors import ConfigError
from relay.hub import Hub
from relay.server import serve
from relay.wire import y_websocket as wire
from yjs_store import StoreUnusable


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"port": 0, "store": f"sqlite:///{tmp_path}/relay.db"}, None)


async def test_a_part_that_breaks_ends_the_server_with_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field note 19: a defect is neither swallowed nor survived in pieces."""

    def fail(_hub: Hub, _now_s: float) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(hub_module, "TICK_S", 0)
    monkeypatch.setattr(Hub, "tick", fail)
    announced: list[str] = []
    with structlog.testing.capture_logs() as logs:
        async with deadline():
            assert await serve(settings, announced.append) == 1
    assert len(announced) == 1
    (entry,) = [entry for entry in logs if entry["log_level"] == "critical"]
    assert isinstance(entry["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize("store", ["memory:", "memory://x", "Memory:"])
async def test_a_store_that_cannot_keep_the_promises_is_refused(store: str) -> None:
    """P1: a receipt would say what is not so."""
    settings = load_settings({"port": 0, "store": store}, None)
    with pytest.raises(ConfigError, match="gone when the server stops"):
        await serve(settings, lambda _: None)


async def test_a_store_that_cannot_be_opened_frees_the_port(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "relay.db").write_bytes(b"no database" * 100)
    listened: list[socket.socket] = []
    listen = server_module._listen

    def keep(host: str, port: int) -> socket.socket:
        listened.append(listen(host, port))
        return listened[-1]

    monkeypatch.setattr(server_module, "_listen", keep)
    with pytest.raises(StoreUnusable):
        await serve(settings, lambda url: pytest.fail(f"announced {url}"))
    assert [listener.fileno() for listener in listened] == [-1]


async def test_a_port_in_use_leaves_the_store_alone(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        occupied = settings.model_copy(update={"port": taken.getsockname()[1]})
        with pytest.raises(ConfigError, match="cannot listen"):
            await serve(occupied, lambda url: pytest.fail(f"announced {url}"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "ws://127.0.0.1:"), ("::1", "ws://[::1]:")]
)
def test_an_address_is_announced_as_a_url(host: str, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert server_module._url(host, listener) == f"{url}{port}"


async def test_no_echo_reaches_the_rooms(tmp_path: Path) -> None:
    update = text_update("x")
    with ServerProcess(tmp_path, "--no-echo") as server:
        async with (
            deadline(),
            websockets.connect(server.url + "/doc", proxy=None) as writer,
            websockets.connect(server.url + "/doc", proxy=None) as reader,
        ):
            for client in (writer, reader):
                assert await client.recv() == wire.encode_sync_step_1(b"\x00")
            await writer.send(wire.encode_update(update))
            assert await reader.recv() == wire.encode_update(update)
            await writer.send(wire.encode_sync_step_1(b"\x00"))
            # The answer is the next frame, so there was no echo.
            assert await writer.recv() == wire.encode_sync_step_2(update)


async def test_a_stop_closes_everybody_with_going_away(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        async with deadline(), websockets.connect(server.url + "/doc", proxy=None) as client:
            await client.recv()
            ending = asyncio.create_task(asyncio.to_thread(server.end))
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await client.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
            assert await ending == 0
        assert server.wait_log(lambda entry: entry["event"] == "stopped")["clean"] is True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep the database locked, so that nothing can be stored."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


async def test_a_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    url = server.url
    async with deadline(), websockets.connect(url + "/doc", proxy=None) as client:
        await client.recv()
        with locked(tmp_path / "relay.db"):
            await client.send(wire.encode_update(text_update("x")))
            server.send(signal.SIGINT)
            # The drain has begun, and cannot end while the database is locked.
            await asyncio.to_thread(
                server.wait_log, lambda entry: entry["event"].startswith("storage is failing")
            )
            try:
                assert await asyncio.to_thread(server.end, signal.SIGINT, 10) != 0
            finally:
                server.kill()
