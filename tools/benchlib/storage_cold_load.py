"""How long a cold load takes to the first byte of SyncStep2, and what reading alone takes."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchlib.engine import NEVER, open_engine
from benchlib.errors import RunFailed
from benchlib.history import type_history
from benchlib.markdown import format_markdown, size_text
from benchlib.real_histories import AUTOMERGE_PAPER, read_history
from benchlib.storage_program import StorageSetup
from yjs_store import Store, crdt, format
from yjs_store.backends import sqlite_read
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.opening import new_uid, now_ms

_NAME: Final = "paper"
_LOADS: Final = 50


class Load(NamedTuple):
    """Seconds, medians over the loads of one run."""

    cold_s: float
    bare_s: float


async def measure(setup: StorageSetup, journal_rows: tuple[int, ...]) -> None:
    """Print a row for each length of the journal."""
    history = read_history(setup.data, AUTOMERGE_PAPER, setup.seed)
    table = []
    for rows in journal_rows:
        with setup.run_directory() as directory:
            path = directory / "store.db"
            sizes = await _prepare(path, history.updates, rows, setup.seed)
            loads = [await _measure_run(path) for _ in range(setup.repetitions)]
        cold_s, bare_s = (median(column) for column in zip(*loads, strict=True))
        ratios = sorted(load.cold_s / load.bare_s for load in loads)
        setup.report.note(
            "cold load",
            {
                "history": history.name,
                "journal_rows": rows,
                "snapshot_bytes": sizes[0],
                "stored_bytes": sizes[1],
                "cold_s": cold_s,
                "bare_s": bare_s,
                "ratio": median(ratios),
            },
        )
        table.append(
            [
                f"{history.name}, {rows:,} rows",
                size_text(sizes[0]),
                size_text(sizes[1]),
                f"{bare_s * 1e3:.2f} ms",
                f"{cold_s * 1e3:.2f} ms",
                f"{median(ratios):.2f}",
                f"{ratios[0]:.2f}-{ratios[-1]:.2f}",
            ]
        )
    setup.report.say(
        format_markdown(
            ["document", "snapshot", "stored", "bare", "cold load", "ratio", "range"], table
        )
    )


async def _prepare(path: Path, updates: list[bytes], rows: int, seed: int) -> tuple[int, int]:
    """Store a history, folded, and further keystrokes as a journal; return both sizes."""
    async with open_engine(path) as engine:
        for start in range(0, len(updates), 500):
            await engine.store.append(_NAME, crdt.merge(updates[start : start + 500]))
        result = await engine.store.checkpoint(_NAME)
        await engine.trim()
        if rows:
            async with engine.store.document(_NAME) as document:
                for update in type_history(rows, seed).updates:
                    await document.append(update)
        return result.snapshot_bytes, result.stored_bytes


async def _measure_run(path: Path) -> Load:
    """Load cold and bare in turn; the file is in the page cache for both."""
    cold_s, bare_s = [], []
    backend = SqliteBackend(path)
    await backend.open()
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for _ in range(_LOADS):
                cold_s.append(await _load_cold(backend))
                bare_s.append(_load_bare(connection))
    finally:
        await backend.close()
    return Load(median(cold_s), median(bare_s))


async def _load_cold(backend: SqliteBackend) -> float:
    """Open the document in a store that has nothing in memory, and make SyncStep2."""
    store = Store(_KeptOpen(backend), NEVER, now_ms, new_uid)
    began = time.perf_counter()
    async with store.document(_NAME) as document:
        answer = document.diff(crdt.EMPTY_STATE_VECTOR)
    duration_s = time.perf_counter() - began
    if len(answer) <= len(crdt.EMPTY_UPDATE):
        raise RunFailed("the document is empty")
    await store.close()
    # The store's tasks have ended; what they still had to say is not part of the next load.
    await asyncio.sleep(0)
    return duration_s


class _KeptOpen(SqliteBackend):
    """The same open backend for one store after another: what is measured is the document."""

    def __init__(self, backend: SqliteBackend) -> None:
        self.__dict__ = backend.__dict__

    async def close(self) -> None:
        """Leave it open."""


def _load_bare(connection: sqlite3.Connection) -> float:
    began = time.perf_counter()
    stored = sqlite_read.load(connection, _NAME)
    if stored is None:
        raise RunFailed("the document is not there")
    format.assemble(stored)
    return time.perf_counter() - began
