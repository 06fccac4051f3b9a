"""A group whose commands are imported when they are used, as click's documentation proposes.

All of them together take longer to import than most take to run, and a shell that completes a
name runs this program for each press of a key.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Final

import click


class LazyGroup(click.Group):
    """Knows of each command where it is: its name, and ``module:attribute``."""

    def __init__(self, *args: Any, places: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places: Final = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names; nothing is imported."""
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, unless that was done before; None when there is none of that name."""
        place = self._places.get(cmd_name)
        if place is None or cmd_name in self.commands:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), f"{place} is a command"
        assert command.name == cmd_name, f"{place} is called {command.name}"
        self.add_command(command)
        return command
