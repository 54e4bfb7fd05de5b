"""What is asked of DNS resolvers: records of one name, or addresses of one below many zones. Knows no list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import dns.exception
import dns.inet
import dns.resolver

from mailvane.core.dns import wire
from mailvane.core.dns.exchange import Answer, Exchange, Resolver
from mailvane.core.errors import InvalidSetting, Transient

TIMEOUT_SECONDS = 3.0


class Unanswered(Transient):
    """No resolver gave an answer that can be used."""


class Lookups:
    """Asks resolvers in turn. Belongs to one event loop at a time."""

    def __init__(self, resolvers: Sequence[str] = (), at_once: int = 500, timeout: float = TIMEOUT_SECONDS) -> None:
        """Resolvers as ADDRESS or ADDRESS:PORT; none: those of this machine. Raises InvalidSetting."""
        self._resolvers = [_resolver(text) for text in resolvers] or _of_this_machine()
        self._at_once = at_once
        self._timeout = timeout
        self._exchange: Exchange | None = None
        self._single: dict[int, Lookups] = {}

    def answering(self) -> list[Lookups]:
        """One for each resolver that answered since this was asked last, which asks that resolver alone."""
        if self._exchange is None:
            return []
        numbers = sorted(self._exchange.answering)
        self._exchange.answering.clear()
        if len(self._resolvers) == 1:
            return [self] if numbers else []
        return [self._single.setdefault(number, self._alone(number)) for number in numbers]

    def ask_another_first(self) -> None:
        """Ask the next resolver first from now on."""
        self._exchange_of_this_loop().ask_another_first()

    @property
    def resolvers(self) -> int:
        """How many there are."""
        return len(self._resolvers)

    def _alone(self, number: int) -> Lookups:
        host, port = self._resolvers[number]
        return Lookups([f"[{host}]:{port}" if ":" in host else f"{host}:{port}"], self._at_once, self._timeout)

    async def addresses(self, name: str) -> list[str]:
        """Of A records; none when the name is not there. Raises Unanswered."""
        return await self._ask(name, wire.A, wire.addresses_in)

    async def texts(self, name: str) -> list[str]:
        """Of TXT records, each in one piece. Raises Unanswered."""
        return await self._ask(name, wire.TXT, wire.texts_in)

    async def names(self, name: str) -> list[str]:
        """Of PTR records. Raises Unanswered."""
        return await self._ask(name, wire.PTR, wire.names_in)

    async def servers(self, name: str) -> list[str]:
        """Of NS records, in order. Raises Unanswered."""
        return await self._ask(name, wire.NS, wire.servers_in)

    async def exchangers(self, name: str) -> list[str]:
        """Of MX records that name one. Raises Unanswered."""
        return await self._ask(name, wire.MX, wire.exchangers_in)

    async def preferred_exchangers(self, name: str) -> list[tuple[int, str]]:
        """Of MX records, preference and name, the one that is tried first in front. Raises Unanswered."""
        told = await self._ask(name, wire.MX, wire.preferred_exchangers_in)
        return [(int(preference), exchange) for preference, _, exchange in (each.partition(" ") for each in told)]

    async def finds_one_of(self, names: Iterable[str]) -> bool:
        """Whether every resolver that answered since this was asked last finds something at one of these names.

        They are known to be there: one that finds none of them says "not there" to everything.
        """
        known = list(dict.fromkeys(names))
        for resolver in self.answering() or [self]:
            if not any(await asyncio.gather(*(resolver.finds(name) for name in known))):
                return False
        return True

    async def finds(self, name: str) -> bool:
        """Whether the name has a NS, address, MX or TXT record."""
        asked = (self.servers(name), self.addresses(name), self.exchangers(name), self.texts(name))
        return any(isinstance(one, list) and one for one in await asyncio.gather(*asked, return_exceptions=True))

    async def addresses_below(self, name: str, zones: Sequence[str]) -> Sequence[Answer]:
        """`addresses` of one name in many zones, in their order; or why there is no answer."""
        try:
            questions = wire.questions(wire.labels(name), wire.endings(tuple(zones), wire.A))
        except ValueError as error:
            return [wire.Trouble(f"{name[:80]!r} cannot be asked about: {error}")] * len(zones)
        return await self._exchange_of_this_loop().ask(questions, wire.addresses_in)

    async def _ask(self, name: str, kind: bytes, records: wire.Records) -> list[str]:
        try:
            questions = wire.questions(wire.labels(name), wire.endings(("",), kind))
        except ValueError as error:
            raise Unanswered(f"{name[:80]!r} cannot be asked about: {error}") from None
        (answer,) = await self._exchange_of_this_loop().ask(questions, records)
        if isinstance(answer, wire.Trouble):
            raise Unanswered(answer)
        return list(answer)

    def _exchange_of_this_loop(self) -> Exchange:
        loop = asyncio.get_running_loop()
        if self._exchange is None or self._exchange.loop is not loop:
            self._exchange = Exchange(self._resolvers, self._at_once, self._timeout)
        return self._exchange


def _resolver(text: str) -> Resolver:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, "53"
    host = host.strip("[]")
    if not port.isdecimal() or not 0 < int(port) < 65_536 or not dns.inet.is_address(host):
        raise InvalidSetting(f"resolvers: {text!r} is not ADDRESS or ADDRESS:PORT")
    return host, int(port)


def _of_this_machine() -> list[Resolver]:
    try:
        found = dns.resolver.Resolver()
    except dns.exception.DNSException as error:
        raise InvalidSetting(f"this machine names no DNS resolver ({error}): set `resolvers`") from None
    return [(str(server), found.port) for server in found.nameservers]
