"""kill -9 under load, again and again: nothing that anyone had seen is gone afterwards."""

import asyncio
import random
import sqlite3
from contextlib import AsyncExitStack, suppress

from pycrdt import merge_updates
from websockets.exceptions import ConnectionClosed

from yjs_store import open_store

from .conftest import StartServer
from .peers import Document, Peer, array_of, covers, document_of, map_of, text_of
from .server import RunningServer
from .ywire import decode_state_vector

KILLS = 20
DOCUMENTS = tuple(f"killed/{i}" for i in range(3))
WRITERS_PER_DOCUMENT = 2
UPDATES_SEEN_MAX = 120
LOOP_TURNS_MAX = 40
UNCONFIRMED_MAX = 100


async def test_nothing_seen_or_echoed_is_missing_after_twenty_kills_under_load(
    start_server: StartServer,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    # Checkpoints all the time, so that kills fall into them too.
    server = await start_server("--checkpoint-rows", "10")
    seen = unconfirmed_at_kill = 0
    for kill in range(KILLS):
        if kill:
            await server.start()
        writers, peers = await load_until_killed(server, chance, tag=f"{kill:02}")
        stored = await read_store(server)
        for name in DOCUMENTS:
            check_nothing_is_missing([p for p in peers if p.document == name], stored[name])
        seen += sum(len(peer.updates) for peer in peers)
        unconfirmed_at_kill += any(unconfirmed(writer) for writer in writers)
    # Kills of an idle server would prove nothing.
    assert seen > KILLS * len(DOCUMENTS)
    assert unconfirmed_at_kill > KILLS // 2
    await server.start()
    for name in DOCUMENTS:
        async with Peer.join(server.url, name) as peer:
            assert content_of(peer.confirmed) == content_of(stored[name])


async def load_until_killed(
    server: RunningServer, chance: random.Random, tag: str
) -> tuple[list[Peer], list[Peer]]:
    """Write from all sides until one of the clients has seen a random number of updates.

    Returns the writers and everybody, all of whom have read what the dead server had sent them.
    """
    writers: list[Peer] = []
    peers: list[Peer] = []
    async with AsyncExitStack() as stack:
        for name in DOCUMENTS:
            joined = [
                await stack.enter_async_context(Peer.join(server.url, name))
                for _ in range(WRITERS_PER_DOCUMENT + 1)
            ]
            writers += joined[1:]
            peers += joined
        writing = asyncio.gather(
            *(write_until_closed(w, random.Random(chance.random()), tag) for w in writers)
        )
        await kill_at_random(server, chance, peers)
        await writing
    return writers, peers


async def kill_at_random(server: RunningServer, chance: random.Random, peers: list[Peer]) -> None:
    """Kill it the moment that a client sees a certain update, or somewhat later."""
    witness, moment = chance.choice(peers), chance.randrange(UPDATES_SEEN_MAX)
    turns = chance.choice((None, chance.randrange(LOOP_TURNS_MAX)))

    def strike() -> None:
        if turns is None and len(witness.updates) > moment and server.is_running:
            server.strike()

    witness.on_update = strike
    await witness.until(lambda: len(witness.updates) > moment, f"{moment} updates are seen")
    for _ in range(turns or 0):
        await asyncio.sleep(0)
    await server.kill()


async def write_until_closed(peer: Peer, chance: random.Random, tag: str) -> None:
    """Edit without waiting for each echo, though never far ahead of the echoes."""
    number = 0
    with suppress(ConnectionClosed):
        while peer.closed is None:
            token = f"{tag}/{peer.doc.client_id}/{number}"
            number += 1
            await peer.edit(lambda doc, token=token: edit_at_random(doc, chance, token))
            await asyncio.sleep(0)
            await peer.until(
                lambda: peer.closed is not None or unconfirmed(peer) < UNCONFIRMED_MAX, "echoes"
            )


def edit_at_random(doc: Document, chance: random.Random, token: str) -> None:
    """Only delete, now and then; otherwise leave a token for good, and more that may go."""
    text = text_of(doc)
    if len(text) > 200 and chance.random() < 0.3:
        del text[chance.randrange(100) : chance.randrange(101, 200)]
        return
    array_of(doc).append(token)
    map_of(doc)[f"key {chance.randrange(20)}"] = token
    text.insert(chance.randrange(len(text) + 1), f"<{token}>")


def unconfirmed(peer: Peer) -> int:
    """How many of its own structs a client has no receipt for."""
    own = peer.doc.client_id
    made, back = (decode_state_vector(doc.get_state()) for doc in (peer.doc, peer.confirmed))
    return made.get(own, 0) - back.get(own, 0)


async def read_store(server: RunningServer) -> dict[str, Document]:
    """Open the store as it was left behind, and read every document of it."""
    async with open_store(server.store_url) as store:
        documents = {name: document_of(await store.load(name)) for name in DOCUMENTS}
    database = sqlite3.connect(server.store_path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()
    return documents


def check_nothing_is_missing(peers: list[Peer], stored: Document) -> None:
    """Compare what is stored of one document with what each of its clients was sent."""
    tokens = set(array_of(stored).to_py() or [])
    for peer in peers:
        missing = set(array_of(peer.confirmed).to_py() or []) - tokens
        assert not missing, f"{peer.document}: {len(missing)} seen, e.g. {sorted(missing)[:5]}"
    seen = merge_updates(*{update for peer in peers for update in peer.updates})
    is_complete = covers(stored, seen)
    assert is_complete, f"{peers[0].document}: structs or deletions that were seen"


def content_of(doc: Document) -> tuple[object, object, str]:
    return array_of(doc).to_py(), map_of(doc).to_py(), str(text_of(doc))
