"""Reads whole documents of a store that is closed or that a server has open; changes nothing."""

import asyncio
from dataclasses import dataclass

from yjs_store import crdt, format
from yjs_store.apart import bound_this_process
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.errors import Damaged, DocumentDeleted, DocumentMissing, UpdateRefused
from yjs_store.limits import LIST_PAGE_MAX
from yjs_store.names import check_name
from yjs_store.records import Head, SealedHead
from yjs_store.urls import sqlite_path


@dataclass(frozen=True, slots=True)
class Whole:
    """A document as one update, pending included, proven equal to what is stored (P3)."""

    head: Head
    update: bytes


def read_whole(url: str, name: str) -> Whole:
    """Read a document, verify it and fold it. It may end the process; see ``Apart``.

    Raises:
        StoreUnusable, StoreUnavailable: the store cannot be read.
        DocumentMissing, DocumentDeleted: there is none.
        Damaged: what is stored is not what was written, or does not decode.
    """
    return asyncio.run(_read_whole(url, check_name(name)))


async def _read_whole(url: str, name: str) -> Whole:
    reader = SqliteReader(sqlite_path(url), blocking=True)
    await reader.open()
    try:
        stored = await reader.load(name)
    finally:
        await reader.close()
    if stored is None:
        raise DocumentMissing(name)
    head, updates = format.assemble(stored)
    if head.deleted_ms is not None:
        raise DocumentDeleted(name)
    bound_this_process(head.journal_bytes + head.snapshot_bytes)
    try:
        update, source = crdt.fold(updates)
        difference = crdt.difference(source, update)
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        raise Damaged(name, "content", "Yjs updates", str(error)) from error
    if difference is not None:
        raise Damaged(name, "folded", "the content of its source", difference)
    return Whole(head, update)


def readable(update: bytes) -> list[bytes]:
    """Return the update in pieces that a ``Doc`` takes in a moment each, for people to read.

    Of a character that somebody has cut in two there is U+FFFD.
    """
    return crdt.readable(update)


def list_heads(url: str, prefix: str = "") -> list[Head | Damaged]:
    """Return all heads with a prefix in the order of names, tombstones too; or what is wrong.

    Raises:
        StoreUnusable, StoreUnavailable: the store cannot be read.
        Damaged: not even names can be read.
    """
    return asyncio.run(_list_heads(url, prefix))


async def _list_heads(url: str, prefix: str) -> list[Head | Damaged]:
    found: list[Head | Damaged] = []
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        after: str | None = None
        while page := await reader.list_heads(prefix, after, LIST_PAGE_MAX):
            found += map(_checked, page)
            after = page[-1].head.name
    finally:
        await reader.close()
    return found


def _checked(sealed: SealedHead) -> Head | Damaged:
    try:
        return format.check_head(sealed)
    except Damaged as error:
        return error


async def list_names(url: str, prefix: str, limit: int) -> list[str]:
    """Return the first names with a prefix, tombstones left out, as they stand: not verified.

    Raises:
        StoreUnusable, StoreUnavailable: the store cannot be read.
        Damaged: not even names can be read.
    """
    reader = SqliteReader(sqlite_path(url))
    await reader.open()
    try:
        page = await reader.list_heads(prefix, None, limit)
    finally:
        await reader.close()
    return [sealed.head.name for sealed in page if sealed.head.deleted_ms is None]
