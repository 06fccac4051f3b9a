"""Servers and stock clients for the system tests, ended whatever a test does."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from .node import NodeProcess
from .server import RunningServer

WITHOUT_NODE = "YJS_RELAY_TEST_WITHOUT_NODE"
REASON = f"deselected the tests that need Node: {WITHOUT_NODE}=1"

StartServer = Callable[..., Awaitable[RunningServer]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "node: needs Node, for the stock clients")


def pytest_itemcollected(item: pytest.Item) -> None:
    if "node" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.node)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not goes_without_node():
        return
    needing = [item for item in items if item.get_closest_marker("node")]
    items[:] = [item for item in items if item not in needing]
    config.hook.pytest_deselected(items=needing)


def pytest_report_collectionfinish() -> list[str]:
    return [REASON] if goes_without_node() else []


def goes_without_node() -> bool:
    # Where it counts, nothing is left out.
    return os.environ.get(WITHOUT_NODE) == "1" and os.environ.get("CI") != "true"


@pytest.fixture
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """Starts servers with the options given to it, each on a store of its own."""
    servers: list[RunningServer] = []

    async def start(*options: str) -> RunningServer:
        directory = tmp_path / f"server-{len(servers)}"
        directory.mkdir()
        server = RunningServer(directory, *options)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        if server.is_running:
            await server.stop()


@pytest.fixture
async def server(start_server: StartServer) -> RunningServer:
    return await start_server()


@pytest.fixture
async def node() -> AsyncIterator[NodeProcess]:
    """A Node process for stock clients; a complaint of theirs fails the test."""
    process = await NodeProcess.start()
    yield process
    await process.close()
