"""`yjs-relay info`, `documents` and `show`: what a store holds."""

import json
import sys
from collections.abc import Iterator

import click

from relay.commands.content import content_of
from relay.commands.facts_source import Asked, FactsSource, facts_source
from relay.commands.names import document_argument
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.views import document_lines, documents_table, shown_text, storage_lines
from relay.content import as_text
from relay.debug import models
from relay.exit_codes import ExitCode
from relay.limits import DEBUG_PAGE_MAX
from yjs_store import Order

_SORTS = [order.value for order in Order]


@click.command()
@place_options
@json_option("everything that is known")
def info(place: Place, as_json: bool) -> None:
    """Say how large a store is, and of a running server how it does. Changes nothing.

    \b
    yjs-relay info
    yjs-relay info --json --store sqlite:////var/lib/yjs-relay/relay.db
    yjs-relay info --url http://127.0.0.1:1234 --token-file admin-token

    The JSON is that of /debug/storage; of a store that is looked at by its file it has what the
    file tells.

    \b
    Exit status: 0 done, 1 the server says no, 2 wrong usage, 3 the store cannot be read or the
    server reached.
    """
    with ending_as_errors_say(), facts_source(place) as source:
        storage = source.storage()
    if as_json:
        click.echo(json.dumps(storage.model_dump()))
    else:
        _print(storage_lines(storage))


@click.command()
@place_options
@click.option("--prefix", default="", help="Only those whose name begins so.")
@click.option("--sort", type=click.Choice(_SORTS), default=_SORTS[0], show_default=True)
@click.option("--trouble", is_flag=True, help="Only those that somebody should look at.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many. [default: all]")
@json_option("a line for each document")
def documents(
    place: Place, prefix: str, sort: str, trouble: bool, limit: int | None, as_json: bool
) -> None:
    """List documents, deleted ones too. Loads none and changes nothing.

    \b
    yjs-relay documents --sort bytes --limit 20
    yjs-relay documents --trouble --url http://127.0.0.1:1234
    yjs-relay documents --prefix notes/ --json

    \b
    Exit status: as of `info`.
    """
    asked = Asked(prefix, Order(sort), trouble)
    with ending_as_errors_say(), facts_source(place) as source:
        for number, page in enumerate(_pages(source, asked, limit)):
            if as_json:
                for each in page:
                    click.echo(json.dumps(each.model_dump()))
            elif page:
                _print(documents_table(page)[min(number, 1) :])


def _pages(
    source: FactsSource, asked: Asked, limit: int | None
) -> Iterator[list[models.DocumentSummary]]:
    after, left = None, limit
    while left is None or left > 0:
        page = source.documents(asked, after, min(DEBUG_PAGE_MAX, left or DEBUG_PAGE_MAX))
        yield page.documents
        after = page.next
        if after is None:
            return
        left = None if left is None else left - len(page.documents)


@click.command()
@document_argument
@place_options
@click.option("--content", "with_content", is_flag=True, help="Its content, as JSON.")
@click.option("--text", "as_plain_text", is_flag=True, help="Its content, as text.")
@json_option("everything that is known")
def show(
    document: str, place: Place, with_content: bool, as_plain_text: bool, as_json: bool
) -> None:
    """Show everything about a DOCUMENT, or what it holds. Changes nothing.

    The content is that of every root by name; a root's type is not stored, so it is what it shows
    itself to be. It is decoded in a process of its own. With --url it is asked for as an editor
    would: the token must be good for the document, and the server loads it.

    \b
    yjs-relay show notes/today
    yjs-relay show notes/today --text
    yjs-relay show notes/today --content | jq .title.value
    yjs-relay show notes/today --json --url http://127.0.0.1:1234

    \b
    Exit status: 0 done, 1 there is no such document, it is damaged or the server says no,
    2 wrong usage, 3 the store cannot be read or the server reached.
    """
    if with_content and as_plain_text:
        raise click.UsageError("give --content or --text, not both")
    with ending_as_errors_say():
        if with_content or as_plain_text:
            content = content_of(place, document)
            if as_plain_text:
                text = as_text(content)
                # As bytes, of which nothing is taken out on the way to a file.
                click.echo(shown_text(text) if sys.stdout.isatty() else text.encode())
            else:
                click.echo(json.dumps(content, indent=None if as_json else 1))
            return
        with facts_source(place) as source:
            found = source.document(document)
    if found is None:
        raise click.ClickException(f"there is no document {document!r}")
    if as_json:
        click.echo(json.dumps(found.model_dump()))
    else:
        _print(document_lines(found))
    raise SystemExit(ExitCode.NO if found.health == "unavailable" else ExitCode.DONE)


def _print(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
