"""Suppressed recipients: addresses that bounced for good, complained or unsubscribed. Values, and what puts them there.

An address has a row for each reason. How long a reason holds is said by the settings, unless the row says it itself.
Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from email.headerregistry import Address
from enum import StrEnum
from types import MappingProxyType

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import read_mailbox
from mailvane.core.moments import DAY_MS
from mailvane.core.names import mail_domain
from mailvane.maillog.model import EventType, MailEvent, MailKind, ReasonFamily

_QUOTED_PAIR = re.compile(r"\\(.)")
LONGEST_NOTE = 500  # characters


class SuppressionReason(StrEnum):
    """Why no mail is to go to an address; the first that holds is told."""

    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"  # for good: there is no such address
    MANUAL = "manual"


class SuppressionMode(StrEnum):
    """What becomes of mail to them."""

    OFF = "off"
    WARN = "warn"
    REFUSE = "refuse"


# ours: a mailbox may come again, or have been switched off for a while; who does not want mail does not want it later.
SUPPRESSION_DAYS: Mapping[SuppressionReason, int] = MappingProxyType(
    {
        SuppressionReason.COMPLAINED: 0,
        SuppressionReason.UNSUBSCRIBED: 0,
        SuppressionReason.BOUNCED: 180,
        SuppressionReason.MANUAL: 0,
    }
)


class SuppressionRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided."""

    mode: SuppressionMode = SuppressionMode.OFF
    days: Mapping[SuppressionReason, int] = SUPPRESSION_DAYS  # 0: for ever

    def ends(self, reason: SuppressionReason, noticed_at: int, expires_at: int | None) -> int | None:
        """When it holds no more; None: never."""
        if expires_at is not None:
            return expires_at
        days = self.days.get(reason, 0)
        return noticed_at + days * DAY_MS if days else None

    def holds(self, reason: SuppressionReason, noticed_at: int, expires_at: int | None, now: int) -> bool:
        end = self.ends(reason, noticed_at, expires_at)
        return end is None or end > now


NO_SUPPRESSION = SuppressionRules()


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of one address in one workspace."""

    address: str  # by `listed_form`
    workspace: int
    reason: SuppressionReason
    noticed_at: int
    expires_at: int | None = None  # None: by the settings
    source: str = ""  # where it was heard
    note: str = ""
    spared: int = 0  # mails that were refused for it
    warned: int = 0  # mails that passed, marked


class SuppressionDay(msgspec.Struct, frozen=True, kw_only=True):
    """Mails that met the list on one day (UTC)."""

    day: int  # days since the epoch
    reason: SuppressionReason
    spared: int
    warned: int


def listed_form(address: str) -> str:
    """An envelope address as the list has it: lower case, without quotes, the domain canonical and without a last dot.

    `"Ann"@Shop.Example.` and `ann@shop.example` are one. Empty for what is no address.
    """
    local, at, domain = address.strip().rpartition("@")
    if not at or not local or not domain:
        return ""
    if local.startswith('"') and local.endswith('"') and len(local) > 1:
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    return f"{local.lower()}@{mail_domain(domain.removesuffix('.'))}"


def read_listed(text: str) -> str:
    """What a person or a file names, in that form. Raises InvalidInput."""
    mailbox = read_mailbox(text)
    if mailbox.name:
        raise InvalidInput(f"{text[:80]!r}: expected an address alone")
    return listed_form(mailbox.address)


def written(address: str) -> str:
    """An address of the list as mail and `read_listed` know it: quoted where it has to be."""
    local, _, domain = address.rpartition("@")
    try:
        return Address(username=local, domain=domain).addr_spec
    except (ValueError, LookupError):
        return address


_REASONS = {
    EventType.COMPLAINED: SuppressionReason.COMPLAINED,
    EventType.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBED,
    EventType.BOUNCED: SuppressionReason.BOUNCED,
}


def suppressions_of(workspace: int, events: Iterable[MailEvent]) -> Iterator[Suppression]:
    """What mail events say of their recipients.

    Of bounces only those that say that there is no such address: what a receiver refuses for the mail's sake, or
    because a mailbox is full, says nothing against the next mail.
    """
    for event in events:
        reason = _REASONS.get(event.type)
        if reason is None or event.kind is not MailKind.MAIL:
            continue
        if reason is SuppressionReason.BOUNCED and not (event.hard and event.family is ReasonFamily.UNKNOWN_USER):
            continue
        address = listed_form(event.recipient)
        if address:
            note = event.reply[:LONGEST_NOTE] if reason is SuppressionReason.BOUNCED else ""
            yield Suppression(
                address=address, workspace=workspace, reason=reason, noticed_at=event.at,
                source=event.source[:LONGEST_NOTE], note=note,
            )  # fmt: skip
