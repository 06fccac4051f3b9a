"""Tells a service manager that speaks systemd's notification protocol how the process is.

A datagram of ``NAME=value`` lines to the socket in ``NOTIFY_SOCKET``; see sd_notify(3). Without
one nothing is sent. It is told on a best-effort basis: nothing here raises or waits.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

# A status is one line for a person; systemd itself cuts at some thousands.
_STATUS_CHARACTERS_MAX: Final = 500


class ServiceManager:
    """What runs this process and wants to know how it is; nobody, perhaps."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = watchdog_s if address is not None else None
        self._status = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> "ServiceManager":
        """Return the service manager that the environment of the process with ``pid`` names."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls(None)
        return cls(address, _watchdog_s(environment, pid))

    @property
    def beat_s(self) -> float | None:
        """How often ``alive`` is to be told, half of what is allowed; None when never."""
        return None if self._watchdog_s is None else self._watchdog_s / 2

    def ready(self) -> None:
        """Say that connections are served."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the orderly end has begun."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Say that the process works; without this the service manager ends it."""
        self._tell("WATCHDOG=1")

    def more_time(self, seconds: float) -> None:
        """Say that starting is under way and may take that long from now on."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def status(self, text: str) -> None:
        """Say in a line how it is; one that has just been said is not said again."""
        line = " ".join(text.split())[:_STATUS_CHARACTERS_MAX]
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def _tell(self, message: str) -> None:
        if self._address is None:
            return
        # An address that begins with @ is no file.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
                speaking.setblocking(False)
                speaking.sendto(message.encode(errors="replace"), address)
        except OSError:
            # Nobody listens, or too slowly: no reason to serve documents any worse.
            return


def this_service_manager() -> ServiceManager:
    """Return what runs this process."""
    return ServiceManager.from_environment(os.environ, os.getpid())


def _watchdog_s(environment: Mapping[str, str], pid: int) -> float | None:
    # Another process's watchdog, inherited through a shell, is none of ours.
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdigit() and int(text)):
        return None
    return int(text) / 1_000_000
