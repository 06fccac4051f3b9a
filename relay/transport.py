"""Puts together what is between the sockets and the application."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from relay.config import Settings
from relay.errors import ConfigError
from relay.guard import Guard
from relay.http_protocol import HttpProtocol
from relay.limits import FILES_SPARE, FRAME_BYTES_MAX, SOCKETS_SPARE
from relay.open_files import raise_open_files
from relay.proxies import Networks, believe_proxies, is_in, parse_proxies
from relay.sockets import Sockets
from relay.tls import make_tls_context
from relay.transport_bounds import TransportBounds
from relay.websocket_protocol import WebsocketProtocol


@dataclass(frozen=True, slots=True)
class Transport:
    """What was made of the settings that are about sockets."""

    bounds: TransportBounds
    proxies: Networks
    tls: ssl.SSLContext | None

    @property
    def scheme(self) -> str:
        """What a client's URL begins with."""
        return "ws" if self.tls is None else "wss"

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the application as it meets the network."""
        return believe_proxies(Guard(app), self.proxies)

    def make_config(self, app: ASGIApp, backlog: int) -> uvicorn.Config:
        """Return uvicorn's configuration for an application."""
        tls = self.tls
        return uvicorn.Config(
            self.wrap(app),
            http=_bounded(HttpProtocol, self.bounds),
            ws=_bounded(WebsocketProtocol, self.bounds),
            ws_max_size=FRAME_BYTES_MAX,
            # Updates are small and mostly text typed a letter at a time: deflate costs more than it
            # saves, and holds memory for each connection.
            ws_per_message_deflate=False,
            ssl_context_factory=None if tls is None else lambda *_: tls,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Every program on this machine would be believed; see relay.proxies.
            proxy_headers=False,
            backlog=backlog,
            timeout_graceful_shutdown=2,
        )


def make_transport(settings: Settings) -> Transport:
    """Return the transport for settings; the process may open as many files as that needs.

    Raises:
        ConfigError: the certificate, its key or the proxies are not usable.
    """
    proxies = parse_proxies(settings.trusted_proxies)
    files = raise_open_files(settings.connections_max + SOCKETS_SPARE + FILES_SPARE)
    sockets = Sockets(
        files - FILES_SPARE,
        settings.connections_per_address_max + SOCKETS_SPARE,
        is_in(proxies),
    )
    return Transport(TransportBounds(sockets), proxies, _tls(settings))


def _tls(settings: Settings) -> ssl.SSLContext | None:
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("tls_certificate and tls_key: one is of no use without the other")
    return make_tls_context(certificate, key)


def _bounded(protocol: Any, bounds: TransportBounds) -> type[asyncio.Protocol]:
    """Return a protocol that is given the bounds when uvicorn makes it."""

    class Bounded(protocol):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, bounds=bounds, **options)

    return Bounded
