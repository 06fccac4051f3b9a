"""Stores of every schema version there has been, and one version that is made up.

``tests/store/data/schema-<version>.db`` is a store as that version wrote it, and the ``.json``
beside it what is in it: per document its content as one update in hex, or null for a tombstone.
A new SCHEMA_VERSION brings such a pair; its migration is in the crash matrix with that.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from store.crashes import ACTS, SWITCHES, Model, act_note, switch_note
from yjs_store.backends import sqlite, sqlite_schema
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION, migrations

DATA = Path(__file__).parents[1] / "data"

# What is in them beside documents, from the version on that keeps such a thing.
_NOTES: dict[int, Model] = {
    5: {
        ACTS: [act_note("read-only", "a note", "set")],
        SWITCHES: sorted([switch_note(None, "upgrade"), switch_note("a note", "moving")]),
    }
}


def old_store(version: int) -> tuple[dict[str, bytes], Model]:
    """The files of a store of that version, and what is in it."""
    path = DATA / f"schema-{version}.db"
    contents: dict[str, str | None] = json.loads(path.with_suffix(".json").read_text())
    model: Model = {
        name: None if update is None else [bytes.fromhex(update)]
        for name, update in contents.items()
    }
    return {"": path.read_bytes()}, model | _NOTES.get(version, {ACTS: [], SWITCHES: []})


@contextlib.contextmanager
def made_up_migration() -> Iterator[None]:
    """Let the next version move the journal to a new table and give every head one more fact."""
    following = Migrations("yjs_store")
    for known in migrations.pending(Database(memory=True)):
        following(name=known.name)(known.fn)
    following(name="9999_made_up")(_move_the_journal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "migrations", following)
        patch.setattr(sqlite_schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        yield


def _move_the_journal(db: Database) -> None:
    create: str = db["journal"].schema
    db.execute("ALTER TABLE journal RENAME TO old_journal")
    db.execute(create)
    db.execute("INSERT INTO journal SELECT * FROM old_journal")
    db.execute("DROP TABLE old_journal")
    db.execute("ALTER TABLE documents ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'")
    db.execute("UPDATE documents SET colour = 'red' WHERE deleted_ms IS NOT NULL")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
