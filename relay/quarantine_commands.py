"""`yjs-relay quarantine`: look at updates that were refused, and decide on them."""

import asyncio
import json
from typing import BinaryIO, NoReturn

import click

from relay.commands.acts import FAILED, NOOP, Answer, operator
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.records import Facts, pages, whole
from relay.commands.remote import Refused
from relay.exit_codes import ExitCode
from relay.record_facts import entry_facts
from relay.terminal import printable, shown_time, table
from yjs_store import EntryMissing, read_quarantine, read_quarantine_entry

_HEADINGS = ("NUMBER", "DOCUMENT", "BYTES", "TIMES", "LAST SEEN", "SENDER", "REASON")
_TIMES = ("first_seen_ms", "last_seen_ms")
_SHOWN_BYTES = 256


@click.group()
def quarantine() -> None:
    """Look at updates that were refused; take them back into their document, or discard them."""


@quarantine.command("list")
@place_options
@click.option("--document", help="Only those of this document.")
@json_option("a line for each entry")
def list_entries(place: Place, document: str | None, as_json: bool) -> None:
    """List what was refused, oldest first. The server may run. Changes nothing.

    \b
    yjs-relay quarantine list --document notes/today

    \b
    Exit status: 0 done, 1 the server says no, 2 wrong usage, 3 the store cannot be read or the
    server reached.
    """
    with ending_as_errors_say():
        if place.is_server:
            with place.server() as server:
                asked = {"document": document}
                found = pages(server, "/admin/quarantine", "entries", "number", asked)
        else:
            entries = asyncio.run(read_quarantine(place.store_url(), document))
            found = [entry_facts(entry) for entry in entries]
    if as_json:
        for facts in found:
            click.echo(json.dumps(facts))
    elif found:
        for line in table([_HEADINGS, *map(_row_of, found)]):
            click.echo(line)


@quarantine.command("show")
@click.argument("number", type=int)
@place_options
@json_option("all of it but its bytes")
def show(number: int, place: Place, as_json: bool) -> None:
    """Show everything about the entry with this NUMBER, and how its bytes begin.

    \b
    yjs-relay quarantine show 7

    \b
    Exit status: 0 done, 1 there is no such entry, 2 wrong usage, 3 the store cannot be read or
    the server reached.
    """
    with ending_as_errors_say():
        facts = _facts_of(number, place)
        if as_json:
            click.echo(json.dumps(facts))
            return
        data = _bytes_of(number, place) or b""
    shown = facts | {name: shown_time(whole(facts.get(name))) for name in _TIMES}
    for line in table(
        [(name.removesuffix("_ms").replace("_", " "), str(value)) for name, value in shown.items()]
    ):
        click.echo(line)
    beginning = data[:_SHOWN_BYTES]
    for start in range(0, len(beginning), 16):
        click.echo(f"{start:08x}  {beginning[start : start + 16].hex(' ')}")


@quarantine.command("export")
@click.argument("number", type=int)
@click.argument("file", type=click.File("wb", lazy=True, atomic=True))
@place_options
def export(number: int, file: BinaryIO, place: Place) -> None:
    """Write the bytes of the entry with this NUMBER to a FILE, or to - for standard output.

    \b
    yjs-relay quarantine export 7 refused.yjs

    \b
    Exit status: 0 done, 1 there is no such entry or its bytes are not there, 2 wrong usage,
    3 the store cannot be read or the server reached.
    """
    with ending_as_errors_say():
        data = _bytes_of(number, place)
        if data is None:
            why = _facts_of(number, place)["problem"] or "only its hash and length were kept"
            raise click.ClickException(printable(f"entry {number} has no bytes: {why}"))
    file.write(data)


@quarantine.command("release")
@click.argument("number", type=int)
@place_options
@json_option("what came of it")
def release(number: int, place: Place, as_json: bool) -> None:
    """Hand the update with this NUMBER to its document again.

    When the document takes it, the entry goes; when it is refused again, nothing changes. By
    --store the server must be stopped.

    \b
    yjs-relay quarantine release 7
    yjs-relay quarantine release 7 --url http://127.0.0.1:1234 --token-file admin-token

    \b
    Exit status: 0 done, 1 not done, 2 wrong usage, 3 the store cannot be opened or the server
    reached.
    """
    with ending_as_errors_say(), operator(place) as found:
        done = found.act_on_entry("release", number)
        _end_with(done, f"released into {done.get('document')}", as_json)


@quarantine.command("discard")
@click.argument("number", type=int)
@place_options
@json_option("what came of it")
def discard(number: int, place: Place, as_json: bool) -> None:
    """Remove the entry with this NUMBER for good. By --store the server must be stopped.

    \b
    yjs-relay quarantine discard 7

    \b
    Exit status: 0 done or there is no such entry, 1 not done, 2 wrong usage, 3 the store cannot
    be opened or the server reached.
    """
    with ending_as_errors_say(), operator(place) as found:
        _end_with(found.act_on_entry("discard", number), "discarded", as_json)


def _end_with(done: Answer, text: str, as_json: bool) -> NoReturn:
    """Say what came of an act, and end the command with that."""
    is_failed = done.get("result") == FAILED
    if is_failed:
        facts = done.get("facts")
        because = facts.get("because") if isinstance(facts, dict) else None
        text = f"failed  because: {because}"
    elif done.get("result") == NOOP:
        text = "there is nothing to discard"
    click.echo(json.dumps(done) if as_json else printable(text))
    raise SystemExit(ExitCode.NO if is_failed else ExitCode.DONE)


def _facts_of(number: int, place: Place) -> Facts:
    if not place.is_server:
        return entry_facts(asyncio.run(read_quarantine_entry(place.store_url(), number)))
    with place.server() as server:
        said = server.get("/admin/quarantine", after=number - 1, limit=1).get("entries")
    if isinstance(said, list) and said and said[0].get("number") == number:
        return dict(said[0])
    raise EntryMissing(f"the quarantine has no entry {number}")


def _bytes_of(number: int, place: Place) -> bytes | None:
    if not place.is_server:
        return asyncio.run(read_quarantine_entry(place.store_url(), number)).data
    with place.server() as server:
        try:
            return server.get_bytes(f"/admin/quarantine/{number}")
        except Refused as error:
            if error.word != "not_found":
                raise
            return None


def _row_of(facts: Facts) -> tuple[str, ...]:
    problem, reason = facts["problem"], str(facts["reason"])
    return (
        *(str(facts[name]) for name in ("number", "document", "byte_length", "times")),
        shown_time(whole(facts["last_seen_ms"])),
        str(facts["sender"]),
        reason if problem is None else f"DAMAGED: {problem}",
    )
