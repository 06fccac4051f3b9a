"""yjs_store.fold_pipe: a document goes to the fold process in pieces and arrives whole."""

import itertools

import pytest

from yjs_store import format
from yjs_store.fold_pipe import job_messages, read_job
from yjs_store.limits import FOLD_PIPE_ROWS, SNAPSHOT_CHUNK_BYTES
from yjs_store.records import StoredDocument
from yjs_store.worker_pipe import LENGTH, pack, unpack

from .test_folding import NOW_MS, stored


@pytest.mark.parametrize("row_count", [0, 1, FOLD_PIPE_ROWS, FOLD_PIPE_ROWS + 1])
@pytest.mark.parametrize("chunk_count", [0, 3])
def test_a_job_arrives_as_it_was_sent(row_count: int, chunk_count: int) -> None:
    rows = stored([b"row %d" % number for number in range(row_count)])
    update = b"u" * (chunk_count * SNAPSHOT_CHUNK_BYTES)
    chunks = tuple(format.cut_chunks(bytes(16), update))[:chunk_count]
    manifest = format.snapshot_manifest(bytes(16), 0, NOW_MS, update, chunks)
    sent = StoredDocument(rows.sealed_head, manifest if chunks else None, chunks, rows.rows)
    wire = iter([pack(message) for message in job_messages(sent, b"extra", 5)])

    def read() -> object:
        return unpack(next(wire)[LENGTH.size :])

    assert read_job(read(), read) == (sent, b"extra", 5)
    assert list(itertools.islice(wire, 1)) == []
