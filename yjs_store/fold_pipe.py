"""How a stored document goes to a worker: in pieces.

So neither end has it twice in memory, nor stands still for as long as a whole one would take to
pickle.
"""

from collections.abc import Callable, Iterator
from typing import Any

from yjs_store.limits import FOLD_PIPE_ROWS
from yjs_store.records import JournalRow, SealedHead, Snapshot, StoredDocument


def job_messages(stored: StoredDocument, extra: bytes | None, now_ms: int) -> Iterator[Any]:
    """Yield the messages that ask for a fold, ``read_job`` takes them in this order."""
    rows = stored.rows
    yield stored.sealed_head, stored.snapshot, len(stored.chunks), len(rows), extra, now_ms
    yield from stored.chunks
    for start in range(0, len(rows), FOLD_PIPE_ROWS):
        # Plain tuples: as records these rows would take ten times as long.
        yield [
            (row.seq, row.created_ms, row.byte_length, row.checksum, row.data)
            for row in rows[start : start + FOLD_PIPE_ROWS]
        ]


def read_job(first: Any, read: Callable[[], Any]) -> tuple[StoredDocument, bytes | None, int]:
    """Return the arguments of ``folding.fold_stored``, given the first message of a job."""
    sealed_head: SealedHead
    snapshot: Snapshot | None
    sealed_head, snapshot, chunk_count, row_count, extra, now_ms = first
    chunks = tuple([read() for _ in range(chunk_count)])
    rows: list[JournalRow] = []
    while len(rows) < row_count:
        rows += [JournalRow(*row) for row in read()]
    return StoredDocument(sealed_head, snapshot, chunks, tuple(rows)), extra, now_ms
