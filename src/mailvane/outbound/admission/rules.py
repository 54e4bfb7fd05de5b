"""The installation's rules, as far as the checks and the guillotine ask for them. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import ceil, sqrt

import msgspec

from mailvane.outbound.model import WARMUPS, Domain, Guillotine, MonthTally, Usage, Warmup, WarmupProfile, percent
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.suppression import NO_SUPPRESSION, SuppressionRules

_LEAST_ADVISED = 100  # ours
_Z = 1.959963984540054  # of 95 %, two-sided


class Line(StrEnum):
    """What is counted against a line."""

    BOUNCES = "bounces"
    COMPLAINTS = "complaints"


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was crossed, with the figures that say so."""

    line: Line
    count: int
    sent: int
    rate: float  # percent, as it is shown
    lower_bound: float  # percent
    limit: float  # percent


def crossing(counted: Usage | MonthTally, rule: Guillotine) -> Crossing | None:
    """The first line that the month's figures are above, if any."""
    if not (counted.bounces or counted.complaints):
        return None
    figures = counted.figures
    lines = (
        (Line.BOUNCES, figures.bounces, rule.bounce_percent),
        (Line.COMPLAINTS, figures.complaints, rule.complaint_percent),
    )
    for line, count, limit in lines:
        if limit and _above(count, figures.sent, limit, rule):
            return Crossing(
                line=line,
                count=count,
                sent=figures.sent,
                rate=percent(count, figures.sent),
                lower_bound=round(lower_bound(count, figures.sent), 2),
                limit=limit,
            )
    return None


def room(counted: MonthTally, rule: Guillotine, line: Line) -> int | None:
    """How many more bounces, or complaints, of the mail that was sent already would cross the line; 0: it is crossed.

    None: no number of them does, as there is no such limit or too little mail.
    """
    if crossing(counted, rule) is not None:
        return 0
    known = counted.bounces if line is Line.BOUNCES else counted.complaints
    low, high = 1, max(1, counted.sent - known)
    if crossing(_with_more(counted, line, high), rule) is None:
        return None
    while low < high:
        middle = (low + high) // 2
        if crossing(_with_more(counted, line, middle), rule) is None:
            low = middle + 1
        else:
            high = middle
    return low


def _with_more(counted: MonthTally, line: Line, more: int) -> MonthTally:
    if line is Line.BOUNCES:
        return msgspec.structs.replace(counted, bounces=counted.bounces + more)
    return msgspec.structs.replace(counted, complaints=counted.complaints + more)


def advised_volume(rule: Guillotine) -> int:
    """The minimum volume that a rule should have, which is more than the one it has; 0: the rule is as it should be.

    Below it a single bounce or complaint stops a domain, whatever else it sends.
    """
    if rule.confident or rule.warn_only:
        return 0
    limits = [limit for limit in (rule.bounce_percent, rule.complaint_percent) if limit]
    if not limits or rule.minimum_volume >= (least := ceil(100 / min(limits))):
        return 0
    return max(_LEAST_ADVISED, least)


def lower_bound(count: int, whole: int) -> float:
    """Wilson's lower bound of a share, in percent; 0.0 of nothing."""
    if not whole:
        return 0.0
    share, square = min(1.0, count / whole), _Z * _Z
    spread = _Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    return max(0.0, 100 * (share + square / (2 * whole) - spread) / (1 + square / whole))


def _above(count: int, sent: int, limit: float, rule: Guillotine) -> bool:
    if not sent or sent < rule.minimum_volume:
        return False
    return lower_bound(count, sent) > limit if rule.confident else 100 * count > limit * sent


class GovernanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every domain that says nothing else."""

    require_verification: bool = False  # also of domains that nobody asked to verify
    guillotine: Guillotine = Guillotine()
    warmup: Mapping[WarmupProfile, Warmup] = WARMUPS
    suppression: SuppressionRules = NO_SUPPRESSION

    def guillotine_of(self, domain: Domain) -> Guillotine:
        return self.guillotine if domain.guillotine is None else domain.guillotine


def suppression_rules(settings: OutboundSettings) -> SuppressionRules:
    """What becomes of mail to suppressed recipients, as the operator set it."""
    return SuppressionRules(mode=settings.suppression, days=settings.suppression_days)


def rules_of(settings: OutboundSettings) -> GovernanceRules:
    """The rules as the operator set them."""
    return GovernanceRules(
        require_verification=settings.require_verification,
        guillotine=settings.guillotine,
        warmup=settings.warmup,
        suppression=suppression_rules(settings),
    )
