"""Where a command looks and acts: a store by its file, or a running server by its URL."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from relay.commands.remote import Server, read_token
from relay.exit_codes import ExitCode
from relay.store_options import Unreadable, store_options, store_url
from relay.terminal import printable
from yjs_store import StoreError, StoreInUse, StoreUnavailable, StoreUnusable


@dataclass(frozen=True, slots=True)
class Place:
    """What the options say; the store is only looked for where it is needed."""

    store: str | None
    config: Path | None
    url: str | None
    token_file: Path | None

    @property
    def is_server(self) -> bool:
        """Whether a running server is meant."""
        return self.url is not None

    def store_url(self) -> str:
        """Return the URL of the store; UsageError when the settings are not usable."""
        return store_url(self.store, self.config)

    def server(self) -> Server:
        """Return the server; UsageError when the URL is none."""
        assert self.url is not None, "a server is meant"
        return Server(self.url, read_token(self.token_file))


def place_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for a store or a server; the command gets them as ``place``."""

    @functools.wraps(command)
    def with_place(
        *arguments: Any,
        store: str | None,
        config: Path | None,
        url: str | None,
        token_file: Path | None,
        **named: Any,
    ) -> None:
        if url is not None and store is not None:
            raise click.UsageError("give --store or --url, not both")
        if url is None and token_file is not None:
            raise click.UsageError("--token-file is for --url")
        command(*arguments, place=Place(store, config, url, token_file), **named)

    return store_options(_server_options(with_place))


def _server_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--token-file",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="With --url: the file with a token for it alone.",
        ),
        click.option("--url", help="A running server instead: http://127.0.0.1:1234."),
    ):
        command = option(command)
    return command


def json_option(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option `--json`, which prints ``what`` for programs."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


@contextlib.contextmanager
def ending_as_errors_say() -> Iterator[None]:
    """End the command with one line and the exit status of the table when the store says no."""
    try:
        yield
    except StoreInUse as error:
        instead = "stop the server, or let it do this by --url"
        raise Unreadable(printable(f"{error}: {instead}")) from error
    except (StoreUnusable, StoreUnavailable) as error:
        raise Unreadable(printable(str(error))) from error
    except StoreError as error:
        raise click.ClickException(printable(str(error))) from error
    except KeyboardInterrupt:
        # By itself it would end with 1, which is an answer.
        click.echo("Interrupted.", err=True)
        raise SystemExit(ExitCode.INTERRUPTED) from None
