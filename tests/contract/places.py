"""Where a contract test keeps its documents: one class for each backend, all used alike."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from store.stores import raw, steal_lock

from yjs_store import Head
from yjs_store.backend import Backend, Reader
from yjs_store.backends.memory import MemoryBackend, MemoryReader
from yjs_store.backends.memory_sessions import MemoryRevoker
from yjs_store.backends.memory_storage import MemoryStorage
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.backends.sqlite_reader import SqliteReader
from yjs_store.backends.sqlite_revoker import SqliteRevoker
from yjs_store.records import SnapshotState
from yjs_store.session_records import SessionRevoker


@dataclass(frozen=True, slots=True)
class Held:
    """Everything a store holds, dead parts too, in the order of its keys; for comparing.

    ``heads`` has the facts of each head and its checksum, by document id; ``rows`` what is in
    a row, by document id and seq; ``snapshots`` document id, state and checksum, by snapshot
    id; ``chunks`` their data, by snapshot id and index; ``set_aside`` the name and whether it
    is discarded, by document id; ``sessions``, ``quarantine`` and ``notes`` everything of them.
    """

    epoch: int
    heads: dict[int, tuple[Any, ...]]
    rows: dict[tuple[int, int], tuple[Any, ...]]
    snapshots: dict[int, tuple[int, str, bytes]]
    chunks: dict[tuple[int, int], bytes]
    trims: set[int]
    set_aside: dict[int, tuple[Any, ...]]
    sessions: list[Any]
    quarantine: list[Any]
    notes: list[Any]


class Place(Protocol):
    """A storage that outlives the backends over it, and a way to look at it and to harm it."""

    def backend(self) -> Backend:
        """A new backend over it, not open."""

    def reader(self) -> Reader:
        """A new reader over it, not open."""

    def revoker(self) -> SessionRevoker:
        """Who ends sessions beside the writer."""

    def release(self) -> None:
        """Make the next backend that opens take the place of the one that is open."""

    def held(self) -> Held:
        """Read everything, without the backend."""

    def harmed_head(self, head: Head, **facts: Any) -> contextlib.AbstractContextManager[None]:
        """Change facts of a stored head, but not its checksum; undo it at the end."""

    def set_state(self, snapshot_id: int, state: SnapshotState) -> None:
        """Change what a snapshot's own record says of it."""


class MemoryPlace:
    """The memory of this process."""

    def __init__(self, _directory: Path) -> None:
        self._storage = MemoryStorage()

    def backend(self) -> Backend:
        return MemoryBackend(self._storage)

    def reader(self) -> Reader:
        return MemoryReader(self._storage)

    def revoker(self) -> SessionRevoker:
        return MemoryRevoker(self._storage.sessions)

    def release(self) -> None:
        """Nothing keeps a second one from opening."""

    def held(self) -> Held:
        storage = self._storage
        return Held(
            epoch=storage.epoch,
            heads={key: (sealed.head, sealed.checksum) for key, sealed in storage.heads.items()},
            rows={
                (key, row.seq): (row.created_ms, row.byte_length, row.checksum, row.data)
                for key, rows in storage.journal.items()
                for row in rows.values()
            },
            snapshots={
                key: (each.document_id, each.state.value, each.manifest.checksum)
                for key, each in storage.snapshots.items()
            },
            chunks={
                (key, chunk.index): chunk.data
                for key, each in storage.snapshots.items()
                for chunk in each.chunks.values()
            },
            trims=set(storage.trims),
            set_aside={
                key: (each.record.name, each.is_discarded)
                for key, each in storage.set_aside.items()
            },
            sessions=[*storage.sessions.rows.values(), *storage.sessions.unacknowledged],
            quarantine=list(storage.quarantine.rows.values()),
            notes=copy.deepcopy(
                [
                    storage.notes.checkpoints.rows,
                    storage.notes.traces.rows,
                    storage.notes.acts,
                    storage.notes.switches,
                ]
            ),
        )

    @contextlib.contextmanager
    def harmed_head(self, head: Head, **facts: Any) -> Iterator[None]:
        sealed = self._storage.heads[head.document_id]
        self._storage.heads[head.document_id] = replace(sealed, head=replace(sealed.head, **facts))
        yield
        self._storage.heads[head.document_id] = sealed

    def set_state(self, snapshot_id: int, state: SnapshotState) -> None:
        self._storage.snapshots[snapshot_id].state = state


class SqlitePlace:
    """A file."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "store.db"

    def backend(self) -> Backend:
        return SqliteBackend(self._path)

    def reader(self) -> Reader:
        return SqliteReader(self._path)

    def revoker(self) -> SessionRevoker:
        return SqliteRevoker(self._path)

    def release(self) -> None:
        steal_lock(self._path)

    def held(self) -> Held:
        with raw(self._path) as connection:

            def read(what: str) -> list[tuple[Any, ...]]:
                return connection.execute(f"SELECT {what}").fetchall()

            ((epoch,),) = read("epoch FROM store")
            return Held(
                epoch=epoch,
                heads={row[0]: row for row in read("* FROM documents ORDER BY id")},
                rows={
                    (row[0], row[1]): row[2:]
                    for row in read(
                        "document_id, seq, created_ms, byte_length, checksum, data FROM journal"
                        " ORDER BY document_id, seq"
                    )
                },
                snapshots={
                    row[0]: row[1:]
                    for row in read("id, document_id, state, checksum FROM snapshots ORDER BY id")
                },
                chunks={
                    (row[0], row[1]): row[2]
                    for row in read(
                        "snapshot_id, chunk_index, data FROM chunks"
                        " ORDER BY snapshot_id, chunk_index"
                    )
                },
                trims={row[0] for row in read("document_id FROM trims")},
                set_aside={
                    row[0]: row[1:] for row in read("document_id, name, discarded FROM set_aside")
                },
                sessions=read("* FROM sessions ORDER BY key"),
                quarantine=read("* FROM quarantine ORDER BY id"),
                notes=[
                    read("* FROM checkpoints ORDER BY number"),
                    read("* FROM traces ORDER BY number"),
                    read("* FROM audit ORDER BY number"),
                    read("* FROM switches ORDER BY document_id"),
                ],
            )

    @contextlib.contextmanager
    def harmed_head(self, head: Head, **facts: Any) -> Iterator[None]:
        was = {fact: getattr(head, fact) for fact in facts}
        self._set_head(head.document_id, facts)
        yield
        self._set_head(head.document_id, was)

    def _set_head(self, document_id: int, facts: dict[str, Any]) -> None:
        values = ", ".join(f"{fact} = :{fact}" for fact in facts)
        with raw(self._path) as connection:
            connection.execute(
                f"UPDATE documents SET {values} WHERE id = :key", {**facts, "key": document_id}
            )

    def set_state(self, snapshot_id: int, state: SnapshotState) -> None:
        with raw(self._path) as connection:
            connection.execute(
                "UPDATE snapshots SET state = ? WHERE id = ?", (state.value, snapshot_id)
            )


PLACES = {"memory": MemoryPlace, "sqlite": SqlitePlace}
"""A further backend is tested by adding its place here."""
