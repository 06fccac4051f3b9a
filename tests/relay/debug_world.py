"""A real store with rooms and its debug routes, whose disk a test can hold up and break."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from relay_support import ORIGINS, AsgiSocket, GatedBackend, deadline
from starlette.types import ASGIApp

from relay.admission import Admission
from relay.app import create_app
from relay.auth.anonymous import Anonymous
from relay.auth.grants import Authority
from relay.auth.token_mode import StaticTokens
from relay.clock import make_secret
from relay.clock import now_ms as relay_now_ms
from relay.config import Settings
from relay.debug.configuration import shown_settings
from relay.debug.gate import ObserverGate
from relay.debug.looking import Looker
from relay.debug.process_facts import ThisProcess
from relay.debug.routes import DebugRoutes
from relay.debug.sharing import SharedAnswers
from relay.debug.stream import Watchers
from relay.hub import Hub
from yjs_store import CheckpointPolicy, Document, Store, StoreError
from yjs_store.backend import Backend
from yjs_store.backends.memory import MemoryBackend
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.opening import new_uid, now_ms
from yjs_store.records import Chunk, Head, Snapshot

NEVER = CheckpointPolicy(rows_max=1 << 60, bytes_min=1 << 60)
EAGER = CheckpointPolicy(rows_max=1)
TOKENS = {"ann": "a" * 32, "bob": "b" * 32}


class Disk(GatedBackend):
    """A backend whose snapshots, too, can be held up or fail."""

    def __init__(self, backend: SqliteBackend) -> None:
        super().__init__(backend)
        self.stage_error: StoreError | None = None
        self.stage_gate = asyncio.Event()
        self.is_staging = asyncio.Event()
        self.stage_gate.set()

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        self.is_staging.set()
        await self.stage_gate.wait()
        if self.stage_error is not None:
            raise self.stage_error
        return await self._backend.stage(head, snapshot, chunks)

    def mend(self) -> None:
        """Let everything through again."""
        self.stage_error = self.append_error = None
        self.stage_gate.set()
        self.open_gates()


@dataclass
class World:
    """What a mover acts on. ``looked_at`` is the document whose page is read."""

    directory: Path
    store: Store
    hub: Hub
    admission: Admission
    disk: Disk | None
    client: httpx.AsyncClient
    sockets: contextlib.AsyncExitStack
    looked_at: str = "doc"
    clients: dict[str, AsgiSocket] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)

    # ---- looking ----------------------------------------------------------------------------

    async def storage(self) -> Any:
        return await self._get("storage")

    async def document(self) -> Any:
        return await self._get(f"documents/{self.looked_at}")

    async def summary(self) -> Any:
        page = await self._get("documents")
        found = (each for each in page["documents"] if each["name"] == self.looked_at)
        return next(found, None)

    async def _get(self, path: str) -> Any:
        response = await self.client.get(f"/debug/{path}")
        if response.status_code == 404:
            return None
        assert response.status_code == 200, response.text
        return response.json()

    # ---- acting -----------------------------------------------------------------------------

    @property
    def backend(self) -> Disk:
        assert self.disk is not None, "a store in memory has no disk"
        return self.disk

    async def connect(
        self, who: str = "", address: tuple[str, int] = ("127.0.0.1", 9), document: str = "doc"
    ) -> AsgiSocket:
        """Open a websocket; it is in its room on return."""
        query = f"token={TOKENS[who]}".encode() if who else b""
        socket = AsgiSocket(self.hub, f"/ws/{document}", self.admission, query, client=address)
        self.clients[who] = await self.sockets.enter_async_context(socket)
        await socket.next()
        return socket

    async def leave(self, who: str = "") -> None:
        """Close a websocket; it is out of its room on return."""
        socket = self.clients.pop(who)
        socket.disconnect()
        async with deadline():
            await socket.task

    def change_file(self, statement: str) -> None:
        """Change the file beside the store."""
        with contextlib.closing(sqlite3.connect(self.directory / "relay.db")) as connection:
            assert connection.execute(statement).rowcount != 0
            connection.commit()


def _authority(directory: Path, *, is_guarded: bool) -> Authority:
    if not is_guarded:
        return Anonymous()
    path = directory / "tokens.toml"
    path.write_text(
        "".join(
            f'[[tokens]]\ntoken = "{token}"\nuser = "{user}"\ndocuments = ["*"]\n'
            f'permission = "{permission}"\n'
            for (user, token), permission in zip(TOKENS.items(), ("write", "read"), strict=True)
        )
    )
    path.chmod(0o600)
    return StaticTokens(path, relay_now_ms)


def _app(hub: Hub, store: Store, admission: Admission) -> tuple[ASGIApp, Looker]:
    clock_s = asyncio.get_running_loop().time
    # Each look is a look of its own: this is about what is seen, and others about what it costs.
    of_store, of_documents = (SharedAnswers(1e6, clock_s, shared_s=0.0) for _ in range(2))
    shown = shown_settings(Settings().model_dump())
    process = ThisProcess(relay_now_ms())
    looker = Looker(
        store.observation, store, hub, process, shown, relay_now_ms, of_store, of_documents
    )
    gate = ObserverGate(Anonymous(), None, None, clock_s)
    routes = DebugRoutes(looker, Watchers(looker, clock_s), gate, may_act=False)
    return create_app(hub, store, admission, ORIGINS, None, routes), looker


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    policy: CheckpointPolicy = NEVER,
    scrub_bytes_per_s: float = 0.0,
    is_guarded: bool = False,
    in_memory: bool = False,
) -> AsyncIterator[World]:
    """Open a world on a file in this directory, or in memory."""
    disk = None if in_memory else Disk(SqliteBackend(directory / "relay.db"))
    backend: Backend = disk or MemoryBackend()  # type: ignore[assignment]
    await backend.open()
    store = Store(backend, policy, now_ms, new_uid, lambda: 0.0, scrub_bytes_per_s)
    await store.begin()
    hub = Hub(store)
    authority = _authority(directory, is_guarded=is_guarded)
    admission = Admission(store.sessions, authority, relay_now_ms, make_secret, hub.ask_for_state)
    app, looker = _app(hub, store, admission)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    sockets = contextlib.AsyncExitStack()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield World(directory, store, hub, admission, disk, client, sockets)
    finally:
        if disk is not None:
            disk.mend()
        await sockets.aclose()
        await looker.close()
        await hub.close()
        await admission.close()
        await store.close()
