"""The command line: `yjs-relay`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from relay.check_command import check
from relay.client import ClientError, follow_document, send_text
from relay.commands.acting import (
    compact,
    delete,
    forget,
    load,
    read_only,
    truncate_wal,
    unload,
    vacuum,
)
from relay.commands.audit import audit
from relay.commands.completion import completion
from relay.commands.export import export, import_
from relay.commands.health import health
from relay.commands.looking import documents, info, show
from relay.commands.watch import watch
from relay.config import Settings, load_settings
from relay.errors import ConfigError
from relay.log import command_logging, configure_logging
from relay.quarantine_commands import quarantine
from relay.salvage_commands import salvage, set_aside
from relay.server import serve as run_server
from relay.service_manager import this_service_manager
from relay.session_commands import sessions
from relay.token_commands import token
from yjs_store import StoreUnusable, raise_stack

try:
    import uvloop
except ImportError:  # pragma: no cover  (Windows)
    _loop_factory = None
else:
    _loop_factory = uvloop.new_event_loop


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="yjs-relay")
@click.pass_context
def main(context: click.Context) -> None:
    """A Yjs document server that does not lose words."""
    context.with_resource(command_logging())


for command in (
    audit,
    check,
    compact,
    completion,
    delete,
    documents,
    export,
    forget,
    health,
    import_,
    info,
    load,
    quarantine,
    read_only,
    salvage,
    sessions,
    set_aside,
    show,
    token,
    truncate_wal,
    unload,
    vacuum,
    watch,
):
    main.add_command(command)


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


@main.command()
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


@main.command()
@click.argument("url")
@click.argument("document")
@click.option("--send", "text", metavar="TEXT", help="Append TEXT instead of following.")
@click.option("--root", default="text", show_default=True, help="The shared text to append to.")
@click.option("--token", help="Who you are; other users of this computer can see it.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file with that token alone.",
)
def connect(
    url: str,
    document: str,
    text: str | None,
    root: str,
    token: str | None,
    token_file: Path | None,
) -> None:
    """Print a document and follow it live, or append to one of its texts.

    \b
    yjs-relay connect ws://127.0.0.1:1234 my-notes
    yjs-relay connect ws://127.0.0.1:1234 my-notes --send "hello "

    \b
    Exit status: 0 done, 1 it cannot be reached or the server closed the connection, 2 wrong usage.
    """
    if token is not None and token_file is not None:
        raise click.UsageError("give --token or --token-file, not both")
    if token_file is not None:
        token = token_file.read_text(encoding="utf-8").strip()
    try:
        if text is None:
            asyncio.run(follow_document(url, document, click.echo, token))
        else:
            asyncio.run(send_text(url, document, root, text, token))
            click.echo("stored")
    except ClientError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo()
