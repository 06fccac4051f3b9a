"""What operators look at, in the SQLite tables."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from yjs_store.backends import sqlite_listing, sqlite_notes
from yjs_store.backends.sqlite_read import SNAPSHOT_COLUMNS, any_text, load_head
from yjs_store.backends.sqlite_schema import stored_version
from yjs_store.backends.sqlite_sessions import Run
from yjs_store.backends.sqlite_space import read_space
from yjs_store.backends.sqlite_transaction import tolerant_transaction
from yjs_store.backends.sqlite_vouching import is_unvouched
from yjs_store.facts import SnapshotFacts, StoreSpace
from yjs_store.limits import CHECKPOINTS_KEPT_PER_DOCUMENT
from yjs_store.listing_records import HeadPage, PageRequest
from yjs_store.observing_records import StoreCounts, StoredFacts, StoredNote
from yjs_store.records import Snapshot

_Part = TypeVar("_Part")


class SqliteObservingReader:
    """The reading half; its contract is ``ObservingReader``."""

    def __init__(self, read: Run, path: Path) -> None:
        self._read = read
        self._path = path

    async def schema_version(self) -> int:
        """See ObservingReader.schema_version."""
        return await self._read(lambda connection: stored_version(connection, self._path))

    async def page(self, request: PageRequest) -> HeadPage:
        """See ObservingReader.page."""
        return await self._read(lambda connection: sqlite_listing.page(connection, request))

    async def facts(self, name: str) -> StoredFacts | None:
        """See ObservingReader.facts."""
        return await self._read(lambda connection: _facts(connection, name))

    async def counts(self, now_ms: int) -> StoreCounts:
        """See ObservingReader.counts."""
        return await self._read(lambda connection: _counts(connection, now_ms))

    async def space(self) -> StoreSpace:
        """See ObservingReader.space."""
        return await self._read(lambda connection: read_space(connection, self._path))

    async def list_checkpoints(self, document_id: int, limit: int) -> Sequence[StoredNote]:
        """See ObservingReader.list_checkpoints."""
        return await self._read(
            lambda connection: sqlite_notes.list_checkpoints(connection, document_id, limit)
        )

    async def list_traces(self, document_id: int, limit: int) -> Sequence[StoredNote]:
        """See ObservingReader.list_traces."""
        return await self._read(
            lambda connection: sqlite_notes.list_traces(connection, document_id, limit)
        )

    async def list_acts(
        self, document: str | None, before: int | None, limit: int
    ) -> Sequence[StoredNote]:
        """See ObservingReader.list_acts."""
        return await self._read(
            lambda connection: sqlite_notes.list_acts(connection, document, before, limit)
        )

    async def find_switch(self, document_id: int) -> StoredNote | None:
        """See ObservingReader.find_switch."""
        return await self._read(
            lambda connection: sqlite_notes.find_switch(connection, document_id)
        )

    async def list_switches(self, after_id: int, limit: int) -> Sequence[StoredNote]:
        """See ObservingReader.list_switches."""
        return await self._read(
            lambda connection: sqlite_notes.list_switches(connection, after_id, limit)
        )


class SqliteObserving(SqliteObservingReader):
    """What the writer does; its contract is ``ObservingRecords``."""

    def __init__(self, read: Run, transact: Run, epoch: Callable[[], int], path: Path) -> None:
        super().__init__(read, path)
        self._transact = transact
        self._epoch = epoch

    async def add_checkpoint(self, note: StoredNote) -> None:
        """See ObservingRecords.add_checkpoint."""
        await self._transact(
            lambda connection: sqlite_notes.add_owned(
                connection, self._epoch(), "checkpoints", [note]
            )
        )

    async def add_traces(self, notes: Sequence[StoredNote]) -> None:
        """See ObservingRecords.add_traces."""
        await self._transact(
            lambda connection: sqlite_notes.add_owned(connection, self._epoch(), "traces", notes)
        )

    async def add_act(self, document: str | None, note: StoredNote) -> int:
        """See ObservingRecords.add_act."""
        return await self._transact(
            lambda connection: sqlite_notes.add_act(connection, self._epoch(), document, note)
        )

    async def set_switch(self, note: StoredNote) -> bool:
        """See ObservingRecords.set_switch."""
        return await self._transact(
            lambda connection: sqlite_notes.set_switch(connection, self._epoch(), note)
        )

    async def lift_switch(self, document_id: int) -> bool:
        """See ObservingRecords.lift_switch."""
        return await self._transact(
            lambda connection: sqlite_notes.lift_switch(connection, self._epoch(), document_id)
        )


def _facts(connection: sqlite3.Connection, name: str) -> StoredFacts | None:
    with tolerant_transaction(connection), any_text(connection):
        sealed = load_head(connection, name)
        if sealed is None:
            return None
        unreadable: list[str] = []

        def read(what: str, work: Callable[[], _Part], otherwise: _Part) -> _Part:
            # What is broken must not hide the rest: that is what an operator looks for.
            try:
                return work()
            except sqlite3.DatabaseError as error:
                if not sqlite_notes.is_damage(error):
                    raise
                unreadable.append(f"{what}: {error}")
                return otherwise

        key = sealed.head.document_id
        limit = CHECKPOINTS_KEPT_PER_DOCUMENT
        return StoredFacts(
            sealed_head=sealed,
            snapshot=read("snapshot", lambda: _snapshot(connection, sealed.head.snapshot_id), None),
            is_unvouched=read("unvouched", lambda: is_unvouched(connection, key), False),
            quarantined=read("quarantine", lambda: _count_quarantined(connection, name), 0),
            switch=read("switch", lambda: sqlite_notes.find_switch(connection, key), None),
            checkpoints=read(
                "checkpoints",
                lambda: tuple(sqlite_notes.list_checkpoints(connection, key, limit)),
                (),
            ),
            unreadable=tuple(unreadable),
        )


def _snapshot(connection: sqlite3.Connection, snapshot_id: int | None) -> SnapshotFacts | None:
    """Read the manifest and how the chunks are stored, but not what is in them."""
    found = connection.execute(
        f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots WHERE id = ?", (snapshot_id,)
    ).fetchone()
    if found is None:
        return None
    codecs = connection.execute(
        "SELECT DISTINCT codec FROM chunks WHERE snapshot_id = ? ORDER BY codec", (snapshot_id,)
    )
    return SnapshotFacts(Snapshot(*found), tuple(codec for (codec,) in codecs))


def _count_quarantined(connection: sqlite3.Connection, name: str) -> int:
    count: int = connection.execute(
        "SELECT count(*) FROM quarantine WHERE document = ?", (name,)
    ).fetchone()[0]
    return count


def _counts(connection: sqlite3.Connection, now_ms: int) -> StoreCounts:
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM sessions WHERE status = 'active' AND expires_ms > ?),"
        " (SELECT count(*) FROM quarantine), (SELECT count(*) FROM unvouched),"
        " (SELECT count(*) FROM set_aside WHERE discarded = 0), (SELECT count(*) FROM switches)",
        (now_ms,),
    ).fetchone()
    return StoreCounts(*counts)
