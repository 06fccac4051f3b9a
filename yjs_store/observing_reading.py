"""Reads what can be known of a store that is not open here; changes nothing.

Whoever has it open adds what only its process knows; see ``observing``.
"""

import functools
from typing import Final

from yjs_store import format
from yjs_store.backend import Reader
from yjs_store.breaker import BreakerState
from yjs_store.errors import Damaged
from yjs_store.facts import (
    AuditPage,
    BreakerFacts,
    CheckpointRecord,
    DocumentFacts,
    DocumentList,
    ListedDocument,
    TraceEvent,
)
from yjs_store.limits import LIST_PAGE_MAX, TRACES_KEPT_PER_DOCUMENT, WRITE_WINDOWS
from yjs_store.listing_records import (
    ListedHead,
    Order,
    PageRequest,
    Troubled,
    parse_position,
    position_text,
)
from yjs_store.names import check_name
from yjs_store.observing_format import (
    check_act,
    check_checkpoint,
    check_trace,
    shown_switch,
    sound,
)
from yjs_store.observing_records import StoredFacts
from yjs_store.records import Head, SealedHead

CLOSED: Final = BreakerFacts(BreakerState.CLOSED, 0, None, None, None)
_NO_WRITES: Final = (0,) * WRITE_WINDOWS


async def read_document(reader: Reader, name: str) -> DocumentFacts:
    """Return what is stored about a document; also where nothing is, or it is damaged."""
    check_name(name)
    try:
        stored = await reader.observing.facts(name)
    except Damaged as error:
        return _nothing_known(name, error.problem)
    if stored is None:
        return _nothing_known(name, None)
    head, damage = _checked(stored.sealed_head)
    checkpoints, damaged = _checkpoints(name, stored)
    unreadable = stored.unreadable
    if damaged:
        unreadable = (*unreadable, f"checkpoints: {damaged} records are damaged")
    return DocumentFacts(
        name=name,
        head=head,
        snapshot=stored.snapshot,
        checkpoints=checkpoints,
        breaker=CLOSED,
        is_alarming=False,
        damage=damage,
        poisoned=None,
        is_unvouched=stored.is_unvouched,
        read_only=None if stored.switch is None else shown_switch(name, stored.switch),
        quarantined=stored.quarantined,
        # What the last fold found; None when none has found anything.
        content=next((each.content for each in checkpoints if each.content is not None), None),
        live=None,
        unreadable=unreadable,
    )


def _nothing_known(name: str, damage: str | None) -> DocumentFacts:
    return DocumentFacts(
        name=name,
        head=None,
        snapshot=None,
        checkpoints=(),
        breaker=CLOSED,
        is_alarming=False,
        damage=damage,
        poisoned=None,
        is_unvouched=False,
        read_only=None,
        quarantined=0,
        content=None,
        live=None,
        unreadable=(),
    )


def _checked(sealed: SealedHead) -> tuple[Head | None, str | None]:
    try:
        return format.check_head(sealed), None
    except Damaged as error:
        return None, error.problem


def _checkpoints(name: str, stored: StoredFacts) -> tuple[tuple[CheckpointRecord, ...], int]:
    records, damaged = sound(functools.partial(check_checkpoint, name), stored.checkpoints)
    return tuple(records), damaged


async def read_documents(
    reader: Reader,
    *,
    order: Order = Order.NAME,
    prefix: str = "",
    after: str | None = None,
    limit: int = 100,
    troubled: Troubled | None = None,
) -> DocumentList:
    """Return a page of the list; ``after`` is the ``following`` of the one before.

    Raises:
        ValueError: ``after`` is not.
    """
    position = None if after is None else parse_position(after, order)
    limit = max(1, min(limit, LIST_PAGE_MAX))
    page = await reader.observing.page(PageRequest(order, prefix, position, limit, troubled))
    following = None if page.following is None else position_text(page.following, order)
    return DocumentList(tuple(map(_listed, page.entries)), following, page.total)


def _listed(entry: ListedHead) -> ListedDocument:
    if entry.sealed_head is None:
        head, damage = None, entry.problem
    else:
        head, damage = _checked(entry.sealed_head)
    return ListedDocument(
        name=entry.name,
        head=head,
        breaker=CLOSED,
        is_alarming=False,
        damage=damage,
        poisoned=None,
        read_only=None,
        live=None,
        writes=_NO_WRITES,
    )


async def read_traces(reader: Reader, name: str) -> tuple[TraceEvent, ...]:
    """Return the stored events of a document, the oldest first; those that are damaged not."""
    try:
        sealed = await reader.load_head(check_name(name))
    except Damaged:
        return ()
    if sealed is None:
        return ()
    key = sealed.head.document_id
    notes = await reader.observing.list_traces(key, TRACES_KEPT_PER_DOCUMENT)
    events, _ = sound(functools.partial(check_trace, name), notes)
    return tuple(reversed(events))


async def read_audit(
    reader: Reader, *, before: int | None = None, limit: int = 100, document: str | None = None
) -> AuditPage:
    """Return what operators did, newest first: all, or to one document."""
    limit = max(1, min(limit, LIST_PAGE_MAX))
    notes = await reader.observing.list_acts(document, before, limit)
    acts, damaged = sound(check_act, notes)
    following = notes[-1].number if len(notes) == limit else None
    return AuditPage(tuple(acts), damaged, following)
