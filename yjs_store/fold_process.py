"""Runs ``folding`` where it disturbs nobody.

A large document is folded in a process of its own: pycrdt holds the interpreter while it works,
and a decoder that crashes takes only that process along. A small one takes less time than
sending it there.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

from yjs_store import folding
from yjs_store.errors import FoldFailed, StoreError
from yjs_store.fold_pipe import LENGTH, job_messages, pack, unpack, unpack_length
from yjs_store.limits import FOLD_ENDING_S, FOLD_IDLE_S, FOLD_INLINE_BYTES, FOLD_TIMEOUT_S, KIB
from yjs_store.records import StoredDocument

# With glibc: every buffer of a document's size goes back to the system as soon as it is free,
# and does not lie between the small pieces of a Doc.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(128 * KIB)}

# RuntimeError is uvloop's word for a pipe whose other end it has seen going.
_FAILURES = (TimeoutError, EOFError, OSError, RuntimeError, pickle.UnpicklingError)


class FoldProcess:
    """One process, started when it is needed and ended when it has been idle; one job at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[int]] = set()

    async def fold_stored(
        self, stored: StoredDocument, extra: bytes | None, now_ms: int
    ) -> folding.Folded:
        """See folding.fold_stored.

        Raises:
            FoldFailed: the process died or took too long.
        """
        head = stored.sealed_head.head
        byte_length = head.journal_bytes + head.snapshot_bytes + len(extra or b"")
        if byte_length <= FOLD_INLINE_BYTES:
            return await asyncio.to_thread(folding.fold_stored, stored, extra, now_ms)
        async with self._turn:
            self._stop_idle_timer()
            try:
                async with asyncio.timeout(FOLD_TIMEOUT_S):
                    result = await self._ask(stored, extra, now_ms)
            except _FAILURES as error:
                raise FoldFailed(head.name, _reason(error, await self._end_after(error))) from error
            except BaseException:
                # Cancelled half-way: the next job must not read this one's answer.
                await self._end()
                raise
            self._idle_timer = asyncio.get_running_loop().call_later(FOLD_IDLE_S, self._expire)
        if isinstance(result, StoreError):
            raise result
        return result

    async def _ask(
        self, stored: StoredDocument, extra: bytes | None, now_ms: int
    ) -> folding.Folded | StoreError:
        process = await self._running()
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        for message in job_messages(stored, extra, now_ms):
            process.stdin.write(pack(message))
            await process.stdin.drain()
        answer = await _receive(process.stdout)
        if isinstance(answer, StoreError):
            return answer
        chunks = [await _receive(process.stdout) for _ in range(answer.chunk_count)]
        return folding.Folded(answer, tuple(chunks))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            # By file, not by import of __main__, so that it works under any program; the path,
            # and -P against the working directory, make it import the very package that runs here.
            package_parent = str(Path(__file__).parents[1])
            search_path = os.pathsep.join([package_parent, os.environ.get("PYTHONPATH", "")])
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "yjs_store.fold_worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, **_ALLOCATOR, "PYTHONPATH": search_path},
            )
        return self._process

    async def _end_after(self, error: BaseException) -> int | None:
        """End the process, but let one that is about to end say how."""
        if self._process is not None and isinstance(error, EOFError | ConnectionError):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), FOLD_ENDING_S)
        return await self._end()

    async def _end(self) -> int | None:
        """Kill the process; return its exit code, negative for a signal, None without a process."""
        process, self._process = self._process, None
        return None if process is None else await _kill(process)

    def _expire(self) -> None:
        if self._process is not None and not self._turn.locked():
            # Taken away at once: a job that comes before it has ended must start another.
            process, self._process = self._process, None
            ending = asyncio.create_task(_kill(process), name="end idle fold process")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    async def close(self) -> None:
        """End the process."""
        self._stop_idle_timer()
        async with self._turn:
            await asyncio.gather(self._end(), *self._ending)


async def _receive(stream: asyncio.StreamReader) -> Any:
    length = unpack_length(await stream.readexactly(LENGTH.size))
    return unpack(await stream.readexactly(length))


async def _kill(process: asyncio.subprocess.Process) -> int:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
    return await process.wait()


def _reason(error: BaseException, code: int | None) -> str:
    """Say why there is no answer, for a person."""
    if isinstance(error, TimeoutError):
        return f"the fold process did not answer in {FOLD_TIMEOUT_S:g} s"
    if isinstance(error, pickle.UnpicklingError):
        return "the fold process answered with what is no message"
    if code is None:
        return f"the fold process did not start: {error}"
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"the fold process ended with {how}"
