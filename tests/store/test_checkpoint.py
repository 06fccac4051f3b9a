"""yjs_store.checkpoint: folding changes no content, whatever happens on the way."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yjs_store import (
    Damaged,
    DocumentDeleted,
    Store,
    StoreError,
    StoreFull,
    WriterSuperseded,
    crdt,
    format,
)
from yjs_store.format import check_head
from yjs_store.limits import SNAPSHOT_CHUNK_BYTES
from yjs_store.records import Chunk, Head, Snapshot

from .editing import Editor, has_y_py, letters, read, read_with_y_py
from .histories import histories
from .long_values import DROP, HOLD, INHERITED, SECOND_DELETED, TWO, UNDONE
from .stores import (
    Counting,
    Failing,
    Gate,
    Hook,
    Recorder,
    WatchedBackend,
    raw,
    rows_of,
    store_over,
)
from .update_v1 import ids_of

LONG_VALUES = {
    "the second is deleted": [TWO, SECOND_DELETED],
    "deleted before they come": [SECOND_DELETED, TWO],
    "the key comes from what they stand beside": [HOLD, *INHERITED],
    "and their type is dropped": [HOLD, *INHERITED, DROP],
    "as stock Yjs makes them": UNDONE,
}


async def append_letters(store: Store, string: str, client_id: int = 7) -> None:
    for update in letters(string, client_id):
        await store.append("n", update)


async def trim_all(backend: WatchedBackend) -> None:
    while await backend.trim(check_head):
        pass


def count(path: Path, table: str, condition: str = "1") -> int:
    with raw(path) as connection:
        found: int = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {condition}"
        ).fetchone()[0]
        return found


# ---- content ------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(histories(), st.sets(st.integers(0, 25)))
async def test_checkpoints_change_no_content(
    tmp_path_factory: pytest.TempPathFactory, updates: list[bytes], folded_after: set[int]
) -> None:
    """Field notes 1 and 4: content is compared, not the number of rows."""
    path = tmp_path_factory.mktemp("fold") / "store.db"
    backend = WatchedBackend(path)
    async with store_over(backend) as store:
        for number, update in enumerate(updates):
            await store.append("n", update)
            if number in folded_after:
                assert (await store.checkpoint("n")).published
                await trim_all(backend)
                seen = updates[: number + 1]
                everything = await store.load("n")
                assert read(everything) == read(*seen)
                assert ids_of([everything]).structs == ids_of(seen).structs
    async with store_over(WatchedBackend(path)) as store:
        everything = await store.load("n")
        assert read(everything) == read(*updates)
    if has_y_py():
        assert read_with_y_py(everything) == read(*updates)


async def test_a_checkpoint_folds_what_is_stored_and_says_what_it_did(
    store: Store, path: Path
) -> None:
    await append_letters(store, "abcdef")
    journal_bytes = sum(len(data) for _, data in rows_of(path, "n"))
    result = await store.checkpoint("n", "because")
    everything = await store.load("n")
    assert (result.document, result.reason, result.published) == ("n", "because", True)
    assert (result.cut_seq, result.rows_folded) == (6, 6)
    assert result.journal_bytes_before == journal_bytes
    assert result.snapshot_bytes == len(everything) < journal_bytes
    assert 0 < result.stored_bytes <= result.snapshot_bytes
    head = await store.head("n")
    assert head is not None
    assert (head.cut_seq, head.last_seq, head.journal_bytes) == (6, 6, 0)
    assert head.snapshot_bytes == result.snapshot_bytes


async def test_a_checkpoint_reads_the_document_once(store: Store, backend: WatchedBackend) -> None:
    await append_letters(store, "abc")
    loads = backend.before["load"] = Counting()
    assert (await store.checkpoint("n")).published
    assert loads.count == 1


async def test_a_checkpoint_of_an_empty_journal_changes_nothing(store: Store) -> None:
    await append_letters(store, "ab")
    await store.checkpoint("n")
    before = await store.head("n")
    result = await store.checkpoint("n")
    assert (result.published, result.cut_seq, result.rows_folded) == (False, 2, 0)
    assert await store.head("n") == before


@pytest.mark.parametrize("updates", LONG_VALUES.values(), ids=LONG_VALUES)
async def test_values_of_several_clocks_are_folded_however_they_are_parted(
    store: Store, backend: WatchedBackend, path: Path, updates: list[bytes]
) -> None:
    """Also in a document that is open, whose rows an older version could not fold."""
    async with store.document("n") as document:
        for update in updates:
            await document.append(update)
        assert (await store.checkpoint("n")).published
        await trim_all(backend)
        assert rows_of(path, "n") == []
        await document.append(letters("later", 9)[0])
        assert read(await store.load("n")).map == read(crdt.merge(updates)).map
    again = await store.checkpoint("n")
    assert (again.published, again.cut_seq) == (True, len(updates) + 1)
    everything = await store.load("n")
    assert ids_of([everything]).structs == ids_of([*updates, letters("l", 9)[0]]).structs
    assert ids_of([everything]).deleted >= ids_of(updates).deleted


async def test_a_snapshot_of_several_chunks_is_read_back_whole(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    """Field note 4: every chunk of it, from the disk."""
    text = "".join(f"line {number}\n" for number in range(150_000))
    await store.append("n", Editor(7).write(text))
    await store.checkpoint("n")
    await trim_all(backend)
    assert count(path, "chunks") == -(-len(text) // SNAPSHOT_CHUNK_BYTES) >= 4
    assert rows_of(path, "n") == []
    async with store.document("n") as document:
        await document.append(letters("!", 8)[0])
    assert sorted(read(await store.load("n")).text) == sorted(text + "!")


async def test_the_open_document_goes_on_after_a_checkpoint(store: Store, path: Path) -> None:
    async with store.document("n") as document:
        for number, update in enumerate(letters("abcd"), start=1):
            assert (await document.append(update)).seq == number
            assert (await store.checkpoint("n")).cut_seq == number
            assert document.head == await store.head("n")
    assert read(await store.load("n")).text == "abcd"


async def test_a_document_on_its_way_into_memory_learns_of_the_checkpoint(
    store: Store, backend: WatchedBackend
) -> None:
    """It was read before the publication and arrives afterwards."""
    await append_letters(store, "ab")
    publishing = backend.before["publish"] = Gate()
    checkpoint = asyncio.ensure_future(store.checkpoint("n"))
    await publishing.wait_reached()
    for number in range(20):  # more than rest in memory
        async with store.document(f"other {number}"):
            pass
    loaded = backend.after["load"] = Gate()
    opening = asyncio.ensure_future(store.open_document("n"))
    await loaded.wait_reached()
    publishing.open()
    await asyncio.sleep(0)
    loaded.open()
    document = await opening
    assert (await checkpoint).published
    assert (await document.append(letters("abc")[2])).seq == 3
    assert read(await store.load("n")).text == "abc"


# ---- what comes meanwhile -----------------------------------------------------------------------

MOMENTS = ["before stage", "after stage", "before load_staged", "before publish"]


def hooks_of(backend: WatchedBackend, moment: str) -> tuple[dict[str, Hook], str]:
    when, intent = moment.split()
    return (backend.before if when == "before" else backend.after), intent


@pytest.mark.parametrize("moment", [*MOMENTS[:3], "after publish"])
@pytest.mark.parametrize("is_open", [False, True], ids=["", "open"])
async def test_a_row_that_comes_meanwhile_is_kept(
    store: Store, backend: WatchedBackend, path: Path, moment: str, is_open: bool
) -> None:
    """Field note 5: only the rows it folded are ever deleted; and 6: nothing is forgotten."""
    typed = letters("abcde")
    for update in typed[:2]:
        await store.append("n", update)
    document = await store.open_document("n")
    if not is_open:
        store.release_document(document)
    hooks, intent = hooks_of(backend, moment)
    recorder = Recorder()

    async def append_meanwhile() -> None:
        del hooks[intent]
        if intent == "publish":
            # No commit runs beside a publication: it comes right after it.
            document.submit(typed[2], recorder)
        else:
            await store.append("n", typed[2])

    hooks[intent] = append_meanwhile
    result = await store.checkpoint("n")
    assert (result.published, result.cut_seq) == (True, 2)
    await store.wait_settled()
    await trim_all(backend)
    assert rows_of(path, "n") == [(3, typed[2])]
    head = await store.head("n")
    assert head is not None
    assert (head.journal_rows, head.journal_bytes) == (1, len(typed[2]))
    assert read(await store.load("n")).text == "abc"
    for update in typed[3:]:
        await store.append("n", update)
    assert (await store.checkpoint("n")).cut_seq == 5
    assert read(await store.load("n")).text == "abcde"


async def test_appends_do_not_wait_for_a_checkpoint(store: Store, backend: WatchedBackend) -> None:
    await append_letters(store, "ab")
    gate = backend.before["stage"] = Gate()
    checkpoint = asyncio.ensure_future(store.checkpoint("n"))
    await gate.wait_reached()
    assert (await store.append("n", letters("abc")[2])).seq == 3
    assert not checkpoint.done()
    gate.open()
    assert (await checkpoint).cut_seq == 2


async def test_two_checkpoints_of_a_document_come_one_after_the_other(
    store: Store, backend: WatchedBackend
) -> None:
    await append_letters(store, "ab")
    results = await asyncio.gather(store.checkpoint("n"), store.checkpoint("n"))
    assert sorted(result.published for result in results) == [False, True]


async def test_three_checkpoints_of_a_document_come_one_after_the_other(
    store: Store, backend: WatchedBackend
) -> None:
    await append_letters(store, "ab")
    gate = Gate()

    async def hold_the_next_at_its_load() -> None:
        backend.before["load"] = gate

    backend.before["publish"] = hold_the_next_at_its_load
    both = {asyncio.ensure_future(store.checkpoint("n")) for _ in range(2)}
    _, (second,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    await gate.wait_reached()
    await store.append("n", letters("abc")[2])
    third = asyncio.ensure_future(store.checkpoint("n"))
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(second, third)
    assert read(await store.load("n")).text == "abc"


@pytest.mark.parametrize(
    "moment",
    [
        "before stage",
        "after stage",
        "before load_staged",
    ],
)
async def test_a_document_deleted_meanwhile_stays_deleted(
    store: Store, backend: WatchedBackend, path: Path, moment: str
) -> None:
    """P9: and the one who asked for the checkpoint is told so, as the keeper must be."""
    await append_letters(store, "ab")
    hooks, intent = hooks_of(backend, moment)

    async def delete_meanwhile() -> None:
        del hooks[intent]
        await store.delete("n")

    hooks[intent] = delete_meanwhile
    with pytest.raises((WriterSuperseded, DocumentDeleted)):
        await store.checkpoint("n")
    await trim_all(backend)
    for table in ("journal", "snapshots", "chunks"):
        assert count(path, table) == 0
    with pytest.raises(DocumentDeleted):
        await store.load("n")


# ---- a bad candidate ----------------------------------------------------------------------------


class FaultyDisk(WatchedBackend):
    """Keeps something else than what it was given to stage."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fault: Callable[[list[Chunk]], list[Chunk]] | None = None
        self.candidate: bytes | None = None

    async def stage(self, head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> int:
        if self.fault is not None:
            chunks = self.fault(list(chunks))
        if self.candidate is not None:
            # All its checksums are right.
            chunks = list(format.cut_chunks(head.uid, self.candidate))
            snapshot = format.snapshot_manifest(
                head.uid, snapshot.cut_seq, snapshot.created_ms, self.candidate, chunks
            )
        return await super().stage(head, snapshot, chunks)


def flipped(chunks: list[Chunk]) -> list[Chunk]:
    data = bytes([chunks[0].data[0] ^ 1]) + chunks[0].data[1:]
    return [replace(chunks[0], data=data), *chunks[1:]]


FAULTS: dict[str, Callable[[list[Chunk]], list[Chunk]]] = {
    "a bit flips": flipped,
    "a chunk is lost": lambda chunks: chunks[1:],
    "a chunk is shortened": lambda chunks: [replace(chunks[0], data=chunks[0].data[:-1])],
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_candidate_that_reads_back_differently_is_not_published(
    path: Path, fault: Callable[[list[Chunk]], list[Chunk]]
) -> None:
    """Field note 4: nothing is deleted for a snapshot that cannot be read."""
    backend = FaultyDisk(path)
    async with store_over(backend) as store:
        await append_letters(store, "abc")
        before, head = rows_of(path, "n"), await store.head("n")
        backend.fault = fault
        with pytest.raises(Damaged, match="'n'"):
            await store.checkpoint("n")
        await trim_all(backend)
        assert rows_of(path, "n") == before
        assert await store.head("n") == head
        assert count(path, "snapshots") == count(path, "chunks") == 0
        backend.fault = None
        assert (await store.checkpoint("n")).published
        assert read(await store.load("n")).text == "abc"


def typed_and_deleted() -> list[bytes]:
    editor = Editor(7)
    editor.write_letters("abcd")
    editor.erase(0, 1)
    return editor.updates


OTHER_CONTENT = {
    "an update is lost": (letters("abcd"), letters("abc")),
    "everything is lost": (letters("abcd"), []),
    "something is there that was not": (letters("abcd"), [*letters("abcd"), *letters("x", 8)]),
    "a delete is lost": (typed_and_deleted(), typed_and_deleted()[:-1]),
    "what is pending is lost": (letters("abcd")[:2] + letters("xyz", 9)[2:], letters("ab")),
}


@pytest.mark.parametrize(("updates", "candidate"), OTHER_CONTENT.values(), ids=OTHER_CONTENT)
async def test_a_candidate_with_other_content_is_not_published(
    path: Path, updates: list[bytes], candidate: list[bytes]
) -> None:
    """Field notes 1, 2 and 4: what reads back is what was compared, whatever its checksums."""
    backend = FaultyDisk(path)
    async with store_over(backend) as store:
        for update in updates:
            await store.append("n", update)
        before = rows_of(path, "n")
        backend.candidate = crdt.merge(candidate)
        with pytest.raises(Damaged, match="expected the manifest that was staged"):
            await store.checkpoint("n")
        await trim_all(backend)
        assert rows_of(path, "n") == before
        backend.candidate = None
        assert (await store.checkpoint("n")).published
        assert read(await store.load("n")) == read(*updates)


async def test_a_document_with_deletes_and_something_pending_is_folded(store: Store) -> None:
    """Field note 2: a document that waits for one update is not damaged."""
    for update in (*typed_and_deleted(), letters("xyz", 9)[2]):
        await store.append("n", update)
    assert (await store.checkpoint("n")).published


@pytest.mark.parametrize("intent", ["stage", "load_staged", "publish"])
@pytest.mark.parametrize("discards", [True, False], ids=["", "and discarding fails too"])
async def test_a_checkpoint_that_fails_on_the_way_changes_nothing(
    store: Store, backend: WatchedBackend, path: Path, intent: str, discards: bool
) -> None:
    """P3: every durable step is failed once, and work goes on after it."""
    await append_letters(store, "abc")
    before, head = rows_of(path, "n"), await store.head("n")
    backend.before[intent] = Failing(StoreFull("no room"), times=1)
    if not discards:
        backend.before["discard"] = Failing(StoreFull("no room"), times=1)
    with pytest.raises(StoreError):
        await store.checkpoint("n")
    assert rows_of(path, "n") == before
    assert await store.head("n") == head
    await append_letters(store, "x", 8)
    assert (await store.checkpoint("n")).published
    assert sorted(read(await store.load("n")).text) == ["a", "b", "c", "x"]


async def test_a_disk_that_fills_up_while_staging_keeps_nothing_of_the_candidate(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    """P6: each attempt on a full disk would leave its chunks there."""
    text = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(350_000))
    editor = Editor(7)
    for _ in range(2):
        editor.change(lambda: editor.text.insert(0, text))
    for update in editor.updates:
        await store.append("n", update)
    ((pages,),) = await backend.execute("PRAGMA page_count")
    assert isinstance(pages, int)
    await backend.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StoreFull):
        await store.checkpoint("n")
    await trim_all(backend)
    assert count(path, "snapshots", "state = 'staged'") == count(path, "chunks") == 0


async def test_a_checkpoint_that_is_given_up_is_trimmed_and_made_again(
    store: Store, backend: WatchedBackend, path: Path
) -> None:
    await append_letters(store, "abc")
    gate = backend.before["load_staged"] = Gate()
    checkpoint = asyncio.ensure_future(store.checkpoint("n"))
    await gate.wait_reached()
    checkpoint.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checkpoint
    del backend.before["load_staged"]
    await trim_all(backend)
    assert count(path, "chunks") == 0
    assert (await store.checkpoint("n")).published
    assert read(await store.load("n")).text == "abc"
