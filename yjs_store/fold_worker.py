"""The fold process: reads jobs from standard input, writes results to standard output.

It ends with its parent, whose end of the pipe closes however the parent dies.
"""

import os
import signal
import sys
from typing import Any, BinaryIO

from yjs_store import folding
from yjs_store.errors import StoreError
from yjs_store.fold_pipe import LENGTH, pack, read_job, unpack

# Behind everything that an editor waits for.
_NICENESS = 10


def main() -> None:
    """Work until standard input ends."""
    # Ctrl-C goes to the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    jobs, results = sys.stdin.buffer, sys.stdout.buffer
    # Whatever prints must not end up between the messages.
    sys.stdout = sys.stderr
    while (first := _read(jobs)) is not None:
        try:
            _work(first, jobs, results)
        except (BrokenPipeError, EOFError):
            # The parent is gone; nobody is left to tell.
            os._exit(1)


def _work(first: Any, jobs: BinaryIO, results: BinaryIO) -> None:
    """Do one job; write the snapshot and then each chunk, or the error that there was."""
    stored, extra, now_ms = read_job(first, lambda: _read_part(jobs))
    try:
        folded = folding.fold_stored(stored, extra, now_ms)
    except StoreError as error:
        _write(results, error)
        return
    _write(results, folded.snapshot)
    for chunk in folded.chunks:
        _write(results, chunk)


def _read_part(stream: BinaryIO) -> Any:
    message = _read(stream)
    if message is None:
        raise EOFError("a job ends early")
    return message


def _read(stream: BinaryIO) -> Any:
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


if __name__ == "__main__":
    main()
