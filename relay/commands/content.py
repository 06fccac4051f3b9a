"""Gets what a document holds, for `show`: from a store's file, or as an editor from a server."""

import asyncio

import click

from relay.client import ClientError, fetch_document
from relay.commands.place import Place
from relay.commands.remote import Unreachable, read_token, websocket_url
from relay.content import Root, read_content
from relay.errors import ContentUnreadable
from relay.terminal import printable
from yjs_store import Apart, Poisoned, bound_this_process, read_whole, readable


def content_of(place: Place, document: str) -> dict[str, Root]:
    """Return the roots of a document by name; see ``relay.content``.

    Raises:
        ClickException: it cannot be reached or shown; the text says why.
        StoreError: as ``read_whole``.
    """
    try:
        with Apart() as apart:
            if place.url is None:
                return apart.run(document, _read_stored, place.store_url(), document)
            update = _fetch(place.url, document, read_token(place.token_file))
            return apart.run(document, _read_update, update)
    except (ContentUnreadable, Poisoned) as error:
        raise click.ClickException(f"{printable(document)}: {printable(str(error))}") from error


def _fetch(url: str, document: str, token: str | None) -> bytes:
    try:
        return asyncio.run(fetch_document(websocket_url(url), document, token))
    except ClientError as error:
        raise Unreachable(printable(str(error))) from error


def _read_stored(url: str, document: str) -> dict[str, Root]:
    return read_content(readable(read_whole(url, document).update))


def _read_update(update: bytes) -> dict[str, Root]:
    bound_this_process(len(update))
    return read_content(readable(update))
