"""Counters and the time they belong to: bringing them to now, adding a mail, and the two resets. Pure.

A node whose clock is a little behind must not take the counters of the others back to yesterday, so a key moves back
only when it is so far ahead that the clock which set it was wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from mailvane.domain.outbound import DAY_MS, HOUR_MS, Usage

_HISTORY_DAYS = 7
_HOURS_A_DAY = 24


def today(usage: Usage, now: int) -> Usage:
    """The counters as they stand at this time."""
    hour = now // HOUR_MS
    if hour == usage.hour:
        return usage
    if not _holds(usage.hour, hour):
        usage = msgspec.structs.replace(usage, hour=hour, sent_this_hour=0)
    day, month = hour // _HOURS_A_DAY, month_of(hour)
    if not _holds(usage.day, day):
        usage = _next_day(usage, day)
    return usage if _holds(usage.month, month) else _next_month(usage, month)


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
    )


def day_reset(usage: Usage, now: int) -> Usage:
    """Nothing sent today."""
    return msgspec.structs.replace(today(usage, now), sent_today=0)


def month_reset(usage: Usage, now: int) -> Usage:
    """Nothing sent this month, and everything billed."""
    cleared = {"sent_month": 0, "bounces": 0, "complaints": 0}
    billed = {"unbilled_sent": 0, "unbilled_bounces": 0, "unbilled_complaints": 0}
    return msgspec.structs.replace(today(usage, now), **cleared, **billed)


@lru_cache(maxsize=64)
def month_of(hour: int) -> int:
    """The month's key of an hour's key."""
    moment = datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC)
    return 12 * moment.year + moment.month - 1


def month_start(now: int) -> int:
    """When the month of this time began."""
    moment = datetime.fromtimestamp(now / 1000, UTC)
    return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) * 1000


def day_start(now: int) -> int:
    return now // DAY_MS * DAY_MS


def _holds(key: int, now: int) -> bool:
    return key in (now, now + 1)


def _next_day(usage: Usage, day: int) -> Usage:
    history: tuple[int, ...] = ()
    if usage.first_day and day > usage.day:
        idle = min(day - usage.day - 1, _HISTORY_DAYS)
        history = ((0,) * idle + (usage.sent_today, *usage.last_days))[:_HISTORY_DAYS]
    return msgspec.structs.replace(usage, day=day, sent_today=0, last_days=history)


def _next_month(usage: Usage, month: int) -> Usage:
    """What nobody has billed yet is kept: a freeze that comes late must still find it."""
    return msgspec.structs.replace(
        usage,
        month=month,
        sent_month=0,
        bounces=0,
        complaints=0,
        unbilled_sent=usage.unbilled_sent + usage.sent_month,
        unbilled_bounces=usage.unbilled_bounces + usage.bounces,
        unbilled_complaints=usage.unbilled_complaints + usage.complaints,
    )
