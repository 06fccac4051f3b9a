"""Runs the functions of ``folding`` where they disturb nobody.

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
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from yjs_store import folding
from yjs_store.errors import FoldFailed, StoreError
from yjs_store.fold_pipe import LENGTH, pack, unpack
from yjs_store.limits import FOLD_IDLE_S, FOLD_INLINE_BYTES, FOLD_TIMEOUT_S
from yjs_store.records import Chunk, Head, Snapshot, StoredDocument

_Result = TypeVar("_Result")


class FoldProcess:
    """One process, started when it is needed and ended when it has been idle; one job at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle_timer: asyncio.TimerHandle | None = None

    async def fold_stored(
        self, stored: StoredDocument, extra: bytes | None, now_ms: int
    ) -> folding.Folded:
        """See folding.fold_stored.

        Raises:
            FoldFailed: the process died or took too long.
        """
        head = stored.sealed_head.head
        byte_length = head.journal_bytes + head.snapshot_bytes + len(extra or b"")
        return await self._run(byte_length, folding.fold_stored, head.name, stored, extra, now_ms)

    async def check_staged(
        self, head: Head, staged: Snapshot, chunks: tuple[Chunk, ...], candidate: Snapshot
    ) -> None:
        """See folding.check_staged.

        Raises:
            FoldFailed: the process died or took too long.
        """
        return await self._run(
            staged.byte_length, folding.check_staged, head.name, head, staged, chunks, candidate
        )

    async def _run(
        self, byte_length: int, work: Callable[..., _Result], name: str, *arguments: Any
    ) -> _Result:
        if byte_length <= FOLD_INLINE_BYTES:
            return await asyncio.to_thread(work, *arguments)
        async with self._turn:
            self._stop_idle_timer()
            try:
                async with asyncio.timeout(FOLD_TIMEOUT_S):
                    result = await self._ask(work.__name__, arguments)
            except (TimeoutError, EOFError, OSError, pickle.UnpicklingError) as error:
                raise FoldFailed(name, await self._end()) from error
            except BaseException:
                # Cancelled half-way: the next job must not read this one's answer.
                await self._end()
                raise
            self._idle_timer = asyncio.get_running_loop().call_later(FOLD_IDLE_S, self._expire)
        if isinstance(result, StoreError):
            raise result
        return result  # type: ignore[no-any-return]

    async def _ask(self, name: str, arguments: tuple[Any, ...]) -> Any:
        process = await self._running()
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        process.stdin.write(pack((name, arguments)))
        await process.stdin.drain()
        length = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]
        return unpack(await process.stdout.readexactly(length))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            # By file, not by import of __main__, so that it works under any program; the path
            # makes the child import the very package that runs here.
            package_parent = str(Path(__file__).parents[1])
            search_path = os.pathsep.join([package_parent, os.environ.get("PYTHONPATH", "")])
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "yjs_store.fold_worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": search_path},
            )
        return self._process

    async def _end(self) -> str:
        """Kill the process; return how it ended, for a person."""
        process, self._process = self._process, None
        if process is None:
            return "the fold process did not start"
        died_before = process.returncode is not None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        code = await process.wait()
        if died_before or code != -signal.SIGKILL:
            return f"the fold process ended with {_exit_text(code)}"
        return "the fold process did not answer"

    def _expire(self) -> None:
        if self._process is not None and not self._turn.locked():
            assert self._process.stdin is not None, "it is a pipe"
            self._process.stdin.close()

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    async def close(self) -> None:
        """End the process."""
        self._stop_idle_timer()
        async with self._turn:
            await self._end()


def _exit_text(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
