"""Makes health reports: asks every team's server at once, and lets one team's failure spoil no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mailvane.core.errors import MailvaneError
from mailvane.core.http_client import HttpClient
from mailvane.inbound.health.analysis import analyse
from mailvane.inbound.health.collection import collect, unreadable
from mailvane.inbound.health.model import DayCounts, HealthReport, Reading, TeamReport
from mailvane.inbound.health.remote import MOST_BYTES, CleanboxServer
from mailvane.inbound.health.settings import HealthSettings, Team
from mailvane.inbound.health.store.readings import ReadingStore
from mailvane.inbound.health.trends import DAYS, changes
from mailvane.inbound.health.upstream import Unanswered, Upstream

log = logging.getLogger(__name__)

AT_ONCE = 8
PAUSES = (1.0,)  # a question that failed is asked once more

Open = Callable[[], AbstractAsyncContextManager[Upstream]]


class AskedTeam(NamedTuple):
    """A team, and the way to its server."""

    name: str
    open: Open


def remote_team(team: Team, timeout_seconds: float, pauses: Sequence[float] = PAUSES) -> AskedTeam:
    """One of a Cleanbox-compatible server. Opening raises Unanswered where its key cannot be read."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Upstream]:
        key = await asyncio.to_thread(_key, team)
        async with HttpClient(f"the server of {team.name}", most_bytes=MOST_BYTES, pauses=pauses) as client:
            yield CleanboxServer(client, team.url, key, timeout_seconds)

    return AskedTeam(team.name, opened)


def _key(team: Team) -> str:
    """Read for each report, so that a new one needs no restart."""
    try:
        key = team.key or Path(team.key_file or "").read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unanswered(f"the key file cannot be read: {type(error).__name__}") from None
    if not key or not key.isascii() or not key.isprintable():
        raise Unanswered("the key is not visible ASCII characters")
    return key


class HealthReporting:
    """For the teams of the settings, or those that a command names."""

    def __init__(
        self, settings: HealthSettings, clock: Callable[[], int], readings: ReadingStore | None = None
    ) -> None:
        """Without a store no reading is kept, and nothing is said of trends."""
        self._settings = settings
        self._clock = clock
        self._readings = readings
        self._zone = ZoneInfo(settings.timezone)

    async def report(self, teams: Sequence[AskedTeam]) -> HealthReport:
        now = self._clock()
        room = asyncio.Semaphore(AT_ONCE)
        readings = await asyncio.gather(*(self._reading(team, room) for team in teams))
        day = datetime.fromtimestamp(now / 1000, self._zone).date().isoformat()
        return HealthReport(
            day=day, at=now, teams=tuple([await asyncio.to_thread(self._analysed, one, day) for one in readings])
        )

    async def _reading(self, team: AskedTeam, room: asyncio.Semaphore) -> Reading:
        async with room:
            try:
                async with team.open() as upstream:
                    return await collect(team.name, upstream, self._settings.top_senders, self._clock())
            except MailvaneError as error:
                return unreadable(team.name, error.message, self._clock())
            except Exception as error:
                log.exception("asking about %s failed", team.name)
                return unreadable(team.name, f"asking failed: {type(error).__name__}", self._clock())

    def _analysed(self, reading: Reading, day: str) -> TeamReport:
        alerts = analyse(reading.metrics, self._settings.thresholds)
        try:
            days = self._kept(reading, day)
        except MailvaneError as error:
            # The report is about mail: it is told without its trends.
            log.warning("the reading of %s is not kept: %s", reading.team, error)
            days = ()
        return TeamReport(reading=reading, alerts=alerts, trends=changes(days), days=days)

    def _kept(self, reading: Reading, day: str) -> tuple[DayCounts, ...]:
        """Keep it; what is known of the days until this one."""
        if self._readings is None:
            return ()
        self._readings.keep(day, reading)
        since = date.fromisoformat(day) - timedelta(days=DAYS)
        return self._readings.days(reading.team, since.isoformat())
