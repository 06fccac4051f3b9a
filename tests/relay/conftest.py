"""Stores and hubs for the tests of the relay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from relay_support import GatedBackend, make_store

from relay.hub import Hub
from yjs_store import Store
from yjs_store.backends.sqlite import SqliteBackend

# How long an example takes is the machine's business.
settings.register_profile("relay", deadline=None, print_blob=True)
settings.load_profile("relay")


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[GatedBackend]:
    """A real database, opened, behind gates that are open."""
    gated = GatedBackend(SqliteBackend(tmp_path / "relay.db"))
    await gated.open()
    yield gated
    await gated.close()


@pytest.fixture
async def store(backend: GatedBackend) -> AsyncIterator[Store]:
    store = make_store(backend)
    yield store
    backend.append_error = None
    backend.is_full = False
    backend.open_gates()
    await store.close()


@pytest.fixture
async def hub(store: Store, backend: GatedBackend) -> AsyncIterator[Hub]:
    async with opened_hub(store, backend) as hub:
        yield hub


@pytest.fixture
async def quiet_hub(store: Store, backend: GatedBackend) -> AsyncIterator[Hub]:
    """A hub that sends nobody's updates back."""
    async with opened_hub(store, backend, echo=False) as hub:
        yield hub


@asynccontextmanager
async def opened_hub(store: Store, backend: GatedBackend, **options: bool) -> AsyncIterator[Hub]:
    hub = Hub(store, **options)
    try:
        yield hub
    finally:
        backend.open_gates()
        await hub.close()


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come after the shortest wait they may come after."""
    monkeypatch.setattr("random.uniform", lambda low, _high: low)
