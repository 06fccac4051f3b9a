"""Salvage: the most that can be saved takes the place of a damaged document, which is kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import (
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    Store,
    UpdateRefused,
    WriterSuperseded,
    crdt,
    format,
    update_v1,
)
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_read import name_hash
from yjs_store.format import check_head
from yjs_store.limits import SET_ASIDE_REASON_MAX
from yjs_store.records import Head, SealedHead
from yjs_store.salvage import plan

from .crashes import check_gapless
from .editing import Editor, letters, read
from .histories import histories
from .stores import lose_index_entry, raw, store_over, submit
from .update_v1 import ids_of

CHUNK_BYTES = 2000


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SNAPSHOT_CHUNK_BYTES", CHUNK_BYTES)


async def write(path: Path) -> Editor:
    """A closed store: a snapshot of several chunks, ten rows after it, and another document."""
    editor = Editor(7)
    async with store_over(SqliteBackend(path)) as store:
        for number in range(300):
            editor.write(f"word{number} ")
            editor.erase(0, 1)
            editor.write("x", at=0)
        await store.append("n", crdt.merge(editor.updates))
        await store.checkpoint("n")
        while await store._parts.trim():
            pass
        for letter in "abcdefghij":
            await store.append("n", editor.write(letter))
        await store.append("other", letters("other")[0])
    return editor


def execute(path: Path, statement: str) -> None:
    with raw(path) as connection:
        assert connection.execute(statement).rowcount != 0


async def text_of(store: Store, name: str = "n") -> str:
    return read(await store.load(name)).text


async def test_a_sound_document_has_nothing_to_salvage(path: Path) -> None:
    editor = await write(path)
    async with store_over(SqliteBackend(path)) as store:
        plan = await store.plan_salvage("n")
        assert plan.lost == ()
        assert plan.missing == {}
        assert read(plan.update) == editor.read()


@pytest.mark.parametrize(
    ("statement", "lost", "gap", "survives"),
    [
        pytest.param(
            "UPDATE journal SET data = x'0000' WHERE seq = 6",
            "journal row 6, stored ",
            1,
            lambda text: text[:-6],
            id="a row",
        ),
        pytest.param(
            "DELETE FROM journal WHERE seq IN (6, 7)",
            "journal rows 6 to 7: not there",
            2,
            lambda text: text[:-6],
            id="rows that are gone",
        ),
        pytest.param(
            "UPDATE documents SET last_seq = 500 WHERE name = 'n'",
            "head: expected ",
            0,
            lambda text: text,
            id="the head",
        ),
        pytest.param(
            "DELETE FROM snapshots",
            "a manifest, found none",
            None,
            None,
            id="the manifest",
        ),
        pytest.param(
            "UPDATE chunks SET checksum = x'00' WHERE chunk_index = 2",
            "chunk 2: expected ",
            None,
            None,
            id="a chunk",
        ),
        pytest.param(
            "DELETE FROM chunks WHERE chunk_index = 2",
            "chunks, found those of",
            None,
            None,
            id="a chunk that is gone",
        ),
    ],
)
async def test_what_is_damaged_is_set_aside_and_the_rest_saved(
    path: Path, statement: str, lost: str, gap: int | None, survives: Callable[[str], str] | None
) -> None:
    editor = await write(path)
    full = editor.read().text
    execute(path, statement)
    async with store_over(SqliteBackend(path)) as store:
        with pytest.raises(Damaged):
            await store.load("n")
        plan = await store.plan_salvage("n")
        assert any(lost in line for line in plan.lost), plan.lost
        with pytest.raises(Damaged):  # so far nothing has happened
            await store.load("n")
        head = await store.salvage(plan)
        saved = await text_of(store)
        if survives is not None:
            assert saved == survives(full)
        else:
            assert len(saved) > 300
        if gap is not None:
            assert sum(end - start for r in plan.missing.values() for start, end in r) == gap
        assert await store.head("n") == head
        assert await text_of(store, "other") == "o"
        # It is a document like any other, and whoever has the rest gives it back.
        async with store.document("n") as document:
            answer = editor.doc.get_update(document.state_vector())
            await submit(document, answer, repeats=True)
        assert await text_of(store) == full
        await store.append("n", editor.write("y"))
        assert (await store.checkpoint("n")).published
        (aside,) = await store.list_set_aside()
        assert (aside.name, aside.reason) == ("n", "; ".join(plan.lost))
    check_gapless(path)
    async with store_over(SqliteBackend(path)) as store:
        assert await text_of(store) == full + "y"


async def test_the_originals_are_kept_until_they_are_discarded(path: Path) -> None:
    await write(path)
    execute(path, "UPDATE journal SET data = x'0000' WHERE seq = 6")
    count = "SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM chunks)"
    with raw(path) as connection:
        key = connection.execute("SELECT id FROM documents WHERE name = 'n'").fetchone()[0]
        before = connection.execute("SELECT * FROM journal").fetchall()
        chunks = connection.execute("SELECT * FROM chunks").fetchall()
    backend = SqliteBackend(path)
    async with store_over(backend) as store:
        await store.salvage(await store.plan_salvage("n"))
        while await backend.trim(check_head):
            pass
        with raw(path) as connection:
            assert connection.execute("SELECT * FROM journal").fetchall() == before
            assert set(chunks) <= set(connection.execute("SELECT * FROM chunks").fetchall())
        assert await backend.audit() == []
        assert not await store.discard_set_aside(key + 1000)
        assert await store.discard_set_aside(key)
        assert await store.list_set_aside() == []
        while await backend.trim(check_head):
            pass
        with raw(path) as connection:
            rows, chunk_count = connection.execute(count).fetchone()
            assert rows == 1
            assert not connection.execute("SELECT * FROM set_aside").fetchall()
        assert chunk_count < 2 * len(chunks)
        assert await backend.audit() == []


async def test_rows_that_decode_are_taken_unverified_when_that_is_wanted(path: Path) -> None:
    editor = await write(path)
    execute(path, "UPDATE documents SET uid = x'00112233445566778899aabbccddeeff' WHERE name = 'n'")
    async with store_over(SqliteBackend(path)) as store:
        plan = await store.plan_salvage("n")
        assert plan.update == crdt.EMPTY_UPDATE
        # An empty document must not take its place.
        with pytest.raises(Damaged, match="found nothing"):
            await store.salvage(plan)
        with pytest.raises(Damaged):
            await store.load("n")
        plan = await store.plan_salvage("n", unverified=True)
        assert plan.rows_saved == 10
        assert all("unverified" in line for line in plan.lost if "row" in line)
        assert update_v1.covers(
            update_v1.read_ranges(editor.state)[0], update_v1.read_ranges(plan.update)[0]
        )


async def test_a_document_of_which_nothing_is_left_can_be_set_aside(path: Path) -> None:
    """Its name is not stuck: editors that have its content give it back."""
    editor = await write(path)
    execute(path, "UPDATE documents SET uid = x'00112233445566778899aabbccddeeff' WHERE name = 'n'")
    async with store_over(SqliteBackend(path)) as store:
        await store.set_aside(await store.plan_salvage("n"))
        with pytest.raises(DocumentMissing):
            await store.load("n")
        await store.append("n", editor.state)
        assert await text_of(store) == editor.read().text
        (aside,) = await store.list_set_aside()
        assert len(aside.reason) <= SET_ASIDE_REASON_MAX
    check_gapless(path)


async def test_what_is_live_in_memory_is_saved_too(path: Path) -> None:
    editor = await write(path)
    async with store_over(SqliteBackend(path)) as store, store.document("n") as document:
        execute(path, "DELETE FROM journal WHERE document_id = 1 AND seq = 6")
        plan = await store.plan_salvage("n")
        assert plan.lost == ("journal row 6: not there",)
        await store.salvage(plan)
        assert document.error is not None, "whoever has it open loads it again"
        assert await text_of(store) == editor.read().text


async def test_what_is_live_but_does_not_integrate_is_no_obstacle(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = await write(path)
    async with store_over(SqliteBackend(path)) as store, store.document("n") as document:

        def fail(*_: object) -> None:
            raise crdt.StartUnreadable("a panic")

        monkeypatch.setattr(crdt.Replica, "diff", fail)
        assert read((await store.plan_salvage("n")).update) == editor.read()
        assert document.error is not None


async def test_a_document_that_is_no_whole_is_not_called_sound(path: Path) -> None:
    """A write that the disk has lost: the head is older than its rows."""
    editor = await write(path)
    async with store_over(SqliteBackend(path)) as store:
        sealed = await store._parts.backend.load_head("n")
        assert sealed is not None
        head = replace(sealed.head, last_seq=10, journal_bytes=sealed.head.journal_bytes - 23)
        with raw(path) as connection:
            connection.execute(
                "UPDATE documents SET last_seq = ?, journal_bytes = ?, checksum = ? WHERE id = 1",
                (head.last_seq, head.journal_bytes, format.seal_head(head).checksum),
            )
        with pytest.raises(Damaged):
            await store.load("n")
        plan = await store.plan_salvage("n")
        assert plan.lost == ("journal: expected rows up to 10, found up to 11",)
        await store.salvage(plan)
        assert await text_of(store) == editor.read().text


async def test_a_document_that_the_index_of_names_has_lost_is_salvaged(path: Path) -> None:
    editor = await write(path)
    lose_index_entry(path, "n")
    async with store_over(SqliteBackend(path)) as store:
        with pytest.raises(Damaged):
            await store.load("n")
        plan = await store.plan_salvage("n")
        assert plan.lost == ("index of names: expected an entry, found none",)
        await store.salvage(plan)
        assert await text_of(store) == editor.read().text


async def test_of_two_sources_none_is_preferred_and_none_deleted(path: Path) -> None:
    """Field note 13: the rows and the snapshot that a broken one has replaced count as well."""
    editor = Editor(7)

    class Untrimmed(SqliteBackend):
        async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
            return False

    async with store_over(Untrimmed(path)) as store:
        for word in ("one ", "two ", "three "):
            await store.append("n", editor.write(word))
        await store.checkpoint("n")
        await store.append("n", editor.write("four"))
        await store.checkpoint("n")
    execute(path, "UPDATE chunks SET data = x'00' WHERE snapshot_id = 2")
    execute(path, "UPDATE journal SET data = x'00' WHERE seq = 2")
    async with store_over(Untrimmed(path)) as store:
        plan = await store.plan_salvage("n")
        assert read(plan.update) == editor.read()
        await store.salvage(plan)
        assert await text_of(store) == "one two three four"
    with raw(path) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (3,)


async def test_a_plan_is_not_carried_out_on_another_document(path: Path) -> None:
    await write(path)
    async with store_over(SqliteBackend(path)) as store:
        plan = await store.plan_salvage("n")
        await store.append("n", letters("z", client_id=9)[0])
        with pytest.raises(WriterSuperseded):
            await store.salvage(plan)
        assert await store.list_set_aside() == []


async def test_there_is_nothing_to_salvage_where_nothing_is_or_was_deleted(path: Path) -> None:
    await write(path)
    async with store_over(SqliteBackend(path)) as store:
        await store.delete("n")
        with pytest.raises(DocumentDeleted):
            await store.plan_salvage("n")
        with pytest.raises(DocumentMissing):
            await store.plan_salvage("nothing")


async def test_an_update_that_does_not_integrate_is_left_out(path: Path) -> None:
    """A row that passes every checksum may still break the decoder."""
    first, second = (
        bytes.fromhex("0101ef070004010174016100"),
        bytes.fromhex("0101ef075f4158000001ef07012201"),
    )
    async with store_over(SqliteBackend(path)) as store:
        await store.append("n", first)
        await store.append("n", letters("x")[0])
    backend = SqliteBackend(path)
    await backend.open()
    remains = await backend.load_remains("n")
    await backend.close()
    assert remains is not None
    found = plan(remains, known=[second])
    assert len(found.lost) == 1
    assert found.lost[0].startswith(f"an update of {len(second)} bytes: ")
    assert ids_of([found.update]).structs == ids_of([first, letters("x")[0]]).structs


async def test_what_is_saved_of_a_document_whose_name_is_damaged_keeps_its_name(
    path: Path,
) -> None:
    """P4: not an empty document under its own name, and another one under the damaged name."""
    editor = await write(path)
    execute(path, "UPDATE documents SET name = CAST(x'ff' AS TEXT) WHERE name = 'n'")
    async with store_over(SqliteBackend(path)) as store:
        with pytest.raises(Damaged):
            await store.load("n")
        await store.salvage(await store.plan_salvage("n"))
        assert await text_of(store) == editor.read().text
        assert [aside.name for aside in await store.list_set_aside()] == ["\ufffd"]


async def test_a_sound_document_is_not_salvaged_under_another_name(path: Path) -> None:
    await write(path)
    execute(path, f"UPDATE documents SET name_hash = {name_hash('m')} WHERE name = 'n'")
    async with store_over(SqliteBackend(path)) as store:
        with pytest.raises(DocumentMissing):
            await store.plan_salvage("m")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE snapshots SET cut_seq = 9223372036854775807",
        "UPDATE journal SET seq = 9223372036854775807 WHERE seq = 10",
    ],
)
async def test_a_damaged_number_does_not_bring_the_document_to_the_end_of_all_numbers(
    path: Path, statement: str
) -> None:
    """Else the first edit after a salvage ends the server."""
    await write(path)
    execute(path, statement)
    async with store_over(SqliteBackend(path)) as store:
        await store.salvage(await store.plan_salvage("n", unverified=True))
        before = await text_of(store)
        await store.append("n", letters("z", client_id=9)[0])
        assert sorted(await text_of(store)) == sorted(before + "z")


async def test_what_cannot_be_loaded_is_never_sound(path: Path) -> None:
    """P4: every part of it may verify, and something between them be wrong."""
    editor = await write(path)
    execute(path, "UPDATE snapshots SET state = 'retired'")
    async with store_over(SqliteBackend(path)) as store:
        planned = await store.plan_salvage("n")
        assert planned.lost == ("snapshot 1: expected a manifest, found none",)
        await store.salvage(planned)
        assert await text_of(store) == editor.read().text


async def test_it_is_said_when_salvaging_may_bring_back_what_was_deleted(path: Path) -> None:
    """P9: nobody brings it back unnoticed."""
    await write(path)
    execute(path, "UPDATE documents SET deleted_ms = 1 WHERE name = 'n'")
    async with store_over(SqliteBackend(path)) as store:
        planned = await store.plan_salvage("n")
        assert planned.lost[1] == "it may have been deleted, and this would bring it back"


async def test_deleting_a_document_takes_no_other_ones_snapshot(path: Path) -> None:
    """P3: a snapshot's own row says whose it is, and no checksum covers that."""
    editor = await write(path)
    execute(path, "UPDATE snapshots SET document_id = 2")
    async with store_over(SqliteBackend(path)) as store:
        await store.delete("other")
        while await store._parts.trim():
            pass
        assert await text_of(store) == editor.read().text


