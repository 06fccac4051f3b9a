"""Runs the relay: listens, supervises the parts, drains on SIGTERM and SIGINT."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.types import ASGIApp

from relay.admission import Admission
from relay.app import create_app
from relay.clock import make_secret, now_ms
from relay.config import Settings
from relay.debug.configuration import shown_settings
from relay.debug.process_facts import package_version
from relay.debug.setup import make_debug_endpoint
from relay.drain import drain
from relay.entrance import Entrance, make_entrance
from relay.errors import ConfigError
from relay.front import Front
from relay.hub import Hub
from relay.hub_bounds import HubBounds
from relay.limits import TICK_S
from relay.readiness import readiness
from relay.service_manager import ServiceManager
from relay.socket_server import SocketServer
from relay.tracing import Tracing
from relay.tracing_setup import make_tracing
from relay.transport import Transport, make_transport
from yjs_store import CheckpointPolicy, Store, WriterSuperseded, open_store
from yjs_store.limits import MIB

log = structlog.get_logger("relay.server")

# Connections that wait to be accepted: a whole office comes back after a restart.
_BACKLOG = 2048
# How much more time to start is asked for at a time, where somebody would end what starts slowly.
_STARTING_STEP_S = 20.0


async def serve(
    settings: Settings, announce: Callable[[str], None], manager: ServiceManager | None = None
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    ``announce`` gets the URL once documents are served; until then everybody hears that they
    should come again. 0 means that everything accepted is durable.

    Raises:
        StoreUnusable, ConfigError: it cannot start; the text says why.
    """
    _check_keeps(settings.store)
    transport = make_transport(settings)
    manager = manager or ServiceManager(None)
    tracing = make_tracing(settings)
    listener = _listen(settings.host, settings.port)
    try:
        entrance = make_entrance(settings, listener.getsockname()[0])
        front, wishes = Front(), _Wishes()
        config = transport.make_config(front, _BACKLOG)
        server = _Server(config, transport.bounds.request_s, wishes)
        serving: asyncio.Task[object] = asyncio.create_task(
            server.serve(sockets=[listener]), name="relay-server"
        )
        try:
            await server.wait_started(serving)
            async with contextlib.AsyncExitStack() as stack:
                store = await _open(settings, stack, serving, wishes, manager)
                if store is None:
                    log.info("stopped before the store was open")
                    return 0
                store.telemetry.on_work = tracing.heard

                def begin(app: ASGIApp) -> None:
                    url = _url(settings.host, listener, transport.scheme)
                    front.serve(app)
                    log.info(
                        "started", url=url, version=package_version(), settings=_changed(settings)
                    )
                    announce(url)

                return await _serve(
                    settings,
                    transport,
                    store,
                    server,
                    serving,
                    entrance,
                    begin,
                    wishes,
                    manager,
                    tracing,
                )
        finally:
            server.should_exit = True
            await serving
    finally:
        listener.close()
        await tracing.close()


async def _open(
    settings: Settings,
    stack: contextlib.AsyncExitStack,
    serving: asyncio.Task[object],
    wishes: "_Wishes",
    manager: ServiceManager,
) -> Store | None:
    """Open the store, which ``stack`` closes; None when somebody wants to stop meanwhile."""
    opening = asyncio.create_task(
        stack.enter_async_context(
            open_store(
                settings.store,
                policy=CheckpointPolicy(rows_max=settings.checkpoint_rows),
                scrub_bytes_per_s=settings.scrub_mib_per_s * MIB,
            )
        ),
        name="relay-opening",
    )
    wish = asyncio.create_task(wishes.stopping.wait())
    manager.status("starting: opening the store")
    while not (opening.done() or wish.done() or serving.done()):
        # A new version may have a large store to convert: as long as that is going on.
        manager.more_time(_STARTING_STEP_S)
        await asyncio.wait(
            {opening, wish, serving},
            timeout=_STARTING_STEP_S / 2,
            return_when=asyncio.FIRST_COMPLETED,
        )
    wish.cancel()
    if opening.done():
        return opening.result()
    await _unless(wishes.hurried, _give_up(opening))
    return None


async def _give_up(opening: asyncio.Task[Store]) -> bool:
    opening.cancel()
    await asyncio.wait({opening})
    return True


