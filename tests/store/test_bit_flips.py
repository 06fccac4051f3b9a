"""One bit of a stored file is wrong: each document is what it was, or says that it is damaged (P4).

Every bit of the file but its first 100 bytes, which are SQLite's own, can be tried with
``YJS_STORE_FLIPS=all``; that takes a quarter of an hour. By default some thousands are.
"""

import asyncio
import contextlib
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    DocumentDeleted,
    Store,
    StoreFailing,
    StoreUnusable,
    WriterSuperseded,
    format,
    open_store,
)
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_connect import connect
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.records import Remains

from .editing import Editor, letters, read
from .flips import (
    Content,
    FlippedFile,
    InlineReader,
    connect_unlocked,
    content_of,
    judge,
    regions_of,
    sample,
)
from .intents import opened, salvage
from .stores import NEVER, Failing, WatchedBackend, bytes_of, overwrite, raw, store_over, url

IS_EXHAUSTIVE = os.environ.get("YJS_STORE_FLIPS") == "all"
SEED = 11

CHUNK_BYTES = 300
"""Small chunks keep a file of several small."""

BITS_MAX = {"header": 30, "pointers": 16, "gap": 3, "cells": 30, "": 30, "keys": 24}
"""Per part of a page; the last is for pages of one part."""

DOCUMENTS = ("rows", "folded", "pending", "salvaged", "gone")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A store that was closed: its bytes, its documents, and everything that is read of each."""

    content: bytes
    documents: dict[str, Content]
    remains: dict[str, Remains]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SNAPSHOT_CHUNK_BYTES", CHUNK_BYTES)


@pytest.fixture(scope="module", params=[512, 4096], ids="{}-byte pages".format)
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoredFile]:
    """Rows, snapshots live and dead, something pending, a tombstone, and one set aside."""
    path = tmp_path_factory.mktemp("flips") / "store.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(format, "SNAPSHOT_CHUNK_BYTES", CHUNK_BYTES)
        yield asyncio.run(_make(path, request.param))


class PagedBackend(WatchedBackend):
    """Makes its file of pages of this size, and trims nothing."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        def connect_paged(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.execute(f"PRAGMA page_size = {page_bytes}")
            return connection

        super().__init__(path)
        self._connect = connect_paged
        self.before["trim"] = Failing(StoreFailing("not in this test"))


async def _make(path: Path, page_bytes: int) -> StoredFile:
    chance = random.Random(SEED)

    def make_uid() -> bytes:
        return b"\0" + chance.randbytes(15)

    backend = PagedBackend(path, page_bytes)
    async with store_over(backend, clock_ms=lambda: 1_700_000_000_000, make_uid=make_uid) as store:
        await _write(store, chance)
    async with opened(backend):
        sealed = await backend.load_head("salvaged")
        assert sealed is not None
        await salvage(backend, sealed.head, letters("salvaged", client_id=9)[0])
        documents: dict[str, Content] = {}
        remains: dict[str, Remains] = {}
        for name in DOCUMENTS:
            content, remain = await content_of(backend, name), await backend.load_remains(name)
            assert content is not None
            assert remain is not None
            documents[name], remains[name] = content, remain
    with raw(path) as connection:
        connection.execute("VACUUM")
    return StoredFile(bytes_of(path), documents, remains)


async def _write(store: Store, chance: random.Random) -> None:
    await store.append("rows", letters("a letter at a time")[0])
    await store.checkpoint("rows")
    for update in letters("a letter at a time")[1:]:
        await store.append("rows", update)
    await store.append("rows", Editor(8).write("long" * 300))
    editor = Editor(7)
    for length in (500, 1000):
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))
        await store.append("folded", editor.write(text))
        await store.append("folded", editor.put("key", length))
        await store.checkpoint("folded")
    await store.append("folded", editor.write("after"))
    for update in letters("missing")[1:]:
        await store.append("pending", update)
    await store.checkpoint("pending")
    await store.append("pending", letters("waits, too", client_id=12)[3])
    for name in ("salvaged", "gone"):
        await store.append(name, letters("words")[0])
        await store.checkpoint(name)
        await store.append(name, letters("words")[1])
    await store.delete("gone")


