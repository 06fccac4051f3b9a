"""Runs what decodes stored documents in a process of its own, for programs that look at a store.

There are documents that end, hang or fill the process that decodes them. That is then said of the
one document, and the next gets a new process.
"""

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, Self, TypeVar

from yjs_store.check_process import begin_process
from yjs_store.errors import Poisoned
from yjs_store.limits import (
    TRIAL_CPU_BYTES_PER_S,
    TRIAL_CPU_S,
)

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Apart:
    """A process for one call at a time, started when it is needed; a context manager."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def run(
        self,
        document: str,
        function: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **named: _Arguments.kwargs,
    ) -> _Result:
        """Return or raise what a function of a module does there, with what is about a document.

        Raises:
            Poisoned: it ended the process, or took too much memory.
        """
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _begin)
        try:
            return self._pool.submit(function, *arguments, **named).result()
        except BrokenProcessPool:
            self._close()
            why = "it ends the process that reads it"
            raise Poisoned(document, why) from None
        except MemoryError:
            raise Poisoned(document, "it takes too much memory to read it") from None

    def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    begin_process()
    if sys.platform != "win32":
        from yjs_store.worker_bounds import leave_no_core  # noqa: PLC0415  (not on every system)

        leave_no_core()


def bound_this_process(byte_length: int) -> None:
    """Let this process work on a document of so many bytes for as long as a trial may, no longer.

    Beyond that it is ended (SIGXCPU), or gets no more memory.
    """
    if sys.platform == "win32":
        return
    # What that imports is not there on every system.
    from yjs_store.worker_bounds import bound_memory, bound_time  # noqa: PLC0415

    bound_time(TRIAL_CPU_S + byte_length / TRIAL_CPU_BYTES_PER_S)
    bound_memory(byte_length)
