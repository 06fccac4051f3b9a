"""Says what it means for a document that the decoder failed on its replica. Pure."""

from yjs_store import crdt
from yjs_store.errors import Damaged, DocumentFailed, MendingAwaited


def failure_of(
    name: str, error: crdt.IntegrationFailed
) -> Damaged | MendingAwaited | DocumentFailed:
    """Return why the document must be closed.

    Damaged where it is what is stored that cannot be read, MendingAwaited where that has to be
    mended first; DocumentFailed where it is something that came since it was loaded.
    """
    if isinstance(error, crdt.MendingNeeded):
        return MendingAwaited(name, str(error))
    if isinstance(error, crdt.StartUnreadable):
        return Damaged(name, "content", "Yjs updates", str(error))
    return DocumentFailed(name, str(error))