async def test_the_file_has_what_there_is(stored: StoredFile, path: Path) -> None:
    """Every kind of page, and every kind of document."""
    overwrite(path, stored.content)
    kinds = {region.kind.partition(":")[0] for region in regions_of(path)}
    assert {"schema page", "leaf of an index", "leaf of a table"} <= kinds
    if len(stored.content) // 4096 > 30:
        return
    parts = Counter(
        {
            name: len(remains.rows) + sum(len(each.chunks) for each in remains.snapshots)
            for name, remains in stored.remains.items()
        }
    )
    assert parts["folded"] > 8
    assert stored.documents["gone"][0].deleted_ms is not None
    async with opened(SqliteReader(path)) as reader:
        assert [each.name for each in await reader.list_set_aside()] == ["salvaged"]
        assert await reader.audit() == []


async def test_a_flipped_bit_is_harmless_or_named(stored: StoredFile, path: Path) -> None:
    """P4."""
    overwrite(path, stored.content)
    regions = regions_of(path)
    limits = dict.fromkeys(BITS_MAX, 1 << 30) if IS_EXHAUSTIVE else BITS_MAX
    outcomes: Counter[tuple[str, str]] = Counter()
    wrong: Counter[str] = Counter()
    file = FlippedFile(path)
    for kind, bit in sample(regions, SEED, limits):
        file.flip(bit)
        try:
            seen = await judge(InlineReader(path, connect_unlocked), stored.documents)
        except Exception as error:  # noqa: BLE001  (counted, so that all are seen at once)
            wrong[f"{kind}, bit {bit}: {error!r}"] += 1
        else:
            outcomes.update((kind, outcome) for outcome in seen)
        file.restore(bit)
    file.close()
    if IS_EXHAUSTIVE:
        print(*sorted(outcomes.items()), sep="\n")
    assert not wrong, f"{len(wrong)} flips: {list(wrong)[:5]}"
    assert {outcome for _, outcome in outcomes} >= {"equal", "damaged"}
    assert bytes_of(path) == stored.content


async def test_a_writer_opens_over_a_flipped_bit_or_says_why_not(
    stored: StoredFile, path: Path
) -> None:
    """It trims to the end, too, or says what is damaged."""
    overwrite(path, stored.content)
    regions = [region for region in regions_of(path) if not region.kind.endswith("gap")]
    chosen = sample(regions, SEED + 1, {"header": 6, "pointers": 3, "cells": 6, "": 2, "keys": 0})
    outcomes = set()
    for _, bit in chosen:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        overwrite(path, _flipped(stored.content, bit))
        try:
            async with opened(SqliteBackend(path)) as backend:
                outcomes.add("opened")
                steps = 0
                while await backend.trim(format.check_head):
                    steps += 1
                    assert steps < 50, f"bit {bit}: trimming has no end"
        except StoreUnusable:
            outcomes.add("not opened")
        except Damaged:
            outcomes.add("not trimmed")
    assert outcomes == {"opened", "not opened", "not trimmed"}


async def test_trimming_over_a_flipped_key_leaves_every_live_row(
    stored: StoredFile, path: Path
) -> None:
    """A key is in no checksum: one document could take another's place."""
    overwrite(path, stored.content)
    live = {
        row.checksum
        for remains in stored.remains.values()
        for row in remains.rows
        if row.seq > remains.sealed_head.head.cut_seq
    }
    with raw(path) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'documents'")
        page = root.fetchone()[0]
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    keys = [region for region in regions_of(path) if region.kind.endswith("keys")]
    in_documents = [r for r in keys if page_bytes == 512 or r.start // page_bytes == page - 1]
    for _, bit in sample(in_documents, SEED, {"keys": 9}):
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        overwrite(path, _flipped(stored.content, bit))
        with contextlib.suppress(StoreUnusable, Damaged):
            async with opened(SqliteBackend(path)) as backend:
                while await backend.trim(format.check_head):
                    pass
        with (
            raw(path) as connection,
            contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError),
        ):
            left = connection.execute("SELECT checksum FROM journal").fetchall()
            assert live <= {checksum for (checksum,) in left}, f"bit {bit}"


async def _contents(store: Store) -> dict[str, bytes | None]:
    """What the store gives for each document that is not damaged; None for a tombstone."""
    shown: dict[str, bytes | None] = {}
    for name in DOCUMENTS:
        try:
            shown[name] = await store.load(name)
        except DocumentDeleted:
            shown[name] = None
        except Damaged:
            continue
    return shown


