"""Puts the debug endpoint together for a server."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from relay.clock import now_ms
from relay.config import Settings
from relay.debug.configuration import shown_settings
from relay.debug.gate import ObserverGate
from relay.debug.looking import Looker
from relay.debug.process_facts import ThisProcess
from relay.debug.routes import DebugRoutes
from relay.debug.seam import Observation, Troubles
from relay.debug.sharing import SharedAnswers
from relay.debug.stream import Watchers
from relay.hub import Hub
from relay.limits import DEBUG_DOCUMENTS_SHARE, DEBUG_STORE_SHARE


@dataclass(frozen=True, slots=True)
class DebugEndpoint:
    """Its routes, and what looks for them; the owner ends the streams, then closes it."""

    routes: DebugRoutes
    looker: Looker
    watchers: Watchers

    def end_streams(self) -> None:
        """Let every stream come to its end: a server does not stop before."""
        self.watchers.end()

    async def close(self) -> None:
        """Give up what is under way."""
        await self.looker.close()


def make_debug_endpoint(
    settings: Settings,
    hub: Hub,
    troubles: Troubles,
    observation: Observation,
    gate: ObserverGate,
    clock_s: Callable[[], float] | None = None,
) -> DebugEndpoint:
    """Return the endpoint of a server that has just been started; the clock is the event loop's."""
    clock_s = clock_s or asyncio.get_running_loop().time
    looker = Looker(
        observation,
        troubles,
        hub,
        ThisProcess(now_ms()),
        shown_settings(settings.model_dump()),
        now_ms,
        SharedAnswers(DEBUG_STORE_SHARE, clock_s),
        SharedAnswers(DEBUG_DOCUMENTS_SHARE, clock_s),
    )
    watchers = Watchers(looker, clock_s)
    routes = DebugRoutes(looker, watchers, gate, may_act=settings.enable_admin_routes)
    return DebugEndpoint(routes, looker, watchers)
