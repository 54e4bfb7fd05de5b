"""Whether a domain is there, and what its records say of mail. Questions to DNS; what they mean is for others."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence

import msgspec

from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.core.errors import CollectionFailed

_MOST_SUFFIXES = 4  # that are asked for as names of their own
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
    """DNS questions: does a domain exist, and has it mail?"""

    async def presence(self, name: str) -> Presence:
        """Raises Unanswered."""
        servers = await self.servers(name)
        if servers:
            return Presence(tuple(servers), has_exchangers=bool(await self.exchangers(name)))
        if await self.addresses(name):
            return Presence(has_addresses=True)
        return Presence(has_exchangers=bool(await self.exchangers(name)))

    async def presences(
        self, names: Sequence[str], suffixes: Sequence[str], known_names: Sequence[str] = ()
    ) -> dict[str, Presence]:
        """Of those of which anything is known; that a name is not there is known when one of the witnesses, which are
        known to be there, is found before and after. Raises CollectionFailed when the answers cannot be believed.
        """
        known_names = [*known_names, *suffixes[:_MOST_SUFFIXES]]
        proven = await self.finds_one_of(known_names)
        invented = [await self._invented_below(suffixes)]
        results = await asyncio.gather(*(self.presence(name) for name in names), return_exceptions=True)
        invented.append(await self._invented_below(suffixes))
        found: dict[str, Presence] = {}
        for name, each in zip(names, results, strict=True):
            if isinstance(each, Presence):
                found[name] = _without(each, [one.get(name.partition(".")[2]) for one in invented])
            elif not isinstance(each, Unanswered):
                raise each
        if names and not found:
            raise CollectionFailed("no resolver answers")
        there = {name: each for name, each in found.items() if each.is_there}
        if proven and await self.finds_one_of([*list(there)[:1], *known_names]):
            return found
        if names and not there:
            raise CollectionFailed("the resolver finds nothing, not even what is known to be there")
        return there

    async def policy(self, name: str) -> MailPolicy:
        """Of a domain that is there. Raises Unanswered."""
        spf, dmarc = await asyncio.gather(self.texts(name), self.texts(f"_dmarc.{name}"))
        if not (spf or dmarc) and not await self.finds(name):
            raise Unanswered(f"{name} is not found any more, so nothing that it lacks is known")
        policies = [text for text in dmarc if text.lower().replace(" ", "").startswith("v=dmarc1")]
        found = _POLICY.search(policies[0]) if len(policies) == 1 else None
        return MailPolicy(
            p=found[1].lower() if found else None,
            spf_detected=any(text.lower().split(" ")[0] == "v=spf1" for text in spf),
        )

    async def _invented_below(self, suffixes: Sequence[str]) -> dict[str, Presence | None]:
        """What names have that nobody registered: some endings answer for everything. Raises CollectionFailed."""
        results = await asyncio.gather(*map(self._invented, suffixes))
        if any(each is not None and each.name_servers for each in results):
            raise CollectionFailed("the resolver tells of domains that are not there")
        return dict(zip(suffixes, results, strict=True))

    async def _invented(self, suffix: str) -> Presence | None:
        try:
            return await self.presence(f"{secrets.token_hex(12)}.{suffix}")
        except Unanswered:
            return None


def _without(presence: Presence, invented: Sequence[Presence | None]) -> Presence:
    """What everything below an ending has says nothing of this one."""
    everywhere = [each for each in invented if each is not None]
    if presence.name_servers:
        return presence
    return Presence(
        has_addresses=presence.has_addresses and not any(each.has_addresses for each in everywhere),
        has_exchangers=presence.has_exchangers and not any(each.has_exchangers for each in everywhere),
    )
