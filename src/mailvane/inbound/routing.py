"""Where mail for a recipient goes, or why it is not taken: what the gateway answers to RCPT TO.

Mail for an alias goes to its mailbox. What the ledger says is looked up for many recipients at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.group_commit import GroupCommit
from mailvane.core.names import mail_domain
from mailvane.inbound.model import Address, AddressType, InboundDomain, Team
from mailvane.inbound.store.teams import WHOLE
from mailvane.inbound.stores import InboundStores
from mailvane.inbound.weeks import week_start

_AT_ONCE = 200


class Refusal(msgspec.Struct, frozen=True):
    """An answer of SMTP to a recipient who gets no mail, or not now."""

    code: int
    enhanced: str  # RFC 3463
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"


NO_RELAYING = Refusal(550, "5.7.1", "Mail for this domain is not taken here")
DOMAIN_INACTIVE = Refusal(450, "4.2.1", "This domain takes no mail at the moment")
UNKNOWN = Refusal(550, "5.1.1", "There is no such address")
INACTIVE = Refusal(450, "4.2.1", "This address takes no mail at the moment")
OVER_QUOTA = Refusal(452, "4.2.2", "The weekly number of messages is reached; try again next week")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How mail for one recipient goes."""

    recipient: str  # as RCPT TO named it
    domain: InboundDomain
    address: Address | None  # None: unlisted, of a domain that lets them pass
    target: str  # the address that the next hop is told
    week: int
    limits: tuple[tuple[str, int], ...]  # of its workspace and address, as `NewMail` has them


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger knows of a recipient."""

    domain: InboundDomain | None
    address: Address | None = None
    mailbox: Address | None = None  # of an alias
    team: Team | None = None
    used: Mapping[str, int] = {}  # this week, by the id of the address, and "" for the workspace


def answer(recipient: str, found: Found, now: int) -> Route | Refusal:
    """The checks in the vendor's order: it exists, is active, its mailbox is, and the week is not full."""
    domain, address, team = found.domain, found.address, found.team
    if domain is None or team is None:
        return NO_RELAYING
    if not domain.active:
        return DOMAIN_INACTIVE
    if address is None and domain.unlisted == "refuse":
        return UNKNOWN
    target = recipient
    if address is not None:
        mailbox = found.mailbox if address.type is AddressType.ALIAS else address
        if mailbox is None:
            return UNKNOWN
        if not address.active or not mailbox.active:
            return INACTIVE
        if address.type is AddressType.ALIAS:
            target = mailbox.address
    limits = [(WHOLE, team.weekly_limit)] + ([] if address is None else [(address.id, address.weekly_limit)])
    limits = [(whose, limit) for whose, limit in limits if limit]
    if any(found.used.get(whose, 0) >= limit for whose, limit in limits):
        return OVER_QUOTA
    week = week_start(now, ZoneInfo(team.zone))
    return Route(recipient=recipient, domain=domain, address=address, target=target, week=week, limits=tuple(limits))


class Directory:
    """Asks the ledger. Belongs to one event loop."""

    def __init__(self, stores: InboundStores, delimiter: str) -> None:
        self._stores = stores
        self._delimiter = delimiter
        self._asking: GroupCommit[None, tuple[str, int], Found] = GroupCommit(self._ask, _AT_ONCE)

    async def route(self, recipient: str, now: int) -> Route | Refusal:
        """Raises StoreUnavailable."""
        return answer(recipient, await self._asking.add(None, (recipient, now)), now)

    async def _ask(self, _key: None, asked: Sequence[tuple[str, int]]) -> Sequence[Found]:
        if self._stores.recipients.reads_at_once:  # in less time than it takes to hand it over to a thread
            return self._look(asked)
        return await asyncio.to_thread(self._look, asked)

    def _look(self, asked: Sequence[tuple[str, int]]) -> list[Found]:
        names = {recipient: self._names(recipient) for recipient, _ in asked}
        known = self._stores.recipients.known(
            (each[0].rpartition("@")[2] for each in names.values()), (name for each in names.values() for name in each)
        )
        addresses = known.addresses
        found = []
        for recipient, now in asked:
            domain = known.domains.get(names[recipient][0].rpartition("@")[2])
            if domain is None:
                found.append(Found(domain=None))
                continue
            address = next((addresses[name] for name in names[recipient] if name in addresses), None)
            if address is not None and address.workspace != domain.workspace:
                address = None
            team = known.teams[domain.workspace]
            mailbox = None if address is None or address.mailbox is None else known.mailboxes.get(address.mailbox)
            found.append(
                Found(domain=domain, address=address, mailbox=mailbox, team=team, used=self._used(team, address, now))
            )
        return found

    def _used(self, team: Team, address: Address | None, now: int) -> dict[str, int]:
        """Only what somebody has limited."""
        week = week_start(now, ZoneInfo(team.zone))
        limited = [WHOLE] if team.weekly_limit else []
        limited += [address.id] if address is not None and address.weekly_limit else []
        return {whose: self._stores.teams.used(team.workspace, week, whose) for whose in limited}

    def _names(self, recipient: str) -> tuple[str, ...]:
        """As the ledger may know it: whole, or without the tag behind the delimiter."""
        local, _, domain = recipient.rpartition("@")
        local, domain = local.lower(), mail_domain(domain)
        whole = f"{local}@{domain}"
        base = local.partition(self._delimiter)[0] if self._delimiter else local
        return (whole,) if base in ("", local) else (whole, f"{base}@{domain}")
