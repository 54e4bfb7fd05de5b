"""Readings of each day, and the reports that the schedule made, in the ledger."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, select, update

from mailvane.core.ledger.columns import plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.inbound.health.model import COUNTS, DayCounts, HealthReport, Reading
from mailvane.inbound.health.store.tables import health_readings, health_reports


class ReadingStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, day: str, reading: Reading) -> None:
        """The day's newest reading replaces an older one; one that says nothing replaces none."""
        if all(getattr(reading.metrics, name) is None for name in COUNTS):
            return
        statement = self._database.upsert(health_readings, health_readings.c.at <= reading.at)
        row = {"team": plain(reading.team), "day": day, "at": reading.at, "document": text_of(reading)}
        with self._database.write() as connection:
            connection.execute(statement, row)

    def days(self, team: str, since: str) -> tuple[DayCounts, ...]:
        """Of a team, from a day on; the oldest first."""
        table = health_readings.c
        wanted = select(table.day, table.document).where(table.team == plain(team), table.day >= since)
        with self._database.read() as connection:
            return tuple(
                _counts(row.day, value_of(row.document, Reading))
                for row in connection.execute(wanted.order_by(table.day))
            )

    def newest(self, team: str) -> Reading | None:
        table = health_readings.c
        wanted = select(table.document).where(table.team == plain(team)).order_by(table.at.desc()).limit(1)
        with self._database.read() as connection:
            found = connection.execute(wanted).scalar_one_or_none()
        return None if found is None else value_of(found, Reading)

    def forget_readings(self, before: int) -> int:
        """Forget readings and reports made before a time; how many."""
        with self._database.write() as connection:
            gone = connection.execute(delete(health_readings).where(health_readings.c.at < before)).rowcount
            return gone + connection.execute(delete(health_reports).where(health_reports.c.at < before)).rowcount


class MadeReport(msgspec.Struct, frozen=True):
    """A report that the schedule made, and the channels that have it."""

    report: HealthReport
    told: tuple[str, ...] = ()


class HealthReportStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def made(self, day: str) -> MadeReport | None:
        """That of a day of the schedule."""
        wanted = select(health_reports).where(health_reports.c.day == day)
        with self._database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            return None
        return MadeReport(value_of(row.document, HealthReport), tuple(value_of(row.told, list[str])))

    def keep_report(self, day: str, report: HealthReport) -> None:
        """Whoever makes it first wins."""
        row = {"day": day, "at": report.at, "told": "[]", "document": text_of(report)}
        statement = self._database.insert(health_reports).on_conflict_do_nothing()
        with self._database.write() as connection:
            connection.execute(statement, row)

    def told(self, day: str, channel: str) -> None:
        """It has reached a channel."""
        one = health_reports.c.day == day
        with self._database.write() as connection:
            before = connection.execute(select(health_reports.c.told).where(one).with_for_update()).scalar_one()
            channels = sorted({*value_of(before, list[str]), channel})
            connection.execute(update(health_reports).where(one).values(told=text_of(channels)))


def _counts(day: str, reading: Reading) -> DayCounts:
    counts = {name: value for name in COUNTS if (value := getattr(reading.metrics, name)) is not None}
    return DayCounts(day, counts, reading.estimates)
