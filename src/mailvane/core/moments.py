"""Moments as texts of ISO 8601. Everything inside is in milliseconds since the epoch, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_ms(text: str) -> int:
    """A date and time, UTC unless it says otherwise, in milliseconds since the epoch. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is out of the range of dates") from None


HOUR_MS = 3_600_000


DAY_MS = 86_400_000
