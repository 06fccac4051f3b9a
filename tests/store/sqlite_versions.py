"""Files as older versions of the schema had them."""

from dataclasses import replace
from pathlib import Path

from sqlite_utils import Database

from yjs_store import format
from yjs_store.backends import sqlite_write
from yjs_store.backends.sqlite_epoch import become_writer
from yjs_store.backends.sqlite_schema import migrations

from .intents import fresh, intent
from .stores import raw


def make_version_1(path: Path, documents: dict[str, list[bytes]]) -> None:
    """A closed store of schema version 1 with these rows in it."""
    with raw(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        first = migrations.pending(Database(connection))[0].name
        migrations.apply(Database(connection), stop_before="0002_set_aside")
        assert first == "0001_documents_journal_snapshots"
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        epoch = become_writer(connection)
        for name, rows in documents.items():
            head = fresh(name)
            for row in rows:
                item = intent(head, row)
                (document_id,) = sqlite_write.append(connection, epoch, [item])
                head = replace(item.after.head, document_id=document_id)
            assert format.seal_head(head)
