"""The names of documents on a command line: checked, and completed from the store."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from relay.config import load_settings
from relay.errors import ConfigError
from relay.terminal import printable
from yjs_store import NameRefused, StoreError, check_name, list_names

_OFFERED_MAX: Final = 200
# A shell puts what is offered on the command line as it is: who names a document `$(reboot)` must
# not have it run.
_HARMLESS: Final = re.compile(r"[\w@%+=:,./][\w@%+=:,./-]*")


class DocumentName(click.ParamType[str]):
    """The name of a document, which may not be there."""

    name = "document"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; what cannot be one is wrong usage."""
        try:
            return check_name(str(value))
        except NameRefused as error:
            self.fail(printable(str(error)), param, ctx)

    def shell_complete(
        self, ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return names in the store that begin so and that no shell takes for something else."""
        if ctx.params.get("url") is not None:
            return []
        names = _names(ctx.params.get("store"), ctx.params.get("config"), incomplete)
        return [CompletionItem(name) for name in names if _HARMLESS.fullmatch(name)]


def _names(store: str | None, config: Path | None, prefix: str) -> list[str]:
    try:
        url = load_settings({} if store is None else {"store": store}, config).store
        return asyncio.run(list_names(url, prefix, _OFFERED_MAX))
    except (ConfigError, StoreError):
        # A shell that completes is no place for complaints.
        return []


document_argument = click.argument("document", type=DocumentName())
