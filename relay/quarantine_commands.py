"""`yjs-relay quarantine`: look at updates that were refused, and decide on them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import click

from relay.record_facts import entry_facts
from relay.store_options import Unreadable, store_options, store_url
from relay.terminal import printable, shown_time, table
from yjs_store import (
    QuarantineEntry,
    Receipt,
    StoreError,
    StoreUnavailable,
    StoreUnusable,
    open_store,
    read_quarantine,
    read_quarantine_entry,
)

_Result = TypeVar("_Result")

_HEADINGS = ("NUMBER", "DOCUMENT", "BYTES", "TIMES", "LAST SEEN", "SENDER", "REASON")
_SHOWN_BYTES = 256


@click.group()
def quarantine() -> None:
    """Look at updates that were refused; take them back into their document, or discard them."""


@quarantine.command("list")
@store_options
@click.option("--document", help="Only those of this document.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON per entry.")
def list_entries(
    store: str | None, config: Path | None, document: str | None, as_json: bool
) -> None:
    """List what was refused, oldest first. The server may run. Changes nothing.

    \b
    Exit status: 0 done, 2 wrong usage, 3 the store cannot be read.
    """
    url = store_url(store, config)
    entries = _run(lambda: asyncio.run(read_quarantine(url, document)))
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry_facts(entry)))
    elif entries:
        for line in table([_HEADINGS, *map(_row_of, entries)]):
            click.echo(line)


@quarantine.command("show")
@click.argument("number", type=int)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def show(number: int, store: str | None, config: Path | None, as_json: bool) -> None:
    """Show everything about the entry with this NUMBER, and how its bytes begin."""
    entry = _read(number, store, config)
    facts = entry_facts(entry)
    if as_json:
        click.echo(json.dumps(facts))
        return
    facts |= {
        "first_seen_ms": shown_time(entry.created_ms),
        "last_seen_ms": shown_time(entry.seen_ms),
    }
    for line in table(
        [(name.removesuffix("_ms").replace("_", " "), str(value)) for name, value in facts.items()]
    ):
        click.echo(line)
    beginning = (entry.data or b"")[:_SHOWN_BYTES]
    for start in range(0, len(beginning), 16):
        click.echo(f"{start:08x}  {beginning[start : start + 16].hex(' ')}")


@quarantine.command("export")
@click.argument("number", type=int)
@click.argument("file", type=click.File("wb", lazy=True, atomic=True))
@store_options
def export(number: int, file: BinaryIO, store: str | None, config: Path | None) -> None:
    """Write the bytes of the entry with this NUMBER to a FILE, or to - for standard output.

    \b
    Exit status: 0 done, 1 there is no such entry or its bytes are not there, 2 wrong usage,
    3 the store cannot be read.
    """
    entry = _read(number, store, config)
    if entry.data is None:
        why = entry.problem or "only its hash and length were kept"
        raise click.ClickException(printable(f"entry {number} has no bytes: {why}"))
    file.write(entry.data)


@quarantine.command("release")
@click.argument("number", type=int)
@store_options
def release(number: int, store: str | None, config: Path | None) -> None:
    """Hand the update with this NUMBER to its document again.

    When the document takes it, the entry goes; when it is refused again, nothing changes. The
    server must be stopped.

    \b
    Exit status: 0 done, 1 not done, 2 wrong usage, 3 the store cannot be opened.
    """
    url = store_url(store, config)

    async def run() -> Receipt:
        # Looked at first: opening a store that is not there would make one.
        await read_quarantine_entry(url, number)
        async with open_store(url) as opened:
            return await opened.quarantine.release(number)

    receipt = _run(lambda: asyncio.run(run()))
    click.echo(f"released into {printable(receipt.document)}")


@quarantine.command("discard")
@click.argument("number", type=int)
@store_options
def discard(number: int, store: str | None, config: Path | None) -> None:
    """Remove the entry with this NUMBER for good. The server must be stopped.

    \b
    Exit status: 0 done, 1 there is no such entry, 2 wrong usage, 3 the store cannot be opened.
    """
    url = store_url(store, config)

    async def run() -> None:
        await read_quarantine_entry(url, number)
        async with open_store(url) as opened:
            await opened.quarantine.discard(number)

    _run(lambda: asyncio.run(run()))
    click.echo("discarded")


def _read(number: int, store: str | None, config: Path | None) -> QuarantineEntry:
    url = store_url(store, config)
    return _run(lambda: asyncio.run(read_quarantine_entry(url, number)))


def _run(work: Callable[[], _Result]) -> _Result:
    """Return what ``work`` returns, or end the command as its error says."""
    try:
        return work()
    except (StoreUnusable, StoreUnavailable) as error:
        raise Unreadable(printable(str(error))) from error
    except StoreError as error:
        raise click.ClickException(printable(str(error))) from error


def _row_of(entry: QuarantineEntry) -> tuple[str, ...]:
    return (
        str(entry.entry_id),
        entry.document,
        str(entry.byte_length),
        str(entry.seen_count),
        shown_time(entry.seen_ms),
        entry.sender,
        entry.reason if entry.problem is None else f"DAMAGED: {entry.problem}",
    )
