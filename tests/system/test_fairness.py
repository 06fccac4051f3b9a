"""One writer that fills its socket does not keep another of the same document waiting."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from pycrdt import Text

from .peers import Peer
from .server import RunningServer

TESTS_DIRECTORY = Path(__file__).resolve().parents[1]
FLOOD_KEYSTROKES = 50_000
# What may pass between sending one keystroke and having its echo while the flood goes on: a few
# commits, and what the flood's socket buffers into them. Measured: at most 3 and 512.
FRAMES_A_ROUND_MAX = 12
KEYSTROKES_A_ROUND_MAX = FLOOD_KEYSTROKES // 20
ROUNDS_MIN = 20


class Round(NamedTuple):
    """What a writer was sent while it waited for one echo, that echo included."""

    frames: int
    keystrokes: int


@asynccontextmanager
async def flood(server: RunningServer, document: str, keystrokes: int) -> AsyncIterator[None]:
    """A flat-out writer in a process of its own, so that it does not slow down this one."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "system.flood", str(server.port), document, str(keystrokes)),
        cwd=TESTS_DIRECTORY,
        stdin=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield
        process.stdin.close()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def flooded(peer: Peer) -> int:
    return len(peer.confirmed.get("flood", type=Text))


async def test_a_flat_out_writer_does_not_starve_another_of_its_document(
    server: RunningServer,
) -> None:
    """Field note 32: the others waited for seconds."""
    async with Peer.join(server.url, "shared") as peer, flood(server, "shared", FLOOD_KEYSTROKES):
        await peer.until(lambda: flooded(peer) > 0, "the flood begins")
        rounds: list[Round] = []
        while flooded(peer) < FLOOD_KEYSTROKES:
            frames, keystrokes = len(peer.updates), flooded(peer)
            await peer.insert(0, "x")
            await peer.wait_text("x" * (len(rounds) + 1))
            rounds.append(Round(len(peer.updates) - frames, flooded(peer) - keystrokes))
    print(f"{len(rounds)} rounds, the longest {max(rounds)}")
    # A starved writer has its first echo when the flood is over.
    assert len(rounds) >= ROUNDS_MIN
    assert max(r.frames for r in rounds) <= FRAMES_A_ROUND_MAX
    assert max(r.keystrokes for r in rounds) <= KEYSTROKES_A_ROUND_MAX
