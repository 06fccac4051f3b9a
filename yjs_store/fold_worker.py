"""The fold process; see ``worker``."""

from typing import Any

from yjs_store import folding
from yjs_store.errors import StoreError
from yjs_store.fold_pipe import read_job
from yjs_store.worker import Read, Write, serve


def work(first: Any, read: Read, write: Write) -> None:
    """Do one job; write the snapshot and then each chunk, or the error that there was."""
    stored, extra, now_ms = read_job(first, read)
    try:
        folded = folding.fold_stored(stored, extra, now_ms)
    except StoreError as error:
        write(error)
        return
    write(folded.snapshot)
    for chunk in folded.chunks:
        write(chunk)


if __name__ == "__main__":
    serve(work)
