"""`yjs-relay serve`: the server, with an option for each setting."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from relay.config import Settings, load_settings
from relay.errors import ConfigError
from relay.log import configure_logging
from relay.server import serve as run_server
from relay.service_manager import this_service_manager
from yjs_store import StoreUnusable, raise_stack

try:
    import uvloop
except ImportError:  # pragma: no cover  (Windows)
    _loop_factory = None
else:
    _loop_factory = uvloop.new_event_loop


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each setting; one that is not given is left to environment and file."""
    for name, field in reversed(Settings.model_fields.items()):
        flag = "--" + name.replace("_", "-")
        if field.annotation is bool:
            flag = f"{flag}/--no-{name.replace('_', '-')}"
        default = "" if field.default in (None, "") else f"  [default: {field.default}]"
        help_text = f"{field.description}{default}"
        command = click.option(flag, name, default=None, help=help_text, type=_type(field))(command)
    return command


def _type(field: Any) -> Any:
    return field.annotation if field.annotation in (bool, int, float) else str


@click.command()
@_settings_options
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="YJS_RELAY_CONFIG",
    help="A TOML file with any of these settings.",
)
def serve(config: Path | None, **options: Any) -> None:
    """Serve documents to Yjs editors until SIGTERM or Ctrl-C.

    Each option is also an environment variable, YJS_RELAY_…, and a key of the TOML file.

    \b
    yjs-relay serve --port 1234 --store sqlite:////var/lib/yjs-relay/relay.db
    YJS_RELAY_AUTH=token yjs-relay serve --config relay.toml

    \b
    Exit status: 0 everything accepted is durable, 1 not so or it cannot start, 2 wrong usage.
    """
    try:
        given = {name: value for name, value in options.items() if value is not None}
        settings = load_settings(given, config)
        configure_logging(settings.log_level, settings.log_format)
        raise_stack()
        with asyncio.Runner(loop_factory=_loop_factory) as runner:
            code = runner.run(run_server(settings, _announce, this_service_manager()))
    except (ConfigError, StoreUnusable) as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(code)


def _announce(url: str) -> None:
    click.echo(f"yjs-relay listening on {url}")
