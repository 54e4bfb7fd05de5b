"""Moments in milliseconds since the epoch, UTC, as everything inside has them; and stretches of time likewise."""

from __future__ import annotations

from datetime import UTC, datetime

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def iso_text(ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds and Z: `2026-01-02T03:04:05.006Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_ms(text: str) -> int:
    """A date and time, UTC unless it says otherwise, in milliseconds since the epoch. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is out of the range of dates") from None
