"""Single flipped bits in a store's file: where they can be, and what a reader makes of them."""

import os
import random
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from yjs_store import Damaged, Head, StoreUnusable, format
from yjs_store.backend import Reader
from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_schema import check_version

_Result = TypeVar("_Result")

FILE_HEADER_BYTES = 100

PAGE_TYPES = {
    2: "inner index page",
    5: "inner table page",
    10: "leaf of an index",
    13: "leaf of a table",
}

Content = tuple[Head, tuple[bytes, ...]]
"""A verified head and the updates, oldest first."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page in which bits can be flipped; ``kind`` names page and part."""

    kind: str
    start: int
    end: int


def regions_of(path: Path) -> list[Region]:
    """Every byte of the file but its header, page by page; there must be no free pages."""
    content = path.read_bytes()
    page_bytes = struct.unpack(">H", content[16:18])[0]
    assert struct.unpack(">I", content[36:40])[0] == 0, "a free page holds nothing of a document"
    return [
        region
        for start in range(0, len(content), page_bytes)
        for region in _regions_of_page(content, start, page_bytes)
        if region.start < region.end
    ]


def _regions_of_page(content: bytes, start: int, page_bytes: int) -> Iterator[Region]:
    end = start + page_bytes
    header = FILE_HEADER_BYTES if start == 0 else start
    kind = PAGE_TYPES.get(content[header])
    if kind is None or not _is_b_tree(content, header):
        yield Region("overflow page", start, end)
        return
    if start == 0:
        kind = "schema page"
    cells, cells_start = struct.unpack(">HH", content[header + 3 : header + 7])
    pointers = header + (12 if content[header] in (2, 5) else 8)
    gap = pointers + 2 * cells
    yield Region(f"{kind}: header", header, pointers)
    yield Region(f"{kind}: pointers", pointers, gap)
    yield Region(f"{kind}: gap", gap, start + cells_start)
    yield Region(f"{kind}: cells", start + cells_start, end)
    if content[header] == 13:
        for pointer in range(pointers, gap, 2):
            (cell,) = struct.unpack(">H", content[pointer : pointer + 2])
            # The length of the record and its key, which is in no checksum.
            yield Region(f"{kind}: keys", start + cell, start + cell + 3)


def _is_b_tree(content: bytes, header: int) -> bool:
    # The first bytes of an overflow page are the number of the next: a small one, or none.
    return content[header : header + 3] != b"\0\0\0"


def sample(regions: Iterable[Region], seed: int, bits_max: dict[str, int]) -> list[tuple[str, int]]:
    """Bits of each region, all of them or by chance as many as ``bits_max`` says for its part."""
    chance = random.Random(seed)
    chosen: list[tuple[str, int]] = []
    for region in regions:
        part = region.kind.partition(": ")[2]
        bits = range(region.start * 8, region.end * 8)
        count = min(len(bits), bits_max[part])
        chosen += [(region.kind, bit) for bit in chance.sample(bits, count)]
    return chosen


class FlippedFile:
    """A closed store's file in which one bit at a time is wrong."""

    def __init__(self, path: Path) -> None:
        self._sound = path.read_bytes()
        self._file = os.open(path, os.O_RDWR)

    def flip(self, bit: int) -> None:
        """Turn one bit over."""
        at, in_byte = divmod(bit, 8)
        os.pwrite(self._file, bytes([self._sound[at] ^ 1 << in_byte]), at)

    def restore(self, bit: int) -> None:
        """Turn it back."""
        os.pwrite(self._file, self._sound[bit // 8 : bit // 8 + 1], bit // 8)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class InlineReader(SqliteReader):
    """Reads in the thread of the one who asks, which is ten times as fast."""

    async def open(self) -> None:
        await self._read(lambda connection: check_version(connection, self._path), opening=True)

    async def _read(
        self, work: Callable[[sqlite3.Connection], _Result], *, opening: bool = False
    ) -> _Result:
        with translated(self._path, opening=opening):
            return work(self._reader())


def connect_unlocked(path: Path) -> sqlite3.Connection:
    """Connect to a file that nobody writes: no WAL is looked for, which is faster."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?immutable=1",
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )


async def content_of(reader: Reader, name: str) -> Content | None:
    """A document as it is served: verified, or an error."""
    stored = await reader.load(name)
    if stored is None:
        return None
    head = format.check_head(stored.sealed_head)
    if head.deleted_ms is not None:
        return head, ()
    return head, tuple(format.assemble(stored)[1])


async def judge(reader: Reader, sound: dict[str, Content]) -> set[str]:
    """Read everything; return what happened: "equal", "damaged", "not opened".

    Raises AssertionError where a document is missing, empty or another one, and whatever a
    reader raises that does not say that the store is damaged.
    """
    try:
        await reader.open()
    except StoreUnusable:
        await reader.close()
        return {"not opened"}
    try:
        seen = {await _judge_document(reader, name, content) for name, content in sound.items()}
        await _judge_lists(reader, sound)
    finally:
        await reader.close()
    return seen


async def _judge_document(reader: Reader, name: str, content: Content) -> str:
    try:
        found = await content_of(reader, name)
    except Damaged as error:
        if error.document not in (name, "*"):
            raise AssertionError(f"{name!r} says that another is damaged") from error
        return "damaged"
    assert found == content, f"{name!r} gives something else"
    return "equal"


async def _judge_lists(reader: Reader, sound: dict[str, Content]) -> None:
    """A list shows no head that is not so; what it misses says so when it is loaded."""
    try:
        listed = await reader.list_heads("", None, 1000)
    except Damaged:
        listed = ()
    names: set[str] = set()
    for sealed in listed:
        try:
            head = format.check_head(sealed)
        except Damaged:
            continue
        assert head == sound[head.name][0]
        names.add(head.name)
    by_id = {content[0].document_id: content for content in sound.values()}
    for document_id, (head, _) in by_id.items():
        try:
            stored = await reader.load_by_id(document_id)
            if stored is not None:
                assert format.check_head(stored.sealed_head) == head
        except Damaged:
            continue
    for look in (
        reader.list_extents(0, 1000),
        reader.list_set_aside(),
        reader.statistics(),
        *map(reader.load_remains, sound),
    ):
        try:
            await look
        except Damaged:
            continue
