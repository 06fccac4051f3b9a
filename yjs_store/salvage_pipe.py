"""How what remains of a document goes to the process that plans its salvage: in pieces.

As with a fold (see ``fold_pipe``); nothing of it is verified, so every value may be anything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yjs_store.fold_pipe import read_rows, row_messages
from yjs_store.records import Remains, Snapshot, SnapshotRemains
from yjs_store.update_v1 import Ranges


@dataclass(frozen=True, slots=True)
class Order:
    """The first message: what remains without its rows and chunks, and how many of these follow.

    ``snapshots`` are ids, manifests and the number of chunks.
    """

    remains: Remains
    snapshots: tuple[tuple[int, Snapshot | None, int], ...]
    row_count: int
    known_count: int
    unverified: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """The answer: a SalvagePlan without what the asker has, and without the update that follows."""

    lost: tuple[str, ...]
    missing: Ranges
    rows_saved: int
    last_seq: int


def plan_messages(remains: Remains, known: Sequence[bytes], unverified: bool) -> Iterator[Any]:
    """Yield the messages that ask for a plan; ``read_plan`` takes them in this order."""
    yield Order(
        replace(remains, snapshots=(), rows=()),
        tuple((each.snapshot_id, each.manifest, len(each.chunks)) for each in remains.snapshots),
        len(remains.rows),
        len(known),
        unverified,
    )
    for snapshot in remains.snapshots:
        yield from snapshot.chunks
    yield from row_messages(remains.rows)
    yield from known


def read_plan(order: Order, read: Callable[[], Any]) -> tuple[Remains, list[bytes]]:
    """Return what remains and what is known, given the first message of a job."""
    snapshots = tuple(
        SnapshotRemains(snapshot_id, manifest, tuple([read() for _ in range(chunk_count)]))
        for snapshot_id, manifest, chunk_count in order.snapshots
    )
    rows = read_rows(order.row_count, read)
    known = [read() for _ in range(order.known_count)]
    return replace(order.remains, snapshots=snapshots, rows=rows), known
