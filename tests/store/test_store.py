"""yjs_store.store: documents by name, from the first open to the last."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yjs_store import (
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    NameRefused,
    Store,
    StoreClosed,
    StoreInUse,
    StoreUnavailable,
    StoreUnusable,
    open_store,
)
from yjs_store.limits import FOLD_INLINE_BYTES, LIST_PAGE_MAX, RESTING_DOCUMENTS_MAX
from yjs_store.urls import sqlite_path

from .editing import Editor, has_y_py, letters, read, read_with_y_py
from .histories import delivered_histories
from .stores import (
    NEVER,
    Failing,
    Gate,
    Recorder,
    WatchedBackend,
    raw,
    rows_of,
    submit,
    url,
)
from .update_v1 import ids_of

# ---- opening the store --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/relay.db", "data/relay.db"),
        ("sqlite:////var/lib/relay.db", "/var/lib/relay.db"),
        ("sqlite:///./a%20b.db", "a b.db"),
    ],
)
def test_the_path_is_in_the_url(url: str, path: str) -> None:
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "relay.db",
        "/var/lib/relay.db",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/relay.db",
        "postgresql:///relay",
        "sqlite:///relay.db?mode=ro",
        "sqlite:///relay.db#x",
    ],
)
async def test_what_is_no_store_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(StoreUnusable, match=r"sqlite:///relative/path\.db"):
        async with open_store(url):
            pass


async def test_a_document_that_was_created_at_the_beginning_of_time_can_be_read(
    path: Path,
) -> None:
    """As on a machine whose clock was not set yet."""
    now_ms = [0]
    updates = letters("abc")
    async with open_store(url(path), clock_ms=lambda: now_ms[0]) as store:
        for now_ms[0], update in enumerate(updates):
            await store.append("n", update)
    async with open_store(url(path)) as store:
        assert read(await store.load("n")) == read(*updates)
        head = await store.head("n")
        assert head is not None
        assert (head.created_ms, head.updated_ms) == (0, 2)


async def test_a_checkpoint_of_a_document_created_at_the_beginning_of_time_can_be_read(
    path: Path,
) -> None:
    async with open_store(url(path), clock_ms=lambda: 0) as store:
        await store.append("n", letters("a")[0])
        await store.checkpoint("n")
        assert read(await store.load("n")).text == "a"


async def test_a_store_that_is_open_is_not_opened_again(path: Path) -> None:
    async with open_store(url(path)) as store:
        with pytest.raises(StoreInUse):
            async with open_store(url(path)):
                pass
        assert (await store.append("n", letters("a")[0])).seq == 1
    async with open_store(url(path)) as store:
        assert read(await store.load("n")).text == "a"


async def test_fifty_documents_are_opened_and_written_at_once_in_a_new_store(path: Path) -> None:
    """Field note 31."""
    names = [f"document {number}" for number in range(50)]
    typed = letters("abc")

    async def use(store: Store, name: str) -> None:
        async with store.document(name) as document:
            for update in typed:
                await document.append(update)

    async with open_store(url(path)) as store:
        await asyncio.gather(*(use(store, name) for name in names))
    async with open_store(url(path)) as store:
        texts = await asyncio.gather(*(store.load(name) for name in names))
        assert [read(text).text for text in texts] == ["abc"] * 50


# ---- appending and loading ----------------------------------------------------------------------


async def test_what_is_appended_is_loaded_also_after_reopening(path: Path) -> None:
    for number, update in enumerate(letters("abc"), start=1):
        async with open_store(url(path)) as store:
            receipt = await store.append("n", update)
            assert (receipt.document, receipt.seq) == ("n", number)
            assert read(await store.load("n")).text == "abc"[:number]


async def test_a_large_document_is_loaded_by_name_elsewhere(store: Store) -> None:
    """Whoever asks for one keeps nobody else waiting for the decoder."""
    editor = Editor(7)
    await store.append("n", editor.write("x" * 2 * FOLD_INLINE_BYTES))
    assert store._parts.checkpointer.folds.worker.pid is None
    assert read(await store.load("n")) == editor.read()
    assert store._parts.checkpointer.folds.worker.pid is not None


async def test_a_delete_alone_survives_reopening_and_checkpoint(path: Path) -> None:
    """Field note 1: the state vector does not move on a delete."""
    editor = Editor(7)
    editor.write("abc")
    editor.put("k", 1)
    before = list(editor.updates)
    async with open_store(url(path)) as store:
        for update in before:
            await store.append("n", update)
        await store.checkpoint("n")
    async with open_store(url(path)) as store:
        await store.append("n", editor.erase(1, 2))
    async with open_store(url(path)) as store:
        assert read(await store.load("n")).text == "ac"
        await store.append("n", editor.drop("k"))
        assert (await store.checkpoint("n")).published
    async with open_store(url(path)) as store:
        assert read(await store.load("n")) == editor.read()
        assert editor.read().map == {}


def type_at_end() -> list[bytes]:
    return letters("abcd")


def delete_and_undo() -> list[bytes]:
    editor = Editor(7)
    editor.write("ab")
    editor.write("c")
    editor.erase(0, 3)
    editor.write("d")
    return editor.updates


def answer_another() -> list[bytes]:
    ann, bob = Editor(7), Editor(8)
    a, b = ann.write("a"), ann.write("b")
    bob.see([a, b])
    c = bob.write("c")
    ann.see([c])
    return [a, b, c, ann.write("d")]


def type_in_front() -> list[bytes]:
    editor = Editor(7)
    return [editor.write(letter, 0) for letter in "abcdef"]


OUT_OF_ORDER = {
    "one who types": type_at_end,
    "deletes that wait": delete_and_undo,
    "another client is waited for": answer_another,
    "one who types in front": type_in_front,
}


@pytest.mark.parametrize("reopens", [False, True], ids=["", "reopened"])
@pytest.mark.parametrize("checkpoints", [False, True], ids=["", "with a checkpoint"])
@pytest.mark.parametrize("edits", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
@pytest.mark.parametrize("missing", [0, 1, 2, 3])
async def test_a_late_predecessor_completes_the_document(
    path: Path,
    edits: Callable[[], list[bytes]],
    missing: int,
    reopens: bool,
    checkpoints: bool,
) -> None:
    """Field note 2 and P2: a, c, d, a restart, a checkpoint, and then b."""
    updates = edits()
    late = updates[missing]
    stores = [open_store(url(path), policy=NEVER) for _ in range(3)]

    async def finish(store: Store) -> None:
        if checkpoints:
            assert (await store.checkpoint("n")).published
        # Once more before it is complete, from what the first left.
        await store.append("n", Editor(9).put("other", 1))
        if checkpoints:
            assert (await store.checkpoint("n")).published
        assert (
            ids_of([await store.load("n")]).structs
            >= ids_of(update for update in updates if update is not late).structs
        )

    async with stores[0] as store:
        for update in updates:
            if update is not late:
                await store.append("n", update)
        if not reopens:
            await finish(store)
            await store.append("n", late)
    if reopens:
        async with stores[1] as store:
            await finish(store)
            await store.append("n", late)
    async with stores[2] as store:
        assert read(await store.load("n")).text == read(*updates).text
        if checkpoints:
            assert (await store.checkpoint("n")).published
            assert read(await store.load("n")).text == read(*updates).text


@settings(max_examples=50)
@given(delivered_histories(), st.integers(0, 3))
async def test_a_document_is_the_sum_of_its_updates_whatever_their_order(
    tmp_path_factory: pytest.TempPathFactory,
    history: tuple[list[bytes], list[bytes]],
    rounds: int,
) -> None:
    """Field note 2, with duplicates, in rounds of several updates; read by two decoders."""
    updates, arrived = history
    expected = read(*updates)
    in_order = Editor(1)
    in_order.see(updates)
    assert expected == in_order.read()
    path = tmp_path_factory.mktemp("sum") / "store.db"
    size = 1 + len(arrived) // (rounds + 1)
    async with open_store(url(path), policy=NEVER) as store:
        for start in range(0, len(arrived), size):
            async with store.document("n") as document:
                await submit(document, *arrived[start : start + size])
    async with open_store(url(path), policy=NEVER) as store:
        everything = await store.load("n")
        assert read(everything) == expected
        assert read(*[data for _, data in rows_of(path, "n")]) == expected
    if has_y_py():
        assert read_with_y_py(everything) == expected


async def test_a_name_with_nothing_stored_is_an_empty_document_until_its_first_update(
    store: Store,
) -> None:
    async with store.document("n") as document:
        assert document.diff(b"\x00") == b"\x00\x00"
        assert await store.head("n") is None
        with pytest.raises(DocumentMissing):
            await store.load("n")
        await document.append(letters("a")[0])
    head = await store.head("n")
    assert head is not None
    assert head.last_seq == 1


async def test_documents_with_equal_names_but_case_and_form_are_different(store: Store) -> None:
    names = [
        "straße",
        "STRASSE",
        "a",
        "A",
        "é",
        "e\N{COMBINING ACUTE ACCENT}",
        "a ",
        "a/",
        "1",
        "01",
    ]
    for number, name in enumerate(names):
        await store.append(name, letters("x" * (number + 1))[0])
        await store.append(name, Editor(9).put("name", name))
    for name in names:
        assert read(await store.load(name)).map == {"name": name}


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 1025, "\ud800"])
async def test_every_call_refuses_what_is_no_name(store: Store, name: str) -> None:
    for call in (
        store.open_document,
        store.load,
        store.head,
        store.checkpoint,
        store.delete,
        store.forget,
    ):
        with pytest.raises(NameRefused):
            await call(name)
    with pytest.raises(NameRefused):
        await store.append(name, letters("a")[0])


# ---- who has a document open --------------------------------------------------------------------


async def test_a_document_is_loaded_once_however_many_ask(
    store: Store, backend: WatchedBackend
) -> None:
    loads: list[None] = []
    gate = Gate()

    async def count() -> None:
        loads.append(None)
        await gate()

    backend.before["load"] = count
    asking = [asyncio.ensure_future(store.open_document("n")) for _ in range(10)]
    await gate.wait_reached()
    gate.open()
    documents = await asyncio.gather(*asking)
    assert len(loads) == 1
    assert all(document is documents[0] for document in documents)


async def test_one_who_gives_up_does_not_take_the_document_from_the_others(
    store: Store, backend: WatchedBackend
) -> None:
    gate = backend.before["load"] = Gate()
    first = asyncio.ensure_future(store.open_document("n"))
    second = asyncio.ensure_future(store.open_document("n"))
    await gate.wait_reached()
    first.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await first
    document = await second
    assert (await document.append(letters("a")[0])).seq == 1


async def test_a_load_that_everybody_gave_up_is_made_again(
    store: Store, backend: WatchedBackend
) -> None:
    await store.append("m", letters("a")[0])
    gate = backend.before["load"] = Gate()
    given_up = asyncio.ensure_future(store.open_document("n"))
    await gate.wait_reached()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    gate.open()
    async with store.document("n") as document:
        await document.append(letters("a")[0])
    assert read(await store.load("n")).text == "a"


async def test_a_load_that_fails_fails_for_all_who_asked_and_is_made_again_for_the_next(
    store: Store, backend: WatchedBackend
) -> None:
    backend.before["load"] = Failing(StoreUnavailable("no answer"), times=1)
    asked = await asyncio.gather(
        *(store.open_document("n") for _ in range(3)), return_exceptions=True
    )
    assert [type(error) for error in asked] == [StoreUnavailable] * 3
    async with store.document("n") as document:
        assert (await document.append(letters("a")[0])).seq == 1


async def test_a_document_that_rests_is_the_one_that_is_opened_next(store: Store) -> None:
    async with store.document("n") as document:
        await document.append(letters("a")[0])
    async with store.document("n") as again:
        assert again is document


async def test_documents_that_rest_are_bounded(store: Store, backend: WatchedBackend) -> None:
    """P6: the one that rested longest leaves memory, and is loaded again."""
    loaded: list[None] = []

    async def count() -> None:
        loaded.append(None)

    names = [f"document {number}" for number in range(RESTING_DOCUMENTS_MAX + 1)]
    for name in names:
        await store.append(name, letters("a")[0])
    backend.before["load"] = count
    for name in names[1:]:
        await store.append(name, letters("ab")[1])
    assert loaded == []
    await store.append(names[0], letters("ab")[1])
    assert len(loaded) == 1
    for name in names:
        assert read(await store.load(name)).text == "ab"


async def test_a_document_stays_open_with_its_bytes_although_the_last_user_left(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 8: what it holds is on its way; the next one finds it all."""
    typed = letters("ab")
    gate = backend.before["append"] = Gate()
    recorder = Recorder()
    async with store.document("n") as document:
        for update in typed:
            document.submit(update, recorder)
        await gate.wait_reached()
    for number in range(RESTING_DOCUMENTS_MAX + 1):
        async with store.document(f"other {number}"):
            pass
    async with store.document("n") as again:
        assert again is document
        gate.open()
        await again.wait_settled()
    assert recorder.answers == typed
    assert read(await store.load("n")).text == "ab"


