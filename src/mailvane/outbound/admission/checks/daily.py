"""The day's limit."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage

ORDER = 50
REASON = Reason.DAILY
SOFTENS = True


def refuses(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    return bool(domain.daily_limit) and usage.sent_today + units > domain.daily_limit
