"""Whether a domain is there, and what its records say of mail. Questions to DNS; what they mean is for others."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence

import msgspec

from mailvane.collectors.resolving.lookups import Lookups, Unanswered
from mailvane.errors import CollectionFailed

_POLICY = re.compile(r"(?:^|;)\s*p\s*=\s*(none|quarantine|reject)\s*(?:;|$)", re.IGNORECASE)


class Presence(msgspec.Struct, frozen=True):
    """What a domain has in DNS."""

    name_servers: tuple[str, ...] = ()
    has_addresses: bool = False
    has_exchangers: bool = False

    @property
    def is_there(self) -> bool:
        return bool(self.name_servers) or self.has_addresses or self.has_exchangers


class MailPolicy(msgspec.Struct, frozen=True):
    """What a domain publishes about its mail."""

    p: str | None  # of its DMARC record
    spf_detected: bool


class DomainLookups(Lookups):
    """Questions about domains as somebody's property."""

    async def presence(self, name: str) -> Presence:
        """Raises Unanswered."""
        servers = await self.servers(name)
        if servers:
            return Presence(tuple(servers), has_exchangers=bool(await self.exchangers(name)))
        if await self.addresses(name):
            return Presence(has_addresses=True)
        return Presence(has_exchangers=bool(await self.exchangers(name)))

    async def presences(self, names: Sequence[str], suffixes: Sequence[str]) -> dict[str, Presence]:
        """Of those of which anything is known. Raises CollectionFailed when the answers cannot be believed."""
        invented = dict(zip(suffixes, await asyncio.gather(*map(self._invented, suffixes)), strict=True))
        if any(each is not None and each.name_servers for each in invented.values()):
            raise CollectionFailed("the resolver tells of domains that are not there")
        told = await asyncio.gather(*(self.presence(name) for name in names), return_exceptions=True)
        found: dict[str, Presence] = {}
        for name, each in zip(names, told, strict=True):
            if isinstance(each, Presence):
                found[name] = _without(each, invented.get(name.partition(".")[2]))
            elif not isinstance(each, Unanswered):
                raise each
        if names and not found:
            raise CollectionFailed("no resolver answers")
        return found

    async def policy(self, name: str) -> MailPolicy:
        """Raises Unanswered."""
        spf, dmarc = await asyncio.gather(self.texts(name), self.texts(f"_dmarc.{name}"))
        policies = [text for text in dmarc if text.lower().replace(" ", "").startswith("v=dmarc1")]
        found = _POLICY.search(policies[0]) if len(policies) == 1 else None
        return MailPolicy(
            p=found[1].lower() if found else None,
            spf_detected=any(text.lower().split(" ")[0] == "v=spf1" for text in spf),
        )

    async def _invented(self, suffix: str) -> Presence | None:
        """What a name has that nobody registered: some endings answer for everything."""
        try:
            return await self.presence(f"{secrets.token_hex(12)}.{suffix}")
        except Unanswered:
            return None


def _without(told: Presence, invented: Presence | None) -> Presence:
    """What everything below an ending has says nothing of this one."""
    if invented is None or told.name_servers:
        return told
    return Presence(
        has_addresses=told.has_addresses and not invented.has_addresses,
        has_exchangers=told.has_exchangers and not invented.has_exchangers,
    )
