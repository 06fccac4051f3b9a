"""Brings a document into a store from an update that somebody has kept, and reads it back."""

import enum

from yjs_store import crdt
from yjs_store.errors import Damaged, UpdateRefused
from yjs_store.store import Store


class ImportOutcome(enum.Enum):
    """What has become of an update; everything but KEPT_OUT is durable."""

    CREATED = "created"
    MERGED = "merged"
    KNOWN = "known"
    """The document had all of it already."""
    KEPT_OUT = "exists"
    """There is a document with other content, and merging was not wanted."""


async def import_update(store: Store, name: str, update: bytes, *, merge: bool) -> ImportOutcome:
    """Store an update as a document, if there is none of that name or it may be merged.

    It is tried like what a client sends. Merging brings what is not there; it does not take the
    document back to what it was (field note 26).

    Raises:
        DocumentDeleted: the name is barred (P9).
        UpdateRefused: it is no update, or not one that can be kept.
        Damaged: what was stored does not have it.
        StoreUnavailable: nothing was stored; a retry is safe.
    """
    before = await store.head(name)
    if before is not None and before.deleted_ms is None:
        if _has(await store.load(name), update):
            return ImportOutcome.KNOWN
        if not merge:
            return ImportOutcome.KEPT_OUT
    await store.append(name, update)
    # Read back from the disk, and compared clock by clock.
    if not _has(await store.load(name), update):
        raise Damaged(name, "content", "everything that was imported", "less")
    return ImportOutcome.CREATED if before is None else ImportOutcome.MERGED


def _has(document: bytes, update: bytes) -> bool:
    try:
        return crdt.covers_all(document, update)
    except UpdateRefused:
        # Not what is stored, for that was tried; the store will say what is wrong with the update.
        return False