# ---- damage -------------------------------------------------------------------------------------

DAMAGE = {
    "a row's data, longer": (
        "UPDATE journal SET data = CAST(data || x'00' AS BLOB) WHERE seq = 5 AND document_id = 2"
    ),
    "a bit of a row's data": (
        "UPDATE journal SET data = CAST(substr(data, 1, length(data) - 2) || x'6200' AS BLOB)"
        " WHERE seq = 5 AND document_id = 2"
    ),
    "a row's seq": "UPDATE journal SET seq = 9 WHERE seq = 5 AND document_id = 2",
    "a row's time": "UPDATE journal SET created_ms = 1 WHERE seq = 5 AND document_id = 2",
    "a row's length": "UPDATE journal SET byte_length = 1 WHERE seq = 5 AND document_id = 2",
    "a row's checksum": "UPDATE journal SET checksum = zeroblob(16) WHERE document_id = 2",
    "a row is missing": "DELETE FROM journal WHERE seq = 5 AND document_id = 2",
    "the last row is missing": "DELETE FROM journal WHERE seq = 6 AND document_id = 2",
    "all rows are missing": "DELETE FROM journal WHERE document_id = 2",
    "a row beyond last_seq": (
        "INSERT INTO journal SELECT document_id, 7, created_ms, byte_length, checksum, data"
        " FROM journal WHERE seq = 6 AND document_id = 2"
    ),
    "rows swapped": (
        "UPDATE journal SET seq = -seq WHERE document_id = 2;"
        "UPDATE journal SET seq = 11 + seq WHERE document_id = 2"
    ),
    "a chunk's data": "UPDATE chunks SET data = zeroblob(length(data)) WHERE snapshot_id = 2",
    "a chunk's checksum": "UPDATE chunks SET checksum = zeroblob(16) WHERE snapshot_id = 2",
    "a chunk's codec": "UPDATE chunks SET codec = 'zip' WHERE snapshot_id = 2",
    "a chunk's length": "UPDATE chunks SET byte_length = 0 WHERE snapshot_id = 2",
    "a chunk is missing": "DELETE FROM chunks WHERE snapshot_id = 2",
    "a chunk too many": (
        "INSERT INTO chunks SELECT snapshot_id, 1, codec, byte_length, checksum, data"
        " FROM chunks WHERE snapshot_id = 2"
    ),
    "the manifest is missing": "DELETE FROM snapshots WHERE id = 2",
    "the manifest's cut_seq": "UPDATE snapshots SET cut_seq = 3 WHERE id = 2",
    "the manifest's chunk_count": "UPDATE snapshots SET chunk_count = 2 WHERE id = 2",
    "the manifest's byte_length": "UPDATE snapshots SET byte_length = 1 WHERE id = 2",
    "the manifest's checksum": "UPDATE snapshots SET checksum = zeroblob(16) WHERE id = 2",
    "the manifest's state": "UPDATE snapshots SET state = 'retired' WHERE id = 2",
    "another document's snapshot": "UPDATE documents SET snapshot_id = 1 WHERE id = 2",
    "no snapshot": "UPDATE documents SET snapshot_id = NULL WHERE id = 2",
    "no snapshot and no cut": "UPDATE documents SET snapshot_id = NULL, cut_seq = 0 WHERE id = 2",
    "an earlier last_seq": "UPDATE documents SET last_seq = 5 WHERE id = 2",
    "a later last_seq": "UPDATE documents SET last_seq = 7 WHERE id = 2",
    "a later cut_seq": "UPDATE documents SET cut_seq = 5 WHERE id = 2",
    "another life": "UPDATE documents SET uid = zeroblob(16) WHERE id = 2",
    "journal_bytes": "UPDATE documents SET journal_bytes = 1 WHERE id = 2",
    "the time of creation": "UPDATE documents SET created_ms = 1 WHERE id = 2",
    "the head's checksum": "UPDATE documents SET checksum = zeroblob(16) WHERE id = 2",
}

