"""Opens a store by its URL, with the clock and the chance of the world outside."""

import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable

from yjs_store.backend import Backend
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.format import UID_BYTES
from yjs_store.limits import SCRUB_BYTES_PER_S
from yjs_store.policy import CheckpointPolicy
from yjs_store.store import Store
from yjs_store.urls import sqlite_path


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970. It is shown, never used for order."""
    return time.time_ns() // 1_000_000


def new_uid() -> bytes:
    """Return the name of a new life of a document."""
    return os.urandom(UID_BYTES)


@contextlib.asynccontextmanager
async def open_store(
    url: str,
    *,
    policy: CheckpointPolicy | None = None,
    clock_ms: Callable[[], int] = now_ms,
    make_uid: Callable[[], bytes] = new_uid,
    chance: Callable[[], float] = random.random,
    scrub_bytes_per_s: float = SCRUB_BYTES_PER_S,
) -> AsyncIterator[Store]:
    """Open the store at ``url`` (``sqlite:///relative.db``, ``sqlite:////absolute.db``).

    It is created when it does not exist. What is stored is verified in the background at
    ``scrub_bytes_per_s``, not at all with 0. At the end of the block everything submitted is
    durable. ``memory:`` is a new store each time, for tests: all of it goes at the end.

    Raises:
        StoreUnusable: it cannot be opened until a person changes something.
    """
    backend = _backend_at(url)
    await backend.open()
    store = Store(
        backend, policy or CheckpointPolicy(), clock_ms, make_uid, chance, scrub_bytes_per_s
    )
    try:
        await store.begin()
        yield store
    finally:
        await store.close()


def _backend_at(url: str) -> Backend:
    return MemoryBackend() if url == "memory:" else SqliteBackend(sqlite_path(url))
