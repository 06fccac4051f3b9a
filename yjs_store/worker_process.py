"""A process of our own that does what must not be done here: talk to it, bound it, end it.

What it works on may crash it, hang it or fill it: whatever becomes of it, who asks hears an
answer or why there is none, and the next who asks gets a new process.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from yjs_store.limits import KIB, WORKER_BYTES_MAX, WORKER_ENDING_S, WORKER_IDLE_S
from yjs_store.worker_pipe import LENGTH, pack, unpack, unpack_length

_Result = TypeVar("_Result")

# With glibc: every buffer of a document's size goes back to the system as soon as it is free,
# and does not lie between the small pieces of a Doc.
_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": str(128 * KIB)}

# RuntimeError is uvloop's word for a pipe whose other end it has seen going.
_FAILURES = (TimeoutError, EOFError, OSError, RuntimeError, pickle.UnpicklingError)

# How a decoder ends its process. Whatever else ended it may have come from outside.
DECODER_SIGNALS: Final = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGXCPU,
    }
)


class WorkerFailed(Exception):
    """There is no answer; the text says why.

    ``signal`` is what ended the process by itself, None when it was something else.
    """

    def __init__(self, why: str, ended_by: signal.Signals | None) -> None:
        super().__init__(why)
        self.signal = ended_by


class Pipes:
    """Both directions to a process that is running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        self._stdin = process.stdin
        self._stdout = process.stdout
        self.sent_bytes = 0

    async def send(self, message: Any) -> None:
        """Send one message; returns when there is room for the next."""
        data = pack(message)
        self.sent_bytes += len(data)
        self._stdin.write(data)
        await self._stdin.drain()

    async def receive(self) -> Any:
        """Return the next message."""
        length = unpack_length(await self._stdout.readexactly(LENGTH.size))
        return unpack(await self._stdout.readexactly(length))


class WorkerProcess:
    """One process, started when it is needed and ended when it has been idle; one job at a time.

    It is also ended when it has been given much: a decoder may keep what it should let go, as yrs
    does with each document that has another within it.

    ``module`` is run with ``-m`` and works with ``worker.serve``; ``name`` is said to people.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._process: asyncio.subprocess.Process | None = None
        self._given_bytes = 0
        # Jobs that it has not survived, or that were too long for it.
        self.deaths = 0
        self._turn = asyncio.Lock()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[int]] = set()

    @property
    def pid(self) -> int | None:
        """The id of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def is_busy(self) -> bool:
        """Whether it has a job."""
        return self._turn.locked()

    async def ask(self, job: Callable[[Pipes], Awaitable[_Result]], time_max_s: float) -> _Result:
        """Return what ``job`` comes to in its talk with the process, which nobody else disturbs.

        Raises:
            WorkerFailed: the process died, took too long or said what is no message.
        """
        async with self._turn:
            self._stop_idle_timer()
            try:
                async with asyncio.timeout(time_max_s):
                    pipes = Pipes(await self._running())
                    result = await job(pipes)
            except _FAILURES as error:
                self.deaths += 1
                raise self._failure(error, await self._end_after(error), time_max_s) from error
            except BaseException:
                # Cancelled half-way: the next job must not read this one's answer.
                await self._end()
                raise
            self._given_bytes += pipes.sent_bytes
            if self._given_bytes > WORKER_BYTES_MAX:
                self._let_end()
            else:
                loop = asyncio.get_running_loop()
                self._idle_timer = loop.call_later(WORKER_IDLE_S, self._expire)
        return result

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._given_bytes = 0
            # By file, not by import of __main__, so that it works under any program; the path,
            # and -P against the working directory, make it import the very package that runs here.
            package_parent = str(Path(__file__).parents[1])
            search_path = os.pathsep.join([package_parent, os.environ.get("PYTHONPATH", "")])
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, **_ALLOCATOR, "PYTHONPATH": search_path},
            )
        return self._process

    async def _end_after(self, error: BaseException) -> int | None:
        """End the process, but let one that is about to end say how."""
        if self._process is not None and isinstance(error, EOFError | ConnectionError):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), WORKER_ENDING_S)
        return await self._end()

    async def _end(self) -> int | None:
        """Kill the process; return its exit code, negative for a signal, None without a process."""
        process, self._process = self._process, None
        return None if process is None else await _kill(process)

    def _expire(self) -> None:
        if not self._turn.locked():
            self._let_end()

    def _let_end(self) -> None:
        if self._process is not None:
            # Taken away at once: a job that comes before it has ended must start another.
            process, self._process = self._process, None
            ending = asyncio.create_task(_kill(process), name=f"end {self._name} process")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _failure(self, error: BaseException, code: int | None, time_max_s: float) -> WorkerFailed:
        """Say why there is no answer, for a person."""
        who = f"the {self._name} process"
        if isinstance(error, TimeoutError):
            return WorkerFailed(f"{who} did not answer in {time_max_s:g} s", None)
        if isinstance(error, pickle.UnpicklingError):
            return WorkerFailed(f"{who} answered with what is no message", None)
        if code is None:
            return WorkerFailed(f"{who} did not start: {error}", None)
        ended_by = signal.Signals(-code) if code < 0 else None
        how = f"exit code {code}" if ended_by is None else ended_by.name
        return WorkerFailed(f"{who} ended with {how}", ended_by)

    async def close(self) -> None:
        """End the process."""
        self._stop_idle_timer()
        async with self._turn:
            await asyncio.gather(self._end(), *self._ending)


async def _kill(process: asyncio.subprocess.Process) -> int:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
    return await process.wait()
