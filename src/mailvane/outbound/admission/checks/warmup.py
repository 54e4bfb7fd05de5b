"""The growing daily cap of a new domain, counted from the day of its first mail."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage, WarmupProfile

ORDER = 70
REASON = Reason.WARMUP
SOFTENS = True


_LONGEST_DAYS = 365  # by then any schedule that grows has passed any limit, and powers stay small


def refuses(domain: Domain, usage: Usage, units: int, rules: GovernanceRules) -> bool:
    schedule = rules.warmup.get(domain.warmup_profile)
    if domain.warmup_profile is WarmupProfile.OFF or schedule is None:
        return False
    age = usage.day - usage.first_day if usage.first_day else 0
    if age >= _LONGEST_DAYS:
        return False
    return usage.sent_today + units > int(schedule.first * schedule.growth**age)
