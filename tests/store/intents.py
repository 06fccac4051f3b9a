"""The intents of a backend in few words: heads and rows are made, sealed and handed over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from yjs_store import Head, format
from yjs_store.backend import Backend, Reader
from yjs_store.format import check_head
from yjs_store.heads import fresh_head
from yjs_store.records import Append, Chunk, Snapshot

UID = bytes(range(16))

AnyReader = TypeVar("AnyReader", bound=Reader)


@asynccontextmanager
async def opened(backend: AnyReader) -> AsyncIterator[AnyReader]:
    """Open a backend or a reader for the length of a ``with`` block."""
    await backend.open()
    try:
        yield backend
    finally:
        await backend.close()


def fresh(name: str, uid: bytes = UID) -> Head:
    """The head of a document that is not stored yet."""
    return fresh_head(name, uid)


def intent(before: Head, data: bytes = b"data") -> Append:
    """The intent to add one row."""
    seq = before.last_seq + 1
    after = replace(before, last_seq=seq, journal_bytes=before.journal_bytes + len(data))
    return Append(before, format.seal_head(after), format.seal_row(before.uid, seq, 0, data))


async def append(backend: Backend, before: Head, *rows: bytes) -> Head:
    """Append rows one by one; return the head after the last."""
    for row in rows:
        item = intent(before, row)
        (document_id,) = await backend.append([item])
        before = replace(item.after.head, document_id=document_id)
    return before


def candidate(head: Head, update: bytes = b"folded") -> tuple[Snapshot, list[Chunk]]:
    """A snapshot of everything up to the head's last row."""
    chunks = list(format.cut_chunks(head.uid, update))
    return format.snapshot_manifest(head.uid, head.last_seq, 0, update, chunks), chunks


async def stage(backend: Backend, head: Head, update: bytes = b"folded") -> int:
    """Stage it."""
    return await backend.stage(head, *candidate(head, update))


def published(head: Head, snapshot_id: int, update: bytes = b"folded") -> Head:
    """The head once that snapshot is published."""
    return replace(
        head,
        cut_seq=head.last_seq,
        journal_bytes=0,
        snapshot_id=snapshot_id,
        snapshot_bytes=len(update),
    )


async def publish(backend: Backend, head: Head, update: bytes = b"folded") -> Head:
    """Stage and publish; return the new head."""
    after = published(head, await stage(backend, head, update), update)
    await backend.publish(head, format.seal_head(after))
    return after


def deleted(head: Head) -> Head:
    """The tombstone of a document."""
    return replace(published(head, 0, b""), snapshot_id=None, deleted_ms=1)


async def delete(backend: Backend, head: Head) -> Head:
    """Delete; return the tombstone."""
    after = deleted(head)
    await backend.delete(head, format.seal_head(after))
    return after


async def salvage(backend: Backend, head: Head, update: bytes = b"salvaged") -> Head:
    """Set a document aside for one with this content; return the head of the new one."""
    after = replace(fresh(head.name, bytes(reversed(UID))), last_seq=head.last_seq)
    snapshot_id = await stage(backend, replace(after, document_id=head.document_id), update)
    after = published(after, snapshot_id, update)
    document_id = await backend.replace(
        head.document_id, format.seal_head(after), "it was damaged", 77
    )
    return replace(after, document_id=document_id)


async def trim_all(backend: Backend) -> None:
    """Trim to the end."""
    while await backend.trim(check_head):
        pass


async def assembled(reader: Reader, name: str) -> list[bytes]:
    """The verified updates of a document, oldest first."""
    stored = await reader.load(name)
    assert stored is not None
    return format.assemble(stored)[1]
