"""Which close code and reason a client is told for an error of the store."""

from typing import Final

from relay.errors import CloseCode
from yjs_store import (
    Damaged,
    DocumentDeleted,
    NameRefused,
    Poisoned,
    SessionRefused,
    StoreError,
    StoreUnavailable,
    TrialsFull,
    UpdateRefused,
    UpdateTooLarge,
)

_FIXED: Final[tuple[tuple[type[StoreError], CloseCode, str], ...]] = (
    (DocumentDeleted, CloseCode.DELETED, "the document was deleted"),
    (
        Damaged,
        CloseCode.DOCUMENT_DAMAGED,
        "the document is damaged; an operator can mend it",
    ),
    (
        Poisoned,
        CloseCode.DOCUMENT_DAMAGED,
        "the document cannot be read safely; ask an operator",
    ),
    (TrialsFull, CloseCode.TOO_MANY, "too much waits to be looked at; try again"),
    (SessionRefused, CloseCode.TOO_MANY, "there are too many sessions"),
    (StoreUnavailable, CloseCode.STORAGE_FAILING, "storage is failing"),
)
"""The first that fits; what the error says of itself is only for operators."""


def ending_for(error: StoreError) -> tuple[CloseCode, str]:
    """Return code and reason; the reason has no facts that are only for operators."""
    match error:
        case UpdateRefused():
            is_too_large = isinstance(error, UpdateTooLarge)
            return CloseCode.TOO_LARGE if is_too_large else CloseCode.UPDATE_REFUSED, str(error)
        case NameRefused():
            return CloseCode.BAD_REQUEST, str(error)
    for kind, code, reason in _FIXED:
        if isinstance(error, kind):
            return code, reason
    return CloseCode.DOCUMENT_FAILED, "the document must be loaded again"
