"""Plans a salvage in a process of its own (P5): what is damaged may hold what nobody has tried."""

import asyncio
from collections.abc import Sequence

from yjs_store.errors import FoldFailed, Poisoned
from yjs_store.limits import SALVAGE_TIMEOUT_S
from yjs_store.records import Remains
from yjs_store.salvage import SalvagePlan
from yjs_store.salvage_pipe import Planned, plan_messages
from yjs_store.worker_process import DECODER_SIGNALS, Pipes, WorkerFailed, WorkerProcess


async def plan_elsewhere(
    remains: Remains, *, unverified: bool = False, known: Sequence[bytes] = ()
) -> SalvagePlan:
    """See ``salvage.plan``.

    Raises:
        Poisoned: the decoder dies or hangs on what would be saved; nothing was changed.
        FoldFailed: the process was ended from outside; another try may do.
    """
    worker = WorkerProcess("yjs_store.salvage_worker", "salvage")

    async def job(pipes: Pipes) -> tuple[Planned, list[bytes]]:
        for message in plan_messages(remains, known, unverified):
            await pipes.send(message)
        answer = await pipes.receive()
        if isinstance(answer, Poisoned):
            raise answer
        return answer, [await pipes.receive() for _ in range(await pipes.receive())]

    try:
        planned, pieces = await worker.ask(job, SALVAGE_TIMEOUT_S)
    except WorkerFailed as error:
        name = remains.sealed_head.head.name
        if error.signal in DECODER_SIGNALS:
            raise Poisoned(name, str(error)) from error
        raise FoldFailed(name, str(error)) from error
    finally:
        await worker.close()
    update = await asyncio.to_thread(b"".join, pieces)
    return SalvagePlan(
        remains, update, planned.lost, planned.missing, planned.rows_saved, planned.last_seq
    )
