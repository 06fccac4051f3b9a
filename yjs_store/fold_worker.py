"""The fold process; see ``worker``."""

from typing import Any

from yjs_store import folding
from yjs_store.errors import StoreError
from yjs_store.fold_pipe import read_job, whole_messages
from yjs_store.worker import Read, Write, serve


def work(first: Any, read: Read, write: Write) -> None:
    """Do one job; write what it comes to in pieces, or the error that there was.

    Of a fold that is the snapshot, with what was found, and then each chunk; of a reading, how
    many pieces, and these.
    """
    stored, extra, now_ms = read_job(first, read)
    try:
        if now_ms is None:
            for message in whole_messages(folding.whole(stored)):
                write(message)
            return
        folded = folding.fold_stored(stored, extra, now_ms)
    except StoreError as error:
        write(error)
        return
    write((folded.snapshot, folded.content))
    for chunk in folded.chunks:
        write(chunk)


if __name__ == "__main__":
    serve(work)
