"""What is checked before a mail may pass: a function for each check, and one table that has them in their order.

A check is given the domain, its counters brought to today, what the mail counts, and the installation's rules; it says
whether it refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, OutboundStatus, Reason, Usage, Verification, WarmupProfile, hourly_cap

_LONGEST_WARMUP_DAYS = 365  # by then any schedule that grows has passed any limit, and powers stay small
_SPIKE_DAYS = 7
_LEAST_A_DAY = 10  # ours: below it every second mail would be a spike


def closed(domain: Domain, _usage: Usage, _units: int, _rules: GovernanceRules) -> bool:
    """The whole domain is suspended, not only its sending: nothing leaves, whatever the enforcement."""
    return domain.closed


def suspended(domain: Domain, usage: Usage, units: int, rules: GovernanceRules) -> bool:
    """Sending is suspended, except for what a probation allows a day."""
    if domain.status is not OutboundStatus.SUSPENDED:
        return False
    return usage.sent_today + units > rules.guillotine_of(domain).probation_daily


def unverified(domain: Domain, _usage: Usage, _units: int, rules: GovernanceRules) -> bool:
    """The domain has not proved that it may be sent from. One that nobody asked to prove it may, unless all must."""
    if domain.verification is Verification.NONE:
        return rules.require_verification
    return domain.verification is Verification.PENDING


def monthly(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    return bool(domain.monthly_limit) and usage.sent_month + units > domain.monthly_limit


def daily(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    return bool(domain.daily_limit) and usage.sent_today + units > domain.daily_limit


def hourly(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    """The hour's cap, a share of the daily limit."""
    if not domain.hourly_fraction:
        return False
    most = hourly_cap(domain.daily_limit, domain.hourly_fraction)
    return bool(most) and usage.sent_this_hour + units > most


def warmup(domain: Domain, usage: Usage, units: int, rules: GovernanceRules) -> bool:
    """The growing daily cap of a new domain, counted from the day of its first mail."""
    if domain.warmup_profile is WarmupProfile.OFF:
        return False
    schedule = rules.warmup.get(domain.warmup_profile)
    if schedule is None:
        return False
    age = usage.day - usage.first_day if usage.first_day else 0
    if age >= _LONGEST_WARMUP_DAYS:
        return False
    return usage.sent_today + units > int(schedule.first * schedule.growth**age)


def spike(domain: Domain, usage: Usage, units: int, _rules: GovernanceRules) -> bool:
    """Today is far above the mean of the last seven days. Without such days, of some mail, nothing can be compared."""
    if not domain.spike_max_multiplier or len(usage.last_days) < _SPIKE_DAYS:
        return False
    sent = sum(usage.last_days)
    if sent < _SPIKE_DAYS * _LEAST_A_DAY:
        return False
    return (usage.sent_today + units) * _SPIKE_DAYS > domain.spike_max_multiplier * sent


class Check(NamedTuple):
    """A row of the table."""

    name: str
    reason: Reason  # the word of its refusal
    softens: bool  # whether a domain in soft mode passes nevertheless, marked
    refuses: Callable[[Domain, Usage, int, GovernanceRules], bool]


# The first is asked first; the first that refuses gives the reason.
CHECKS = (
    Check("closed", Reason.SUSPENDED, False, closed),
    Check("suspended", Reason.SUSPENDED, True, suspended),
    Check("unverified", Reason.UNVERIFIED, False, unverified),
    Check("monthly", Reason.MONTHLY, True, monthly),
    Check("daily", Reason.DAILY, True, daily),
    Check("hourly", Reason.HOURLY, True, hourly),
    Check("warmup", Reason.WARMUP, True, warmup),
    Check("spike", Reason.SPIKE, True, spike),
)
