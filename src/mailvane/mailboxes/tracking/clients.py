"""Which address a request came from, and how many a second it may send. Belongs to one event loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_MOST_ADDRESSES = 100_000  # that are counted in one second
_IPV6_PREFIX = 64  # what one client has at least: RFC 6177


class Rates:
    """How often each address asked within the second that is running."""

    def __init__(self, most: int) -> None:
        """`most` a second; 0: as many as it likes."""
        self._most = most
        self._second = 0
        self._counts: Counter[str] = Counter()

    def admits(self, address: str, moment: float) -> bool:
        """The moment is of a clock that only goes forward, in seconds."""
        if not self._most:
            return True
        if int(moment) != self._second or len(self._counts) > _MOST_ADDRESSES:
            self._second = int(moment)
            self._counts.clear()
        key = _client(address)
        self._counts[key] += 1
        return self._counts[key] <= self._most


def _client(address: str) -> str:
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or int(found) >> (128 - _IPV6_PREFIX))


class Proxies:
    """Reverse proxies that are believed when they say whom they ask for."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Raises ValueError."""
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(each) for each in networks)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The last address of X-Forwarded-For, one that the proxies did not add for one of themselves."""
        if not self._networks or not self._believed(peer):
            return peer
        named = [each.strip().strip("[]") for line in forwarded for each in line.split(",")]
        for address in reversed(named):
            if not self._believed(address):
                return address[:100]
        return peer

    def _believed(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)
