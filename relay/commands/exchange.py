"""Where `export` takes documents from and `import` brings them to: a store's file, or a server.

A running server is asked as an editor asks it: the token must be good for each document, and the
server loads it.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from relay.client import ClientError, DocumentClosed, fetch_document, send_update
from relay.commands.facts_source import Asked, ServerFacts
from relay.commands.place import Place
from relay.commands.remote import Server, Unreachable, read_token, websocket_url
from relay.limits import DEBUG_PAGE_MAX
from relay.terminal import printable
from yjs_store import (
    Apart,
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    ExportedDocument,
    ImportOutcome,
    Store,
    UpdateRefused,
    check_update,
    covers_all,
    export_document,
    export_update,
    import_update,
    list_heads,
    open_store,
)

_EMPTY_UPDATE: Final = b"\x00\x00"


class Source(Protocol):
    """Where documents are taken from."""

    def names(self, prefix: str) -> list[str | Damaged]:
        """Return all that are not deleted, or what is wrong with one."""

    def export(self, name: str, directory: Path, number: int) -> ExportedDocument:
        """Write one; see ``export_document``.

        Raises:
            DocumentClosed: the server does not give it.
            StoreError: as ``export_document``.
        """


class Target(Protocol):
    """Where documents are brought to."""

    def bring(self, name: str, update: bytes, *, merge: bool) -> ImportOutcome:
        """Store an update as a document; see ``import_update``.

        Raises:
            DocumentClosed: the server does not take it.
            StoreError: as ``import_update``.
        """


@contextlib.contextmanager
def source(place: Place) -> Iterator[Source]:
    """Get hold of what the options of a command name."""
    if place.is_server:
        with place.server() as server:
            yield _ServerDocuments(place, server)
    else:
        with Apart() as apart:
            yield _FileSource(place.store_url(), apart)


@contextlib.contextmanager
def target(place: Place) -> Iterator[Target]:
    """The same, to bring something there."""
    if place.is_server:
        with place.server() as server:
            yield _ServerDocuments(place, server)
        return
    with asyncio.Runner() as runner:
        opening = open_store(place.store_url())
        store = runner.run(opening.__aenter__())
        try:
            yield _FileTarget(runner, store)
        finally:
            runner.run(opening.__aexit__(None, None, None))


class _FileSource:
    def __init__(self, url: str, apart: Apart) -> None:
        self._url = url
        self._apart = apart

    def names(self, prefix: str) -> list[str | Damaged]:
        return [
            head if isinstance(head, Damaged) else head.name
            for head in list_heads(self._url, prefix)
            if isinstance(head, Damaged) or head.deleted_ms is None
        ]

    def export(self, name: str, directory: Path, number: int) -> ExportedDocument:
        return self._apart.run(name, export_document, self._url, name, directory, number)


class _FileTarget:
    def __init__(self, runner: asyncio.Runner, store: Store) -> None:
        self._runner = runner
        self._store = store

    def bring(self, name: str, update: bytes, *, merge: bool) -> ImportOutcome:
        return self._runner.run(import_update(self._store, name, update, merge=merge))


class _ServerDocuments:
    def __init__(self, place: Place, server: Server) -> None:
        self._facts = ServerFacts(server)
        self._url = websocket_url(server.url)
        self._token = read_token(place.token_file)

    def names(self, prefix: str) -> list[str | Damaged]:
        found: list[str | Damaged] = []
        after: str | None = None
        while True:
            page = self._facts.documents(Asked(prefix), after, DEBUG_PAGE_MAX)
            found += [each.name for each in page.documents if each.deleted_ms is None]
            after = page.next
            if after is None:
                return found

    def export(self, name: str, directory: Path, number: int) -> ExportedDocument:
        known = self._facts.document(name)
        # An editor who asks for what is not there is given an empty document.
        if known is None:
            raise DocumentMissing(name)
        if known.deleted_ms is not None:
            raise DocumentDeleted(name)
        update = self._fetch(name)
        try:
            check_update(update)
        except UpdateRefused as error:
            raise DocumentClosed(f"the server sent no Yjs update: {error}") from error
        # More may have been written since; then this is newer than it says.
        return export_update(
            name, update, directory, number, seq=known.last_seq, updated_ms=known.updated_ms or 0
        )

    def bring(self, name: str, update: bytes, *, merge: bool) -> ImportOutcome:
        before = self._fetch(name)
        # Of an update that is none the server says so, and keeps it.
        with contextlib.suppress(UpdateRefused):
            if covers_all(before, update):
                return ImportOutcome.KNOWN
        is_new = before == _EMPTY_UPDATE
        if not (is_new or merge):
            return ImportOutcome.KEPT_OUT
        with _unreachable_said():
            asyncio.run(send_update(self._url, name, update, self._token))
        return ImportOutcome.CREATED if is_new else ImportOutcome.MERGED

    def _fetch(self, name: str) -> bytes:
        with _unreachable_said():
            return asyncio.run(fetch_document(self._url, name, self._token))


@contextlib.contextmanager
def _unreachable_said() -> Iterator[None]:
    try:
        yield
    except DocumentClosed:
        raise
    except ClientError as error:
        raise Unreachable(printable(str(error))) from error
