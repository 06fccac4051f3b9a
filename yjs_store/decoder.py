"""The only importer of pycrdt here: its functions on bytes and its Doc, their errors translated.

What is measured and known of pycrdt stands in engineering/crdt.md; the two facts that shape
what is built on this module: a `Doc` leaves pending structs and deletes out of everything it says,
and the functions on bytes keep them. It never sees a sub-document; see ``subdocuments``.
"""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pycrdt

from yjs_store.clocks import EMPTY_STATE_VECTOR, check_count
from yjs_store.errors import UpdateRefused
from yjs_store.limits import MERGE_SLICE
from yjs_store.subdocuments import (
    hide_all_subdocuments,
    hide_subdocuments,
    show_subdocuments,
)

Doc = pycrdt.Doc[Any]

# Nothing that begins with it leaves this module, so nobody can send what does.
_SECRET: Final = secrets.token_bytes(16)


class IntegrationFailed(Exception):
    """The decoder panicked while it integrated an update; its document is not usable any more."""


def merge_uncut(updates: Sequence[bytes], *, are_plain: bool = False) -> bytes:
    """Merge updates, at least one, of which none ends within a character of another.

    When they ``are_plain``, known to ``is_plain``, nothing is looked for that these do not have.

    Raises:
        UpdateRefused: at least one does not decode.
    """
    if not are_plain:
        updates = hide_all_subdocuments(updates, _SECRET)
    with _refusing("not a Yjs update"):
        while len(updates) > MERGE_SLICE:
            updates = [
                pycrdt.merge_updates(*updates[start : start + MERGE_SLICE])
                for start in range(0, len(updates), MERGE_SLICE)
            ]
        # A single update goes through as well: it must decode like any other.
        merged = pycrdt.merge_updates(*updates)
    return merged if are_plain else show_subdocuments(merged, _SECRET)


def check_update(update: bytes) -> None:
    """Return when the bytes decode as an update; costs half of a ``merge``.

    Raises:
        UpdateRefused: they do not.
    """
    check_count(update)
    with _refusing("not a Yjs update"):
        pycrdt.get_state(update)


def state_of(update: bytes) -> bytes:
    """Return the state vector of what an update has, as far as its bytes alone tell.

    Raises:
        UpdateRefused: it does not decode.
    """
    with _refusing("not a Yjs update"):
        return pycrdt.get_state(update)


def diff(update: bytes, state_vector: bytes) -> bytes:
    """Return what ``update`` has and a replica at ``state_vector`` lacks, pending included.

    Raises:
        UpdateRefused: one of the two does not decode.
    """
    check_count(state_vector)
    with _refusing("not an update or not a state vector"):
        found = pycrdt.get_update(hide_subdocuments(update, _SECRET), state_vector)
    return show_subdocuments(found, _SECRET)


def new_doc() -> Doc:
    """Return a Doc that may be given anything: it keeps what is deleted (see ``collected``)."""
    return pycrdt.Doc(skip_gc=True)


def apply(doc: Doc, update: bytes, *, is_plain: bool = False) -> None:
    """Give an update to a Doc; ``is_plain`` as for ``merge_uncut``.

    Raises:
        IntegrationFailed: the decoder failed; the Doc is of no use any more.
    """
    try:
        doc.apply_update(update if is_plain else hide_subdocuments(update, _SECRET))
    except (ValueError, RuntimeError) as error:
        raise IntegrationFailed(str(error)) from error
    except BaseException as error:
        if not _is_panic(error):
            raise
        # A panic may quote the text that it was at, and this is logged and told.
        raise IntegrationFailed("the decoder panicked") from error


def said_by(doc: Doc, state_vector: bytes) -> bytes:
    """Return what a Doc has and a replica at ``state_vector`` lacks; nothing that is pending.

    Raises:
        UpdateRefused: ``state_vector`` does not decode.
    """
    with _refusing("not a state vector"):
        said = doc.get_update(state_vector)
    return show_subdocuments(said, _SECRET)


def collected(update: bytes) -> bytes:
    """Return what a Doc gave out without what is deleted; values out of date are deleted, too.

    Only for all of a document at once. A Doc that lets go of what is deleted while it takes in
    what anybody sends may write where a type has been (engineering/incidents.md).

    Raises:
        IntegrationFailed: the decoder failed.
    """
    collecting: Doc = pycrdt.Doc()
    apply(collecting, update)
    return said_by(collecting, EMPTY_STATE_VECTOR)


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Translate the decoder's errors, its panics too, into UpdateRefused."""
    try:
        yield
    except ValueError as error:
        raise UpdateRefused(f"{what}: {error}") from error
    except BaseException as error:
        # A panic is no Exception; everything else is passed on.
        if not _is_panic(error):
            raise
        raise UpdateRefused(f"{what}: the decoder failed on it") from error


def _is_panic(error: BaseException) -> bool:
    """Recognise a Rust panic: pyo3 derives it from BaseException and exports no name for it."""
    return type(error).__name__ == "PanicException"
