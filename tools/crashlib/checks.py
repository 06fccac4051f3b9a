"""What must hold of a store after a kill; each check says what it found wrong."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from pycrdt import merge_updates
from store.editing import read, read_with_y_py
from system.crashing import content_of
from system.peers import Document, covers, document_of

from crashlib.clients import Client, present


def check_document(
    name: str, stored: bytes, clients: Sequence[Client], *, second_decoder: bool
) -> Iterator[str]:
    """Yield what is missing, invented or read differently in one stored document."""
    doc = document_of(stored)
    if not covers(doc, merge_updates(*(client.seen for client in clients))):
        yield f"{name}: something that a client was sent is missing"
    everything = document_of(*(client.doc.get_update() for client in clients))
    if not covers(everything, stored):
        yield f"{name}: something is stored that no client wrote"
    if second_decoder and not _is_read_alike(stored):
        yield f"{name}: y-py reads something else than pycrdt"


def _is_read_alike(stored: bytes) -> bool:
    try:
        return read_with_y_py(stored) == read(stored)
    except BaseException as error:
        # A panic in y-py, as where something is missing, is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        return False


def check_equal(name: str, stored: Document, clients: Sequence[Client]) -> Iterator[str]:
    """Yield whose content is not what is stored, when all is said and stored."""
    for client in clients:
        if content_of(client.doc) != content_of(stored):
            yield f"{name}: client {client.doc.client_id} ends with other content than is stored"


def count_verified(stored: bytes, acknowledged: Sequence[Sequence[bytes]]) -> int:
    """Return how many of the updates of each client are in a stored document."""
    doc = document_of(stored)
    return sum(sum(present(doc, updates)) for updates in acknowledged)


def check_file(path: Path) -> Iterator[str]:
    """Yield what SQLite finds wrong with its file."""
    database = sqlite3.connect(path)
    try:
        found = database.execute("PRAGMA integrity_check").fetchall()
    finally:
        database.close()
    if found != [("ok",)]:
        yield f"SQLite finds its file damaged: {found[:3]}"


def count_snapshots(path: Path) -> tuple[int, int, int]:
    """Return how many snapshots were ever begun, are unfinished, and were oversized updates."""
    database = sqlite3.connect(path)
    try:
        (begun,) = database.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'snapshots'"
        ).fetchone()
        (unfinished,) = database.execute(
            "SELECT count(*) FROM snapshots WHERE state = 'staged'"
        ).fetchone()
        (oversized,) = database.execute(
            "SELECT coalesce(sum(oversized_count), 0) FROM documents"
        ).fetchone()
    finally:
        database.close()
    return begun, unfinished, oversized
