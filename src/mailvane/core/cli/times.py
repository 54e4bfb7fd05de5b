"""Times to come as people give them to a command: a stretch from now, or a date."""

from __future__ import annotations

import re

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS, iso_ms

_STRETCHES = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
GIVEN = "90d, 12h, 2w, or a date and time such as 2027-01-31 (UTC unless it says otherwise)"


def coming(text: str, now: int) -> int:
    """In milliseconds. Raises InvalidInput."""
    stretch = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", text.strip())
    if stretch:
        return now + int(stretch[1]) * _STRETCHES[stretch[2]]
    try:
        return iso_ms(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time: say 90d, or a date such as 2027-01-31") from None
