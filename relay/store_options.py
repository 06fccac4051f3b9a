"""What the commands on a store share: which store is meant, and how they end."""

from collections.abc import Callable
from pathlib import Path

import click

from relay.config import load_settings
from relay.errors import ConfigError
from relay.exit_codes import ExitCode


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which store is meant, as for `serve`."""
    for option in (
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            envvar="YJS_RELAY_CONFIG",
            help="The TOML file that `serve` is given.",
        ),
        click.option("--store", help="The store, as for `serve`."),
    ):
        command = option(command)
    return command


def store_url(store: str | None, config: Path | None) -> str:
    """Return the URL of the store that the options, environment or file name."""
    try:
        return load_settings({} if store is None else {"store": store}, config).store
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


class Unreadable(click.ClickException):
    """Ends a command whose store cannot be opened or read."""

    exit_code = ExitCode.UNREACHABLE
