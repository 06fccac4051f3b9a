"""`yjs-relay export` and `import`: documents out of a store as files, and into one."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import click

from relay.clock import now_ms
from relay.commands.names import DocumentName
from relay.commands.place import ending_as_errors_say, json_option
from relay.commands.progress import progress
from relay.exit_codes import ExitCode
from relay.store_options import store_options, store_url
from relay.terminal import printable
from yjs_store import (
    Apart,
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    ExportedDocument,
    ExportUnusable,
    ImportOutcome,
    Poisoned,
    Store,
    UpdateRefused,
    begin_export,
    export_document,
    finish_export,
    import_update,
    list_heads,
    open_export,
    open_store,
    read_exported,
)
from yjs_store.limits import UPDATE_BYTES_MAX

_SAID = {
    ImportOutcome.CREATED: "imported",
    ImportOutcome.MERGED: "merged",
    ImportOutcome.KNOWN: "has it already",
    ImportOutcome.KEPT_OUT: "NOT IMPORTED: there is one with other content; --merge adds to it",
}


@click.command()
@click.argument("documents", nargs=-1, type=DocumentName(), metavar="[DOCUMENT]...")
@click.argument("directory", type=click.Path(path_type=Path))
@store_options
@click.option("--all", "is_all", is_flag=True, help="Every document of the store.")
@click.option("--prefix", default="", help="With --all: those whose name begins so.")
@json_option("a line for each document")
def export(
    documents: tuple[str, ...],
    directory: Path,
    store: str | None,
    config: Path | None,
    is_all: bool,
    prefix: str,
    as_json: bool,
) -> None:
    """Write documents into a new DIRECTORY: a Yjs update for each, and a manifest.

    The store may be closed, or a server may run with it, which is not disturbed. Each document
    is verified, written as it is at one moment, and read back. One that is damaged is left out
    and named; see `yjs-relay salvage`.

    \b
    yjs-relay export notes/today backup
    yjs-relay export --all backup-2030-01-31
    yjs-relay export --all --prefix notes/ --json backup

    \b
    Exit status: 0 done, 1 something was left out, 2 wrong usage, 3 the store cannot be read.
    """
    if is_all == bool(documents):
        raise click.UsageError("name documents, or say --all")
    if prefix and not is_all:
        raise click.UsageError("--prefix is for --all")
    url = store_url(store, config)
    with ending_as_errors_say():
        wanted: Iterable[str | Damaged] = dict.fromkeys(documents)
        if is_all:
            heads = list_heads(url, prefix)
            wanted = [
                head if isinstance(head, Damaged) else head.name
                for head in heads
                if isinstance(head, Damaged) or head.deleted_ms is None
            ]
        begin_export(directory)
        is_whole = _export(url, list(wanted), directory, as_json)
    raise SystemExit(ExitCode.DONE if is_whole else ExitCode.NO)


def _export(url: str, wanted: list[str | Damaged], directory: Path, as_json: bool) -> bool:
    exported: list[ExportedDocument] = []
    with Apart() as apart, progress("Exporting", len(wanted)) as done:
        for each in wanted:
            try:
                if isinstance(each, Damaged):
                    raise each
                number = len(exported) + 1
                found = apart.run(each, export_document, url, each, directory, number)
                exported.append(found)
                if as_json:
                    facts = {"document": each, "file": found.file, "byte_length": found.byte_length}
                    click.echo(json.dumps(facts))
            except (Damaged, Poisoned, DocumentMissing, DocumentDeleted) as error:
                _say_left_out(error.document, error, as_json)
            done(1)
    finish_export(directory, exported, now_ms())
    if not as_json:
        total = sum(each.byte_length for each in exported)
        click.echo(f"{len(exported)} documents, {total} bytes: written and read back")
    return len(exported) == len(wanted)


def _say_left_out(document: str, error: Exception, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"document": document, "problem": str(error)}))
    else:
        click.echo(f"LEFT OUT  {printable(document)}  {printable(str(error))}", err=True)


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@store_options
@click.option("--as", "name", type=DocumentName(), help="SOURCE is one update: its document.")
@click.option("--merge", is_flag=True, help="Add to documents that there are, too.")
@json_option("a line for each document")
def import_(
    source: Path,
    store: str | None,
    config: Path | None,
    name: str | None,
    merge: bool,
    as_json: bool,
) -> None:
    """Bring an export, or the file of one Yjs update, into a store; the server must be stopped.

    Every update is tried as one from a client is, stored, and read back. A document that is there
    already with other content is left alone, unless --merge adds what is new; that does not take
    it back to an older version. A deleted document stays deleted. Done twice, it is as done once.

    \b
    yjs-relay import backup
    yjs-relay import --as notes/today today.yjs

    \b
    Exit status: 0 done, 1 something was left out, 2 wrong usage, 3 the store cannot be opened.
    """
    if source.is_dir() == (name is not None):
        raise click.UsageError("--as NAME is for a file, and a file needs it")
    url = store_url(store, config)
    with ending_as_errors_say(by_url=False):
        found: list[tuple[str, ExportedDocument | None]] = []
        if name is None:
            found += [(each.name, each) for each in open_export(source)]
        else:
            found.append((name, None))
        is_whole = asyncio.run(_import(url, source, found, merge, as_json))
    raise SystemExit(ExitCode.DONE if is_whole else ExitCode.NO)


async def _import(
    url: str,
    source: Path,
    found: list[tuple[str, ExportedDocument | None]],
    merge: bool,
    as_json: bool,
) -> bool:
    is_whole = True
    async with open_store(url) as opened:
        with progress("Importing", len(found)) as done:
            for name, entry in found:
                outcome = await _import_one(opened, name, source, entry, merge)
                is_whole &= isinstance(outcome, ImportOutcome) and (
                    outcome is not ImportOutcome.KEPT_OUT
                )
                _say_outcome(name, outcome, as_json)
                done(1)
    return is_whole


async def _import_one(
    opened: Store,
    name: str,
    source: Path,
    entry: ExportedDocument | None,
    merge: bool,
) -> ImportOutcome | str:
    """Return what has become of one document, or why it was left out."""
    try:
        update = _read_file(source) if entry is None else read_exported(source, entry)
        return await import_update(opened, name, update, merge=merge)
    except (Damaged, DocumentDeleted, ExportUnusable, Poisoned, UpdateRefused) as error:
        return str(error)


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size <= UPDATE_BYTES_MAX:
            return path.read_bytes()
    except OSError as error:
        raise ExportUnusable(f"{path} cannot be read: {error.strerror}") from error
    raise ExportUnusable(f"{path} is larger than an update may be")


def _say_outcome(name: str, outcome: ImportOutcome | str, as_json: bool) -> None:
    if isinstance(outcome, str):
        facts = {"document": name, "outcome": "failed", "problem": outcome}
        said = f"NOT IMPORTED: {outcome}"
    else:
        facts = {"document": name, "outcome": outcome.value}
        said = _SAID[outcome]
    click.echo(json.dumps(facts) if as_json else f"{printable(name)}  {printable(said)}")
