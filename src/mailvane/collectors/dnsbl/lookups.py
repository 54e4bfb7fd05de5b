"""Questions to DNS resolvers: many under way at once, each with a time limit. Knows no blocklist."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A

from mailvane.errors import InvalidSetting, Transient

TIMEOUT_SECONDS = 3.0
TRIES = 2


class Unanswered(Transient):
    """No resolver gave an answer that can be used."""


class Lookups:
    """Asks resolvers in turn. Belongs to one event loop at a time."""

    def __init__(self, resolvers: Sequence[str] = (), at_once: int = 500, timeout: float = TIMEOUT_SECONDS) -> None:
        """Resolvers as ADDRESS or ADDRESS:PORT; none: those of this machine. Raises InvalidSetting."""
        self._resolvers = [_resolver(text) for text in resolvers] or _of_this_machine()
        self._at_once = at_once
        self._timeout = timeout
        self._room: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    async def addresses(self, name: str) -> list[str]:
        """Of A records; none when the name is not there. Raises Unanswered."""
        found = await self._ask(name, "A")
        return [record.address for record in found if isinstance(record, A)]

    async def texts(self, name: str) -> list[str]:
        """Of TXT records, each in one piece. Raises Unanswered."""
        found = await self._ask(name, "TXT")
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found if isinstance(record, TXT)]

    async def names(self, name: str) -> list[str]:
        """Of PTR records. Raises Unanswered."""
        found = await self._ask(name, "PTR")
        return [record.target.to_text(omit_final_dot=True).lower() for record in found if isinstance(record, PTR)]

    async def _ask(self, name: str, kind: str) -> list[object]:
        try:
            question = dns.message.make_query(name, kind, use_edns=0)
        except dns.exception.DNSException as error:
            raise Unanswered(f"{name[:80]!r} cannot be asked about: {error}") from None
        trouble = ""
        async with self._semaphore():
            for attempt in range(TRIES * len(self._resolvers)):
                where, port = self._resolvers[attempt % len(self._resolvers)]
                try:
                    answer, _ = await dns.asyncquery.udp_with_fallback(
                        question, where, timeout=self._timeout, port=port, ignore_errors=True
                    )
                except (dns.exception.DNSException, OSError, EOFError) as error:
                    trouble = "no answer in time" if isinstance(error, dns.exception.Timeout) else type(error).__name__
                    continue
                if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    wanted = dns.rdatatype.from_text(kind)
                    return [record for rrset in answer.answer if rrset.rdtype == wanted for record in rrset]
                trouble = dns.rcode.to_text(answer.rcode())
        raise Unanswered(trouble)

    def _semaphore(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._room is None or self._room[0] is not loop:
            self._room = (loop, asyncio.Semaphore(self._at_once))
        return self._room[1]


def _resolver(text: str) -> tuple[str, int]:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, "53"
    host = host.strip("[]")
    if not port.isdecimal() or not 0 < int(port) < 65_536 or not dns.inet.is_address(host):
        raise InvalidSetting(f"resolvers: {text!r} is not ADDRESS or ADDRESS:PORT")
    return host, int(port)


def _of_this_machine() -> list[tuple[str, int]]:
    try:
        found = dns.resolver.Resolver()
    except dns.exception.DNSException as error:
        raise InvalidSetting(f"this machine names no DNS resolver ({error}): set `resolvers`") from None
    return [(str(server), found.port) for server in found.nameservers]
