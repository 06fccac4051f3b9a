"""The SQLite schema, as sqlite-utils migrations.

``user_version`` holds the number of the newest migration, so that an older program can refuse a
newer file without knowing its tables. Migrations are only ever added.
"""

from typing import Final

from sqlite_utils import Database, Migrations

SCHEMA_VERSION: Final = 1

migrations = Migrations("yjs_store")


@migrations(name="0001_documents_journal_snapshots")
def _create(db: Database) -> None:
    statements = """
        CREATE TABLE store (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            format INTEGER NOT NULL,
            epoch INTEGER NOT NULL
        ) STRICT;
        INSERT INTO store (id, format, epoch) VALUES (1, 1, 0);

        CREATE TABLE documents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            name_hash INTEGER NOT NULL,
            uid BLOB NOT NULL,
            last_seq INTEGER NOT NULL,
            cut_seq INTEGER NOT NULL CHECK (cut_seq <= last_seq),
            journal_bytes INTEGER NOT NULL,
            snapshot_id INTEGER,
            snapshot_bytes INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL,
            deleted_ms INTEGER,
            oversized_count INTEGER NOT NULL,
            checksum BLOB NOT NULL
        ) STRICT;

        CREATE INDEX documents_by_name_hash ON documents (name_hash);

        CREATE TABLE journal (
            document_id INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            byte_length INTEGER NOT NULL,
            checksum BLOB NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (document_id, seq)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE snapshots (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('staged', 'published', 'retired')),
            cut_seq INTEGER NOT NULL,
            chunk_count INTEGER NOT NULL,
            byte_length INTEGER NOT NULL,
            stored_length INTEGER NOT NULL,
            checksum BLOB NOT NULL,
            created_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX snapshots_by_state ON snapshots (state) WHERE state <> 'published';

        CREATE TABLE chunks (
            snapshot_id INTEGER NOT NULL,
            chunk_index INTEGER NOT NULL,
            codec TEXT NOT NULL,
            byte_length INTEGER NOT NULL,
            checksum BLOB NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (snapshot_id, chunk_index)
        ) STRICT;

        -- Documents with journal rows up to cut_seq that can go.
        CREATE TABLE trims (document_id INTEGER PRIMARY KEY) STRICT;
    """
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
