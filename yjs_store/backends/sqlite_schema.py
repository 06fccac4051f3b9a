"""The SQLite schema, as sqlite-utils migrations.

``user_version`` holds the number of the newest migration, so that an older program can refuse a
newer file without knowing its tables. Migrations are only ever added.
"""

import sqlite3
from pathlib import Path
from typing import Final

from sqlite_utils import Database, Migrations

from yjs_store.errors import StoreTooNew, StoreUnusable

SCHEMA_VERSION: Final = 5

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
    db.execute("PRAGMA user_version = 1")


@migrations(name="0002_set_aside")
def _set_aside(db: Database) -> None:
    # Damaged documents whose name a salvaged one has taken; their rows and chunks stay.
    db.execute("""
        CREATE TABLE set_aside (
            document_id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            uid BLOB NOT NULL,
            last_seq INTEGER NOT NULL,
            cut_seq INTEGER NOT NULL,
            journal_bytes INTEGER NOT NULL,
            snapshot_id INTEGER,
            snapshot_bytes INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL,
            deleted_ms INTEGER,
            oversized_count INTEGER NOT NULL,
            checksum BLOB NOT NULL,
            reason TEXT NOT NULL,
            set_aside_ms INTEGER NOT NULL,
            discarded INTEGER NOT NULL DEFAULT 0
        ) STRICT
    """)
    db.execute("PRAGMA user_version = 2")


@migrations(name="0003_sessions_quarantine")
def _sessions_quarantine(db: Database) -> None:
    statements = """
        CREATE TABLE sessions (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            user TEXT NOT NULL,
            document TEXT NOT NULL,
            permission TEXT NOT NULL CHECK (permission IN ('read', 'write', 'admin')),
            status TEXT NOT NULL CHECK (status IN ('active', 'ended', 'revoked')),
            details TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL,
            credential_hash BLOB,
            checksum BLOB NOT NULL,
            -- Whether the server knows that it is over: who revokes beside it waits for that.
            acknowledged INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE INDEX sessions_by_expiry ON sessions (expires_ms);
        CREATE INDEX sessions_by_user ON sessions (user, expires_ms) WHERE status = 'active';
        CREATE INDEX sessions_by_credential ON sessions (credential_hash, document)
            WHERE credential_hash IS NOT NULL;
        CREATE INDEX sessions_to_acknowledge ON sessions (id) WHERE acknowledged = 0;

        -- Updates that were refused, for a person to look at.
        CREATE TABLE quarantine (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document TEXT NOT NULL,
            reason TEXT NOT NULL,
            sender TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            seen_ms INTEGER NOT NULL,
            seen_count INTEGER NOT NULL,
            byte_length INTEGER NOT NULL,
            hash BLOB NOT NULL,
            data BLOB,
            checksum BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX quarantine_by_content ON quarantine (document, hash);
    """
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute("PRAGMA user_version = 3")


@migrations(name="0004_unvouched")
def _unvouched(db: Database) -> None:
    # Documents that nobody has tried: an older version took what ends the process that reads it.
    db.execute("CREATE TABLE unvouched (document_id INTEGER PRIMARY KEY) STRICT")
    db.execute("INSERT INTO unvouched SELECT id FROM documents WHERE deleted_ms IS NULL")
    db.execute("PRAGMA user_version = 4")


@migrations(name="0005_observing")
def _observing(db: Database) -> None:
    # For operators; see observing_format for what is in ``data``. No document needs any of it.
    statements = """
        CREATE TABLE checkpoints (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id INTEGER NOT NULL,
            data BLOB NOT NULL,
            checksum BLOB NOT NULL
        ) STRICT;
        CREATE INDEX checkpoints_by_document ON checkpoints (document_id);

        CREATE TABLE traces (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id INTEGER NOT NULL,
            data BLOB NOT NULL,
            checksum BLOB NOT NULL
        ) STRICT;
        CREATE INDEX traces_by_document ON traces (document_id);

        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            document TEXT,
            data BLOB NOT NULL,
            checksum BLOB NOT NULL
        ) STRICT;
        CREATE INDEX audit_by_document ON audit (document) WHERE document IS NOT NULL;

        -- What nothing is to be written to; 0 is the store.
        CREATE TABLE switches (
            document_id INTEGER PRIMARY KEY,
            data BLOB NOT NULL,
            checksum BLOB NOT NULL
        ) STRICT;
    """
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute("PRAGMA user_version = 5")


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Return when the file has the schema that this program reads.

    Raises:
        StoreUnusable: it is newer, older, or something else.
    """
    version = stored_version(connection, path)
    if version == 0:
        raise StoreUnusable(f"{path} is not a store of yjs-relay")
    if version < SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path} has schema version {version}; `yjs-relay serve` brings it up to"
            f" {SCHEMA_VERSION} when it starts"
        )


def stored_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a file's schema; 0 for an empty file.

    Raises:
        StoreTooNew: this program does not know it.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} has schema version {version}; this program knows up to"
            f" {SCHEMA_VERSION}: install a newer yjs-relay"
        )
    return version
