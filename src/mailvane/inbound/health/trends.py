"""Whether counts change from week to week, and how sure that is. Pure; `docs/why/health-report.md` says the statistics.

Two questions are put to each count: this week against the one before, and a gradual change over up to eight weeks.
Weeks are stretches of seven days that end with the newest reading, so each has every weekday once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from mailvane.inbound.health.model import Change, DayCounts
from mailvane.inbound.health.remote import MESSAGES_PAGE, QUARANTINE_PAGE

LEVELS = {"quarantine_pending": QUARANTINE_PAGE, "failed_count": MESSAGES_PAGE, "denied_count": MESSAGES_PAGE}
"""Metrics that say how many there are at a time, with what one page counts for where they are estimates."""
RUNNING = "weekly_used"  # counts up, and begins again with the week
DAYS = 56  # that are looked back on
FEWEST_DAYS = 5  # known, of a week
FEWEST_WEEKS = 4
SMALLEST_PCT = 20.0  # a smaller change is not worth a line, however sure it is
# Quantiles at 0.995, for intervals of 99 %: of Student's t by degrees of freedom, and of the normal distribution.
_T = (63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169)
_NORMAL = 2.576
_ROUNDS = 50


class Week(NamedTuple):
    """What was counted in seven days, and how long it was counted."""

    total: float
    exposure: float  # days for what is summed, 1 for a level: mails that wait for a week are not counted seven times


Series = Mapping[int, float]
"""Counts by the ordinals of their days."""


def changes(days: Sequence[DayCounts]) -> tuple[Change, ...]:
    """What can be said by these readings, one a day, the oldest first."""
    if not days:
        return ()
    last = date.fromisoformat(days[-1].day).toordinal()
    found = []
    for metric in (RUNNING, *LEVELS):
        series = _series(days, metric)
        is_level = metric in LEVELS
        for change in (_weekly(metric, series, last, is_level), _gradual(metric, series, last, is_level)):
            found += [change] if change is not None else []
    return tuple(found)


def _series(days: Sequence[DayCounts], metric: str) -> Series:
    """Estimates in pages; those of the other kind than the newest cannot be compared with it."""
    if metric == RUNNING:
        return _increments({date.fromisoformat(one.day).toordinal(): one for one in days})
    newest = next((one for one in reversed(days) if one.counts.get(metric)), days[-1])
    is_estimate = metric in newest.estimates
    unit = LEVELS[metric] if is_estimate else 1
    return {
        date.fromisoformat(one.day).toordinal(): one.counts[metric] / unit
        for one in days
        if metric in one.counts and (one.counts[metric] == 0 or (metric in one.estimates) == is_estimate)
    }


def _increments(days: Mapping[int, DayCounts]) -> Series:
    """What came each day; unknown on the day on which the week begins again."""
    found = {}
    for day, one in days.items():
        before = days.get(day - 1)
        if before is not None and RUNNING in one.counts and RUNNING in before.counts:
            more = one.counts[RUNNING] - before.counts[RUNNING]
            if more >= 0:
                found[day] = float(more)
    return found


def _weekly(metric: str, series: Series, last: int, is_level: bool) -> Change | None:
    """By weekdays that are known of both weeks, so that none counts on one side only."""
    pairs = [(series[day], series[day - 7]) for day in range(last - 6, last + 1) if day in series and day - 7 in series]
    now, before = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    if len(pairs) < FEWEST_DAYS or now + before == 0:
        return None
    scatter = _paired_scatter(pairs, now, before)
    if is_level:
        now, before = now / len(pairs), before / len(pairs)
    if not now or not before:
        now, before = now + 0.5, before + 0.5
    variance = 1 / now + 1 / before
    width = _width(variance, scatter * variance, len(pairs) - 1)
    return _change(metric, "week", math.log(now / before), width, 2 * len(pairs))


def _paired_scatter(pairs: Sequence[tuple[float, float]], now: float, before: float) -> float:
    """Pearson's chi-squared by degrees of freedom: 1 where counts scatter as if mails came one by one."""
    share = now / (now + before)
    if share in {0.0, 1.0}:
        return 1.0
    terms = [(pair[0] - sum(pair) * share) ** 2 / (sum(pair) * share * (1 - share)) for pair in pairs if sum(pair) > 0]
    return sum(terms) / max(1, len(terms) - 1)


def _gradual(metric: str, series: Series, last: int, is_level: bool) -> Change | None:
    """The slope of a log-linear (quasi-Poisson) fit of the weeks."""
    weeks: list[tuple[int, Week]] = []
    days = 0
    for back in range(DAYS // 7):
        known = [series[day] for day in range(last - 7 * back - 6, last - 7 * back + 1) if day in series]
        if len(known) >= FEWEST_DAYS:
            total = sum(known)
            weeks.append((-back, Week(total / len(known), 1) if is_level else Week(total, len(known))))
            days += len(known)
    if len(weeks) < FEWEST_WEEKS or not any(week.total for _, week in weeks):
        return None
    fit = _fit(weeks)
    if fit is None:
        return None
    slope, variance, scatter = fit
    span = weeks[0][0] - weeks[-1][0]
    width = _width(variance, scatter * variance, len(weeks) - 2)
    return _change(metric, "gradual", slope, width, days, span)


def _fit(weeks: Sequence[tuple[int, Week]]) -> tuple[float, float, float] | None:
    """Slope, its variance by Poisson's law, and the scatter around it; None where no fit is found."""
    level = math.log(sum(week.total for _, week in weeks) / sum(week.exposure for _, week in weeks))
    slope = 0.0
    for _ in range(_ROUNDS):
        means = [week.exposure * math.exp(level + slope * at) for at, week in weeks]
        s0, s1, s2 = (sum(mean * at**power for mean, (at, _) in zip(means, weeks, strict=True)) for power in range(3))
        determinant = s0 * s2 - s1 * s1
        if determinant <= 1e-9:
            return None
        off = [week.total - mean for mean, (_, week) in zip(means, weeks, strict=True)]
        g0, g1 = sum(off), sum(each * at for each, (at, _) in zip(off, weeks, strict=True))
        step0, step1 = (s2 * g0 - s1 * g1) / determinant, (s0 * g1 - s1 * g0) / determinant
        if abs(slope + step1) > 3 or abs(level + step0) > 50:
            return None
        level, slope = level + step0, slope + step1
        if abs(step0) + abs(step1) < 1e-9:
            chi = sum(each * each / mean for each, mean in zip(off, means, strict=True))
            return slope, s0 / determinant, chi / (len(weeks) - 2)
    return None


def _width(poisson: float, scattered: float, freedom: int) -> float:
    """Half of the interval: the wider of what Poisson's law says, and what the days themselves say."""
    student = _T[min(freedom, len(_T)) - 1]
    return max(_NORMAL * math.sqrt(poisson), student * math.sqrt(scattered))


def _change(metric: str, span: str, effect: float, width: float, days: int, times: int = 1) -> Change:
    """Of an effect on the logarithm; `times` it counts for whether it is large enough."""
    low, high = effect - width, effect + width
    is_large = abs(_percent(abs(effect) * times)) >= SMALLEST_PCT
    return Change(
        metric=metric,
        span=span,
        change_pct=_percent(effect),
        low_pct=_percent(low),
        high_pct=_percent(high),
        days=days,
        is_clear=is_large and (low > 0 or high < 0),
    )


def _percent(effect: float) -> float:
    return round(100 * math.expm1(min(effect, 20.0)), 1)
