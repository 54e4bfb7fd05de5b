"""Today is far above the mean of the last seven days. Without such days, of some mail, there is nothing to compare."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage

ORDER = 80
REASON = Reason.SPIKE
SOFTENS = True


_DAYS = 7
_LEAST_A_DAY = 10  # ours: below it every second mail would be a spike


def refuses(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    if not domain.spike_max_multiplier or len(usage.last_days) < _DAYS:
        return False
    sent = sum(usage.last_days)
    if sent < _DAYS * _LEAST_A_DAY:
        return False
    return (usage.sent_today + units) * _DAYS > domain.spike_max_multiplier * sent
