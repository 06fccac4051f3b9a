"""The backends that the suite runs over, each judged after every test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from yjs_store.backend import Backend

from .judging import check_whole
from .places import PLACES, Place


@pytest.fixture(params=PLACES, scope="session")
def new_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Place]:
    """Makes a new, empty place for the backend whose turn it is."""
    make: Callable[[Path], Any] = PLACES[request.param]
    return lambda: make(tmp_path_factory.mktemp(request.param))


@pytest.fixture
async def place(new_place: Callable[[], Place]) -> AsyncIterator[Place]:
    """Where the test keeps documents; it must be whole when every backend over it is closed."""
    place = new_place()
    yield place
    await check_whole(place)


@pytest.fixture
async def backend(place: Place) -> AsyncIterator[Backend]:
    """An open backend."""
    backend = place.backend()
    await backend.open()
    yield backend
    await backend.close()
