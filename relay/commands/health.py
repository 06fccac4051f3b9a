"""`yjs-relay health`: whether a running server should be sent clients."""

import ipaddress
import json
from pathlib import Path

import click

from relay.commands.remote import Server
from relay.config import Settings, load_settings
from relay.errors import ConfigError


@click.command()
@click.option("--url", help="The server's URL. [default: as host and port are set]")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="YJS_RELAY_CONFIG",
    help="The TOML file that `serve` is given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def health(url: str | None, config: Path | None, as_json: bool) -> None:
    """Say whether a server is ready to be sent clients, and if not, why.

    For the health check of a container, or for a person. No token is needed.

    \b
    yjs-relay health
    yjs-relay health --url http://127.0.0.1:1234

    \b
    Exit status: 0 ready, 1 starting, draining or its storage fails, 2 wrong usage,
    3 the server cannot be reached.
    """
    # Of its own certificate the server's own address is seldom a name; nothing secret is sent.
    verify = url is not None
    with Server(url or _own_url(config), None, verify=verify) as server:
        status, said = server.status("/health/ready")
    if as_json:
        click.echo(json.dumps(said))
    else:
        because = said.get("because") or []
        click.echo(": ".join([str(said.get("status")), *([", ".join(because)] if because else [])]))
    raise SystemExit(0 if status == 200 else 1)


def _own_url(config: Path | None) -> str:
    """Return where a server with these settings is reached from this computer."""
    try:
        settings: Settings = load_settings({}, config)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    host = settings.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    shown = f"[{host}]" if ":" in host else host
    return f"http{'' if settings.tls_certificate is None else 's'}://{shown}:{settings.port}"
