"""Puts a salvaged document in the place of a damaged one, which is set aside as it is."""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from yjs_store import format
from yjs_store.backend import Backend, Reader
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.errors import Damaged, DocumentDeleted, DocumentMissing, WriterSuperseded
from yjs_store.folding import Folded, check_staged
from yjs_store.heads import salvaged_head
from yjs_store.limits import SET_ASIDE_REASON_MAX
from yjs_store.names import check_name
from yjs_store.records import Chunk, Head, Remains, SealedHead, SetAside, Snapshot
from yjs_store.salvage import SalvagePlan
from yjs_store.salvage_process import plan_elsewhere
from yjs_store.urls import sqlite_path

_Result = TypeVar("_Result")


class RunExclusive(Protocol):
    """See Committer.run_exclusive."""

    def __call__(self, work: Callable[[], Awaitable[_Result]]) -> Awaitable[_Result]:
        """Run ``work`` while no append is in flight."""


async def plan_salvage(url: str, name: str, *, unverified: bool = False) -> SalvagePlan:
    """Find out how much of a document can be saved, of a store that may be in use.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
        DocumentMissing, DocumentDeleted: there is nothing to save.
        Poisoned, FoldFailed: as ``plan_elsewhere``.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        remains = await load_remains(reader, check_name(name))
    finally:
        await reader.close()
    return await plan_elsewhere(remains, unverified=unverified)


async def read_set_aside(url: str) -> Sequence[SetAside]:
    """Return what salvaging has set aside, of a store that may be in use.

    Raises:
        StoreUnusable: there is no store, or not one that this program reads.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        return await reader.list_set_aside()
    finally:
        await reader.close()


async def load_remains(reader: Reader, name: str) -> Remains:
    """Read whatever can be read of a document, under the name that was asked for.

    Raises:
        DocumentMissing, DocumentDeleted: there is nothing to save.
    """
    remains = await reader.load_remains(name)
    if remains is None:
        raise DocumentMissing(name)
    sealed = remains.sealed_head
    if sealed.head.name != name:
        if _is_sound(sealed):
            # An index leads to another document, which must not be robbed.
            raise DocumentMissing(name)
        # P4: what is saved must not go to the name that damage has made of this one.
        sealed = replace(sealed, head=replace(sealed.head, name=name))
    if sealed.head.deleted_ms is not None and _is_sound(sealed):
        raise DocumentDeleted(name)
    return replace(remains, sealed_head=sealed, refused=await _why_refused(reader, name))


async def _why_refused(reader: Reader, name: str) -> str | None:
    """Say why the document cannot be loaded, as it is said to those who open it."""
    try:
        stored = await reader.load(name)
        if stored is None:
            return "index of names: expected an entry, found none"
        await asyncio.to_thread(format.assemble, stored)
    except Damaged as error:
        return error.problem
    return None


def _is_sound(sealed: SealedHead) -> bool:
    try:
        format.check_head(sealed)
    except Damaged:
        return False
    return True


async def carry_out(
    backend: Backend, planned: SalvagePlan, uid: bytes, now_ms: int, run_exclusive: RunExclusive
) -> Head:
    """Store what the plan saves under a new life of the document; return its head.

    On return it is durable, and everything that was stored before is set aside as it was. A
    crash before that leaves the damaged document; what was staged is trimmed.

    Raises:
        Damaged: the plan saves nothing; an empty document must not pose as this one.
        WriterSuperseded: the document is not what the plan was made from any more.
        StoreUnavailable: nothing was changed.
    """
    damaged = planned.remains.sealed_head.head
    if planned.saves_nothing:
        raise Damaged(damaged.name, "content", "something that can be saved", "nothing")
    chunks = tuple(format.cut_chunks(uid, planned.update))
    manifest = format.snapshot_manifest(uid, planned.last_seq, now_ms, planned.update, chunks)
    snapshot_id = await backend.stage(replace(damaged, uid=uid), manifest, chunks)
    staged = replace(manifest, snapshot_id=snapshot_id)
    after = salvaged_head(damaged, planned.last_seq, staged, uid, now_ms)

    async def put_in_place() -> Head:
        document_id = await _replace(backend, planned, format.seal_head(after), now_ms)
        assert document_id is not None, "something took its place"
        return replace(after, document_id=document_id)

    try:
        # P3: what is on disk is compared with what it was made from before it counts.
        check_staged(after, *await _read_back(backend, after), Folded(manifest, chunks))
        return await run_exclusive(put_in_place)
    except BaseException:
        await backend.discard(snapshot_id)
        raise


async def give_up(
    backend: Backend, planned: SalvagePlan, now_ms: int, run_exclusive: RunExclusive
) -> None:
    """Set a document aside of which nothing can be saved; its name is free then.

    Raises:
        WriterSuperseded: the document is not what the plan was made from any more.
        StoreUnavailable: nothing was changed.
    """

    async def make_room() -> None:
        await _replace(backend, planned, None, now_ms)

    await run_exclusive(make_room)


async def _replace(
    backend: Backend, planned: SalvagePlan, after: SealedHead | None, now_ms: int
) -> int | None:
    damaged = planned.remains.sealed_head
    if await _find_head(backend, damaged.head.name) != damaged:
        raise WriterSuperseded(damaged.head.name)
    reason = textwrap.shorten("; ".join(planned.lost), SET_ASIDE_REASON_MAX, placeholder=" …")
    return await backend.replace(damaged.head.document_id, after, reason, now_ms)


async def _find_head(backend: Backend, name: str) -> SealedHead | None:
    try:
        # Every document waits meanwhile: the whole is read only where that must be.
        return await backend.load_head(name)
    except Damaged:
        return (await load_remains(backend, name)).sealed_head


async def _read_back(backend: Backend, after: Head) -> tuple[Snapshot, tuple[Chunk, ...]]:
    assert after.snapshot_id is not None, "it was staged"
    read_back = await backend.load_staged(after.snapshot_id)
    if read_back is None:
        raise WriterSuperseded(after.name)
    return read_back
