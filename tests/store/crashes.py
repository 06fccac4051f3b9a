"""Crashes: the files of a store as they are between two statements, and how to judge them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from yjs_store import DocumentDeleted, DocumentMissing, Store
from yjs_store.format import check_head

from .editing import Editor, read
from .stores import WatchedBackend, raw, store_over
from .update_v1 import ids_of

Model = dict[str, list[bytes] | None]
"""Per document the updates that it has; None stands for a tombstone.

Under ACTS and SWITCHES, which no document can be called, what operators have done and what is
read-only; where a model says nothing of these, anything may be there.
"""

ACTS, SWITCHES = "\0acts", "\0switches"

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


def documents_of(model: Model) -> Model:
    """A model without what it says beside documents."""
    return {name: updates for name, updates in model.items() if name not in (ACTS, SWITCHES)}


def act_note(action: str, document: str | None, result: str) -> bytes:
    """How an act stands in a model; the oldest first."""
    return f"{action} {document} {result}".encode()


def switch_note(document: str | None, reason: str) -> bytes:
    """How a switch stands in a model, in the order of these."""
    return f"{document}: {reason}".encode()


async def load_notes(store: Store) -> Model:
    """What the store gives beside documents."""
    page = await store.list_audit(limit=1000)
    assert page.damaged == 0
    listed = (await store.observation.documents(limit=1000)).documents
    # A document without one of its own has the store's.
    switches = [store.read_only(None), *(each.read_only for each in listed)]
    return {
        ACTS: [act_note(each.action, each.document, each.result) for each in page.acts[::-1]],
        SWITCHES: sorted({switch_note(each.document, each.reason) for each in switches if each}),
    }


async def fits(store: Store, model: Model) -> bool:
    """Whether a store gives what is in a model, and nothing else."""
    notes = await load_notes(store)
    said = {name: model[name] for name in (ACTS, SWITCHES) if name in model}
    return shows(await load_all(store), model) and notes | said == notes


def shows(shown: Shown, model: Model, *, reads: bool = True) -> bool:
    """Whether a store shows these updates: no more and no less, also of what is pending.

    Of the deletes there may be more: where two set one key, a decoder deletes one of them.
    What is read of a document is compared with ``reads``: while predecessors are missing, a
    decoder shows more or less of what came after them, by the order in which it was given it.
    """
    model = documents_of(model)
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
    # What was set aside is kept as it was, dead parts too.
    aside = "SELECT document_id FROM set_aside"
    dead = {
        "journal": "NOT EXISTS (SELECT 1 FROM documents WHERE id = document_id AND seq > cut_seq)"
        f" AND document_id NOT IN ({aside})",
        "snapshots": "NOT EXISTS (SELECT 1 FROM documents WHERE snapshot_id = snapshots.id)"
        f" AND document_id NOT IN ({aside})",
        "chunks": "NOT EXISTS (SELECT 1 FROM documents WHERE snapshot_id = chunks.snapshot_id)"
        f" AND snapshot_id NOT IN (SELECT id FROM snapshots WHERE document_id IN ({aside}))",
        "trims": "1",
        "set_aside": "discarded",
    }
    with raw(path) as connection:
        for table, condition in dead.items():
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
            assert found == (0,), f"{table} has something that is dead"


async def check_recovery(path: Path, candidates: Sequence[Model], where: str) -> None:
    """Open what a crash left: it shows one of the candidates, whole, and the store works on.

    ``where`` says in a failure which crash it was.
    """
    backend = WatchedBackend(path)
    async with store_over(backend) as store:
        model = await found_in(store, candidates)
        if model is None:
            shown = _sizes(await load_all(store)), await load_notes(store)
            raise AssertionError(f"{where}: {shown} and none of {_counts(candidates)}")
        check_gapless(path)
        model = await _work_on(store, model)
        while await backend.trim(check_head):
            pass
        assert await fits(store, model), where
        check_tidy(path)
    async with store_over(WatchedBackend(path)) as store:
        assert await fits(store, model), where


async def found_in(store: Store, candidates: Sequence[Model]) -> Model | None:
    """The first of the candidates that a store shows; None when it shows something else."""
    for model in candidates:
        if await fits(store, model):
            return model
    return None


async def _work_on(store: Store, model: Model) -> Model:
    """Append to what is there and to something new, and checkpoint both; the model with that."""
    update = Editor(11).put("after the crash", 1)
    worked = dict(model)
    documents = documents_of(model)
    living = next((name for name, updates in documents.items() if updates is not None), "another")
    await store.lift_read_only(None)
    for name in (name for name, updates in documents.items() if updates is not None):
        await store.lift_read_only(name)
    if SWITCHES in worked:
        worked[SWITCHES] = []
    for name in (living, "a new one"):
        await store.append(name, update)
        worked[name] = [*(worked.get(name) or []), update]
        assert (await store.checkpoint(name)).published
    return worked


def _sizes(shown: Shown) -> dict[str, int | None]:
    return {name: update and len(update) for name, update in shown.items()}


def _counts(models: Sequence[Model]) -> list[dict[str, int | None]]:
    return [{name: updates and len(updates) for name, updates in each.items()} for each in models]
