"""How a store and its fold process talk: pickles, each with its length in front.

Both ends are this program, on pipes that nobody else has. A document goes over in pieces, so
that neither end has it twice in memory, nor stands still for as long as a whole one would take
to pickle.
"""

import pickle
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from yjs_store.limits import FOLD_PIPE_ROWS, SNAPSHOT_BYTES_MAX
from yjs_store.records import JournalRow, SealedHead, Snapshot, StoredDocument

LENGTH: Final = struct.Struct("<Q")
# The rows and the snapshot of the largest document, or its candidate, with all their numbers.
MESSAGE_BYTES_MAX: Final = 4 * SNAPSHOT_BYTES_MAX


def pack(message: Any) -> bytes:
    """Return the bytes of a message, its length included."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def unpack_length(data: bytes) -> int:
    """Return the length that is in front of a message.

    Raises:
        UnpicklingError: no message is that long.
    """
    length: int = LENGTH.unpack(data)[0]
    if length > MESSAGE_BYTES_MAX:
        raise pickle.UnpicklingError(f"a message of {length} bytes")
    return length


def unpack(data: bytes) -> Any:
    """Return the message, given its bytes without the length.

    Raises:
        UnpicklingError: they are no message.
    """
    try:
        return pickle.loads(data)  # noqa: S301  (see the module's docstring)
    except Exception as error:
        # By what is wrong with the bytes, pickle raises nearly anything.
        raise pickle.UnpicklingError(str(error)) from error


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
