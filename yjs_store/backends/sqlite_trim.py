"""Removes from the SQLite tables what is dead, step by step, each in one write transaction."""

import sqlite3
from collections.abc import Callable
from typing import Final

from yjs_store.backends.sqlite_epoch import IS_WRITER, stored_epoch, superseded
from yjs_store.backends.sqlite_notes import remove_owned, unless_damaged
from yjs_store.backends.sqlite_read import find_head_by_id
from yjs_store.errors import Damaged, WriterSuperseded
from yjs_store.limits import TRIM_CHUNKS_STEP, TRIM_ROWS_STEP
from yjs_store.records import Head, SealedHead

_EVERY_SEQ: Final = 2**63 - 1


def discard_set_aside(connection: sqlite3.Connection, epoch: int, document_id: int) -> bool:
    """See Backend.discard_set_aside."""
    discarded = connection.execute(
        f"UPDATE set_aside SET discarded = 1 WHERE document_id = :id AND {IS_WRITER}",
        {"id": document_id, "epoch": epoch},
    ).rowcount
    if discarded != 1:
        if stored_epoch(connection) != epoch:
            raise WriterSuperseded(None)
        return False
    # P3: whose a snapshot is, its own row says, unverified; what a head names is kept.
    connection.execute(
        "UPDATE snapshots SET state = 'retired' WHERE document_id = ? AND id NOT IN"
        " (SELECT snapshot_id FROM documents WHERE snapshot_id IS NOT NULL)",
        (document_id,),
    )
    connection.execute("INSERT OR IGNORE INTO trims VALUES (?)", (document_id,))
    return True


def forget(connection: sqlite3.Connection, epoch: int, before: Head) -> bool:
    """See Backend.forget."""
    is_data_left = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM trims WHERE document_id = :id)"
        " OR EXISTS (SELECT 1 FROM snapshots WHERE document_id = :id)",
        {"id": before.document_id},
    ).fetchone()[0]
    if is_data_left:
        return False
    removed = connection.execute(
        "DELETE FROM documents WHERE id = :id AND uid = :uid AND deleted_ms IS NOT NULL"
        f" AND {IS_WRITER}",
        {"id": before.document_id, "uid": before.uid, "epoch": epoch},
    ).rowcount
    if removed != 1:
        raise superseded(connection, epoch, before.name)
    connection.execute("DELETE FROM unvouched WHERE document_id = ?", (before.document_id,))
    remove_owned(connection, before.document_id)
    return True


def trim(connection: sqlite3.Connection, epoch: int, check: Callable[[SealedHead], Head]) -> bool:
    """See Backend.trim."""
    if stored_epoch(connection) != epoch:
        raise WriterSuperseded(None)
    return _trim_rows(connection, check) or _trim_chunks(connection, check)


def _trim_rows(connection: sqlite3.Connection, check: Callable[[SealedHead], Head]) -> bool:
    """Delete up to a step of dead rows of one document; True when the caller should go on."""
    found = connection.execute("SELECT document_id FROM trims LIMIT 1").fetchone()
    if found is None:
        return False
    document_id = found[0]
    try:
        cut_seq = _trimmed_up_to(connection, document_id, check)
    except Damaged:
        # Left as it is for a person; loading it says what is wrong.
        _drop_trim(connection, document_id)
        return True
    removed = connection.execute(
        "DELETE FROM journal WHERE document_id = ? AND seq IN (SELECT seq FROM journal"
        " WHERE document_id = ? AND seq <= ? ORDER BY seq LIMIT ?)",
        (document_id, document_id, cut_seq, TRIM_ROWS_STEP),
    ).rowcount
    if removed < TRIM_ROWS_STEP:
        _drop_trim(connection, document_id)
        given_up = connection.execute(
            "DELETE FROM set_aside WHERE document_id = ?", (document_id,)
        ).rowcount
        if given_up:
            unless_damaged(connection, lambda: remove_owned(connection, document_id))
    return True


def _drop_trim(connection: sqlite3.Connection, document_id: int) -> None:
    removed = connection.execute("DELETE FROM trims WHERE document_id = ?", (document_id,)).rowcount
    if removed != 1:
        # Said aloud: whoever trims to the end would never come to it.
        raise Damaged("*", "table of trims", f"an entry {document_id!r}", "none by its key")


def _trimmed_up_to(
    connection: sqlite3.Connection, document_id: int, check: Callable[[SealedHead], Head]
) -> int:
    is_discarded = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM set_aside WHERE document_id = ? AND discarded)",
        (document_id,),
    ).fetchone()[0]
    if is_discarded:
        return _EVERY_SEQ
    sealed = find_head_by_id(connection, document_id)
    if sealed is None:
        raise Damaged("*", f"document {document_id}", "a head", "none")
    return check(sealed).cut_seq


def _trim_chunks(connection: sqlite3.Connection, check: Callable[[SealedHead], Head]) -> bool:
    """Delete up to a step of chunks of a retired snapshot; True when the caller should go on."""
    snapshot_id = _find_given_up(connection, check)
    if snapshot_id is None:
        return False
    removed = connection.execute(
        "DELETE FROM chunks WHERE snapshot_id = ? AND chunk_index IN (SELECT chunk_index"
        " FROM chunks WHERE snapshot_id = ? LIMIT ?)",
        (snapshot_id, snapshot_id, TRIM_CHUNKS_STEP),
    ).rowcount
    if removed < TRIM_CHUNKS_STEP:
        removed += connection.execute("DELETE FROM snapshots WHERE id = ?", (snapshot_id,)).rowcount
    if removed == 0:
        raise Damaged("*", "table of snapshots", f"snapshot {snapshot_id!r}", "none by its key")
    return True


def _find_given_up(
    connection: sqlite3.Connection, check: Callable[[SealedHead], Head]
) -> int | None:
    """Return a retired snapshot that nobody needs."""
    # P3: what a head names is kept, whatever its own row says; and so is what was set aside.
    retired = connection.execute(
        "SELECT id, document_id FROM snapshots WHERE state = 'retired' AND id IS NOT"
        " (SELECT snapshot_id FROM documents WHERE documents.id = snapshots.document_id)"
        " AND NOT EXISTS (SELECT 1 FROM set_aside"
        " WHERE set_aside.document_id = snapshots.document_id AND discarded = 0)"
    )
    for snapshot_id, document_id in retired:
        try:
            sealed = find_head_by_id(connection, document_id)
            if sealed is not None:
                check(sealed)
        except Damaged:
            continue  # the whole document is left as it is, for a person
        return int(snapshot_id)
    return None
