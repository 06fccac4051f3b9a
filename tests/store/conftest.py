"""What every test of the store shares."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from yjs_store import Document, Store

from .stores import WatchedBackend, store_over

# How long an example takes is the machine's business.
settings.register_profile("store", deadline=None, print_blob=True)
settings.load_profile("store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store's file goes; nothing is there yet."""
    return tmp_path / "store.db"


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come after the shortest wait they may come after."""
    monkeypatch.setattr("random.uniform", lambda low, _high: low)


@pytest.fixture
def backend(path: Path) -> WatchedBackend:
    """A backend on the path, not opened yet."""
    return WatchedBackend(path)


@pytest.fixture
async def store(backend: WatchedBackend) -> AsyncIterator[Store]:
    """An open store over the backend."""
    async with store_over(backend) as store:
        yield store


@pytest.fixture
async def document(store: Store) -> Document:
    """The document "n" of the store; open."""
    return await store.open_document("n")
