"""yjs_store.check and checking: what is sound is called sound, what is not is called by name."""

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import yjs_store
from yjs_store import (
    CheckDepth,
    DocumentReport,
    StoreFailing,
    StoreUnusable,
    plan_check,
    run_check,
)
from yjs_store import format as stored_format
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.check import check_stored
from yjs_store.check_process import Batch, check_batch
from yjs_store.records import StoredDocument

from . import dying_check
from .editing import Editor, letters, need_y_py
from .halves import CUTS
from .stores import lose_index_entry, raw, store_over, url

DEEP = b"\x01\x01\x07\x00\x08\x01\x01m\x01" + b"\x75\x01" * 100_000 + b"\x7e\x00"
"""100,000 arrays, each in the next: it ends the process that decodes it."""


@pytest.fixture
async def sound(path: Path) -> Path:
    """A closed store with rows, a snapshot, a tombstone and something that waits."""
    async with store_over(SqliteBackend(path)) as store:
        for update in letters("hello"):
            await store.append("rows", update)
            await store.append("folded", update)
        await store.checkpoint("folded")
        await store.append("folded", letters("x", client_id=2**32 - 5)[0])
        await store.append("deleted", letters("x")[0])
        await store.delete("deleted")
        await store.append("waiting", letters("ab")[1])
        await store.append("erased", Editor(8).write("word"))
    return path


def run(
    path: Path, names: Sequence[str] = (), depth: CheckDepth = CheckDepth.DECODED
) -> tuple[dict[str, DocumentReport], list[str]]:
    plan = asyncio.run(plan_check(url(path), names))
    reports: dict[str, DocumentReport] = {}
    problems: list[str] = []
    byte_length = 0
    for checked in run_check(plan, depth):
        reports |= {report.document: report for report in checked.reports}
        problems += checked.store_problems
        byte_length += checked.byte_length
    assert byte_length == plan.byte_length, "the progress bar comes to its end"
    return reports, problems


@pytest.mark.parametrize("depth", CheckDepth)
def test_a_sound_store_is_sound(sound: Path, depth: CheckDepth) -> None:
    if depth is CheckDepth.INDEPENDENT:
        need_y_py()
    before = sound.read_bytes()
    reports, problems = run(sound, depth=depth)
    assert problems == []
    assert reports.keys() == {"rows", "folded", "deleted", "waiting", "erased"}
    assert [report.problem for report in reports.values()] == [None] * 5
    assert reports["rows"].rows == 5
    assert (reports["folded"].rows, reports["folded"].chunks) == (1, 1)
    assert reports["deleted"].is_deleted
    is_compared = depth is not CheckDepth.INDEPENDENT
    assert (reports["waiting"].note is None) == is_compared
    assert sound.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "document", "part"),
    [
        ("UPDATE journal SET data = x'00' WHERE seq = 3", "rows", "journal row 3"),
        ("DELETE FROM journal WHERE seq = 3", "rows", "row 3"),
        ("UPDATE chunks SET data = x'00'", "folded", "chunk 0"),
        ("DELETE FROM chunks", "folded", "expected 1 chunks"),
        ("UPDATE snapshots SET byte_length = 7", "folded", "snapshot"),
        ("DELETE FROM snapshots", "folded", "a manifest"),
        ("UPDATE documents SET last_seq = 6 WHERE name = 'rows'", "rows", "head"),
    ],
)
def test_damage_is_called_by_name_and_the_rest_is_sound(
    sound: Path, statement: str, document: str, part: str
) -> None:
    with raw(sound) as connection:
        connection.execute(statement)
    reports, _ = run(sound)
    damaged = {name: report.problem for name, report in reports.items() if report.problem}
    assert damaged.keys() == {document}
    assert part in damaged[document]
    for depth in (CheckDepth.CHECKSUMS, CheckDepth.DECODED):
        assert asyncio.run(check_alone(sound, document, depth)) == damaged[document]


