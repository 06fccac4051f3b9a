"""Runs the relay: listens, supervises the parts, drains on SIGTERM and SIGINT."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from urllib.parse import urlsplit

import structlog
import uvicorn

from relay.admission import Admission
from relay.app import create_app
from relay.clock import make_secret, now_ms
from relay.config import Settings
from relay.drain import drain
from relay.entrance import Entrance, make_entrance
from relay.errors import ConfigError
from relay.hub import Hub
from relay.hub_bounds import HubBounds
from relay.transport import Transport, make_transport
from yjs_store import CheckpointPolicy, Store, WriterSuperseded, open_store
from yjs_store.limits import MIB

log = structlog.get_logger("relay.server")

# Connections that wait to be accepted: a whole office comes back after a restart.
_BACKLOG = 2048


async def serve(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    ``announce`` gets the URL once connections are accepted. 0 means that everything accepted
    is durable.

    Raises:
        StoreUnusable, ConfigError: it cannot start; the text says why.
    """
    _check_keeps(settings.store)
    transport = make_transport(settings)
    policy = CheckpointPolicy(rows_max=settings.checkpoint_rows)
    listener = _listen(settings.host, settings.port)
    try:
        entrance = make_entrance(settings, listener.getsockname()[0])
        scrub_bytes_per_s = settings.scrub_mib_per_s * MIB
        async with open_store(
            settings.store, policy=policy, scrub_bytes_per_s=scrub_bytes_per_s
        ) as store:
            return await _serve(settings, transport, store, listener, entrance, announce)
    finally:
        listener.close()


async def _serve(
    settings: Settings,
    transport: Transport,
    store: Store,
    listener: socket.socket,
    entrance: Entrance,
    announce: Callable[[str], None],
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
    )
    await admission.begin()
    hub.call_each_tick(admission.tick)
    if entrance.admin is not None:
        hub.call_each_tick(entrance.admin.refresh)
    stopping, hurried = asyncio.Event(), asyncio.Event()
    app = create_app(hub, store, admission, entrance.origins, entrance.admin)
    config = transport.make_config(app, _BACKLOG)
    server = _Server(
        config, stopping, hurried, lambda: announce(_url(settings.host, listener, transport.scheme))
    )
    serving: asyncio.Task[object] = asyncio.create_task(
        server.serve(sockets=[listener]), name="relay-server"
    )
    started_s = time.monotonic()
    try:
        is_clean = await _supervise(serving, stopping, store, hub, admission)
        if is_clean:
            server.stop_listening()
            is_clean = await _unless(hurried, drain(hub, store))
    finally:
        server.should_exit = True
        await serving
        await hub.close()
        await admission.close()
    log.info("stopped", clean=is_clean, uptime_s=round(time.monotonic() - started_s, 1))
    return 0 if is_clean else 1


async def _supervise(
    serving: asyncio.Task[object],
    stopping: asyncio.Event,
    store: Store,
    hub: Hub,
    admission: Admission,
) -> bool:
    """Wait for a wish to stop (True) or for a part to break (False, after saying which)."""
    wishes = asyncio.create_task(stopping.wait())
    watches = [asyncio.create_task(each.wait_broken()) for each in (store, hub, admission)]
    try:
        await asyncio.wait({wishes, serving, *watches}, return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, *watches):
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


class _Server(uvicorn.Server):
    """uvicorn's server, with our way of stopping and of saying where it listens."""

    def __init__(
        self,
        config: uvicorn.Config,
        stopping: asyncio.Event,
        hurried: asyncio.Event,
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._hurried = hurried
        self._tell_started = started
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second interrupt stops at once."""
        if self._stopping.is_set() and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
            self._loop.call_soon_threadsafe(self._hurried.set)
        self._loop.call_soon_threadsafe(self._stopping.set)

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
