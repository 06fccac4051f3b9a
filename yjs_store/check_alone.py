"""Checks one batch in a process that does nothing else, and tells how that one ended.

A pool of processes does not say how one of them died. Here it is known, so nobody blames a decoder
for a process that was ended from outside.
"""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from yjs_store.check import CheckDepth
from yjs_store.check_process import Batch, Checked, begin_process
from yjs_store.worker_process import DECODER_SIGNALS

Check = Callable[[Path, Batch, CheckDepth], Checked]


@dataclass(frozen=True, slots=True)
class Ended:
    """There is no answer: ``how`` the process ended, for people, and whether a decoder did that."""

    how: str
    is_decoders: bool


def check_alone(check: Check, path: Path, batch: Batch, depth: CheckDepth) -> Checked | Ended:
    """Return what ``check`` finds in a process of its own; raise what it raises there.

    One that ends without an answer and not by a decoder gets a second process: a kernel that is
    short of memory says nothing about what was read.
    """
    found = _check_once(check, path, batch, depth)
    if isinstance(found, Ended) and not found.is_decoders:
        found = _check_once(check, path, batch, depth)
    return found


def _check_once(check: Check, path: Path, batch: Batch, depth: CheckDepth) -> Checked | Ended:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, check, path, batch, depth))
    process.start()
    # So that there is an end to what is received when the process has ended.
    sending.close()
    answer: Checked | Exception | None = None
    try:
        with receiving, contextlib.suppress(EOFError, OSError):
            answer = receiving.recv()
        process.join()
    finally:
        # Whoever interrupts the check does not wait for it.
        process.kill()
    if isinstance(answer, Exception):
        raise answer
    return _ended(process.exitcode or 0) if answer is None else answer


def _answer(sending: Connection, check: Check, path: Path, batch: Batch, depth: CheckDepth) -> None:
    begin_process()
    answer: Checked | Exception
    try:
        answer = check(path, batch, depth)
    except Exception as error:  # noqa: BLE001  (raised where the answer is waited for)
        answer = error
    sending.send(answer)


def _ended(code: int) -> Ended:
    if code >= 0:
        return Ended(f"ended with exit code {code}", is_decoders=False)
    ended_by = signal.Signals(-code)
    return Ended(f"ended with {ended_by.name}", ended_by in DECODER_SIGNALS)
