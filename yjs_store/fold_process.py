"""Runs ``folding`` where it disturbs nobody.

A large document is folded in a process of its own: pycrdt holds the interpreter while it works,
and a decoder that crashes takes only that process along. A small one takes less time than
sending it there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from yjs_store import folding
from yjs_store.errors import FoldFailed, StoreError
from yjs_store.fold_pipe import job_messages
from yjs_store.limits import FOLD_INLINE_BYTES, FOLD_TIMEOUT_S
from yjs_store.records import StoredDocument
from yjs_store.worker_process import Pipes, WorkerFailed, WorkerProcess

_Result = TypeVar("_Result")


class FoldProcess:
    """One process that folds, one document at a time."""

    def __init__(self) -> None:
        self.worker = WorkerProcess("yjs_store.fold_worker", "fold")

    async def fold_stored(
        self, stored: StoredDocument, extra: bytes | None, now_ms: int
    ) -> folding.Folded:
        """See folding.fold_stored.

        Raises:
            FoldFailed: the process died or took too long.
        """
        if _byte_length(stored) + len(extra or b"") <= FOLD_INLINE_BYTES:
            return await asyncio.to_thread(folding.fold_stored, stored, extra, now_ms)

        async def job(pipes: Pipes) -> folding.Folded | StoreError:
            for message in job_messages(stored, extra, now_ms):
                await pipes.send(message)
            answer = await pipes.receive()
            if isinstance(answer, StoreError):
                return answer
            snapshot, content = answer
            chunks = [await pipes.receive() for _ in range(snapshot.chunk_count)]
            return folding.Folded(snapshot, tuple(chunks), content)

        return await self._ask(stored, job)

    async def whole(self, stored: StoredDocument) -> bytes:
        """See folding.whole.

        Raises:
            FoldFailed: the process died or took too long.
        """
        if _byte_length(stored) <= FOLD_INLINE_BYTES:
            return folding.whole(stored)

        async def job(pipes: Pipes) -> list[bytes] | StoreError:
            for message in job_messages(stored, None, None):
                await pipes.send(message)
            answer = await pipes.receive()
            if isinstance(answer, StoreError):
                return answer
            return [await pipes.receive() for _ in range(answer)]

        return await asyncio.to_thread(b"".join, await self._ask(stored, job))

    async def _ask(
        self, stored: StoredDocument, job: Callable[[Pipes], Awaitable[_Result | StoreError]]
    ) -> _Result:
        try:
            result = await self.worker.ask(job, FOLD_TIMEOUT_S)
        except WorkerFailed as error:
            raise FoldFailed(stored.sealed_head.head.name, str(error)) from error
        if isinstance(result, StoreError):
            raise result
        return result

    async def close(self) -> None:
        """End the process."""
        await self.worker.close()


def _byte_length(stored: StoredDocument) -> int:
    head = stored.sealed_head.head
    return head.journal_bytes + head.snapshot_bytes
