"""`yjs-relay export` and `import`: documents out of a store as files, and into one."""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from relay.client import DocumentClosed
from relay.clock import now_ms
from relay.commands.exchange import Source, Target, source, target
from relay.commands.names import DocumentName
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.progress import progress
from relay.exit_codes import ExitCode
from relay.terminal import printable
from yjs_store import (
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    ExportedDocument,
    ExportUnusable,
    ImportOutcome,
    Poisoned,
    UpdateRefused,
    begin_export,
    finish_export,
    open_export,
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
@place_options
@click.option("--all", "is_all", is_flag=True, help="Every document of the store.")
@click.option("--prefix", default="", help="With --all: those whose name begins so.")
@json_option("a line for each document")
def export(
    documents: tuple[str, ...],
    directory: Path,
    place: Place,
    is_all: bool,
    prefix: str,
    as_json: bool,
) -> None:
    """Write documents into a new DIRECTORY: a Yjs update for each, and a manifest.

    The store may be closed, or a server may run with it, which is not disturbed. Each document
    is verified, written as it is at one moment, and read back. One that is damaged is left out
    and named; see `yjs-relay salvage`. With --url each is asked for as an editor would: the token
    must be good for it, and the server loads it.

    \b
    yjs-relay export notes/today backup
    yjs-relay export --all backup-2030-01-31
    yjs-relay export --all --prefix notes/ --json backup

    \b
    Exit status: 0 done, 1 something was left out, 2 wrong usage, 3 the store cannot be read or
    the server reached.
    """
    if is_all == bool(documents):
        raise click.UsageError("name documents, or say --all")
    if prefix and not is_all:
        raise click.UsageError("--prefix is for --all")
    with ending_as_errors_say(), source(place) as found:
        wanted: Iterable[str | Damaged] = (
            found.names(prefix) if is_all else dict.fromkeys(documents)
        )
        begin_export(directory)
        is_whole = _export(found, list(wanted), directory, as_json)
    raise SystemExit(ExitCode.DONE if is_whole else ExitCode.NO)


def _export(found: Source, wanted: list[str | Damaged], directory: Path, as_json: bool) -> bool:
    exported: list[ExportedDocument] = []
    with progress("Exporting", len(wanted)) as done:
        for each in wanted:
            try:
                if isinstance(each, Damaged):
                    raise each
                written = found.export(each, directory, len(exported) + 1)
                exported.append(written)
                if as_json:
                    facts = {"document": each, "file": written.file}
                    click.echo(json.dumps(facts | {"byte_length": written.byte_length}))
            except (Damaged, DocumentClosed, Poisoned, DocumentMissing, DocumentDeleted) as error:
                document = each.document if isinstance(each, Damaged) else each
                _say_left_out(document, error, as_json)
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
@click.argument("path", metavar="SOURCE", type=click.Path(path_type=Path, exists=True))
@place_options
@click.option("--as", "name", type=DocumentName(), help="SOURCE is one update: its document.")
@click.option("--merge", is_flag=True, help="Add to documents that there are, too.")
@json_option("a line for each document")
def import_(
    path: Path,
    place: Place,
    name: str | None,
    merge: bool,
    as_json: bool,
) -> None:
    """Bring an export, or the file of one Yjs update, into a store.

    By --store the server must be stopped; by --url a running one stores each document as it would
    for an editor who pastes it, so the token must be good to write it.

    Every update is tried as one from a client is, stored, and read back. A document that is there
    already with other content is left alone, unless --merge adds what is new; that does not take
    it back to an older version. A deleted document stays deleted. Done twice, it is as done once.

    \b
    yjs-relay import backup
    yjs-relay import --as notes/today today.yjs
    yjs-relay import backup --url http://127.0.0.1:1234 --token-file admin-token

    \b
    Exit status: 0 done, 1 something was left out, 2 wrong usage, 3 the store cannot be opened or
    the server reached.
    """
    if path.is_dir() == (name is not None):
        raise click.UsageError("--as NAME is for a file, and a file needs it")
    with ending_as_errors_say():
        wanted: list[tuple[str, ExportedDocument | None]] = [(name or "", None)]
        if name is None:
            wanted = [(each.name, each) for each in open_export(path)]
        with target(place) as found:
            is_whole = _import(found, path, wanted, merge, as_json)
    raise SystemExit(ExitCode.DONE if is_whole else ExitCode.NO)


def _import(
    found: Target,
    path: Path,
    wanted: list[tuple[str, ExportedDocument | None]],
    merge: bool,
    as_json: bool,
) -> bool:
    is_whole = True
    with progress("Importing", len(wanted)) as done:
        for name, entry in wanted:
            outcome = _import_one(found, name, path, entry, merge)
            is_whole &= outcome in _SAID and outcome is not ImportOutcome.KEPT_OUT
            _say_outcome(name, outcome, as_json)
            done(1)
    return is_whole


def _import_one(
    found: Target, name: str, path: Path, entry: ExportedDocument | None, merge: bool
) -> ImportOutcome | str:
    """Return what has become of one document, or why it was left out."""
    try:
        update = _read_file(path) if entry is None else read_exported(path, entry)
        return found.bring(name, update, merge=merge)
    except (
        Damaged,
        DocumentClosed,
        DocumentDeleted,
        ExportUnusable,
        Poisoned,
        UpdateRefused,
    ) as error:
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