SWAPS = {
    "rows of two documents": """
        UPDATE journal SET document_id = -1 WHERE seq = 5 AND document_id = 1;
        UPDATE journal SET document_id = 1 WHERE seq = 5 AND document_id = 2;
        UPDATE journal SET document_id = 2 WHERE seq = 5 AND document_id = -1;
    """,
    "all rows of two documents": """
        UPDATE journal SET document_id = -1 WHERE document_id = 1;
        UPDATE journal SET document_id = 1 WHERE document_id = 2;
        UPDATE journal SET document_id = 2 WHERE document_id = -1;
    """,
    "chunks of two documents": """
        UPDATE chunks SET snapshot_id = -1 WHERE snapshot_id = 1;
        UPDATE chunks SET snapshot_id = 1 WHERE snapshot_id = 2;
        UPDATE chunks SET snapshot_id = 2 WHERE snapshot_id = -1;
    """,
    "snapshots of two documents": """
        UPDATE snapshots SET id = -1 WHERE id = 1;
        UPDATE snapshots SET id = 1 WHERE id = 2;
        UPDATE snapshots SET id = 2 WHERE id = -1;
        UPDATE chunks SET snapshot_id = -1 WHERE snapshot_id = 1;
        UPDATE chunks SET snapshot_id = 1 WHERE snapshot_id = 2;
        UPDATE chunks SET snapshot_id = 2 WHERE snapshot_id = -1;
    """,
    "names of two documents": """
        UPDATE documents SET name = 'x' WHERE id = 1;
        UPDATE documents SET name = 'before' WHERE id = 2;
        UPDATE documents SET name = 'broken' WHERE id = 1;
    """,
    "keys of two documents": """
        UPDATE documents SET id = -1 WHERE id = 1;
        UPDATE documents SET id = 1 WHERE id = 2;
        UPDATE documents SET id = 2 WHERE id = -1;
    """,
}


