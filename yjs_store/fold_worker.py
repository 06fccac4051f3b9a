"""The fold process: reads jobs from standard input, writes results to standard output.

It ends with its parent, whose end of the pipe closes however the parent dies.
"""

import os
import signal
import sys
from typing import Any, BinaryIO

from yjs_store import folding
from yjs_store.errors import StoreError
from yjs_store.fold_pipe import LENGTH, pack, unpack

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
    while (job := _read(jobs)) is not None:
        name, arguments = job
        try:
            result: Any = getattr(folding, name)(*arguments)
        except StoreError as error:
            result = error
        try:
            _write(results, result)
        except BrokenPipeError:
            # The parent is gone; nobody is left to tell.
            os._exit(1)


def _read(stream: BinaryIO) -> Any:
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
