"""The orderly end: read what is under way, store it, send the receipts, close with 1001."""

import asyncio
from collections.abc import Awaitable

import structlog

from relay.errors import CloseCode
from relay.hub import Hub
from relay.limits import (
    DRAIN_QUIET_S,
    DRAIN_READING_MAX_S,
    DRAIN_SENDING_MAX_S,
    DRAIN_STORING_MAX_S,
)
from yjs_store import Store

log = structlog.get_logger("relay.drain")


async def drain(hub: Hub, store: Store) -> bool:
    """Bring everything received to disk and everybody home; True when all of it is durable.

    New connections must already be refused.
    """
    hub.is_draining = True
    log.info("draining", connections=hub.connection_count, rooms=hub.room_count)
    is_stored = await _read_and_store(hub, store)
    if not is_stored:
        log.error(
            "storage did not take the last edits; their senders had no receipt",
            error=store.failing_because,
        )
    hub.end_all(CloseCode.GOING_AWAY, "the server is stopping")
    await _within(DRAIN_SENDING_MAX_S, hub.wait_empty())
    return is_stored


async def _read_and_store(hub: Hub, store: Store) -> bool:
    """Go on reading what clients had sent before they could know, and store it.

    A connection at its bound is read on only when something of it is stored; so it is quiet
    when nothing came while nothing was left to store.
    """
    reading_s = 0.0
    storing_end_s = _now_s() + DRAIN_STORING_MAX_S
    while True:
        if not await _within(storing_end_s - _now_s(), store.wait_settled()):
            return False
        seen = hub.frames_received
        await asyncio.sleep(DRAIN_QUIET_S)
        reading_s += DRAIN_QUIET_S
        if hub.frames_received == seen or reading_s >= DRAIN_READING_MAX_S:
            return await _within(storing_end_s - _now_s(), store.wait_settled())


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _within(seconds: float, event: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True
