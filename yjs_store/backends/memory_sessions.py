"""Sessions in memory; each change is made as a whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Protocol, TypeVar

from yjs_store.records import StoredSession
from yjs_store.session_records import (
    AcknowledgeSessions,
    AddSession,
    Beside,
    ChangeSessions,
    Choice,
    RemoveSessions,
    SessionChange,
    nothing_beside,
)

_Result = TypeVar("_Result")


@dataclass(slots=True)
class SessionTable:
    """Sessions by id, oldest first, and which of them the writer does not know to be over."""

    rows: dict[str, StoredSession] = field(default_factory=dict)
    unacknowledged: dict[str, None] = field(default_factory=dict)
    made: int = 0
    watchers: list[Callable[[Sequence[str]], None]] = field(default_factory=list)


class Run(Protocol):
    """Runs work on the table, after letting others run."""

    async def __call__(self, work: Callable[[SessionTable], _Result]) -> _Result:
        """Return what ``work`` returns."""


class MemorySessionReader:
    """The reading half; its contract is ``SessionReader``."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def find(self, session_id: str, now_ms: int) -> StoredSession | None:
        """See SessionReader.find."""
        return await self._read(
            lambda table: next(_chosen(table, Choice(session_id=session_id), now_ms), None)
        )

    async def find_by_credential(
        self, credential_hash: bytes, document: str, now_ms: int
    ) -> StoredSession | None:
        """See SessionReader.find_by_credential."""

        def look(table: SessionTable) -> StoredSession | None:
            found = [
                stored
                for stored in _chosen(table, Choice(document=document), now_ms)
                if stored.credential_hash == credential_hash
            ]
            return found[-1] if found else None

        return await self._read(look)

    async def is_revoked(self, credential_hash: bytes, document: str) -> bool:
        """See SessionReader.is_revoked."""
        return await self._read(
            lambda table: any(
                stored.status == "revoked" and stored.credential_hash == credential_hash
                for stored in _all_chosen(table, Choice(document=document))
            )
        )

    async def list(
        self, choice: Choice, after: str, limit: int, now_ms: int | None
    ) -> Sequence[StoredSession]:
        """See SessionReader.list."""

        def look(table: SessionTable) -> list[StoredSession]:
            is_live = _chosen(table, choice, now_ms)
            found = _all_chosen(table, choice) if now_ms is None else is_live
            by_id = sorted(found, key=lambda stored: stored.session_id)
            return [stored for stored in by_id if stored.session_id > after][:limit]

        return await self._read(look)

    async def list_unacknowledged(self, session_ids: Sequence[str]) -> Sequence[str]:
        """See SessionReader.list_unacknowledged."""
        return await self._read(
            lambda table: [each for each in session_ids if each in table.unacknowledged]
        )


class MemorySessions(MemorySessionReader):
    """What the writer does; its contract is ``SessionRecords``."""

    def __init__(self, read: Run, write: Run, open_table: Callable[[], SessionTable]) -> None:
        super().__init__(read)
        self._write = write
        self._open_table = open_table

    async def count(self) -> int:
        """See SessionRecords.count."""
        return await self._read(lambda table: len(table.rows))

    async def count_live(self, now_ms: int) -> int:
        """See SessionRecords.count_live."""
        return await self._read(lambda table: len(list(_chosen(table, Choice(), now_ms))))

    async def change(self, changes: Sequence[SessionChange]) -> Sequence[Sequence[StoredSession]]:
        """See SessionRecords.change."""
        return await self._write(lambda table: _carry_out(table, changes))

    def watch(self, notice: Callable[[Sequence[str]], None]) -> None:
        """See SessionRecords.watch."""
        table = self._open_table()
        table.watchers.append(notice)
        if table.unacknowledged:
            notice(list(table.unacknowledged))

    def watch_failing_because(self) -> str | None:
        """See SessionRecords.watch_failing_because."""
        return None


class MemoryRevoker:
    """Ends sessions beside the writer; its contract is ``SessionRevoker``."""

    def __init__(self, table: SessionTable) -> None:
        self._table = table

    async def revoke(
        self,
        choice: Choice,
        change: Callable[[StoredSession], StoredSession],
        beside: Beside = nothing_beside,
    ) -> Sequence[StoredSession]:
        """See SessionRevoker.revoke."""
        revoked = ChangeSessions(choice, None, change, is_thorough=True, beside=beside)
        before = _change(self._table, revoked)
        ids = [stored.session_id for stored in before]
        self._table.unacknowledged.update(dict.fromkeys(ids))
        for notice in self._table.watchers:
            notice(ids)
        return before

    async def has_writer(self) -> bool:
        """See SessionRevoker.has_writer."""
        return bool(self._table.watchers)


def _all_chosen(table: SessionTable, choice: Choice) -> Iterator[StoredSession]:
    for stored in table.rows.values():
        if (
            choice.session_id in (None, stored.session_id)
            and choice.user in (None, stored.user)
            and choice.document in (None, stored.document)
            and choice.key in (None, stored.key)
        ):
            yield stored


def _chosen(table: SessionTable, choice: Choice, now_ms: int | None) -> Iterator[StoredSession]:
    for stored in _all_chosen(table, choice):
        if stored.status == "active" and (now_ms is None or stored.expires_ms > now_ms):
            yield stored


def _carry_out(
    table: SessionTable, changes: Sequence[SessionChange]
) -> list[Sequence[StoredSession]]:
    before = dict(table.rows), dict(table.unacknowledged)
    try:
        return [_carry_out_one(table, change) for change in changes]
    except BaseException:
        # All or none, as in a database, whatever stopped it.
        table.rows, table.unacknowledged = before
        raise


def _carry_out_one(table: SessionTable, change: SessionChange) -> Sequence[StoredSession]:
    match change:
        case AddSession():
            return _add(table, change)
        case ChangeSessions():
            return _change(table, change)
        case AcknowledgeSessions(session_ids):
            for session_id in session_ids:
                table.unacknowledged.pop(session_id, None)
            return ()
        case RemoveSessions():
            return _remove(table, change)


def _add(table: SessionTable, added: AddSession) -> Sequence[StoredSession]:
    stored = added.stored
    live = sum(1 for _ in _chosen(table, Choice(user=stored.user), added.now_ms))
    if live >= added.user_max or not _insert(table, stored):
        return ()
    return (stored,)


def _insert(table: SessionTable, stored: StoredSession) -> bool:
    if stored.session_id in table.rows:
        return False
    table.made += 1
    table.rows[stored.session_id] = changed(stored, key=table.made)
    return True


def _change(table: SessionTable, intent: ChangeSessions) -> Sequence[StoredSession]:
    before = list(_chosen(table, intent.choice, intent.now_ms))
    changed_to = []
    for stored in before:
        after = intent.change(stored)
        changed_to.append(after)
        table.rows[stored.session_id] = changed(
            stored,
            permission=after.permission,
            status=after.status,
            details=after.details,
            updated_ms=after.updated_ms,
            expires_ms=after.expires_ms,
            checksum=after.checksum,
        )
    for added in intent.beside(changed_to):
        _insert(table, added)
    return before


def _remove(table: SessionTable, removed: RemoveSessions) -> Sequence[StoredSession]:
    in_turn = sorted(
        table.rows.values(), key=lambda stored: (stored.status == "revoked", stored.expires_ms)
    )
    found = [stored for stored in in_turn if stored.expires_ms < removed.before_ms]
    for stored in found[: removed.limit]:
        del table.rows[stored.session_id]
        table.unacknowledged.pop(stored.session_id, None)
    return found[: removed.limit]
