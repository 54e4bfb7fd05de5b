"""The month's limit."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage

ORDER = 40
REASON = Reason.MONTHLY
SOFTENS = True


def refuses(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    return bool(domain.monthly_limit) and usage.sent_month + units > domain.monthly_limit
