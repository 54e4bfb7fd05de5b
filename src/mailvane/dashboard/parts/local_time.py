"""Moments on a wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def local(ms: int, zone: tzinfo) -> datetime:
    """Milliseconds since the epoch, in a time zone."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
