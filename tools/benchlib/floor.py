"""What the same machine does with the same updates when each part of the work stands alone."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import pycrdt

from benchlib import websocket_frames as ws
from benchlib.connection import Connection, connect, wait_finished
from benchlib.errors import RunFailed
from benchlib.machine import Cores, pinned
from benchlib.meter import Meter
from benchlib.server_process import ASGI_SINK, start_server
from benchlib.stream import Stream

FLOOD_S: Final = 120.0
# The work of each part takes a second or so.
UPDATES_MAX: Final = 200_000
ROWS_PER_COMMIT: Final = 100
# Of each part the best counts: whatever else runs on the machine only slows it.
_TRIES: Final = 3
_WRITE_UPDATES: Final = 1000


class Rate(NamedTuple):
    """Updates per second, and per second of the CPU, which other programs hardly change."""

    per_s: float
    per_cpu_s: float


@dataclass(frozen=True, slots=True)
class Floor:
    """What each part reaches alone, on the server's core."""

    frames_into_asgi: Rate
    apply_update: Rate
    sqlite_inserts: Rate

    @property
    def combined(self) -> Rate:
        """What one core reaches that does the three one after the other."""
        parts = (self.frames_into_asgi, self.apply_update, self.sqlite_inserts)
        return Rate(
            1 / sum(1 / part.per_s for part in parts),
            1 / sum(1 / part.per_cpu_s for part in parts),
        )


async def measure_floor(streams: Sequence[Stream], directory: Path, cores: Cores) -> Floor:
    """Time the parts, one after the other.

    Raises:
        RunFailed: a part did not do its work.
    """
    frames = [await _time_frames(streams, directory, cores) for _ in range(_TRIES)]
    histories = [stream.history.updates for stream in streams]
    with pinned(cores.server):
        applied = [_time_apply(histories) for _ in range(_TRIES)]
        inserted = [_time_inserts(histories, directory / f"{n}.db") for n in range(_TRIES)]
    return Floor(_best(frames), _best(applied), _best(inserted))


def _best(tries: Sequence[Rate]) -> Rate:
    return Rate(max(rate.per_s for rate in tries), max(rate.per_cpu_s for rate in tries))


class _Stopwatch:
    """Runs from its making to ``rate``; counts the CPU of this process."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def rate(self, count: int) -> Rate:
        """Return how fast that many were done."""
        wall_s, cpu_s = self._began
        return Rate(count / (time.perf_counter() - wall_s), count / (time.process_time() - cpu_s))


class _Flooder(Connection):
    """Sends a whole stream without waiting for anything but the socket, then asks for the count."""

    def __init__(self, url: str, stream: Stream) -> None:
        super().__init__(url)
        self._stream = stream
        self._sent = 0
        self._is_paused = True

    def on_open(self) -> None:
        self.synced.set_result(b"")

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        while not self._is_paused and self._sent < len(self._stream):
            end = min(self._sent + _WRITE_UPDATES, len(self._stream))
            self.write(self._stream.frames(self._sent, end))
            self._sent = end
            if end == len(self._stream):
                self.write(ws.make_client_frame(ws.TEXT, b"how many?"))

    def on_text(self, payload: bytes) -> None:
        if int(payload) == len(self._stream):
            self.finished.set_result(None)
        else:
            raise RunFailed(f"{len(self._stream)} frames were sent, {int(payload)} arrived")


async def _time_frames(streams: Sequence[Stream], directory: Path, cores: Cores) -> Rate:
    server = await start_server(ASGI_SINK, directory, cores.server)
    try:
        flooders = [
            _Flooder(f"{server.url}/{index}", stream) for index, stream in enumerate(streams)
        ]
        await asyncio.gather(*map(connect, flooders))
        meter = Meter(server, cores)
        for flooder in flooders:
            flooder.resume_writing()
        await wait_finished(flooders, FLOOD_S)
        cost = meter.stop()
        for flooder in flooders:
            flooder.close()
    finally:
        await server.stop()
    count = sum(map(len, streams))
    return Rate(count / cost.wall_s, count / max(cost.server_cpu_s, 1e-9))


def _time_apply(histories: Sequence[list[bytes]]) -> Rate:
    """Apply each update by itself to the document it belongs to, documents in turn."""
    docs: list[pycrdt.Doc[Any]] = [pycrdt.Doc() for _ in histories]
    count = 0
    stopwatch = _Stopwatch()
    for updates in islice(zip(*histories, strict=False), UPDATES_MAX // len(docs)):
        for doc, update in zip(docs, updates, strict=True):
            doc.apply_update(update)
        count += len(docs)
    return stopwatch.rate(count)


def _time_inserts(histories: Sequence[list[bytes]], path: Path) -> Rate:
    """Insert each update as a row; every commit is on the disk before the next begins."""
    rows = [
        (document, seq, update)
        for seq, updates in enumerate(
            islice(zip(*histories, strict=False), UPDATES_MAX // len(histories))
        )
        for document, update in enumerate(updates)
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        # No index beside the rows themselves: less cannot be written.
        database.execute("CREATE TABLE journal (document_id INTEGER, seq INTEGER, data BLOB)")
        stopwatch = _Stopwatch()
        for start in range(0, len(rows), ROWS_PER_COMMIT):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO journal VALUES (?, ?, ?)", rows[start : start + ROWS_PER_COMMIT]
            )
            database.execute("COMMIT")
        return stopwatch.rate(len(rows))
