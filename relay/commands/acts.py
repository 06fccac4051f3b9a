"""What an operator does: by the admin routes of a running server, or to a store that is closed.

Both answer alike, and so do a dry run and the act itself::

    {"action": "compact", "document": "notes/a" or null, "dry_run": false,
     "result": "noop", "failed", "incomplete", what was done or, of a dry run, "would_…",
     "facts": {…}}
"""

import contextlib
import getpass
from collections.abc import Iterator
from typing import Any, Final, Protocol

from relay.commands.facts_source import ServerFacts
from relay.commands.place import Place
from relay.commands.remote import Server, segment
from relay.commands.stored_acts import file_operator
from relay.config import load_settings
from yjs_store import CheckpointPolicy

Answer = dict[str, Any]

NOOP: Final = "noop"
FAILED: Final = "failed"
INCOMPLETE: Final = "incomplete"


class Operator(Protocol):
    """Who carries acts out. Each is idempotent, and recorded with who wanted it."""

    def act(
        self, action: str, document: str | None, *, is_dry_run: bool, reason: str | None = None
    ) -> Answer:
        """Do it, or say what it would do; None is the store as a whole."""

    def act_on_entry(self, action: str, number: int) -> Answer:
        """Release or discard what is in quarantine under a number."""

    def due(self) -> list[str]:
        """Return the documents whose checkpoint is due."""


@contextlib.contextmanager
def operator(place: Place) -> Iterator[Operator]:
    """Get hold of whatever the options of a command name."""
    if place.is_server:
        with place.server() as server:
            yield ServerOperator(server)
    else:
        with file_operator(place.store_url(), _policy(place), who()) as found:
            yield found


def _policy(place: Place) -> CheckpointPolicy:
    return CheckpointPolicy(rows_max=load_settings({}, place.config).checkpoint_rows)


def who() -> str:
    """Return who acts by a command, as it is kept with what they do."""
    try:
        return f"{getpass.getuser()}, on the command line"
    except (OSError, KeyError, ImportError):
        # A user without a name, as in many containers.
        return "the command line"


class ServerOperator:
    """Has a running server do it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def act(
        self, action: str, document: str | None, *, is_dry_run: bool, reason: str | None = None
    ) -> Answer:
        """See Operator.act."""
        where = "store" if document is None else f"documents/{segment(document)}"
        return self._server.post(
            f"/admin/{where}/{action}", dry_run=1 if is_dry_run else None, reason=reason
        )

    def act_on_entry(self, action: str, number: int) -> Answer:
        """See Operator.act_on_entry."""
        return self._server.post(f"/admin/quarantine/{number}/{action}")

    def due(self) -> list[str]:
        """Return nothing: the server knows them by itself; see ``relay.commands.due``."""
        return []

    def count_due(self) -> int:
        """Return how many documents are due, as the server has counted a moment ago."""
        return ServerFacts(self._server).storage().checkpoints.due

    def compact_due(self, *, is_dry_run: bool) -> Answer:
        """Compact every document that is due."""
        return self._server.post("/admin/compact-due", dry_run=1 if is_dry_run else None)