async def fill(path: Path) -> dict[str, str]:
    """Three documents, numbered from 1, each with a snapshot of the same number and two rows."""
    texts: dict[str, str] = {}
    async with open_store(url(path), policy=NEVER) as store:
        for number, name in enumerate(("before", "broken", "after"), start=1):
            editor = Editor(number)
            for update in editor.write_letters(f"{number}" * 4):
                await store.append(name, update)
            await store.checkpoint(name)
            for update in editor.write_letters("xy"):
                await store.append(name, update)
            texts[name] = editor.read().text
    return texts


def execute(path: Path, statements: str) -> None:
    with raw(path) as connection:
        before = dump(connection)
        connection.executescript(statements)
        assert dump(connection) != before, "the test damages nothing"


def dump(connection: Connection) -> list[str]:
    return list(connection.iterdump())


@pytest.mark.parametrize("statements", DAMAGE.values(), ids=DAMAGE)
async def test_a_damaged_document_is_named_and_the_others_are_whole(
    path: Path, statements: str
) -> None:
    """Field note 11 and P4: never different content, never an empty document."""
    texts = await fill(path)
    execute(path, statements)
    async with open_store(url(path), policy=NEVER) as store:
        for call in (store.load, store.open_document, store.checkpoint):
            with pytest.raises(Damaged) as raised:
                await call("broken")
            assert raised.value.document == "broken"
        with pytest.raises(Damaged):
            await store.append("broken", letters("z", 9)[0])
        await check_whole(store, "before", texts)
        await check_whole(store, "after", texts)


