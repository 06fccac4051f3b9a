"""How long a page of the list of documents takes, in every order, and what an index would cost."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from benchlib.markdown import format_markdown
from benchlib.storage_program import StorageSetup
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_read import name_hash
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.listing_records import Order, PageRequest, Troubled

_PAGES: Final = 30
_COMMITS: Final = 100
_ROWS: Final = 100
_INDEXES: Final = ("updated_ms", "journal_bytes", "journal_bytes + snapshot_bytes")


async def measure(setup: StorageSetup, counts: tuple[int, ...]) -> None:
    """Print a row for each number of documents and each order."""
    table = []
    for documents in counts:
        with setup.run_directory() as directory:
            path = directory / "store.db"
            await _make(path, documents, setup.seed)
            for order in Order:
                for what, request in _requests(order).items():
                    table.append(await _measure_pages(setup, path, documents, what, request))
            commits = [_measure_commits(path, setup.seed) for _ in range(setup.repetitions)]
        plain_s, indexed_s = (median(column) for column in zip(*commits, strict=True))
        facts = {"documents": documents, "plain_s": plain_s, "indexed_s": indexed_s}
        setup.report.note("commits with indexes", facts)
        setup.report.say(
            f"{documents:,} documents, a commit of {_ROWS} rows: {plain_s * 1e3:.2f} ms, with an"
            f" index for each order {indexed_s * 1e3:.2f} ms"
        )
    setup.report.say(format_markdown(["documents", "order", "of", "median", "p90"], table))


def _requests(order: Order) -> dict[str, PageRequest]:
    troubled = Troubled(frozenset(f"project-1/{number}" for number in range(100)), 1 << 40)
    return {
        "all": PageRequest(order),
        "one prefix": PageRequest(order, prefix="project-7/"),
        "trouble": PageRequest(order, troubled=troubled),
    }


async def _measure_pages(
    setup: StorageSetup, path: Path, documents: int, what: str, request: PageRequest
) -> list[str]:
    durations_s = []
    reader = SqliteReader(path)
    await reader.open()
    try:
        for _ in range(_PAGES):
            began = time.perf_counter()
            await reader.observing.page(request)
            durations_s.append(time.perf_counter() - began)
    finally:
        await reader.close()
    durations_s.sort()
    middle_s, p90_s = median(durations_s), durations_s[_PAGES * 9 // 10]
    facts = {"documents": documents, "order": request.order.value, "of": what, "s": middle_s}
    setup.report.note("page", facts)
    texts = [f"{seconds * 1e3:.2f} ms" for seconds in (middle_s, p90_s)]
    return [f"{documents:,}", request.order.value, what, *texts]


async def _make(path: Path, documents: int, seed: int) -> None:
    """Heads alone: of the rest nothing is read."""
    backend = SqliteBackend(path)
    await backend.open()
    await backend.close()
    chance = Random(seed)
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, 0, ?, NULL, ?, 0, ?, NULL, 0, ?)",
            [_head(number, chance) for number in range(1, documents + 1)],
        )
        connection.commit()


def _head(number: int, chance: Random) -> tuple[object, ...]:
    name = f"project-{chance.randrange(50)}/{number:012}"
    numbers = (chance.randrange(1 << 18), chance.randrange(1 << 20), chance.randrange(1 << 40))
    return number, name, name_hash(name), chance.randbytes(16), 5000, *numbers, chance.randbytes(16)


def _measure_commits(path: Path, seed: int) -> tuple[float, float]:
    """Return the median seconds of a commit that moves the heads of many, without and with."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        plain_s = _commit(connection, seed)
        for number, value in enumerate(_INDEXES):
            connection.execute(f"CREATE INDEX tried_{number} ON documents ({value})")
        indexed_s = _commit(connection, seed)
        for number in range(len(_INDEXES)):
            connection.execute(f"DROP INDEX tried_{number}")
    return plain_s, indexed_s


def _commit(connection: sqlite3.Connection, seed: int) -> float:
    chance = Random(seed)
    (documents,) = connection.execute("SELECT count(*) FROM documents").fetchone()
    durations_s = []
    for number in range(_COMMITS):
        moved = [(number, key) for key in chance.sample(range(1, documents + 1), _ROWS)]
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE documents SET last_seq = last_seq + 1, journal_bytes = journal_bytes + 40,"
            " updated_ms = ? + updated_ms WHERE id = ?",
            moved,
        )
        connection.execute("COMMIT")
        durations_s.append(time.perf_counter() - began)
    return median(durations_s)
