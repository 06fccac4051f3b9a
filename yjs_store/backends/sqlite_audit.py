"""Looks for what is wrong with an SQLite store beyond its documents: pages, indexes, orphans."""

import sqlite3
from typing import Final

from yjs_store.backends.sqlite_notes import OWNED

# Enough to see what happened; a broken page can give thousands.
_PROBLEMS_MAX: Final = 20

# What nothing leads to: harmless to documents, and a sign that something went wrong.
_ORPHANS: Final = {
    "journal rows of no document": "SELECT count(*) FROM journal WHERE document_id NOT IN"
    " (SELECT id FROM documents UNION ALL SELECT document_id FROM set_aside)",
    "snapshots of no document": "SELECT count(*) FROM snapshots WHERE state = 'published'"
    " AND document_id NOT IN"
    " (SELECT id FROM documents UNION ALL SELECT document_id FROM set_aside)",
    "published snapshots that their document does not name": "SELECT count(*) FROM snapshots"
    " JOIN documents ON documents.id = document_id"
    " WHERE state = 'published' AND snapshot_id IS NOT snapshots.id",
    **{
        f"{table} of no document": f"SELECT count(*) FROM {table} WHERE document_id <> 0"
        " AND document_id NOT IN"
        " (SELECT id FROM documents UNION ALL SELECT document_id FROM set_aside)"
        for table in OWNED
    },
    "chunks of no snapshot": "SELECT count(*) FROM chunks WHERE snapshot_id NOT IN"
    " (SELECT id FROM snapshots)",
}


def audit(connection: sqlite3.Connection) -> list[str]:
    """See Reader.audit."""
    problems = _check_pages(connection)
    for what, count_orphans in _ORPHANS.items():
        try:
            count = connection.execute(count_orphans).fetchone()[0]
        except sqlite3.DatabaseError as error:
            problems.append(f"cannot look for {what}: {error}")
        else:
            if count:
                problems.append(f"{count} {what}")
    return problems


def _check_pages(connection: sqlite3.Connection) -> list[str]:
    try:
        found = connection.execute(f"PRAGMA integrity_check({_PROBLEMS_MAX})").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"cannot check the file's pages: {error}"]
    return [problem for (problem,) in found if problem != "ok"]
