"""Ends sessions in an SQLite store beside the process that writes it."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import filelock

from yjs_store.backends.sqlite_connect import connect_existing
from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_schema import check_version
from yjs_store.backends.sqlite_sessions import revoke_beside_writer
from yjs_store.backends.sqlite_transaction import write_transaction
from yjs_store.errors import StoreUnusable
from yjs_store.records import StoredSession
from yjs_store.session_records import Choice


class SqliteRevoker:
    """Its contract is ``SessionRevoker``.

    It takes neither the store's lock nor an epoch: what it writes is that sessions are over,
    which is so whoever the writer is (P7 is about documents).
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def revoke(
        self, choice: Choice, change: Callable[[StoredSession], StoredSession]
    ) -> Sequence[StoredSession]:
        """See SessionRevoker.revoke."""
        return await asyncio.to_thread(self._revoke, choice, change)

    def _revoke(
        self, choice: Choice, change: Callable[[StoredSession], StoredSession]
    ) -> Sequence[StoredSession]:
        with translated(self._path, opening=True):
            connection = self._open()
        try:
            with translated(self._path), write_transaction(connection):
                return revoke_beside_writer(connection, choice, change)
        finally:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise StoreUnusable(f"there is no store at {self._path}")
        connection = connect_existing(self._path)
        try:
            check_version(connection, self._path)
            # As the writer's: what is revoked stays so after a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
        except BaseException:
            # Whatever stopped it: nobody else knows of the connection yet.
            connection.close()
            raise
        return connection

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
