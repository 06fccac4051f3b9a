"""`yjs-relay watch`: a store as it changes, on a terminal or as lines."""

import json
import sys
import time
from collections.abc import Callable

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from relay.commands.facts_source import Asked, FactsSource, StoredStorage, facts_source
from relay.commands.place import Place, ending_as_errors_say, json_option, place_options
from relay.commands.views import (
    DOCUMENT_HEADINGS,
    document_row,
    shown_bytes,
    storage_lines,
)
from relay.debug import models
from relay.terminal import printable
from yjs_store import Order

_SORTS = [order.value for order in Order]
_COLOURS = {"ok": "green", "degraded": "yellow", "failing": "red", "unavailable": "red"}
_SPARKS = " ▁▂▃▄▅▆▇█"


@click.command()
@place_options
@click.option("--prefix", default="", help="Only documents whose name begins so.")
@click.option("--sort", type=click.Choice(_SORTS), default="updated", show_default=True)
@click.option("--trouble", is_flag=True, help="Only documents that somebody should look at.")
@click.option("--rows", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--every", "every_s", type=click.FloatRange(0.1), default=1.0, show_default=True)
@click.option("--looks", type=click.IntRange(1), help="End after so many. [default: go on]")
@json_option("a line for each look")
def watch(
    place: Place,
    prefix: str,
    sort: str,
    trouble: bool,
    rows: int,
    every_s: float,
    looks: int | None,
    as_json: bool,
) -> None:
    """Watch a store: how it does, and the documents that changed last. Ctrl-C ends it.

    Of a store's file, also beside a running server, it shows what is stored; of a server (--url)
    who is connected and what happens, too. Without a terminal it prints a line for each look.

    \b
    yjs-relay watch
    yjs-relay watch --trouble --url http://127.0.0.1:1234 --token-file admin-token
    yjs-relay watch --json --every 10 >>facts.jsonl

    \b
    Exit status: 0 it was ended, 1 the server says no, 2 wrong usage, 3 the store cannot be read
    or the server reached.
    """
    asked = Asked(prefix, Order(sort), trouble)
    with ending_as_errors_say(), facts_source(place) as source:
        try:
            if as_json or not sys.stdout.isatty():
                _print(source, asked, rows, _as_json if as_json else _line, every_s, looks)
            else:
                _live(source, asked, rows, every_s, looks)
        except KeyboardInterrupt:
            # That is how it is ended.
            return


Look = tuple[StoredStorage | models.Storage, models.DocumentPage]


def _look(source: FactsSource, asked: Asked, rows: int) -> Look:
    return source.storage(), source.documents(asked, None, rows)


def _print(
    source: FactsSource,
    asked: Asked,
    rows: int,
    shown: Callable[[Look], str],
    every_s: float,
    looks: int | None,
) -> None:
    number = 0
    while True:
        click.echo(shown(_look(source, asked, rows)))
        # Whoever reads it from a pipe wants it now.
        sys.stdout.flush()
        number += 1
        if number == looks:
            return
        time.sleep(every_s)


def _live(source: FactsSource, asked: Asked, rows: int, every_s: float, looks: int | None) -> None:
    number = 0
    console = Console()
    with Live(console=console, screen=looks is None, auto_refresh=False) as live:
        while True:
            live.update(_screen(_look(source, asked, rows)), refresh=True)
            number += 1
            if number == looks:
                return
            time.sleep(every_s)


def _as_json(look: Look) -> str:
    storage, page = look
    return json.dumps({"storage": storage.model_dump(), **page.model_dump()})


def _line(look: Look) -> str:
    """Return what matters most in a line."""
    storage, page = look
    sizes = storage.sizes
    parts = [
        f"{sizes.documents} documents",
        f"{sizes.journal_rows} rows",
        f"file {shown_bytes(sizes.file_bytes)}",
        f"WAL {shown_bytes(sizes.wal_bytes)}",
    ]
    if isinstance(storage, models.Storage):
        parts.insert(0, storage.process.state)
        parts.append(f"{storage.process.connections} connections")
        if storage.commits.updates_per_s is not None:
            parts.append(f"{storage.commits.updates_per_s:.3g} updates/s")
    if page.documents:
        parts.append(f"first {printable(page.documents[0].name)}")
    return "  ".join(parts)


def _screen(look: Look) -> Group:
    """Return the screen. Texts are made printable, and none is taken for markup."""
    storage, page = look
    columns = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(DOCUMENT_HEADINGS):
        columns.add_column(heading, justify="right" if 2 <= number <= 4 else "left", no_wrap=True)
    columns.add_column("WRITES, 5 MIN", no_wrap=True)
    for each in page.documents:
        cells = [Text(printable(cell)) for cell in document_row(each)]
        cells[1].stylize(_COLOURS.get(each.health, "dim"))
        columns.add_row(*cells, Text(_sparkline(each.writes), style="cyan"))
    head = Text("\n".join(storage_lines(storage)))
    head.highlight_regex(r"(?m)^(READ ONLY|FAILING|TROUBLE).*$", "bold red")
    return Group(head, Text(""), columns)


def _sparkline(values: list[int]) -> str:
    highest = max(values, default=0)
    if not highest:
        return ""
    steps = len(_SPARKS) - 1
    return "".join(_SPARKS[-(-value * steps // highest)] for value in values)