async def check_whole(store: Store, name: str, texts: dict[str, str]) -> None:
    """The document has its content, takes more and is folded."""
    assert read(await store.load(name)).text == texts[name]
    assert (await store.append(name, Editor(9).put("k", 1))).seq == 7
    assert (await store.checkpoint(name)).published
    assert read(await store.load(name)).text == texts[name]


@pytest.mark.parametrize("statements", SWAPS.values(), ids=SWAPS)
async def test_what_is_whole_but_another_documents_is_damage(path: Path, statements: str) -> None:
    """Field note 11 and P4."""
    texts = await fill(path)
    execute(path, statements)
    async with open_store(url(path), policy=NEVER) as store:
        for name in ("before", "broken"):
            with pytest.raises(Damaged) as raised:
                await store.load(name)
            assert raised.value.document in ("before", "broken")
        await check_whole(store, "after", texts)


async def test_a_checkpoint_of_a_damaged_head_does_not_say_that_all_is_well(path: Path) -> None:
    """P4."""
    await fill(path)
    execute(
        path,
        "UPDATE documents SET last_seq = 0, cut_seq = 0, journal_bytes = 0, snapshot_id = NULL,"
        " snapshot_bytes = 0 WHERE id = 2",
    )
    async with open_store(url(path), policy=NEVER) as store:
        for call in (store.load, store.open_document, store.checkpoint):
            with pytest.raises(Damaged):
                await call("broken")


