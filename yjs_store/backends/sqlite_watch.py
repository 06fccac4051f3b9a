"""Notices in a thread of its own which sessions another process has ended."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from yjs_store.backends.sqlite_connect import Connect
from yjs_store.backends.sqlite_errors import translated
from yjs_store.backends.sqlite_sessions import list_to_acknowledge
from yjs_store.errors import StoreError
from yjs_store.limits import SESSION_WATCH_PAGE, SESSION_WATCH_S

log = structlog.get_logger("yjs_store.sqlite")


class SessionWatch:
    """Looks every SESSION_WATCH_S; the event loop that made it never waits for that.

    ``check_place`` raises when the file is not the one that was opened.
    """

    def __init__(
        self,
        path: Path,
        connect: Connect,
        check_place: Callable[[], None],
        notice: Callable[[Sequence[str]], None],
    ) -> None:
        self._path = path
        self._connect = connect
        self._check_place = check_place
        self._notice = notice
        self._loop = asyncio.get_running_loop()
        self._closing = threading.Event()
        # Why nothing is noticed at the moment; None when all is well.
        self.failing_because: str | None = None
        self._thread = threading.Thread(target=self._run, name="yjs-store-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; waits for a look that is under way."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            if not self._closing.is_set():
                self.failing_because = "a defect has ended the watch; restart the server"

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                with translated(self._path):
                    self._check_place()
                    connection = self._connect(self._path)
                    try:
                        self._look_until_closing(connection)
                    finally:
                        connection.close()
            except StoreError as error:
                # A disk that fails heals, or the writer says so louder than this.
                self._note(error)
                self._closing.wait(SESSION_WATCH_S)

    def _look_until_closing(self, connection: sqlite3.Connection) -> None:
        self._check_place()
        connection.execute("PRAGMA query_only = ON")
        version_before = None
        while not self._closing.is_set():
            # It moves with each commit of another connection, the writer's here among them.
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != version_before:
                self._look(connection)
                version_before = version
            self._note(None)
            self._closing.wait(SESSION_WATCH_S)

    def _look(self, connection: sqlite3.Connection) -> None:
        after = b""
        while found := list_to_acknowledge(connection, after, SESSION_WATCH_PAGE):
            after = found[-1]
            # P4: a damaged id is nobody's, and must not hide the others.
            ids = [each.decode() for each in found if _is_text(each)]
            if ids:
                self._loop.call_soon_threadsafe(self._notice, ids)

    def _note(self, error: StoreError | None) -> None:
        if error is not None and self.failing_because is None:
            log.error("other processes' revocations are not noticed now", error=str(error))
        self.failing_because = None if error is None else str(error)


def _is_text(session_id: bytes) -> bool:
    try:
        session_id.decode()
    except UnicodeDecodeError:
        return False
    return True