async def check_alone(path: Path, name: str, depth: CheckDepth) -> str | None:
    """Check one document in this process; return its problem."""
    reader = SqliteReader(path)
    await reader.open()
    stored = await reader.load(name)
    await reader.close()
    assert stored is not None
    return check_stored(stored, depth).problem


def test_what_belongs_to_no_document_is_a_problem_of_the_store(sound: Path) -> None:
    with raw(sound) as connection:
        connection.execute("DELETE FROM documents WHERE name = 'rows'")
    reports, problems = run(sound)
    assert [report.problem for report in reports.values()] == [None] * 4
    assert problems == ["5 journal rows of no document", "1 traces of no document"]


def test_a_document_that_the_index_of_names_has_lost_is_named(sound: Path) -> None:
    """Its key leads past the index; an editor's way does not."""
    lose_index_entry(sound, "erased")
    reports, problems = run(sound)
    damaged = {name: report.problem for name, report in reports.items() if report.problem}
    assert list(damaged.values()) == ["index of names: expected an entry, found none"]
    assert problems, "SQLite finds it, too"


def test_only_the_documents_named_are_checked(sound: Path) -> None:
    reports, problems = run(sound, ["rows", "missing"])
    assert reports["rows"].problem is None
    assert reports["missing"].problem == "there is none"
    assert reports.keys() == {"rows", "missing"}
    assert problems == []


def test_a_live_store_is_checked_beside_its_writer(path: Path) -> None:
    async def write_and_check() -> tuple[dict[str, DocumentReport], list[str]]:
        async with store_over(SqliteBackend(path)) as store:
            await store.append("n", letters("a")[0])
            return await asyncio.to_thread(run, path)

    reports, problems = asyncio.run(write_and_check())
    assert (reports["n"].problem, problems) == (None, [])


@pytest.mark.parametrize("content", [None, b"not a database at all, and long enough" * 100])
def test_what_is_no_store_is_not_checked(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreUnusable):
        asyncio.run(plan_check(url(path)))


def test_what_does_not_decode_is_damage_under_right_checksums(sound: Path) -> None:
    """Written by a defect of ours: only decoding finds it."""
    replace_first_row(sound, b"\x05no update")
    assert asyncio.run(check_alone(sound, "rows", CheckDepth.CHECKSUMS)) is None
    assert "not a Yjs update" in str(asyncio.run(check_alone(sound, "rows", CheckDepth.DECODED)))


def test_what_ends_the_decoder_is_found_and_ends_nothing_else(sound: Path) -> None:
    replace_first_row(sound, DEEP)
    reports, problems = run(sound)
    damaged = {name: report.problem for name, report in reports.items() if report.problem}
    assert damaged == {"rows": "content: the decoder ended the process that read it"}
    assert len(reports) == 5
    assert problems == []


@pytest.mark.parametrize("depth", [CheckDepth.DECODED, CheckDepth.INDEPENDENT])
def test_a_process_that_is_ended_from_outside_is_no_fault_of_a_decoder(
    sound: Path, monkeypatch: pytest.MonkeyPatch, depth: CheckDepth
) -> None:
    """Who takes it for damage may salvage what is sound."""
    if depth is CheckDepth.INDEPENDENT:
        need_y_py()
    monkeypatch.setattr("yjs_store.checking.check_batch", dying_check.always)
    reports, problems = run(sound, depth=depth)
    failed = {name: report.problem for name, report in reports.items() if report.problem}
    assert failed == {"rows": "not checked: the process that read it ended with SIGKILL, twice"}
    assert len(reports) == 5
    assert problems == []


