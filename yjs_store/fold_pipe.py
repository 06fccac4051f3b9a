"""How a stored document goes to a worker: in pieces.

So neither end has it twice in memory, nor stands still for as long as a whole one would take to
pickle.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from yjs_store.limits import FOLD_PIPE_ROWS, SNAPSHOT_CHUNK_BYTES
from yjs_store.records import JournalRow, SealedHead, Snapshot, StoredDocument

PIECE_BYTES: Final = SNAPSHOT_CHUNK_BYTES
"""What one message has of the content that a reading comes to."""


def job_messages(stored: StoredDocument, extra: bytes | None, now_ms: int | None) -> Iterator[Any]:
    """Yield the messages that ask for a fold, ``read_job`` takes them in this order.

    With no time there is nothing to be made, and only the content is asked for.
    """
    rows = stored.rows
    yield stored.sealed_head, stored.snapshot, len(stored.chunks), len(rows), extra, now_ms
    yield from stored.chunks
    yield from row_messages(rows)


def row_messages(rows: Sequence[JournalRow]) -> Iterator[Any]:
    """Yield messages with these rows; ``read_rows`` takes them."""
    for start in range(0, len(rows), FOLD_PIPE_ROWS):
        # Plain tuples: as records these rows would take ten times as long.
        yield [
            (row.seq, row.created_ms, row.byte_length, row.checksum, row.data)
            for row in rows[start : start + FOLD_PIPE_ROWS]
        ]


def read_job(
    first: Any, read: Callable[[], Any]
) -> tuple[StoredDocument, bytes | None, int | None]:
    """Return the arguments of ``folding.fold_stored``, given the first message of a job."""
    sealed_head: SealedHead
    snapshot: Snapshot | None
    sealed_head, snapshot, chunk_count, row_count, extra, now_ms = first
    chunks = tuple([read() for _ in range(chunk_count)])
    return StoredDocument(sealed_head, snapshot, chunks, read_rows(row_count, read)), extra, now_ms


def read_rows(count: int, read: Callable[[], Any]) -> tuple[JournalRow, ...]:
    """Return so many rows."""
    rows: list[JournalRow] = []
    while len(rows) < count:
        rows += [JournalRow(*row) for row in read()]
    return tuple(rows)


def whole_messages(update: bytes) -> Iterator[Any]:
    """Yield how many pieces there are of an update, and then these."""
    starts = range(0, len(update), PIECE_BYTES)
    yield len(starts)
    for start in starts:
        yield update[start : start + PIECE_BYTES]
