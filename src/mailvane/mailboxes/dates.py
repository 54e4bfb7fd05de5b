"""The ends of a window as people and clients write them. Pure.

A date alone means its day, UTC: the start of it as a first bound, the end of it as a last one. A time is taken as it is
given; without a zone it is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from mailvane.core.moments import DAY_MS

_ZONE = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")  # of a query where nobody escaped the plus
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(?:-?\d)?")


def read_bound(text: str, last: bool) -> int | None:
    """In milliseconds; None when nothing is written. Raises ValueError."""
    text = text.strip()
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            start = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return round(start.timestamp()) * 1000 + (DAY_MS - 1 if last else 0)
        moment = datetime.fromisoformat(_ZONE.sub(r"\1+\2", text))
        known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(known.timestamp() * 1_000_000) // 1000
    except OverflowError:
        raise ValueError("out of the range of dates") from None
