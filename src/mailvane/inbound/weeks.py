"""The week that a quota is for: from Monday 00:00 in a time zone to the next. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo


def week_start(now: int, zone: tzinfo = UTC) -> int:
    """The first millisecond of the week that `now` is in.

    Weeks have 168 hours but for those in which the clocks change. Where Monday has no midnight, because the clocks go
    forward then, it begins with the moment of the change; where it has two, with the first.
    """
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    return int(datetime.combine(monday, time(), zone).timestamp() * 1000)
