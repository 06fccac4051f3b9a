"""Checks a whole store, live or closed, on all cores."""

import functools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.check import CheckDepth, DocumentReport
from yjs_store.check_alone import Ended, check_alone
from yjs_store.check_process import Batch, Checked, begin_process, check_batch, failed_report
from yjs_store.limits import (
    CHECK_BATCH_BYTES,
    CHECK_BATCH_DOCUMENTS,
    LIST_PAGE_MAX,
    READ_AHEAD_BYTES_MAX,
)
from yjs_store.urls import sqlite_path


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What will be checked."""

    path: Path
    batches: tuple[Batch, ...]

    @property
    def byte_length(self) -> int:
        """What it takes, roughly, for a progress bar."""
        return sum(batch.byte_length for batch in self.batches)


async def plan_check(url: str, names: Sequence[str] = ()) -> CheckPlan:
    """Find out what there is to check: the whole store, or the documents named.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
    """
    path = sqlite_path(url)
    reader = SqliteReader(path)
    await reader.open()
    try:
        if names:
            return CheckPlan(path, tuple(Batch((name,), 1) for name in names))
        return CheckPlan(path, (Batch(None, 0), *await _plan_batches(reader)))
    finally:
        await reader.close()


async def _plan_batches(reader: SqliteReader) -> list[Batch]:
    batches: list[Batch] = []
    keys: list[int | str] = []
    byte_length = after_id = 0
    while extents := await reader.list_extents(after_id, LIST_PAGE_MAX):
        for extent in extents:
            keys.append(extent.document_id)
            byte_length += max(extent.byte_length, 1)
            if len(keys) == CHECK_BATCH_DOCUMENTS or byte_length >= CHECK_BATCH_BYTES:
                batches.append(Batch(tuple(keys), byte_length))
                keys, byte_length = [], 0
        after_id = extents[-1].document_id
    if keys:
        batches.append(Batch(tuple(keys), byte_length))
    return batches


def run_check(plan: CheckPlan, depth: CheckDepth) -> Iterator[Checked]:
    """Check what is planned; yield part by part, in no order.

    Raises:
        StoreUnavailable, StoreUnusable: the store cannot be read.
    """
    died: list[Batch] = []
    _read_ahead(plan)
    # Starting a process takes as long as reading one batch.
    processes = min(os.cpu_count() or 1, 1 + plan.byte_length // CHECK_BATCH_BYTES)
    yield from _run_batches(plan.path, plan.batches, depth, processes, died)
    # Something among these ends the process that reads it: one by one it is seen what.
    for single in (single for batch in died for single in _singles(batch)):
        yield _check_single(plan.path, single, depth)


def _read_ahead(plan: CheckPlan) -> None:
    """Let the kernel fetch the file in large steps: SQLite asks for it page by page."""
    if hasattr(os, "posix_fadvise") and len(plan.batches) > 1:
        with plan.path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, READ_AHEAD_BYTES_MAX, os.POSIX_FADV_WILLNEED)


def _singles(batch: Batch) -> Iterator[Batch]:
    """Yield what a batch consists of; together they have as many bytes."""
    if batch.keys is None:
        yield batch
        return
    left = batch.byte_length
    for number, key in enumerate(batch.keys):
        byte_length = left // (len(batch.keys) - number)
        left -= byte_length
        yield Batch((key,), byte_length)


def _check_single(path: Path, single: Batch, depth: CheckDepth) -> Checked:
    """Check one document, or what is around them; say so where its process ends for that."""
    found = check_alone(check_batch, path, single, depth)
    if isinstance(found, Checked):
        return found
    if single.keys is None:
        return Checked((), [f"orphans not looked for: the process that did it {_how(found)}"], 0)
    problem = (
        "content: the decoder ended the process that read it"
        if found.is_decoders
        else f"not checked: the process that read it {_how(found)}"
    )
    return Checked([_report_of(path, single, problem)], (), single.byte_length)


def _how(ended: Ended) -> str:
    return ended.how if ended.is_decoders else f"{ended.how}, twice"


def _report_of(path: Path, single: Batch, problem: str) -> DocumentReport:
    """Return what is said of a document that cannot be decoded, by its name."""
    found = check_alone(check_batch, path, single, CheckDepth.CHECKSUMS)
    for report in () if isinstance(found, Ended) else found.reports:
        return replace(report, problem=report.problem or problem)
    (key,) = single.keys or ("",)
    return failed_report(key, problem)


def _run_batches(
    path: Path, batches: Iterable[Batch], depth: CheckDepth, processes: int, died: list[Batch]
) -> Iterator[Checked]:
    """Check batches; those whose process died, and what ran beside them, are put into ``died``."""
    waiting = deque(batches)
    while waiting:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, begin_process) as pool:
            submit = functools.partial(_submit, pool, path, depth)
            yield from _run_until_broken(submit, waiting, processes, died)


def _submit(
    pool: ProcessPoolExecutor, path: Path, depth: CheckDepth, batch: Batch
) -> Future[Checked]:
    return pool.submit(check_batch, path, batch, depth)


def _run_until_broken(
    submit: Callable[[Batch], Future[Checked]],
    waiting: deque[Batch],
    processes: int,
    died: list[Batch],
) -> Iterator[Checked]:
    running: dict[Future[Checked], Batch] = {}
    is_broken = False
    while running or (waiting and not is_broken):
        # One more than can run, so that no process waits for this one.
        while waiting and len(running) <= processes and not is_broken:
            try:
                running[submit(waiting[0])] = waiting[0]
            except BrokenProcessPool:
                is_broken = True
            else:
                waiting.popleft()
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            batch = running.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                is_broken = True
                died.append(batch)