async def test_a_damaged_head_is_named_by_every_call_that_reads_it(path: Path) -> None:
    """P4."""
    await fill(path)
    execute(path, "UPDATE documents SET updated_ms = updated_ms + 1 WHERE id = 2")
    async with open_store(url(path), policy=NEVER) as store:
        for call in (store.head("broken"), store.list_heads("b")):
            with pytest.raises(Damaged, match="broken"):
                await call
        assert [head.name for head in await store.list_heads("a")] == ["after"]


async def test_a_live_document_whose_head_looks_deleted_is_not_forgotten(path: Path) -> None:
    """P4: the damage is said, and what is stored stays."""
    async with open_store(url(path)) as store:
        await store.append("n", letters("a")[0])
        execute(path, "UPDATE documents SET deleted_ms = 1")
        with pytest.raises(Damaged):
            await store.forget("n")
    assert len(rows_of(path, "n")) == 1


async def test_a_stray_row_fails_its_document_and_no_other(path: Path) -> None:
    """P4: also where it appears under a document that is open."""
    a, b = letters("ab")
    async with open_store(url(path), policy=NEVER) as store:
        broken, sound = await store.open_document("broken"), await store.open_document("sound")
        await broken.append(a)
        await sound.append(a)
        execute(
            path,
            "INSERT INTO journal SELECT document_id, 2, created_ms, byte_length, checksum, data"
            " FROM journal WHERE document_id = 1",
        )
        outcomes = await asyncio.gather(broken.append(b), sound.append(b), return_exceptions=True)
        assert not isinstance(outcomes[0], StoreClosed)
        assert not isinstance(outcomes[1], BaseException)


# ---- deleting -----------------------------------------------------------------------------------


async def test_a_deleted_document_is_not_there_and_its_name_is_barred(
    store: Store, path: Path
) -> None:
    """P9."""
    await store.append("n", letters("a")[0])
    await store.delete("n")
    for call in (store.load, store.open_document, store.delete, store.checkpoint):
        with pytest.raises(DocumentDeleted):
            await call("n")
    with pytest.raises(DocumentDeleted):
        await store.append("n", letters("ab")[1])
    head = await store.head("n")
    assert head is not None
    assert head.deleted_ms is not None
    assert [head.name for head in await store.list_heads()] == ["n"]


async def test_a_tombstone_survives_reopening(path: Path) -> None:
    """P9."""
    async with open_store(url(path)) as store:
        await store.append("n", letters("a")[0])
        await store.delete("n")
    async with open_store(url(path)) as store:
        with pytest.raises(DocumentDeleted):
            await store.append("n", letters("a")[0])


async def test_a_late_write_from_an_open_document_is_refused(store: Store) -> None:
    """P9: those who have it open hear of the deletion."""
    listener = Recorder()
    document = await store.open_document("n")
    document.listen(listener)
    await document.append(letters("a")[0])
    await store.delete("n")
    assert [type(error) for error in listener.failures] == [DocumentDeleted]
    with pytest.raises(DocumentDeleted):
        await document.append(letters("ab")[1])
    store.release_document(document)
    with pytest.raises(DocumentDeleted):
        await store.open_document("n")


async def test_a_document_on_its_way_into_memory_hears_of_its_deletion(
    store: Store, backend: WatchedBackend
) -> None:
    """P9: it was read before it was deleted and arrives afterwards."""
    await store.append("n", letters("a")[0])
    for number in range(RESTING_DOCUMENTS_MAX):
        await store.append(f"other {number}", letters("a")[0])
    gate = backend.after["load"] = Gate()
    opening = asyncio.ensure_future(store.open_document("n"))
    await gate.wait_reached()
    deletion = asyncio.ensure_future(store.delete("n"))
    await asyncio.sleep(0)
    gate.open()
    document = await opening
    await deletion
    with pytest.raises(DocumentDeleted):
        await document.append(letters("ab")[1])


