"""Opens the storage engine for a measurement, and puts documents into it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from yjs_store import CheckpointPolicy, Store, format
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.opening import new_uid, now_ms

NEVER = CheckpointPolicy(rows_max=1 << 60, bytes_min=1 << 60)
"""No checkpoint but those that a measurement asks for."""


class Engine(NamedTuple):
    """An open store and the backend beneath it."""

    store: Store
    backend: SqliteBackend

    async def trim(self) -> None:
        """Delete everything that is dead, as the store does in the background."""
        while await self.backend.trim(format.check_head):
            pass


@asynccontextmanager
async def open_engine(path: Path, policy: CheckpointPolicy = NEVER) -> AsyncIterator[Engine]:
    """Open the store in this file; every document is due exactly at the policy's bounds."""
    backend = SqliteBackend(path)
    await backend.open()
    store = Store(backend, policy, now_ms, lambda: b"\0" + new_uid()[1:])
    try:
        yield Engine(store, backend)
    finally:
        await store.close()


async def put_document(engine: Engine, name: str, update: bytes) -> None:
    """Store a document whole, as a published snapshot with no journal."""
    await engine.store.append(name, update)
    await engine.store.checkpoint(name)
    await engine.trim()
