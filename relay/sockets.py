"""Counts the sockets of the process, whatever they speak."""

import asyncio
from collections.abc import Callable

from relay.crowd import Crowd


class Sockets:
    """Each is counted from its first protocol's ``enter`` to its last one's ``leave``."""

    def __init__(
        self,
        sockets_max: int,
        per_address_max: int,
        is_proxy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._crowd = Crowd(sockets_max, per_address_max)
        self._is_proxy = is_proxy
        self._hosts: dict[asyncio.BaseProtocol, str] = {}

    def enter(self, protocol: asyncio.BaseProtocol, host: str) -> str | None:
        """Count a socket, also one too many; return what there are too many of, or None."""
        # A proxy has the sockets of all its clients; those are counted where they are known.
        counted_for = f"proxy {id(protocol)}" if self._is_proxy(host) else host
        self._hosts[protocol] = counted_for
        return self._crowd.enter(counted_for)

    def hand_over(self, former: asyncio.BaseProtocol, protocol: asyncio.BaseProtocol) -> None:
        """Count the same socket for another protocol."""
        if former in self._hosts:
            self._hosts[protocol] = self._hosts.pop(former)

    def leave(self, protocol: asyncio.BaseProtocol) -> None:
        """Count a socket no more."""
        host = self._hosts.pop(protocol, None)
        if host is not None:
            self._crowd.leave(host)
