"""Moments on a wall clock, and as terms of a query."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def local(ms: int, zone: tzinfo) -> datetime:
    """Milliseconds since the epoch, in a time zone."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)


def term(ms: int) -> str:
    """As the value of since: or until:, in UTC: the link means the same to whoever opens it, in whichever zone."""
    return local(ms, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_day(ms: int) -> str:
    """The day of what is counted by days of UTC, such as 26 Nov."""
    return local(ms, UTC).strftime("%d %b")
