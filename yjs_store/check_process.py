"""Checks a batch of documents in a process of its own: what crashes a decoder ends only that."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yjs_store.backend import Reader
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.check import CheckDepth, DocumentReport, check_stored
from yjs_store.errors import Damaged, StoreFailing


@dataclass(frozen=True, slots=True)
class Batch:
    """What is checked in one go: documents by key or by name; None is the store around them.

    ``byte_length`` is roughly what they take.
    """

    keys: tuple[int | str, ...] | None
    byte_length: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a batch; ``store_problems`` is in no document."""

    reports: Sequence[DocumentReport]
    store_problems: Sequence[str]
    byte_length: int


def begin_process() -> None:
    """Make this process one that ends with the check, however that ends.

    It holds both ends of its own queue, so that it would wait for ever for what nobody sends.
    """
    # Ctrl-C goes to the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "it is a child process"
    parent.join()
    os._exit(1)


def check_batch(path: Path, batch: Batch, depth: CheckDepth) -> Checked:
    """Check the documents of a batch that are still there.

    Raises:
        StoreUnavailable, StoreUnusable: the store cannot be read.
    """
    reader = SqliteReader(path, blocking=True)
    if batch.keys is None:
        return Checked((), asyncio.run(_audit(reader)), batch.byte_length)
    reports = asyncio.run(_check_documents(reader, batch.keys, depth))
    return Checked(reports, (), batch.byte_length)


async def _audit(reader: Reader) -> Sequence[str]:
    await reader.open()
    try:
        return await reader.audit()
    finally:
        await reader.close()


async def _check_documents(
    reader: Reader, keys: Sequence[int | str], depth: CheckDepth
) -> list[DocumentReport]:
    await reader.open()
    try:
        reports = [await _check_one(reader, key, depth) for key in keys]
    finally:
        await reader.close()
    return [report for report in reports if report is not None]


async def _check_one(reader: Reader, key: int | str, depth: CheckDepth) -> DocumentReport | None:
    try:
        stored = await (reader.load(key) if isinstance(key, str) else reader.load_by_id(key))
        if stored is None:
            # By key: it was deleted and forgotten since it was listed.
            return failed_report(key, "there is none") if isinstance(key, str) else None
        report = check_stored(stored, depth)
        if report.problem is None:
            # As an editor asks: by the index of names, which a key goes past.
            await reader.load_head(report.document)
    except Damaged as error:
        return failed_report(key, error.problem)
    except StoreFailing as error:
        # A disk that does not give one document gives others.
        return failed_report(key, f"cannot be read: {error}")
    return report


def failed_report(key: int | str, problem: str) -> DocumentReport:
    """Return what is said of a document that cannot be read."""
    name = key if isinstance(key, str) else f"number {key}"
    return DocumentReport(name, False, 0, 0, 0, problem)
