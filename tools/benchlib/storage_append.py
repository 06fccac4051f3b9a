"""How long appends take to become durable, with and without checkpoints beside them."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from benchlib.big_documents import MIXED, make_document
from benchlib.engine import Engine, open_engine, put_document
from benchlib.history import type_history
from benchlib.markdown import format_markdown, size_text
from benchlib.storage_program import StorageSetup
from yjs_store import Document

_LARGE: Final = "large"


@dataclass(frozen=True, slots=True)
class Load:
    """Keystrokes a second over all documents, and for how long each phase lasts."""

    documents: int
    rate: float
    phase_s: float


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase came to."""

    waits_s: list[float]
    checkpoints: int


async def measure(setup: StorageSetup, load: Load, sizes: Sequence[int]) -> None:
    """Print two rows for each size: nothing beside the appends, and checkpoints all the time."""
    table = []
    for size in sizes:
        with setup.run_directory() as directory:
            async with open_engine(directory / "store.db") as engine:
                await put_document(engine, _LARGE, make_document(MIXED, size, setup.seed))
                typists = [_Typist(setup.seed + index) for index in range(load.documents)]
                phases = await _alternate(setup, engine, load, typists)
        for is_beside in (False, True):
            chosen = [phase for beside, phase in phases if beside is is_beside]
            table.append(_row(setup, size, chosen, is_beside=is_beside))
        ratios = [
            _percentile(beside.waits_s, 0.99) / _percentile(alone.waits_s, 0.99)
            for (_, alone), (_, beside) in list(pairwise(phases))[::2]
        ]
        text = f"{min(ratios):.2f}-{max(ratios):.2f}"
        setup.report.note("append ratio", {"size": size, "p99_ratios": ratios})
        setup.report.say(f"{size_text(size)}: p99 beside / alone: {median(ratios):.2f} ({text})")
    heads = ["beside", "p50", "p99", "p99.9", "largest", "appends", "checkpoints"]
    setup.report.say(format_markdown(heads, table))


class _Typist:
    """One document's writer; types on for ever."""

    def __init__(self, seed: int) -> None:
        self.name = f"small {seed}"
        self._updates = type_history(20_000, seed).updates
        self._next = 0

    def type(self) -> bytes:
        update = self._updates[self._next]
        self._next += 1
        return update


async def _alternate(
    setup: StorageSetup, engine: Engine, load: Load, typists: Sequence[_Typist]
) -> list[tuple[bool, Phase]]:
    """Run A B A B …; return each phase and whether checkpoints ran beside it."""
    rng = random.Random(setup.seed)
    phases = []
    documents = [await engine.store.open_document(typist.name) for typist in typists]
    # Open as in a room that somebody types in: to build a large Doc for its first keystroke
    # takes the event loop for as long, and is no part of a checkpoint.
    large = await engine.store.open_document(_LARGE)
    large_typist = _Typist(setup.seed - 1)
    await large.append(large_typist.type())
    try:
        await _run_phase(load, documents, typists, rng)
        for _ in range(setup.repetitions):
            phases.append((False, await _run_phase(load, documents, typists, rng)))
            async with _checkpoints(engine, large, large_typist) as done:
                beside = await _run_phase(load, documents, typists, rng)
            phases.append((True, Phase(beside.waits_s, len(done))))
    finally:
        for document in (*documents, large):
            engine.store.release_document(document)
    return phases


async def _run_phase(
    load: Load, documents: Sequence[Document], typists: Sequence[_Typist], rng: random.Random
) -> Phase:
    """Type at random moments that do not wait for the store; time each from its moment."""
    waits_s: list[float] = []
    began = time.perf_counter()

    async def append(document: Document, update: bytes, due_s: float) -> None:
        await document.append(update)
        waits_s.append(time.perf_counter() - due_s)

    due_s = 0.0
    async with asyncio.TaskGroup() as group:
        while (due_s := due_s + rng.expovariate(load.rate)) < load.phase_s:
            await asyncio.sleep(max(0.0, began + due_s - time.perf_counter()))
            index = rng.randrange(len(typists))
            update = typists[index].type()
            group.create_task(append(documents[index], update, began + due_s))
    return Phase(waits_s, 0)


@asynccontextmanager
async def _checkpoints(
    engine: Engine, large: Document, typist: _Typist
) -> AsyncIterator[list[float]]:
    """Checkpoint the large document all the time; yields a list of what each took."""
    done: list[float] = []

    async def run() -> None:
        while True:
            await large.append(typist.type())
            began = time.perf_counter()
            await engine.store.checkpoint(_LARGE)
            done.append(time.perf_counter() - began)

    task = asyncio.create_task(run())
    try:
        yield done
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _row(setup: StorageSetup, size: int, phases: Sequence[Phase], *, is_beside: bool) -> list[str]:
    waits_s = [wait_s for phase in phases for wait_s in phase.waits_s]
    figures = {
        "p50_s": median(_percentile(phase.waits_s, 0.5) for phase in phases),
        "p99_s": median(_percentile(phase.waits_s, 0.99) for phase in phases),
        "p999_s": median(_percentile(phase.waits_s, 0.999) for phase in phases),
        "largest_s": max(waits_s),
    }
    checkpoints = sum(phase.checkpoints for phase in phases)
    setup.report.note(
        "append latency",
        {"size": size, "beside": is_beside, "checkpoints": checkpoints, **figures},
    )
    return [
        f"checkpoints of {size_text(size)}" if is_beside else "nothing",
        *(f"{figure * 1e3:.2f} ms" for figure in figures.values()),
        f"{len(waits_s):,}",
        f"{checkpoints}",
    ]


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
