"""What a probation of a stopped domain would do, or does, in words: before it begins and while it lasts."""

from __future__ import annotations

from datetime import UTC

import msgspec

from mailvane.dashboard.parts.local_time import local
from mailvane.outbound.admission.recovery import recovery
from mailvane.outbound.admission.rules import crossing
from mailvane.outbound.model import Domain, Enforcement, Guillotine, OutboundStatus, Usage

USUAL = 20  # mails a day, ours: enough to see whether the list is clean, too few to do harm
MOST_ON_PROBATION = 1_000


class Probation(msgspec.Struct, frozen=True):
    """Of a stopped domain."""

    daily: int  # that pass now; 0: none
    offered: int  # that the button lets pass
    today: int  # of those that pass, how many still do today
    outlook: str  # when it would be below its line


def may_be_on_probation(domain: Domain) -> bool:
    """A closed one sends nothing whatever its rule says; of a soft one all mail passes, marked."""
    is_suspended = domain.status is OutboundStatus.SUSPENDED and not domain.closed
    return is_suspended and domain.enforcement is Enforcement.HARD


def probation_of(domain: Domain, usage: Usage, rule: Guillotine, now: int) -> Probation | None:
    """None: it cannot be on one."""
    if not may_be_on_probation(domain):
        return None
    daily = rule.probation_daily or USUAL
    left = max(0, daily - usage.sent_today)
    return Probation(rule.probation_daily, USUAL, left, _outlook(domain, usage, rule, daily, now))


def _outlook(domain: Domain, usage: Usage, rule: Guillotine, daily: int, now: int) -> str:
    found, crossed = recovery(domain, usage, rule, daily, now), crossing(usage, rule)
    if found is None:
        return ""
    if crossed is None:
        return "By the figures of this month it is below its line."
    line, day = f"{crossed.limit:g} %", local(found.day, UTC).strftime("%a %-d %b")
    one = crossed.line.value[:-1]  # "bounce", "complaint"
    if found.begins_anew:
        return (
            f"{found.mails:,} more mails without a {one} would bring it below {line}; at {daily:,} "
            f"a day the month ends before, and on {day} its count begins anew."
        )
    return f"At {daily:,} a day and no {one}, below {line} on about {day}, after {found.mails:,} mails."
