"""Checks that are ended from outside, as by a kernel that is short of memory.

Each is run in a process of the check, and counts there how often it was ended.
"""

import os
import signal
from pathlib import Path

from yjs_store import CheckDepth, Checked
from yjs_store.check_process import Batch, check_batch

ROWS = 1
"""The key of the document whose check is ended."""


def _die(path: Path, times: int) -> None:
    with path.with_name("deaths").open("ab+") as deaths:
        if deaths.tell() < times:
            deaths.write(b"x")
            deaths.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def always(path: Path, batch: Batch, depth: CheckDepth) -> Checked:
    """Nobody may decode "rows"."""
    if ROWS in (batch.keys or ()) and depth is not CheckDepth.CHECKSUMS:
        _die(path, 1 << 60)
    return check_batch(path, batch, depth)


def twice(path: Path, batch: Batch, depth: CheckDepth) -> Checked:
    """Among the others and once alone."""
    if ROWS in (batch.keys or ()):
        _die(path, 2)
    return check_batch(path, batch, depth)


def orphans_once(path: Path, batch: Batch, depth: CheckDepth) -> Checked:
    """The look at what belongs to no document is ended."""
    if batch.keys is None:
        _die(path, 1)
    return check_batch(path, batch, depth)


def orphans_always(path: Path, batch: Batch, depth: CheckDepth) -> Checked:
    """The same, however often it is tried."""
    if batch.keys is None:
        _die(path, 1 << 60)
    return check_batch(path, batch, depth)
