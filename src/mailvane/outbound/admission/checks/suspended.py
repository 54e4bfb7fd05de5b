"""Sending is suspended, except for what a probation allows a day."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, OutboundStatus, Reason, Usage

ORDER = 20
REASON = Reason.SUSPENDED
SOFTENS = True


def refuses(domain: Domain, usage: Usage, units: int, rules: GovernanceRules) -> bool:
    if domain.status is not OutboundStatus.SUSPENDED:
        return False
    return usage.sent_today + units > rules.guillotine_of(domain).probation_daily