def test_a_document_whose_check_was_ended_from_outside_is_checked_again(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yjs_store.checking.check_batch", dying_check.twice)
    reports, problems = run(sound)
    assert [report.problem for report in reports.values()] == [None] * 5
    assert problems == []


def test_orphans_are_looked_for_again_where_that_was_ended(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or by chance: what runs beside a document that ends the decoder ends with it."""
    with raw(sound) as connection:
        connection.execute("DELETE FROM documents WHERE name = 'rows'")
    monkeypatch.setattr("yjs_store.checking.check_batch", dying_check.orphans_once)
    reports, problems = run(sound)
    assert [report.problem for report in reports.values()] == [None] * 4
    assert problems == ["5 journal rows of no document", "1 traces of no document"]


def test_orphans_that_nobody_may_look_for_are_a_problem_of_the_store(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yjs_store.checking.check_batch", dying_check.orphans_always)
    reports, problems = run(sound)
    assert [report.problem for report in reports.values()] == [None] * 5
    assert problems == ["orphans not looked for: the process that did it ended with SIGKILL, twice"]


def replace_first_row(path: Path, update: bytes) -> None:
    """Put a row in the place of the first of ``rows``, and a head that knows of it."""
    reader = SqliteReader(path)

    async def load() -> tuple[bytes, bytes]:
        await reader.open()
        stored = await reader.load("rows")
        await reader.close()
        assert stored is not None
        head = stored.sealed_head.head
        row = stored_format.seal_row(head.uid, 1, 0, update)
        length = head.journal_bytes - stored.rows[0].byte_length + len(update)
        changed = stored_format.seal_head(replace(head, journal_bytes=length))
        return row.checksum, changed.checksum

    row_checksum, head_checksum = asyncio.run(load())
    with raw(path) as connection:
        before = connection.execute(
            "SELECT byte_length FROM journal WHERE document_id = 1 AND seq = 1"
        ).fetchone()[0]
        connection.execute(
            "UPDATE journal SET data = ?, byte_length = ?, checksum = ?, created_ms = 0"
            " WHERE document_id = 1 AND seq = 1",
            (update, len(update), row_checksum),
        )
        connection.execute(
            "UPDATE documents SET journal_bytes = journal_bytes + ?, checksum = ? WHERE id = 1",
            (len(update) - before, head_checksum),
        )


def test_a_difference_between_the_decoders_is_a_problem(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_y_py()

    y_py = importlib.import_module("y_py")
    assert asyncio.run(check_alone(sound, "rows", CheckDepth.INDEPENDENT)) is None
    shorter = y_py.YDoc()
    monkeypatch.setattr(y_py, "YDoc", lambda: shorter)
    monkeypatch.setattr(y_py, "apply_update", lambda *_: None)
    found = asyncio.run(check_alone(sound, "rows", CheckDepth.INDEPENDENT))
    assert "different state vectors" in str(found)


async def test_characters_that_are_cut_are_no_problem(path: Path) -> None:
    """y-py loses their halves as pycrdt does."""
    need_y_py()
    async with store_over(SqliteBackend(path)) as store:
        for updates, _ in CUTS.values():
            for update in updates:
                await store.append("cut", update)
    assert await check_alone(path, "cut", CheckDepth.INDEPENDENT) is None


async def test_a_document_that_the_disk_does_not_give_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the others of its batch are looked at."""
    async with store_over(SqliteBackend(path)) as store:
        for name in ("a", "b"):
            await store.append(name, letters(name)[0])
    load_by_id = SqliteReader.load_by_id

    async def fail(reader: SqliteReader, document_id: int) -> StoredDocument | None:
        if document_id == 1:
            raise StoreFailing("disk I/O error")
        return await load_by_id(reader, document_id)

    monkeypatch.setattr(SqliteReader, "load_by_id", fail)
    checked = await asyncio.to_thread(check_batch, path, Batch((1, 2), 2), CheckDepth.DECODED)
    assert [report.problem for report in checked.reports] == [
        "cannot be read: disk I/O error",
        None,
    ]


def test_a_process_of_a_check_ends_with_the_check(tmp_path: Path) -> None:
    """It would wait for its next batch for ever, and hold the store's files."""
    program = tmp_path / "program.py"
    program.write_text(
        """
import concurrent.futures, multiprocessing, os, signal
from yjs_store.check_process import begin_process

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context, begin_process) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        signal.pause()
"""
    )
    paths = [str(Path(yjs_store.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, str(program)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    # It has the pipe too, which ends when the last of them has ended.
    process.communicate(timeout=20)
