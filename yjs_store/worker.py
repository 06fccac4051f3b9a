"""What every process of ours does: read jobs from standard input, write to standard output.

It ends with its parent, whose end of the pipe closes however the parent dies.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from yjs_store.worker_pipe import LENGTH, pack, unpack

# Behind everything that an editor waits for.
_NICENESS = 10

Read = Callable[[], Any]
"""Returns the next message of the job at hand; raises EOFError when it ends early."""

Write = Callable[[Any], None]
"""Sends a message to the parent, at once."""


def serve(work: Callable[[Any, Read, Write], None]) -> None:
    """Call ``work`` with the first message of each job, until standard input ends."""
    # Ctrl-C goes to the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    jobs, results = sys.stdin.buffer, sys.stdout.buffer
    # Whatever prints must not end up between the messages.
    sys.stdout = sys.stderr
    while (first := read_message(jobs)) is not None:
        try:
            work(first, lambda: _read_part(jobs), lambda message: _write(results, message))
        except (BrokenPipeError, EOFError):
            # The parent is gone; nobody is left to tell.
            os._exit(1)


def _read_part(stream: BinaryIO) -> Any:
    message = read_message(stream)
    if message is None:
        raise EOFError("a job ends early")
    return message


def read_message(stream: BinaryIO) -> Any:
    """Return the next message, None at the end."""
    length = stream.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    data = stream.read(byte_length := LENGTH.unpack(length)[0])
    # A parent that dies in the middle of a job leaves half of it in the pipe.
    return unpack(data) if len(data) == byte_length else None


def _write(stream: BinaryIO, message: Any) -> None:
    stream.write(pack(message))
    stream.flush()