async def test_a_store_over_a_flipped_bit_goes_on_with_what_is_sound(
    stored: StoredFile, path: Path
) -> None:
    """Whatever is written and trimmed then, no document becomes another."""
    overwrite(path, stored.content)
    regions = [region for region in regions_of(path) if not region.kind.endswith("gap")]
    chosen = sample(regions, SEED, {**dict.fromkeys(BITS_MAX, 3), "keys": 0})
    async with open_store(url(path), policy=NEVER) as store:
        sound = await _contents(store)
    more = letters("more", client_id=77)[0]
    outcomes = set()
    for number, (_, bit) in enumerate(random.Random(SEED).sample(chosen, 40)):
        copy = path.with_name(f"{number}.db")
        overwrite(copy, _flipped(stored.content, bit))
        try:
            async with open_store(url(copy), policy=NEVER) as store:
                await _go_on(store, sound, more)
                outcomes.add("opened")
        except StoreUnusable:
            outcomes.add("not opened")
    assert "opened" in outcomes


async def _go_on(store: Store, sound: dict[str, bytes | None], more: bytes) -> None:
    before = await _contents(store)
    assert before.items() <= sound.items()
    written = set()
    for name, content in before.items():
        if content is None:
            continue
        try:
            await store.append(name, more)
            written.add(name)
            await store.checkpoint(name)
        except (Damaged, WriterSuperseded):
            continue  # a page that its neighbours share
    for name, content in (await _contents(store)).items():
        expected = sound[name]
        if content is None or expected is None:
            assert content is expected
        elif name in written:
            assert read(content) == read(expected, more), name
        else:
            assert read(content) in (read(expected), read(expected, more)), name


def _flipped(content: bytes, bit: int) -> bytes:
    at, in_byte = divmod(bit, 8)
    return content[:at] + bytes([content[at] ^ 1 << in_byte]) + content[at + 1 :]


def _bits_of_document(stored: StoredFile, name: str) -> Iterator[tuple[str, int]]:
    """One bit in each kind of stored bytes that belong to one document alone."""
    head = stored.documents[name][0]
    remains = stored.remains[name]
    (manifest,) = (each for each in remains.snapshots if each.snapshot_id == head.snapshot_id)
    assert manifest.manifest is not None
    for what, found in {
        "head": remains.sealed_head.checksum,
        "row": remains.rows[-1].checksum,
        "chunk": manifest.chunks[1].checksum,
        "manifest": manifest.manifest.checksum,
    }.items():
        assert stored.content.count(found) == 1
        yield what, stored.content.index(found) * 8 + 3


async def test_damage_of_one_document_leaves_the_others_whole(
    stored: StoredFile, path: Path
) -> None:
    """P4: they go on; and nothing of the damaged one is destroyed."""
    more = letters("more", client_id=77)[0]
    others = [name for name in DOCUMENTS if name not in ("folded", "gone")]
    for what, bit in _bits_of_document(stored, "folded"):
        overwrite(path, _flipped(stored.content, bit))
        async with open_store(url(path), policy=NEVER) as store:
            with pytest.raises(Damaged) as raised:
                await store.load("folded")
            assert raised.value.document == "folded"
            with pytest.raises(Damaged):
                await store.append("folded", more)
            with pytest.raises(Damaged):
                await store.checkpoint("folded")
            for name in others:
                before = await store.load(name)
                await store.append(name, more)
                assert (await store.checkpoint(name)).published
                await store.append(name, letters("more", client_id=77)[1])
                expected = read(before, *letters("more", client_id=77)[:2])
                assert read(await store.load(name)) == expected
            await store.forget("gone")  # which trims until nothing of it is left
        await _check_kept(path, stored.remains["folded"], what)


async def _check_kept(path: Path, before: Remains, what: str) -> None:
    async with opened(SqliteReader(path)) as reader:
        after = await reader.load_remains("folded")
        assert after is not None
        cut_seq = 0 if what == "head" else before.sealed_head.head.cut_seq
        assert [row.data for row in after.rows] == [
            row.data for row in before.rows if row.seq > cut_seq
        ]
        kept = {each.snapshot_id: each.chunks for each in after.snapshots}
        for each in before.snapshots:
            if what == "head" or each.snapshot_id == before.sealed_head.head.snapshot_id:
                assert [chunk.data for chunk in kept[each.snapshot_id]] == [
                    chunk.data for chunk in each.chunks
                ]
