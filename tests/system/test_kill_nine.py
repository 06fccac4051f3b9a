"""kill -9 under load, again and again: nothing that anyone had seen is gone afterwards."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress

from websockets.exceptions import ConnectionClosed

from .conftest import StartServer
from .crashing import (
    check_nothing_is_missing,
    content_of,
    edit_at_random,
    read_store,
    unconfirmed,
)
from .peers import Peer
from .server import RunningServer

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
        stored = await read_store(server, DOCUMENTS)
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
