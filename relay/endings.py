"""Which close code and reason a client is told for an error of the store."""

from relay.errors import CloseCode
from yjs_store import (
    Damaged,
    DocumentDeleted,
    NameRefused,
    StoreError,
    StoreUnavailable,
    UpdateRefused,
    UpdateTooLarge,
)


def ending_for(error: StoreError) -> tuple[CloseCode, str]:
    """Return code and reason; the reason has no facts that are only for operators."""
    match error:
        case UpdateRefused():
            is_too_large = isinstance(error, UpdateTooLarge)
            return CloseCode.TOO_LARGE if is_too_large else CloseCode.UPDATE_REFUSED, str(error)
        case NameRefused():
            return CloseCode.BAD_REQUEST, str(error)
        case DocumentDeleted():
            return CloseCode.DELETED, "the document was deleted"
        case Damaged():
            return CloseCode.DOCUMENT_DAMAGED, "the document is damaged; an operator can mend it"
        case StoreUnavailable():
            return CloseCode.STORAGE_FAILING, "storage is failing"
        case _:
            return CloseCode.DOCUMENT_FAILED, "the document must be loaded again"
