"""Moments in milliseconds since the epoch, UTC, as everything inside has them; and stretches of time likewise."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def iso_ms(text: str) -> int:
    """A date and time, UTC unless it says otherwise, in milliseconds since the epoch. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is out of the range of dates") from None
