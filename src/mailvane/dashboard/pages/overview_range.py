"""Which time the overview tells of: up to now, or the days that somebody picked; the address says which."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dashboard.parts.local_time import local
from mailvane.dashboard.visits import Visit
from mailvane.maillog.dates import earliest, latest

RANGES = {"1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
_WORDS = {"1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
_USUAL = "7d"
_LONGEST = 400 * DAY_MS
_MINUTES = 3 * HOUR_MS  # a shorter time is told by minutes, not by hours


class Range(msgspec.Struct, frozen=True):
    """From `since` to `until`, milliseconds, both included."""

    chosen: str  # of RANGES; empty: it was picked
    since: int
    until: int
    terms: str  # of the query language: the same time in the mail log
    told: str  # such as: in the last 7 days
    before: str = ""  # likewise, as long a time before: the 7 days before
    first: str = ""  # days, for the form: 2026-11-20
    last: str = ""

    @property
    def grain(self) -> int:
        """What is counted together at least, in milliseconds."""
        return MINUTE_MS if self.until - self.since < _MINUTES else HOUR_MS


def range_of(visit: Visit) -> Range:
    """Raises InvalidInput."""
    if first := visit.asked("since").strip():
        return _picked(visit, first, visit.asked("until").strip())
    chosen = visit.asked("range", _USUAL)
    chosen = chosen if chosen in RANGES else _USUAL
    since = visit.now - RANGES[chosen]
    first, last = (f"{local(at, visit.zone):%Y-%m-%d}" for at in (since, visit.now))
    word = _WORDS[chosen]
    return Range(
        chosen, since, visit.now, f"since:{chosen}", f"in the last {word}", f"the {word} before", first, last
    )  # fmt: skip


def _picked(visit: Visit, first: str, last: str) -> Range:
    """Whole days in the person's zone, or moments as the query language has them."""
    if any(not each.isprintable() or each.split() != [each] or '"' in each for each in (first, last) if each):
        raise InvalidInput("since, until: expected days, such as 2026-11-20")
    since = earliest(first, visit.now, visit.zone)
    until = min(latest(last, visit.now, visit.zone), visit.now) if last else visit.now
    if since >= until:
        raise InvalidInput("since, until: this time ends before it begins, or has not begun")
    if until - since > _LONGEST:
        raise InvalidInput(f"since, until: {_LONGEST // DAY_MS} days at most")
    words = [f"{local(at, visit.zone):%d %b %Y}" for at in (since, until)]
    told = f"on {words[0]}" if words[0] == words[1] else f"from {words[0]} to {words[1]}"
    days = [f"{local(at, visit.zone):%Y-%m-%d}" for at in (since, until)]
    terms = f"since:{first}{f' until:{last}' if last else ''}"
    return Range("", since, until, terms, told, "as long a time before", days[0], days[1])
