"""Moments on a wall clock, and as terms of a query."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


def zone_named(name: str, usual: ZoneInfo) -> ZoneInfo:
    """That of this name, whoever wrote it; the usual one where none that is known has it."""
    return ZoneInfo(name) if name in _known() else usual


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def local(ms: int, zone: tzinfo) -> datetime:
    """Milliseconds since the epoch, in a time zone."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)


def term(ms: int) -> str:
    """As the value of since: or until:, in UTC: the link means the same to whoever opens it, in whichever zone."""
    return local(ms, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_day(ms: int) -> str:
    """The day of what is counted by days of UTC, such as 26 Nov."""
    return local(ms, UTC).strftime("%d %b")
