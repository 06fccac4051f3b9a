"""The command line: `yjs-relay`."""

from typing import Final

import click

from relay.commands.lazily import LazyGroup
from relay.log import command_logging

_PLACES: Final = {
    "audit": "relay.commands.audit:audit",
    "check": "relay.check_command:check",
    "compact": "relay.commands.acting:compact",
    "completion": "relay.commands.completion:completion",
    "connect": "relay.commands.connect:connect",
    "delete": "relay.commands.acting:delete",
    "documents": "relay.commands.looking:documents",
    "export": "relay.commands.export:export",
    "forget": "relay.commands.acting:forget",
    "health": "relay.commands.health:health",
    "import": "relay.commands.export:import_",
    "info": "relay.commands.looking:info",
    "load": "relay.commands.acting:load",
    "quarantine": "relay.quarantine_commands:quarantine",
    "read-only": "relay.commands.acting:read_only",
    "salvage": "relay.salvage_commands:salvage",
    "serve": "relay.commands.serve:serve",
    "sessions": "relay.session_commands:sessions",
    "set-aside": "relay.salvage_commands:set_aside",
    "show": "relay.commands.looking:show",
    "token": "relay.token_commands:token",
    "truncate-wal": "relay.commands.acting:truncate_wal",
    "unload": "relay.commands.acting:unload",
    "vacuum": "relay.commands.acting:vacuum",
    "watch": "relay.commands.watch:watch",
}


@click.group(
    cls=LazyGroup, places=_PLACES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="yjs-relay")
@click.pass_context
def main(context: click.Context) -> None:
    """A Yjs document server that does not lose words."""
    context.with_resource(command_logging())
