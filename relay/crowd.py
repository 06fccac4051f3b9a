"""How many connections there are, in all and from each address. Pure."""

from collections import Counter
from ipaddress import IPv6Address, ip_address


def network_of(host: str) -> str:
    """Return whom a connection is counted for: an IPv4 address, or the /64 of an IPv6 one.

    Whoever has one IPv6 address has the 2^64 of its network. A name or nothing stands for itself.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.exploded[:19]


class Crowd:
    """Counts, with a bound in all and a bound for each network."""

    __slots__ = ("_count", "_max", "_networks", "_per_address_max")

    def __init__(self, connections_max: int, per_address_max: int) -> None:
        self._max = connections_max
        self._per_address_max = per_address_max
        self._count = 0
        self._networks: Counter[str] = Counter()

    def enter(self, host: str) -> str | None:
        """Count a connection, also one too many; return what there are too many of, or None.

        Pair with ``leave``, whatever was returned.
        """
        network = network_of(host)
        self._count += 1
        self._networks[network] += 1
        if self._count > self._max:
            return "connections"
        if self._networks[network] > self._per_address_max:
            return "connections from this address"
        return None

    def leave(self, host: str) -> None:
        """Count a connection no more."""
        network = network_of(host)
        self._count -= 1
        self._networks[network] -= 1
        if not self._networks[network]:
            del self._networks[network]
