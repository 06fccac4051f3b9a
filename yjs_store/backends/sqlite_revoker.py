"""Ends sessions in an SQLite store beside the process that writes it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import filelock

from yjs_store.backends.sqlite_beside import writing_beside
from yjs_store.backends.sqlite_sessions import revoke_beside_writer
from yjs_store.errors import StoreUnusable
from yjs_store.records import StoredSession
from yjs_store.session_records import Beside, ChangeSessions, Choice, nothing_beside


class SqliteRevoker:
    """Its contract is ``SessionRevoker``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def revoke(
        self,
        choice: Choice,
        change: Callable[[StoredSession], StoredSession],
        beside: Beside = nothing_beside,
    ) -> Sequence[StoredSession]:
        """See SessionRevoker.revoke."""
        revoked = ChangeSessions(choice, None, change, is_thorough=True, beside=beside)
        return await asyncio.to_thread(self._revoke, revoked)

    def _revoke(self, revoked: ChangeSessions) -> Sequence[StoredSession]:
        with writing_beside(self._path) as connection:
            return revoke_beside_writer(connection, revoked)

    async def has_writer(self) -> bool:
        """See SessionRevoker.has_writer."""
        return await asyncio.to_thread(self._has_writer)

    def _has_writer(self) -> bool:
        try:
            with filelock.FileLock(f"{self._path}.lock", blocking=False, thread_local=False):
                return False
        except filelock.Timeout:
            return True
        except OSError as error:
            raise StoreUnusable(f"{self._path}.lock: {error.strerror or error}") from error
