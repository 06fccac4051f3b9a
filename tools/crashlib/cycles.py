"""The loop: load, kill -9, look at what is stored, restart, and let everybody come back."""

import asyncio
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

from system.crashing import content_of
from system.peers import Peer, document_of
from system.server import RunningServer

from crashlib.checks import (
    check_document,
    check_equal,
    check_file,
    count_snapshots,
    count_verified,
)
from crashlib.clients import Client, new_client, present
from crashlib.tally import Tally
from yjs_store import DocumentMissing, Store, open_store

WRITERS_PER_DOCUMENT: Final = 3
# New documents after so many kills, or their histories would grow without end.
KILLS_PER_DOCUMENT: Final = 10
# The others stay small, so that a few rows are enough for a checkpoint.
PASTED_ONE_IN: Final = 3
LOAD_S: Final = (0.05, 3.0)
# From a paste on its way to the kill: through folding, staging, checking and publishing.
AFTER_PASTE_S: Final = (0.0, 0.6)
CONVERGING_S: Final = 60.0


class CrashLoop:
    """One store, and everything that happens to it."""

    def __init__(self, directory: Path, documents: int, rows: int, tally: Tally) -> None:
        self._server = RunningServer(directory, "--checkpoint-rows", str(rows))
        self._left = directory / "left-by-the-last-kill"
        self._documents = documents
        self._tally = tally
        self._chance = random.Random(tally.seed)
        self._clients: list[Client] = []
        self._began_s = time.monotonic()

    async def run(self, seconds: float, say: Callable[[str], None]) -> None:
        """Kill until the time is over or something is wrong; all losses are in the tally."""
        try:
            while not self._tally.losses and self._elapsed_s < seconds:
                if self._tally.kills % KILLS_PER_DOCUMENT == 0:
                    await self._converge()
                    self._start_documents()
                await self._cycle()
                say(self._progress())
            if not self._tally.losses:
                await self._converge()
        finally:
            if self._server.is_running:
                self._server.strike()
        self._tally.seconds = self._elapsed_s

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _progress(self) -> str:
        tally = self._tally
        return (
            f"{self._elapsed_s:5.0f} s  kill {tally.kills}: {tally.acknowledged:,} acknowledged,"
            f" {tally.lost:,} lost, {tally.oversized:,} oversized stored"
        )

    def _start_documents(self) -> None:
        first = self._tally.documents
        self._tally.documents += self._documents
        self._clients = [
            # y-py reads ids of up to 32 bits.
            new_client(
                f"crash/{number}",
                1 + self._chance.randrange(2**31),
                self._chance,
                pastes_at_all=number % PASTED_ONE_IN == 0,
            )
            for number in range(first, first + self._documents)
            for _ in range(WRITERS_PER_DOCUMENT)
        ]

    # ---- one kill ---------------------------------------------------------------------------

    async def _cycle(self) -> None:
        peers: list[Peer] = []
        made_before = [len(client.made) for client in self._clients]
        pastes_before = sum(client.pastes for client in self._clients)
        async with AsyncExitStack() as stack:
            peers += await self._come_back(stack)
            pasted = asyncio.Event()
            tag = f"{self._tally.kills:05}"
            writing = asyncio.gather(
                *(
                    client.write(peer, tag, pasted.set)
                    for client, peer in zip(self._clients, peers, strict=True)
                )
            )
            await self._kill_at_random(pasted)
            await writing
        self._tally.kills += 1
        self._tally.pastes += sum(client.pastes for client in self._clients) - pastes_before
        acknowledged: dict[str, list[list[bytes]]] = {}
        for client, peer, before in zip(self._clients, peers, made_before, strict=True):
            client.received = peer.updates
            made = client.made[before:]
            flags = present(peer.confirmed, made)
            mine = [update for update, is_there in zip(made, flags, strict=True) if is_there]
            acknowledged.setdefault(client.document, []).append(mine)
            self._tally.sent += len(made)
            self._tally.acknowledged += len(mine)
            self._tally.seen += len(peer.updates)
        await self._check_store(acknowledged)

    async def _come_back(self, stack: AsyncExitStack) -> list[Peer]:
        """Start the server and bring every client back with what it has."""
        began_s = time.monotonic()
        await self._server.start()
        joining = [
            stack.enter_async_context(
                Peer.join(self._server.url, client.document, earlier=client.replicas)
            )
            for client in self._clients
        ]
        # In turn: an exit stack is unwound in the order in which it was filled.
        peers = [await one for one in joining]
        self._tally.recoveries_s.append(time.monotonic() - began_s)
        return peers

    async def _kill_at_random(self, pasted: asyncio.Event) -> None:
        """Kill it after a while, or while a paste is on its way."""
        try:
            async with asyncio.timeout(self._chance.uniform(*LOAD_S)):
                if self._chance.random() < 0.6:
                    await asyncio.Event().wait()
                await pasted.wait()
                await asyncio.sleep(self._chance.uniform(*AFTER_PASTE_S))
        except TimeoutError:
            pass
        await self._server.kill()

    async def _check_store(self, acknowledged: dict[str, list[list[bytes]]]) -> None:
        """Look at the store as it was left, at its file, and at each of its documents."""
        self._keep_what_was_left()
        begun, unfinished, _ = count_snapshots(self._server.store_path)
        self._tally.unfinished += unfinished
        # Opened as the next server will: what a kill left unfinished is tidied by that.
        async with open_store(self._server.store_url) as store:
            for name, updates in acknowledged.items():
                with self._noting(name):
                    stored = await _load(store, name)
                    self._tally.verified += count_verified(stored, updates)
                    self._check(name, stored)
        self._tally.losses += check_file(self._server.store_path)
        self._tally.snapshots = begun - self._tally.unfinished
        self._tally.oversized = count_snapshots(self._server.store_path)[2]
        if self._tally.lost and not self._tally.losses:
            self._tally.losses.append(f"{self._tally.lost} acknowledged updates are missing")

    def _check(self, name: str, stored: bytes) -> None:
        clients = [client for client in self._clients if client.document == name]
        self._tally.losses += check_document(
            name, stored, clients, second_decoder=self._tally.second_decoder
        )

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """A document that cannot be read at all is the worst of losses."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever it is, it goes into the report)
            self._tally.losses.append(f"{name}: {error!r}")

    def _keep_what_was_left(self) -> None:
        shutil.rmtree(self._left, ignore_errors=True)
        self._left.mkdir()
        for path in self._server.directory.glob("relay.db*"):
            shutil.copy2(path, self._left)

    # ---- the end of some documents ----------------------------------------------------------

    async def _converge(self) -> None:
        """Let everybody come back and finish; then all must have what is stored."""
        if not self._clients:
            return
        async with AsyncExitStack() as stack:
            peers = await self._come_back(stack)
            for name in dict.fromkeys(client.document for client in self._clients):
                group = [peer for peer in peers if peer.document == name]
                everything = document_of(*(peer.doc.get_update() for peer in group))
                wanted = content_of(everything)
                for peer in group:
                    await peer.until(
                        lambda peer=peer, wanted=wanted: content_of(peer.confirmed) == wanted,
                        "everything comes back",
                        within_s=CONVERGING_S,
                    )
            await self._server.kill()
        async with open_store(self._server.store_url) as store:
            for name in dict.fromkeys(client.document for client in self._clients):
                stored = await _load(store, name)
                self._check(name, stored)
                clients = [client for client in self._clients if client.document == name]
                self._tally.losses += check_equal(name, document_of(stored), clients)


async def _load(store: Store, name: str) -> bytes:
    try:
        return await store.load(name)
    except DocumentMissing:
        return b"\x00\x00"  # killed before its first update; what was seen says if that is right
