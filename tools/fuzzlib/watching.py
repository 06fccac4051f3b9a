"""Watches a server process from outside: alive, its log, its memory."""

import json
from collections.abc import Iterator
from typing import Final

from benchlib.process_accounts import memory_bytes
from system.server import RunningServer

from fuzzlib.findings import Kind, shortened
from fuzzlib.honest import Prober

MEMORY_BYTES_MAX: Final = 1536 * 1024 * 1024
BLOCKED_S_MAX: Final = 1.0
# Lines with which the server says what it did to attackers, or what it does at all.
_LEVELS: Final = frozenset({"debug", "info", "warning"})
# A warning, but honest clients noticed: their room was closed.
_FAILURES: Final = frozenset({"document failed"})
# What the server says when checkpoints do not keep up, and nothing else is wrong with them: so
# it is on a machine that has more to do than it can.
_BEHIND: Final = "it grows too fast"


class Watch:
    """What is known of one server process; each complaint is made once."""

    def __init__(self, server: RunningServer, prober: Prober) -> None:
        self.memory_peak_bytes = 0
        self._server = server
        self._prober = prober
        self._process_id = server.process_id
        self._lines = 0
        self._pings = 0
        self._is_over_bound = False
        self._is_blocked = False

    @property
    def is_alive(self) -> bool:
        """Whether the process that was started is still the one that runs."""
        return self._server.is_running and self._server.process_id == self._process_id

    def look(self) -> Iterator[tuple[Kind, str]]:
        """Yield what is newly wrong."""
        if not self.is_alive:
            yield Kind.SERVER_DIED, shortened(self._server.describe())
            return
        yield from self._look_at_log()
        yield from self._look_at_memory()
        yield from self._look_at_pings()

    def _look_at_log(self) -> Iterator[tuple[Kind, str]]:
        lines = self._server.log[self._lines :]
        self._lines += len(lines)
        bad = [line for line in lines if not is_harmless(line)]
        if bad:
            yield Kind.SERVER_LOGGED, "\n".join(bad)[:1500]

    def _look_at_memory(self) -> Iterator[tuple[Kind, str]]:
        # It may end while it is looked at; the next look says so.
        try:
            held = memory_bytes(self._process_id)
        except (OSError, LookupError):
            return
        self.memory_peak_bytes = max(self.memory_peak_bytes, held)
        if held > MEMORY_BYTES_MAX and not self._is_over_bound:
            self._is_over_bound = True
            yield Kind.SERVER_BLOATED, f"{held / 2**20:.0f} MiB"

    def _look_at_pings(self) -> Iterator[tuple[Kind, str]]:
        waits = self._prober.waits_s[self._pings :]
        self._pings += len(waits)
        worst_s = max([*waits, self._prober.waiting_s])
        if worst_s <= BLOCKED_S_MAX:
            self._is_blocked = False
        elif not self._is_blocked:
            self._is_blocked = True
            yield Kind.SERVER_HUNG, f"a ping waited for {worst_s:.1f} s"


def is_harmless(line: str) -> bool:
    """Whether a line of the log is one of those that a healthy server writes."""
    try:
        content = json.loads(line)
    except ValueError:
        # A traceback, or a panic's message.
        return not line.strip()
    if not isinstance(content, dict):
        return False
    if content.get("reason") == _BEHIND:
        return True
    return content.get("level") in _LEVELS and content.get("event") not in _FAILURES