async def _serve(
    settings: Settings,
    transport: Transport,
    store: Store,
    server: "_Server",
    serving: asyncio.Task[object],
    entrance: Entrance,
    begin: Callable[[ASGIApp], None],
    wishes: "_Wishes",
    manager: ServiceManager,
    tracing: Tracing,
) -> int:
    hub = Hub(
        store,
        HubBounds(
            settings.connections_max,
            settings.connections_per_address_max,
            settings.documents_max,
            transport.bounds.incoming,
        ),
        echo=settings.echo,
        room_grace_s=settings.room_grace_s,
    )
    admission = Admission(
        store.sessions,
        entrance.authority,
        now_ms,
        make_secret,
        hub.ask_for_state,
        session_ttl_s=settings.session_ttl_s,
        ticket_ttl_s=settings.ticket_ttl_s,
        strangers=entrance.strangers,
    )
    await admission.begin()
    hub.call_each_tick(admission.tick)
    if entrance.admin is not None:
        hub.call_each_tick(entrance.admin.refresh)
    hub.call_each_tick(entrance.observers.refresh)
    debug = make_debug_endpoint(settings, hub, store, store.observation, entrance.observers)
    begin(
        create_app(hub, store, admission, entrance.origins, entrance.admin, debug.routes, tracing)
    )
    started_s = time.monotonic()
    manager.ready()
    reporting = asyncio.create_task(_report(manager, store, hub), name="relay-report")
    try:
        is_clean = await _supervise((serving, reporting), wishes.stopping, store, hub, admission)
        manager.stopping()
        if is_clean:
            server.stop_listening()
            is_clean = await _unless(wishes.hurried, drain(hub, store))
    finally:
        reporting.cancel()
        debug.end_streams()
        server.should_exit = True
        await asyncio.gather(reporting, return_exceptions=True)
        await serving
        await debug.close()
        await hub.close()
        await admission.close()
    log.info("stopped", clean=is_clean, uptime_s=round(time.monotonic() - started_s, 1))
    return 0 if is_clean else 1


async def _report(manager: ServiceManager, store: Store, hub: Hub) -> None:
    """Tell the service manager, again and again, that the loop turns and how it goes.

    No more once a part has broken: then this process is of no use. Storage that fails is no such
    thing: what is in memory is stored when it works again (P8), and would be lost with the process.
    """
    step_s = min(TICK_S, manager.beat_s or TICK_S)
    while True:
        manager.alive()
        troubles = [each.trouble for each in store.degradations()]
        line = readiness(troubles, is_draining=hub.is_draining).as_line()
        manager.status(f"{line}; {hub.connection_count} connections, {hub.room_count} documents")
        await asyncio.sleep(step_s)


async def _supervise(
    tasks: Sequence[asyncio.Task[object]],
    stopping: asyncio.Event,
    store: Store,
    hub: Hub,
    admission: Admission,
) -> bool:
    """Wait for a wish to stop (True) or for a part to break (False, after saying which)."""
    wishes = asyncio.create_task(stopping.wait())
    watches = [asyncio.create_task(each.wait_broken()) for each in (store, hub, admission)]
    try:
        await asyncio.wait({wishes, *tasks, *watches}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, *watches):
            if task.done() and not task.cancelled() and task.exception() is not None:
                if isinstance(task.exception(), WriterSuperseded):
                    log.critical("stopping", because=str(task.exception()))
                    return False
                log.critical("a part of the server broke; stopping", exc_info=task.exception())
                return False
        return True
    finally:
        for task in (wishes, *watches):
            task.cancel()
        await asyncio.gather(wishes, *watches, return_exceptions=True)


async def _unless(hurried: asyncio.Event, draining: Coroutine[None, None, bool]) -> bool:
    """Drain, but stop at once when somebody is in a hurry."""
    drained = asyncio.create_task(draining)
    hurry = asyncio.create_task(hurried.wait())
    await asyncio.wait({drained, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if not drained.done():
        log.warning("stopping at once, without the rest of the drain")
        # What is durable stays so however the process ends; what is not had no receipt.
        logging.shutdown()
        os._exit(1)
    for task in (drained, hurry):
        task.cancel()
    await asyncio.gather(drained, hurry, return_exceptions=True)
    return drained.result()


def _changed(settings: Settings) -> dict[str, object]:
    """Return the settings that are not as they come, without secrets."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    shown = shown_settings(settings.model_dump())
    return {
        name: shown[name]
        for name, value in settings.model_dump().items()
        if value != defaults.get(name)
    }


class _Wishes:
    """What people want of the process: that it stops, and that it does so at once."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.hurried = asyncio.Event()


class _Server(SocketServer):
    """uvicorn's server, with our way of stopping."""

    def __init__(self, config: uvicorn.Config, handshake_s: float, wishes: _Wishes) -> None:
        super().__init__(config, handshake_s)
        self._wishes = wishes
        self._has_started = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._has_started.set()

    async def wait_started(self, serving: asyncio.Task[object]) -> None:
        """Wait until connections are accepted; raise what kept ``serving`` from that."""
        started = asyncio.create_task(self._has_started.wait())
        await asyncio.wait({started, serving}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if serving.done():
            serving.result()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second interrupt stops at once."""
        if self._wishes.stopping.is_set() and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
            self._loop.call_soon_threadsafe(self._wishes.hurried.set)
        self._loop.call_soon_threadsafe(self._wishes.stopping.set)

    def stop_listening(self) -> None:
        """Take no new connections."""
        for server in self.servers:
            server.close()


def _check_keeps(store: str) -> None:
    # P1: a receipt says that an update survives the process.
    if urlsplit(store).scheme == "memory":
        raise ConfigError(
            f"store: {store!r} is gone when the server stops; it is for tests of programs that"
            " use yjs_store: write sqlite:///relative/path.db"
        )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host} port {port}: {reason}") from error


def _url(host: str, listener: socket.socket, scheme: str = "ws") -> str:
    port = listener.getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
