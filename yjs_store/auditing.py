"""Keeps what an operator does to a store that another process may have open."""

import asyncio
from pathlib import Path

from yjs_store.backends.sqlite_beside import writing_beside
from yjs_store.backends.sqlite_notes import add_act_beside_writer
from yjs_store.facts import AuditRecord
from yjs_store.observing_format import seal_act
from yjs_store.urls import sqlite_path


class StoredAuditBook:
    """The record of acts in the store at a URL; see ``Store.audit``."""

    def __init__(self, url: str) -> None:
        self._path: Path = sqlite_path(url)

    async def audit(self, record: AuditRecord) -> int:
        """Keep what an operator did, durably; return its number. Its own number is not used.

        Raises:
            StoreUnusable: there is no store, or not one that this program reads.
            StoreUnavailable: it is not kept.
        """
        return await asyncio.to_thread(self._audit, record)

    def _audit(self, record: AuditRecord) -> int:
        with writing_beside(self._path) as connection:
            return add_act_beside_writer(connection, record.document, seal_act(record))
