"""Waits until nothing that was sent to a document waits any more, by what operators see of it."""

import asyncio
import json
from typing import Final

from fuzzlib.sockets import exchange

# Within it all trials of a document are over: whoever waits longer would have noticed before.
QUIET_S: Final = 60.0
# What is shown may be older than this by a moment when a server has much to do.
STALE_S: Final = 2.2
PAUSE_S: Final = 0.3
LOOK_S: Final = 10.0
_WAITING: Final = ("waiting_updates", "in_flight_updates", "on_trial_updates")


async def wait_quiet(
    port: int, document: str, within_s: float = QUIET_S, stale_s: float = STALE_S
) -> str:
    """Wait until nothing waits; return what does when the time is over, else nothing.

    Nobody may be typing meanwhile.
    """
    clock_s = asyncio.get_running_loop().time
    end_s = clock_s() + within_s
    quiet_since_s: float | None = None
    while True:
        waits = _what_waits(await _look(port, document))
        now_s = clock_s()
        if waits:
            quiet_since_s = None
        elif quiet_since_s is None:
            quiet_since_s = now_s
        is_quiet = quiet_since_s is not None and now_s - quiet_since_s >= stale_s
        if is_quiet or now_s > end_s:
            return waits
        await asyncio.sleep(PAUSE_S)


async def _look(port: int, document: str) -> bytes:
    request = f"GET /debug/documents/{document} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    return await exchange(port, f"{request}Connection: close\r\n\r\n".encode(), LOOK_S)


def _what_waits(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].decode(errors="replace")
    if " 200 " not in status:
        return f"not known: {status or 'no answer'}"
    live = json.loads(body)["live"]
    if live is None:
        return ""
    counts = {name: live["saving"][name] for name in _WAITING}
    # What has been read and not handed in yet is known to its connection alone.
    counts["unsaved_updates"] = sum(each["unsaved_updates"] for each in live["connections"])
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
