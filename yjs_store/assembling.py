"""Makes what was read of a document into updates that are each integrated in a moment; pure."""

from yjs_store import crdt, format
from yjs_store.records import StoredDocument


def assemble_cut(stored: StoredDocument) -> list[bytes]:
    """Verify what was read; return its updates in pieces that are each integrated in a moment.

    Raises:
        Damaged: it is not what was written.
    """
    return [piece for update in format.assemble(stored)[1] for piece in crdt.cut(update)]
