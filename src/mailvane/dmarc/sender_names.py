"""Which service an address belongs to, by DNS: its name, checked forward, or the networks of the services' SPF records.

Networks are asked for when the first address has no name that tells, and again after a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.core.moments import DAY_MS
from mailvane.dmarc.model import SenderAddress
from mailvane.dmarc.sending_services import sending_services, service_of_name

_MOST_NAMES = 5  # of one address
_MOST_LOOKUPS = 20  # of one service's record: RFC 7208, 4.6.4 allows ten, of which some are none of ours
_MOST_NETWORKS = 2000
_AT_ONCE = 16

_Network = IPv4Network | IPv6Network


class SenderNames:
    """Belongs to one event loop."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._networks: Sequence[tuple[_Network, str]] = ()
        self._asked_at = 0

    async def name(self, addresses: Collection[str], now: int) -> list[SenderAddress]:
        """Those that DNS said something about, with no service where it knows none; the others may be asked again."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(address: str) -> SenderAddress | None:
            async with room:
                return await self._named(address, now)

        return [each for each in await asyncio.gather(*map(one, addresses)) if each is not None]

    async def _named(self, address: str, now: int) -> SenderAddress | None:
        try:
            parsed = ip_address(address)
        except ValueError:
            return SenderAddress(address=address, asked_at=now)
        try:
            names = (await self._lookups.names(parsed.reverse_pointer))[:_MOST_NAMES]
            for name in names:
                if (service := service_of_name(name)) and await self._is_of(name, parsed):
                    return SenderAddress(address=address, service=service, by="ptr", name=name, asked_at=now)
            service = await self._by_network(parsed, now)
        except Unanswered:
            return None
        by = "spf" if service else ""
        return SenderAddress(address=address, service=service, by=by, name=next(iter(names), "")[:253], asked_at=now)

    async def _is_of(self, name: str, address: IPv4Address | IPv6Address) -> bool:
        """Anybody may give their address any name: the name must lead back. Of IPv6, networks alone tell."""
        return address.version == 4 and str(address) in await self._lookups.addresses(name)

    async def _by_network(self, address: IPv4Address | IPv6Address, now: int) -> str:
        """Of several networks the smallest. Raises Unanswered when no service's record could be asked for."""
        if now - self._asked_at >= DAY_MS:
            self._networks, self._asked_at = await self._asked(), now
        fitting = [(network.prefixlen, service) for network, service in self._networks if address in network]
        return max(fitting)[1] if fitting else ""

    async def _asked(self) -> list[tuple[_Network, str]]:
        found: list[tuple[_Network, str]] = []
        failed = None
        for service in sending_services().values():
            for include in service.spf:
                try:
                    networks = await _networks_of(include, self._lookups)
                except Unanswered as error:
                    failed = error
                else:
                    found += [(network, service.id) for network in networks]
        if failed is not None and not found:
            raise failed
        return found


async def _networks_of(name: str, lookups: Lookups) -> list[_Network]:
    """That an SPF record names itself or by what it includes (RFC 7208); its `a`, `mx` and `exists` are passed over.

    Raises Unanswered.
    """
    waiting, seen, found = [name], {name}, list[_Network]()
    while waiting and len(seen) <= _MOST_LOOKUPS and len(found) < _MOST_NETWORKS:
        for text in await lookups.texts(waiting.pop(0)):
            if text.lower().split()[:1] != ["v=spf1"]:
                continue
            for term in text.lower().split()[1:]:
                networks, more = _term(term.removeprefix("+"))
                found += networks
                fresh = [each for each in more if each not in seen and "%" not in each]
                seen.update(fresh)
                waiting += fresh
    return found[:_MOST_NETWORKS]


def _term(term: str) -> tuple[list[_Network], list[str]]:
    """Networks, and names of other records."""
    if term.startswith(("ip4:", "ip6:")):
        try:
            network = ip_network(term[4:], strict=False)
        except ValueError:
            return [], []
        # A record that allows half of the world tells nothing of whose an address is.
        return ([network] if network.prefixlen >= (8 if network.version == 4 else 16) else []), []
    for beginning in ("include:", "redirect="):
        if term.startswith(beginning):
            return [], [term.removeprefix(beginning)]
    return [], []
