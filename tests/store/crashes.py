"""Crashes: the files of a store as they are between two statements, and how to judge them."""

import shutil
from pathlib import Path

from yjs_store import DocumentDeleted, DocumentMissing, Store

from .editing import read
from .stores import raw
from .update_v1 import ids_of

Model = dict[str, list[bytes] | None]
"""Per document the updates that it has; None stands for a tombstone."""

Shown = dict[str, bytes | None]
"""Per document what a store gives for it; None stands for a tombstone."""

SUFFIXES = ("", "-wal")
"""The -shm file is shared memory; it does not outlive a power cut, and SQLite makes it anew."""


def copy_files(path: Path, target: Path) -> None:
    """Copy what a crash at this moment leaves."""
    for suffix in SUFFIXES:
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, target.with_name(target.name + suffix))


async def load_all(store: Store) -> Shown:
    """What the store gives, document by document."""
    shown: Shown = {}
    for head in await store.list_heads():
        try:
            shown[head.name] = await store.load(head.name)
        except DocumentDeleted:
            shown[head.name] = None
        except DocumentMissing as error:
            raise AssertionError(f"{head.name} is listed and not there") from error
    return shown


def shows(shown: Shown, model: Model, *, reads: bool = True) -> bool:
    """Whether a store shows these updates: no more and no less, also of what is pending.

    Of the deletes there may be more: where two set one key, a decoder deletes one of them.
    What is read of a document is compared with ``reads``: while predecessors are missing, a
    decoder shows more or less of what came after them, by the order in which it was given it.
    """
    if shown.keys() != model.keys():
        return False
    for name, everything in shown.items():
        updates = model[name]
        if everything is None or updates is None:
            if everything is not updates:
                return False
            continue
        found, expected = ids_of([everything]), ids_of(updates)
        if found.structs != expected.structs or not found.deleted >= expected.deleted:
            return False
        if reads and read(everything) != read(*updates):
            return False
    return True


def check_gapless(path: Path) -> None:
    """Every document's live rows are cut_seq+1 … last_seq, and no row is beyond them."""
    with raw(path) as connection:
        heads = connection.execute("SELECT id, name, cut_seq, last_seq FROM documents").fetchall()
        for document_id, name, cut_seq, last_seq in heads:
            found = connection.execute(
                "SELECT seq FROM journal WHERE document_id = ? AND seq > ? ORDER BY seq",
                (document_id, cut_seq),
            ).fetchall()
            assert [seq for (seq,) in found] == list(range(cut_seq + 1, last_seq + 1)), name
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def check_tidy(path: Path) -> None:
    """After all trimming nothing is left but what the heads name."""
    check_gapless(path)
    dead = {
        "journal": "NOT EXISTS (SELECT 1 FROM documents WHERE id = document_id AND seq > cut_seq)",
        "snapshots": "NOT EXISTS (SELECT 1 FROM documents WHERE snapshot_id = snapshots.id)",
        "chunks": ("NOT EXISTS (SELECT 1 FROM documents WHERE snapshot_id = chunks.snapshot_id)"),
        "trims": "1",
    }
    with raw(path) as connection:
        for table, condition in dead.items():
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
            assert found == (0,), f"{table} has something that is dead"
