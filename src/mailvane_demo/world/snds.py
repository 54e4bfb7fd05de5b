"""Microsoft's SNDS of the simulated world: two tables behind a key, comma separated, with stamps in Pacific time.

Written from Microsoft's description of automated data access, apart from the code that reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from mailvane_demo.world.incidents import Incidents
from mailvane_demo.world.web_server import Reply, Request

_PACIFIC = ZoneInfo("America/Los_Angeles")
_DELAY_DAYS = 2
_KIND = "text/plain; charset=utf-8"
_NO_SUCH_KEY = Reply(b"<html><body>The key is not valid.</body></html>", 400, "text/html")
_WHY = "Blocked due to user complaints or other evidence of spamming"


class Snds:
    """Answers web requests. The last of the addresses has a bad day."""

    def __init__(self, seed: int, key: str, hosts: Sequence[tuple[str, str]], incidents: Incidents) -> None:
        """Hosts as address and name."""
        self._seed = seed
        self._key = key
        self._hosts = hosts
        self._incidents = incidents

    def __call__(self, request: Request) -> Reply:
        if request.query.get("key") != self._key:
            return _NO_SUCH_KEY
        if request.path.endswith("/ipStatus.aspx"):
            return Reply(self.blocked(request.at).encode(), kind=_KIND)
        if request.path.endswith("/data.aspx"):
            try:
                day = datetime.strptime(request.query["date"], "%m%d%y").replace(tzinfo=UTC).date()
            except (KeyError, ValueError):
                day = newest_day(request.at)
            return Reply(self.data(day, request.at).encode(), kind=_KIND)
        return Reply(b"<html><body>Not found.</body></html>", 404, "text/html")

    def data(self, day: date, now: int) -> str:
        """The table of one day."""
        if day > newest_day(now):
            return ""
        return "".join(f"{row}\r\n" for row in self._rows(day, now))

    def blocked(self, now: int) -> str:
        """The table of blocked ranges."""
        if now < self._incidents.published_at:
            return ""
        address = self._hosts[-1][0]
        return f"{address},{address},Yes,{_WHY}\r\n"

    def _rows(self, day: date, now: int) -> Iterator[str]:
        published = self._incidents.published_at
        is_bad_day = day == newest_day(published) and now >= published
        for address, name in self._hosts:
            random = Random(f"{self._seed} snds {address} {day}")  # noqa: S311 a world, not a secret
            bad = is_bad_day and address == self._hosts[-1][0]
            told = random.randrange(900, 1600)
            refused = round(told * (0.16 if bad else random.uniform(0.004, 0.02)))
            colour = "RED" if bad else random.choices(("GREEN", "YELLOW"), (14, 1))[0]
            rate = "2.1%" if bad else "< 0.1%"
            stamp = f"{day.month}/{day.day}/{day.year}"
            traps = f"{stamp} 3:00 AM,{stamp} 9:00 AM,7" if bad else ",,0"
            yield (
                f"{address},{stamp} 1:00 AM,{stamp} 11:00 PM,{told},{told - refused // 2},{told - refused},{colour},"
                f"{rate},{traps},{name},<bounce@{name}>,"
            )


def newest_day(now: int) -> date:
    """The last one that data are complete of."""
    return datetime.fromtimestamp(now / 1000, _PACIFIC).date() - timedelta(days=_DELAY_DAYS)
