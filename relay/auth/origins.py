"""Which web pages may connect: the origins of browsers. Pure.

Without a list of origins, a page of this computer may, and a page that comes from where the
server itself is. The second is told by the Host header, which a page of a name that was rebound to
our address satisfies, too (DNS rebinding): so where no credential is asked for, the host must be an
address, which cannot be rebound.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

EVERY_ORIGIN: Final = "*"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+", re.IGNORECASE)


class OriginRefused(ValueError):
    """Not an origin as browsers send it."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins that are let in; none listed means those close by."""

    listed: frozenset[str]
    needs_credential: bool

    @classmethod
    def parse(cls, text: str, *, needs_credential: bool) -> "Origins":
        """Read a list with commas.

        Raises:
            OriginRefused: something in it is not ``scheme://host`` or ``scheme://host:port``.
        """
        listed = [part.strip() for part in text.split(",") if part.strip()]
        for origin in listed:
            if origin not in (EVERY_ORIGIN, "null") and not _ORIGIN.fullmatch(origin):
                raise OriginRefused(f"{origin!r} is no origin: write https://host or *")
        return cls(frozenset(map(str.lower, listed)), needs_credential)

    def allow(self, origin: str | None, host: str | None) -> bool:
        """Say whether a request with these headers may go on; one without Origin has no page."""
        if origin is None or EVERY_ORIGIN in self.listed:
            return True
        if self.listed:
            return origin.lower() in self.listed
        name = _host_of(origin)
        if name is None:
            return False
        if is_loopback(name):
            return True
        is_ours = host is not None and name == _host_of(f"//{host}")
        return is_ours and (self.needs_credential or _is_address(name))


def is_origin_allowed(origins: Origins, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Say whether a request may go on, by its headers; one with two origins may not."""
    listed = list(headers)
    found = _values(listed, b"origin")
    hosts = _values(listed, b"host")
    if len(found) > 1:
        return False
    return origins.allow(found[0] if found else None, hosts[0] if len(hosts) == 1 else None)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Say whether only this computer is reached by that name or address, in lower case."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