async def test_what_had_gathered_for_a_deleted_document_is_refused(store: Store) -> None:
    """P9: nobody has a receipt for what is not there."""
    document = await store.open_document("n")
    await document.append(letters("a")[0])
    deletion = asyncio.ensure_future(store.delete("n"))
    await asyncio.sleep(0)
    recorder = Recorder()
    document.submit(letters("ab")[1], recorder)
    await deletion
    await store.wait_settled()
    assert recorder.receipts == []
    assert [type(error) for _, error in recorder.refusals] == [DocumentDeleted]


async def test_there_is_nothing_to_delete_or_forget_where_there_is_no_document(
    store: Store,
) -> None:
    for call in (store.delete, store.forget, store.checkpoint, store.load):
        with pytest.raises(DocumentMissing):
            await call("n")
    await store.append("n", letters("a")[0])
    with pytest.raises(DocumentMissing):
        await store.forget("n")


async def test_a_forgotten_name_starts_anew_with_nothing_of_before(
    store: Store, path: Path
) -> None:
    """P9."""
    for update in letters("old"):
        await store.append("n", update)
    await store.checkpoint("n")
    await store.append("n", Editor(9).put("old", 1))
    await store.delete("n")
    await store.forget("n")
    assert await store.head("n") is None
    with raw(path) as connection:
        for table in ("documents", "journal", "snapshots", "chunks", "trims"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    receipt = await store.append("n", letters("new", 8)[0])
    assert receipt.seq == 1
    assert read(await store.load("n")).text == "n"


async def test_a_document_that_was_open_before_it_was_forgotten_cannot_write_into_the_new_one(
    store: Store,
) -> None:
    """P9."""
    document = await store.open_document("n")
    await document.append(letters("a")[0])
    await store.delete("n")
    await store.forget("n")
    await store.append("n", letters("b", 8)[0])
    with pytest.raises(DocumentDeleted):
        await document.append(letters("ab")[1])
    assert read(await store.load("n")).text == "b"


async def test_the_space_of_a_deleted_document_is_free(store: Store) -> None:
    await store.append("n", Editor(7).write("x" * 300_000))
    used = await store.statistics()
    await store.delete("n")
    await store.forget("n")
    free = await store.statistics()
    assert free.free_bytes - used.free_bytes > 250_000
    assert (free.documents, free.deleted_documents, free.journal_bytes) == (0, 0, 0)


# ---- listing ------------------------------------------------------------------------------------


async def test_a_page_of_heads_is_bounded(store: Store) -> None:
    """P6."""
    names = sorted(f"document {number}" for number in range(LIST_PAGE_MAX + 1))
    recorder = Recorder()
    for name in names:
        (await store.open_document(name)).submit(letters("a")[0], recorder)
    await store.wait_settled()
    page = await store.list_heads(limit=LIST_PAGE_MAX * 10)
    assert [head.name for head in page] == names[:LIST_PAGE_MAX]
    rest = await store.list_heads(after=page[-1].name)
    assert [head.name for head in rest] == names[LIST_PAGE_MAX:]
    assert [head.name for head in await store.list_heads("document 99", limit=2)] == [
        "document 99",
        "document 990",
    ]


async def test_reading_sizes_and_heads_loads_no_document(
    store: Store, backend: WatchedBackend
) -> None:
    """Field note 23: the watcher does not become the load."""
    await store.append("n", letters("a")[0])
    backend.before["load"] = Failing(AssertionError("a document was loaded"))
    await store.statistics()
    await store.list_heads()
    await store.head("n")


async def test_forgetting_ends_when_something_is_left_that_is_not_trimmed(path: Path) -> None:
    """P4: said aloud, where it went round for ever."""
    async with open_store(url(path)) as store:
        await store.append("n", letters("a")[0])
        await store.delete("n")
        with raw(path) as connection:
            connection.execute(
                "INSERT INTO snapshots (document_id, state, cut_seq, chunk_count, byte_length,"
                " stored_length, checksum, created_ms)"
                " SELECT id, 'published', 1, 0, 0, 0, x'', 0 FROM documents"
            )
        async with asyncio.timeout(20):
            with pytest.raises(Damaged, match="left"):
                await store.forget("n")
        with raw(path) as connection:
            connection.execute("DELETE FROM snapshots")
        await store.forget("n")
        assert await store.head("n") is None
