"""Finds the head of a document that lives: it is stored, and was not deleted."""

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.errors import DocumentDeleted, DocumentMissing
from yjs_store.names import check_name
from yjs_store.records import Head


async def load_living_head(backend: Backend, name: str) -> Head:
    """Return the head as it is stored now.

    Raises:
        NameRefused: it is not a name.
        DocumentMissing, DocumentDeleted: there is none.
        Damaged: the head is not what was written.
        StoreUnavailable: it cannot be read now.
    """
    sealed = await backend.load_head(check_name(name))
    if sealed is None:
        raise DocumentMissing(name)
    head = format.check_head(sealed)
    if head.deleted_ms is not None:
        raise DocumentDeleted(name)
    return head
