"""One measured checkpoint, in a process of its own; started by storage_checkpoint.

Prints its figures as one JSON object.
"""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import pycrdt

from benchlib.engine import Engine, open_engine
from benchlib.history import type_history
from benchlib.process_accounts import (
    child_ids,
    cpu_s,
    forget_peak,
    memory_bytes,
    memory_peak_bytes,
)
from yjs_store import format
from yjs_store.limits import FOLD_INLINE_BYTES, SNAPSHOT_CHUNK_BYTES

_NAME: Final = "large"
_ROUNDS: Final = 3
_TYPED_BETWEEN: Final = 20


@dataclass(frozen=True, slots=True)
class CheckpointFigures:
    """Of one process: seconds are medians; peaks are above what was held before."""

    document_bytes: int
    checkpoint_s: float
    bare_s: float
    checkpoint_cpu_s: float
    bare_cpu_s: float
    fold_peak_bytes: int
    store_peak_bytes: int
    doc_bytes: int


async def measure(path: Path, doc_bytes: int) -> CheckpointFigures:
    """Checkpoint and do the bare work in turn; memory is measured at the first checkpoint."""
    checkpoint_s, bare_s = [], []
    checkpoint_cpu_s = bare_cpu_s = 0.0
    keystrokes = iter(type_history(_ROUNDS * _TYPED_BETWEEN, 7).updates)
    fold_peak = store_peak = 0
    async with open_engine(path) as engine:
        fold_process = await _warm_fold_process(engine)
        fold_before = memory_bytes(fold_process)
        for number in range(_ROUNDS):
            async with engine.store.document(_NAME) as document:
                for update in islice(keystrokes, _TYPED_BETWEEN):
                    await document.append(update)
            del document
            for process in (fold_process, os.getpid()):
                forget_peak(process)
            store_before = memory_bytes(os.getpid())
            began, began_cpu_s = time.perf_counter(), _cpu_of_both_s(fold_process)
            result = await engine.store.checkpoint(_NAME)
            checkpoint_s.append(time.perf_counter() - began)
            checkpoint_cpu_s += _cpu_of_both_s(fold_process) - began_cpu_s
            if number == 0:
                fold_peak = memory_peak_bytes(fold_process) - fold_before
                store_peak = memory_peak_bytes(os.getpid()) - store_before
            await engine.trim()
            began_cpu_s = time.process_time()
            bare_s.append(_do_bare(path, path.with_name("bare.db")))
            bare_cpu_s += time.process_time() - began_cpu_s
    return CheckpointFigures(
        document_bytes=result.snapshot_bytes,
        checkpoint_s=median(checkpoint_s),
        bare_s=median(bare_s),
        checkpoint_cpu_s=checkpoint_cpu_s / _ROUNDS,
        bare_cpu_s=bare_cpu_s / _ROUNDS,
        fold_peak_bytes=fold_peak,
        store_peak_bytes=store_peak,
        doc_bytes=doc_bytes,
    )


def _cpu_of_both_s(fold_process: int) -> float:
    return time.process_time() + cpu_s(fold_process)


async def _warm_fold_process(engine: Engine) -> int:
    """Have the fold process started, with everything imported; return its id."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc.get("text", type=pycrdt.Text).insert(0, "warm" * FOLD_INLINE_BYTES)
    await engine.store.append("warm", doc.get_update())
    await engine.store.checkpoint("warm")
    return child_ids()[0]


def _do_bare(path: Path, target: Path) -> float:
    """Load, merge through a Doc and write as one would who checks nothing; return the seconds."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE chunks (chunk_index INTEGER PRIMARY KEY, data BLOB)")
        began = time.perf_counter()
        doc = _build_doc(_read_updates(path))
        update = doc.get_update()
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO chunks VALUES (?, ?)", _packed(update))
        database.execute("COMMIT")
        return time.perf_counter() - began


def _read_updates(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        document_id, cut_seq, snapshot_id = connection.execute(
            "SELECT id, cut_seq, snapshot_id FROM documents WHERE name = ?", (_NAME,)
        ).fetchone()
        chunks = connection.execute(
            "SELECT codec, data FROM chunks WHERE snapshot_id = ? ORDER BY chunk_index",
            (snapshot_id,),
        )
        snapshot = b"".join(
            format.zstd.decompress(data) if codec == format.CODEC_ZSTD else data
            for codec, data in chunks
        )
        rows = connection.execute(
            "SELECT data FROM journal WHERE document_id = ? AND seq > ? ORDER BY seq",
            (document_id, cut_seq),
        )
        return [snapshot, *(data for (data,) in rows)]


def _packed(update: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the chunks, compressed as the store does it."""
    for index, start in enumerate(range(0, len(update), SNAPSHOT_CHUNK_BYTES)):
        raw = update[start : start + SNAPSHOT_CHUNK_BYTES]
        yield index, format.zstd.compress(raw, level=1)


def _build_doc(updates: Sequence[bytes]) -> "pycrdt.Doc[Any]":
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    for update in updates:
        doc.apply_update(update)
    return doc


def _measure_doc(path: Path) -> int:
    """Return what a Doc of the document takes, in a process that ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        updates = _read_updates(path)
        before = memory_bytes(os.getpid())
        doc = _build_doc(updates)
        os.write(writer, str(memory_bytes(os.getpid()) - before).encode())
        del doc
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reader, 100))


if __name__ == "__main__":
    store_path = Path(sys.argv[1])
    found = asyncio.run(measure(store_path, _measure_doc(store_path)))
    print(json.dumps(asdict(found)))
