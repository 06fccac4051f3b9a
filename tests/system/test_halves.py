"""Characters of two units that editors cut: what live clients see is what those who come later get.

An editor that looks for the difference of two texts unit by unit deletes one half of a character
to make another of it. Stock Yjs shows U+FFFD for each half from then on.
"""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from store.halves import CUTS, HALF, SMILE, smiling
from store.histories import EDITS, play

from yjs_store import crdt

from .conftest import StartServer
from .node import NodeClient, NodeProcess, step
from .server import RunningServer
from .waiting import DEADLINE_S

SEED = 8
HISTORIES = 60


async def insert(client: NodeClient, at: int, text: str) -> None:
    await client.edit(step("insert", "text", at=at, text=text))


async def erase(client: NodeClient, at: int) -> None:
    await client.edit(step("delete", "text", at=at, length=1))


async def cut_in_every_way(ann: NodeClient, bob: NodeClient) -> str:
    """Delete halves, type between them, and go on typing; return what it comes to."""
    await insert(ann, 0, SMILE * 4)
    await insert(ann, 8, "later")
    await erase(ann, 1)
    await insert(ann, 12, "!")
    await bob.wait(equalTo=ann)
    await insert(bob, 2, "x")
    await insert(bob, 12, "y")
    await ann.wait(equalTo=bob)
    await erase(ann, 5)
    await insert(ann, 13, SMILE)
    await bob.wait(equalTo=ann)
    return str((await ann.content())["text"])


async def test_who_comes_later_sees_what_live_clients_see(
    node: NodeProcess, server: RunningServer
) -> None:
    """P2. The replica answers, then the rows, and typing goes on after each."""
    ann = await node.join("ann", server.url, "halves")
    bob = await node.join("bob", server.url, "halves")
    text = await cut_in_every_way(ann, bob)
    assert text.count(HALF) >= 3
    assert SMILE in text
    for number in range(2):
        late = await node.join(f"late {number}", server.url, "halves")
        await late.wait(equalTo=ann)
        await insert(late, 3, f"{SMILE}z")
        await erase(late, 4)
        await ann.wait(equalTo=late)
        await server.restart(same_port=True)
        await ann.wait(connected=True)
        await ann.wait(synced=True)


async def test_a_checkpoint_keeps_what_live_clients_see(
    node: NodeProcess, start_server: StartServer
) -> None:
    """P3."""
    server = await start_server("--checkpoint-rows", "5")
    ann = await node.join("ann", server.url, "halves")
    bob = await node.join("bob", server.url, "halves")
    await cut_in_every_way(ann, bob)
    for number in range(30):
        await insert(ann, 0, str(number % 10))
        await bob.wait(equalTo=ann)
    await server.restart(same_port=True)
    late = await node.join("late", server.url, "halves")
    await late.wait(equalTo=ann, within_s=DEADLINE_S)


@pytest.mark.parametrize(("updates", "text"), CUTS.values(), ids=CUTS)
async def test_stock_yjs_shows_what_the_store_says_it_shows(
    node: NodeProcess, updates: list[bytes], text: str
) -> None:
    described = [await node.decode(*some) for some in (updates, [crdt.fold(updates)[0]])]
    assert [one["content"]["text"] for one in described] == [text, text]
    assert described[0]["stateVector"] == described[1]["stateVector"]


async def test_stock_yjs_reads_in_answers_and_folds_what_it_reads_in_updates(
    node: NodeProcess,
) -> None:
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    cut_count = 0
    for _ in range(HISTORIES):
        updates = smiling(play([(0, 0, 0, 1), *_steps(rng)]))
        arrived = rng.sample(updates, len(updates))
        replica = crdt.Replica(arrived[: len(arrived) // 2])
        for update in arrived[len(arrived) // 2 :]:
            replica.integrate(update)
        folded = crdt.fold(arrived)[0]
        cut_count += HALF.encode() in folded
        expected = await _read(node, updates)
        assert await _read(node, [replica.diff(crdt.EMPTY_STATE_VECTOR)]) == expected
        assert await _read(node, [folded]) == expected
        assert await _read(node, [crdt.merge(arrived)]) == expected
    assert cut_count > HISTORIES // 4


def _steps(rng: random.Random) -> list[tuple[int, int, int, int]]:
    return [
        (rng.randrange(3), rng.randrange(len(EDITS) + 3), rng.randrange(100), rng.randrange(100))
        for _ in range(rng.randrange(5, 60))
    ]


async def _read(node: NodeProcess, updates: Sequence[bytes]) -> dict[str, Any]:
    described = await node.decode(*updates)
    return {key: described[key] for key in ("content", "stateVector", "pending")}
