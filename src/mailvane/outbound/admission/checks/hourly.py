"""The hour's cap, a share of the daily limit."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage

ORDER = 60
REASON = Reason.HOURLY
SOFTENS = True


_LEAST = 10


def cap(daily_limit: int, fraction: float) -> int:
    """Rounded down, ten at least; 0: none, because a share of no limit is no limit."""
    return max(_LEAST, int(daily_limit * fraction + 1e-9)) if daily_limit and fraction else 0


def refuses(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    if not domain.hourly_fraction:
        return False
    most = cap(domain.daily_limit, domain.hourly_fraction)
    return bool(most) and usage.sent_this_hour + units > most
