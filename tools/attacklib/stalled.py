"""A thousand readers of one document, of whom some read nothing: what the others notice."""

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchlib import y_websocket as wire
from benchlib.connection import Connection, connect, wait_finished
from benchlib.history import type_history
from benchlib.reader import FrameClocks
from benchlib.stream import Stream
from benchlib.timed_clients import TimedReader, TimedWriter
from pycrdt import Doc, Text
from system.server import RunningServer

from attacklib.run import memory

READERS = 1000
LETTERS = 400
EVERY_S = 0.05
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class StalledRun:
    """Of one run: how many read nothing, and the delays of all the others."""

    stalled: int
    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    memory_bytes: int


class Stalled(Connection):
    """Reads until it is in sync, and then nothing."""

    def stall(self) -> None:
        assert self._transport is not None, "connected"
        self._transport.pause_reading()


async def compare(stalled: int, rounds: int) -> list[StalledRun]:
    """Measure without and with stalled readers, in turns."""
    return [await _run(count) for _ in range(rounds) for count in (0, stalled)]


async def _run(stalled: int) -> StalledRun:
    with tempfile.TemporaryDirectory(prefix="stalled-") as name:
        server = RunningServer(Path(name))
        await server.start()
        try:
            return await _measure(server, stalled)
        finally:
            await server.kill()


async def _measure(server: RunningServer, stalled: int) -> StalledRun:
    url = f"{server.url}/ws/crowded"
    silent = [Stalled(url) for _ in range(stalled)]
    await _connect(silent)
    for one in silent:
        one.stall()
    await _fill(url)
    stream = Stream(type_history(2 * LETTERS, 1))
    clocks = FrameClocks(stream.client_id)
    readers = [TimedReader(url, stream, clocks, keeps=False) for _ in range(READERS - stalled)]
    writer = TimedWriter(url, stream)
    await _connect([writer, *readers])
    await _type(writer)
    for reader in readers:
        reader.expect(writer.sent)
    await wait_finished(readers, 30)
    delays_ms = sorted(
        1000 * (arrived_s - sent_s)
        for reader in readers
        for sent_s, arrived_s in zip(writer.sent_s, reader.arrived_s, strict=True)
    )
    held = memory(server.pid, "VmRSS")
    for connection in (writer, *readers, *silent):
        connection.close()
    return StalledRun(
        *(stalled, len(delays_ms), delays_ms[len(delays_ms) // 2]),
        *(delays_ms[int(0.99 * len(delays_ms))], delays_ms[-1], held),
    )


async def _connect(connections: list[Connection] | list[Stalled]) -> None:
    for start in range(0, len(connections), AT_ONCE):
        await asyncio.gather(*map(connect, connections[start : start + AT_ONCE]))


async def _fill(url: str) -> None:
    """Write and delete so much that every buffer of who does not read is full."""
    writer = await connect(Connection(url))
    doc: Doc[Text] = Doc()
    text = doc.get("paste", type=Text)
    for _ in range(16):
        before = doc.get_state()
        text += os.urandom(250_000).hex()
        writer.send(wire.encode_update(doc.get_update(before)))
        await asyncio.sleep(0.1)
    updates: list[bytes] = []
    watching = doc.observe(lambda event: updates.append(event.update))
    text.clear()
    doc.unobserve(watching)
    for update in updates:
        writer.send(wire.encode_update(update))
    await asyncio.sleep(2)
    writer.close()


async def _type(writer: TimedWriter) -> None:
    begun_s = time.perf_counter()
    for number in range(LETTERS):
        await asyncio.sleep(max(0.0, begun_s + number * EVERY_S - time.perf_counter()))
        writer.send_next()
    writer.finish()
