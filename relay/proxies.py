"""Which proxies are believed when they say whom they speak for."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from relay.errors import ConfigError

Networks = tuple[IPv4Network | IPv6Network, ...]


def parse_proxies(text: str) -> Networks:
    """Return the addresses and networks of a list with commas.

    Raises:
        ConfigError: something in it is neither. Names are not taken: who answers for a name
            changes, and here it would change who is believed.
    """
    networks = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError as error:
            raise ConfigError(f"trusted_proxies: {part!r} is no address or network") from error
    return tuple(networks)


def is_in(networks: Networks) -> Callable[[str], bool]:
    """Return a function that says whether a host is in one of the networks."""

    def contains(host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return contains


def believe_proxies(app: ASGIApp, networks: Networks) -> ASGIApp:
    """Return the application behind proxies: client and scheme are what a trusted one says.

    From anybody else X-Forwarded-For and X-Forwarded-Proto change nothing. Of a chain of proxies
    the last that is not trusted is the client.
    """
    if not networks:
        return app
    return ProxyHeadersMiddleware(app, [str(network) for network in networks])  # type: ignore[arg-type, return-value]
