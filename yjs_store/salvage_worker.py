"""The process that plans a salvage; see ``worker``. It is bounded: what it reads may kill it."""

import time

from yjs_store import crdt
from yjs_store.errors import Poisoned, UpdateRefused
from yjs_store.fold_pipe import whole_messages
from yjs_store.limits import (
    SALVAGE_CPU_BYTES_PER_S,
    SALVAGE_CPU_S,
    SNAPSHOT_CHUNK_BYTES,
)
from yjs_store.records import Remains
from yjs_store.salvage import plan
from yjs_store.salvage_pipe import Order, Planned, read_plan
from yjs_store.trial import Bench
from yjs_store.worker import Read, Write, serve
from yjs_store.worker_bounds import bound_memory, bound_stack, bound_time


def main() -> None:
    """Work until standard input ends."""
    bound_stack()
    serve(work)


def work(order: Order, read: Read, write: Write) -> None:
    """Do one job: write the plan and then the update in pieces, or why there is none."""
    remains, known = read_plan(order, read)
    byte_length = _byte_length(remains) + sum(map(len, known))
    bound_memory(byte_length)
    bound_time(SALVAGE_CPU_S + byte_length / SALVAGE_CPU_BYTES_PER_S)
    try:
        planned = plan(remains, unverified=order.unverified, known=known)
        # P5: what is salvaged is opened like any other, so it is tried like any other.
        Bench([planned.update], time.process_time).check()
    except (crdt.IntegrationFailed, UpdateRefused, MemoryError) as error:
        why = "it takes too much memory" if isinstance(error, MemoryError) else str(error)
        write(Poisoned(remains.sealed_head.head.name, why))
        return
    write(Planned(planned.lost, planned.missing, planned.rows_saved, planned.last_seq))
    for message in whole_messages(planned.update):
        write(message)


def _byte_length(remains: Remains) -> int:
    """Return how much there may be to read; no number that is stored is believed."""
    chunks = sum(len(snapshot.chunks) for snapshot in remains.snapshots)
    return chunks * SNAPSHOT_CHUNK_BYTES + sum(_length(row.data) for row in remains.rows)


def _length(data: object) -> int:
    # P4: a damaged value may be of another type.
    return len(data) if isinstance(data, bytes) else 0


if __name__ == "__main__":
    main()
