"""Counters and the time they belong to: bringing them to now, adding a mail, and the two resets. Pure.

Each hour, day and month has counters of its own. A clock may go wrong and be set right again: whoever comes back to a
time finds what was counted then, so no limit is passed by it, and what a wrong clock counted stops nobody before its
time comes. Clocks of nodes differ a little: just before an hour, day or month that began elsewhere, mail counts there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.outbound.model import Baseline, DayTally, HourTally, MonthTally, Usage

_HISTORY_DAYS = 7
_HOURS_A_DAY = 24
_SKEW_MS = MINUTE_MS  # that clocks of nodes differ by
_MOST_TALLIES = 4  # of each kind


def today(usage: Usage, now: int) -> Usage:
    """The counters as they stand at this time."""
    hour = now // HOUR_MS
    if hour == usage.hour:
        return usage
    ahead = (now + _SKEW_MS) // HOUR_MS
    if usage.hour != ahead:
        found = next((each.sent for each in usage.other.hours if each.hour == hour), 0)
        left = (HourTally(usage.hour, usage.sent_this_hour),) if usage.sent_this_hour else ()
        rest = (each for each in usage.other.hours if each.hour not in (hour, usage.hour))
        other = msgspec.structs.replace(usage.other, hours=(*left, *rest)[:_MOST_TALLIES])
        usage = msgspec.structs.replace(usage, hour=hour, sent_this_hour=found, other=other)
    day, month = hour // _HOURS_A_DAY, month_of(hour)
    if usage.day not in (day, ahead // _HOURS_A_DAY):
        usage = _at_day(usage, day)
    return usage if usage.month in (month, month_of(ahead)) else _at_month(usage, month)


def counted(usage: Usage, units: int) -> Usage:
    """With a mail more, in counters that were brought to now."""
    return Usage(
        day=usage.day,
        hour=usage.hour,
        month=usage.month,
        sent_today=usage.sent_today + units,
        sent_this_hour=usage.sent_this_hour + units,
        sent_month=usage.sent_month + units,
        bounces=usage.bounces,
        complaints=usage.complaints,
        first_day=usage.first_day or usage.day,
        last_days=usage.last_days,
        unbilled_sent=usage.unbilled_sent,
        unbilled_bounces=usage.unbilled_bounces,
        unbilled_complaints=usage.unbilled_complaints,
        month_since=usage.month_since,
        baseline=usage.baseline,
        other=usage.other,
    )


def day_reset(usage: Usage, now: int) -> Usage:
    """Nothing sent today."""
    return msgspec.structs.replace(today(usage, now), sent_today=0)


def month_reset(usage: Usage, now: int) -> Usage:
    """Nothing sent this month, and everything billed. What comes back about mail of before is counted apart."""
    current = today(usage, now)
    cleared = {"sent_month": 0, "bounces": 0, "complaints": 0, "baseline": Baseline()}
    billed = {"unbilled_sent": 0, "unbilled_bounces": 0, "unbilled_complaints": 0}
    open_months = [each for each in (current.tally, *current.other.months) if not each.frozen and counts(each)]
    if open_months:
        frozen = [each for each in current.other.months if each.frozen]
        months = (_frozen(open_months, now), *frozen)[:_MOST_TALLIES]
        cleared |= {"month_since": now, "other": msgspec.structs.replace(current.other, months=months)}
    return msgspec.structs.replace(current, **cleared, **billed)


def with_month(usage: Usage, tally: MonthTally) -> Usage:
    """The counters of another month, or of this one as it is to be. Says nothing of what is billed."""
    return msgspec.structs.replace(
        usage,
        month=tally.month,
        month_since=tally.since,
        sent_month=tally.sent,
        bounces=tally.bounces,
        complaints=tally.complaints,
        baseline=tally.baseline,
    )


def counts(tally: MonthTally) -> bool:
    """Whether anything was counted."""
    return bool(tally.sent or tally.bounces or tally.complaints)


@lru_cache(maxsize=64)
def month_of(hour: int) -> int:
    """The month's key of an hour's key."""
    moment = datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC)
    return 12 * moment.year + moment.month - 1


def month_start(now: int) -> int:
    """When the month of this time began."""
    return month_begin(month_of(now // HOUR_MS))


@lru_cache(maxsize=64)
def month_begin(month: int) -> int:
    """When the month of a key begins."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000


def day_start(now: int) -> int:
    return now // DAY_MS * DAY_MS


def _at_day(usage: Usage, day: int) -> Usage:
    found = next((each for each in usage.other.days if each.day == day), None)
    left = (DayTally(usage.day, usage.sent_today, usage.last_days),) if usage.first_day else ()
    rest = [each for each in usage.other.days if each.day not in (day, usage.day)]
    return msgspec.structs.replace(
        usage,
        day=day,
        sent_today=0 if found is None else found.sent,
        last_days=_history([*left, *rest], day) if found is None or day > usage.day else found.last_days,
        # What a wrong clock counted first was sent today, at the latest.
        first_day=min(usage.first_day, day),
        other=msgspec.structs.replace(usage.other, days=(*left, *rest)[:_MOST_TALLIES]),
    )


def _history(left: list[DayTally], day: int) -> tuple[int, ...]:
    """What was sent on the days before a day, by the one that was left last of those before it."""
    last = next((each for each in left if each.day < day), None)
    if last is None:
        return ()
    idle = min(day - last.day - 1, _HISTORY_DAYS)
    return ((0,) * idle + (last.sent, *last.last_days))[:_HISTORY_DAYS]


def _at_month(usage: Usage, month: int) -> Usage:
    """What nobody has billed yet is kept: a freeze that comes late must still find it."""
    months = usage.other.months
    found = next((each for each in months if each.month == month and not each.frozen), MonthTally(month=month))
    left = (usage.tally,) if counts(usage.tally) else ()
    rest = (each for each in months if each.frozen or each.month not in (month, usage.month))
    return msgspec.structs.replace(
        with_month(usage, found),
        unbilled_sent=usage.unbilled_sent + usage.sent_month - found.sent,
        unbilled_bounces=usage.unbilled_bounces + usage.bounces - found.bounces,
        unbilled_complaints=usage.unbilled_complaints + usage.complaints - found.complaints,
        other=msgspec.structs.replace(usage.other, months=(*left, *rest)[:_MOST_TALLIES]),
    )


def _frozen(open_months: list[MonthTally], now: int) -> MonthTally:
    """All in one: a freeze shortly after the first of a month must not leave a period of a few minutes."""
    bases = [each.baseline for each in open_months]
    return MonthTally(
        since=min(max(each.since, month_begin(each.month)) for each in open_months),
        until=now,
        sent=sum(each.sent for each in open_months),
        bounces=sum(each.bounces for each in open_months),
        complaints=sum(each.complaints for each in open_months),
        baseline=Baseline(
            max(each.at for each in bases),
            sum(each.sent for each in bases),
            sum(each.bounces for each in bases),
            sum(each.complaints for each in bases),
        ),
    )
