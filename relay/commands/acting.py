"""`yjs-relay compact`, `delete`, `forget`, `unload`, `read-only`, `truncate-wal` and `vacuum`."""

import sys
from collections.abc import Callable

import click

from relay.commands.acts import Answer, Operator, ServerOperator, operator
from relay.commands.due import compact_due
from relay.commands.names import DocumentName, document_argument
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.progress import progress
from relay.commands.telling import end_with
from relay.terminal import printable

_STATUS = """

    \b
    Exit status: 0 done or nothing to do, 1 not done, 2 wrong usage, 3 the store cannot be opened
    (a server has it, say) or the server reached."""


def _act_options(command: Callable[..., None]) -> Callable[..., None]:
    command.__doc__ = f"{(command.__doc__ or '').rstrip()}{_STATUS}\n"
    for option in (
        json_option("what came of it"),
        click.option("--dry-run", "is_dry_run", is_flag=True, help="Only say what it would do."),
    ):
        command = option(command)
    return place_options(command)


@click.command()
@click.argument("documents", nargs=-1, type=DocumentName(), metavar="[DOCUMENT]...")
@click.option("--due", "is_due", is_flag=True, help="All whose journal has grown so far.")
@_act_options
def compact(
    documents: tuple[str, ...], is_due: bool, place: Place, is_dry_run: bool, as_json: bool
) -> None:
    """Fold the journal of DOCUMENTs into snapshots now. No content changes.

    Circuit breakers of checkpoints that have paused are closed first.

    \b
    yjs-relay compact notes/today
    yjs-relay compact --due --dry-run
    yjs-relay compact --due --url http://127.0.0.1:1234 --token-file admin-token
    """
    if is_due == bool(documents):
        raise click.UsageError("name documents, or say --due")
    with ending_as_errors_say(), operator(place) as found:
        if is_due and isinstance(found, ServerOperator):
            end_with([compact_due(found, is_dry_run=is_dry_run)], as_json)
        names = found.due() if is_due else list(documents)
        end_with(_each(found, "compact", names, is_dry_run), as_json)


def _each(found: Operator, action: str, names: list[str], is_dry_run: bool) -> list[Answer]:
    answers = []
    with progress(action.capitalize(), len(names)) as done:
        for name in names:
            answers.append(found.act(action, name, is_dry_run=is_dry_run))
            done(1)
    return answers


@click.command()
@document_argument
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@_act_options
def delete(document: str, is_sure: bool, place: Place, is_dry_run: bool, as_json: bool) -> None:
    """Delete a DOCUMENT: its content is removed and cannot be brought back.

    Its name stays barred, so that no editor that still has it brings it back unnoticed; see
    `yjs-relay forget`.

    \b
    yjs-relay delete notes/today --dry-run
    yjs-relay delete notes/today --yes --url http://127.0.0.1:1234 --token-file admin-token
    """
    with ending_as_errors_say(), operator(place) as found:
        if not (is_dry_run or is_sure):
            _ask(f"Delete {printable(document)} for good?")
        end_with([found.act("delete", document, is_dry_run=is_dry_run)], as_json)


@click.command()
@document_argument
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@_act_options
def forget(document: str, is_sure: bool, place: Place, is_dry_run: bool, as_json: bool) -> None:
    """Forget that a DOCUMENT was deleted, so that its name can be used again.

    Whoever still has it brings it back by connecting.

    \b
    yjs-relay forget notes/today
    """
    with ending_as_errors_say(), operator(place) as found:
        if not (is_dry_run or is_sure):
            _ask(f"Let editors that still have {printable(document)} bring it back?")
        end_with([found.act("forget", document, is_dry_run=is_dry_run)], as_json)


@click.command()
@document_argument
@_act_options
def unload(document: str, place: Place, is_dry_run: bool, as_json: bool) -> None:
    """Drop a DOCUMENT from a server's memory, after what is unsaved; editors come back to it.

    A store that no server has holds none in memory: then there is nothing to do.

    \b
    yjs-relay unload notes/today --url http://127.0.0.1:1234 --token-file admin-token
    """
    with ending_as_errors_say(), operator(place) as found:
        end_with([found.act("unload", document, is_dry_run=is_dry_run)], as_json)


@click.command()
@document_argument
@_act_options
def load(document: str, place: Place, is_dry_run: bool, as_json: bool) -> None:
    """Load a DOCUMENT into a server's memory, so that whoever opens it next need not wait.

    \b
    yjs-relay load notes/today --url http://127.0.0.1:1234 --token-file admin-token
    """
    if not place.is_server:
        raise click.UsageError("it is for a running server: give --url")
    with ending_as_errors_say(), operator(place) as found:
        end_with([found.act("load", document, is_dry_run=is_dry_run)], as_json)


@click.command("read-only")
@click.argument("document", type=DocumentName(), required=False)
@click.option("--all", "is_all", is_flag=True, help="Every document of the store.")
@click.option("--off", is_flag=True, help="Let it be written to again.")
@click.option("--reason", help="Why; who looks at the document is told.")
@_act_options
def read_only(
    document: str | None,
    is_all: bool,
    off: bool,
    reason: str | None,
    place: Place,
    is_dry_run: bool,
    as_json: bool,
) -> None:
    """Let nobody write to a DOCUMENT, or to any, until it is lifted.

    Editors stay connected; what they type meanwhile is asked for when it is lifted.

    \b
    yjs-relay read-only notes/today --reason "under review"
    yjs-relay read-only notes/today --off
    yjs-relay read-only --all --reason "moving the disk"
    """
    if is_all == (document is not None):
        raise click.UsageError("name a document, or say --all")
    if off and reason is not None:
        raise click.UsageError("--reason is for switching it on")
    with ending_as_errors_say(), operator(place) as found:
        action = "writable" if off else "read-only"
        reason = None if off else reason or "no reason was given"
        end_with([found.act(action, document, is_dry_run=is_dry_run, reason=reason)], as_json)


@click.command("truncate-wal")
@_act_options
def truncate_wal(place: Place, is_dry_run: bool, as_json: bool) -> None:
    """Write SQLite's WAL back into the database file, and cut it to nothing.

    \b
    yjs-relay truncate-wal --url http://127.0.0.1:1234 --token-file admin-token
    """
    with ending_as_errors_say(), operator(place) as found:
        end_with([found.act("truncate-wal", None, is_dry_run=is_dry_run)], as_json)


@click.command()
@_act_options
def vacuum(place: Place, is_dry_run: bool, as_json: bool) -> None:
    """Write the database file anew, without the pages that are free.

    That takes its room on the disk again for a while, and is refused where there is not enough.

    \b
    yjs-relay vacuum --dry-run
    """
    with ending_as_errors_say(), operator(place) as found:
        end_with([found.act("vacuum", None, is_dry_run=is_dry_run)], as_json)


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def _ask(question: str) -> None:
    if not _can_be_asked():
        raise click.UsageError("say --yes where nobody can be asked")
    click.confirm(question, abort=True, err=True)