# ---- the beginning of an update -----------------------------------------------------------------


@given(histories(), st.integers(0, 10_000))
def test_the_whole_part_of_a_beginning_is_an_update_with_some_of_it(
    updates: list[bytes], length: int
) -> None:
    update = crdt.merge(updates)
    length %= len(update) + 1
    part = update_v1.whole_part(update[:length])
    crdt.check_update(part)
    found, full = ids_of([part]), ids_of([update])
    assert found.structs <= full.structs
    assert found.deleted <= full.deleted
    if length == len(update):
        assert found == full
    elif length:
        assert ids_of([update_v1.whole_part(update[: length - 1])]).structs <= found.structs


def test_what_is_no_update_has_no_whole_part() -> None:
    with pytest.raises(UpdateRefused):
        update_v1.whole_part(b"\x01\x05\x07\x00\x9f\x01\x01\x01")


async def test_a_dead_row_that_is_broken_is_no_loss(path: Path) -> None:
    class Untrimmed(SqliteBackend):
        async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
            return False

    async with store_over(Untrimmed(path)) as store:
        for update in letters("abc"):
            await store.append("n", update)
        await store.checkpoint("n")
        execute(path, "UPDATE journal SET data = x'00' WHERE seq = 2")
        plan = await store.plan_salvage("n")
        assert plan.lost == ()
        assert read(plan.update).text == "abc"
