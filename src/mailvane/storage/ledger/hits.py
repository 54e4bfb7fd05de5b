"""Mail to spam traps and honeytokens, asked of the observations: a page, counts by a field, counts by day."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, cast, func, literal, select, type_coerce

from mailvane.domain.alerts import DAY_MS
from mailvane.storage.ledger.database import Database
from mailvane.storage.ledger.observations import observation_of
from mailvane.storage.ledger.reputation_tables import observations
from mailvane.storage.reputation import HitQuestion, ObservationPage


class SqlHits:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hits(self, question: HitQuestion, offset: int, limit: int, newest_first: bool = True) -> ObservationPage:
        """A part of the hits in the order of their times, and how many there are in all."""
        conditions = self._conditions(question)
        order = [column.desc() if newest_first else column for column in (observations.c.at, observations.c.key)]
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(observations).where(*conditions)).scalar_one()
            wanted = select(observations).where(*conditions).order_by(*order).offset(offset).limit(limit)
            return ObservationPage(total, [observation_of(row) for row in connection.execute(wanted)])

    def hits_by(self, question: HitQuestion, field: str) -> list[tuple[str, int]]:
        """How many hits each value of a field has, the most first."""
        value, count = self._field(field).label("value"), func.count().label("hits")
        wanted = (
            select(value, count).where(*self._conditions(question)).group_by("value").order_by(count.desc(), "value")
        )
        with self._database.read() as connection:
            return [(row.value, row.hits) for row in connection.execute(wanted)]

    def hits_by_day(self, question: HitQuestion) -> dict[int, int]:
        """How many hits each day of UTC has, by days since the epoch."""
        day = cast((observations.c.at - observations.c.at % DAY_MS) / DAY_MS, BigInteger).label("day")
        wanted = select(day, func.count().label("hits")).where(*self._conditions(question)).group_by("day")
        with self._database.read() as connection:
            return {row.day: row.hits for row in connection.execute(wanted)}

    def _conditions(self, question: HitQuestion) -> list[ColumnElement[bool]]:
        return [
            observations.c.workspace == question.workspace,
            observations.c.kind == question.kind,
            observations.c.at >= question.since,
            observations.c.at < question.until,
            *(self._field(name).icontains(part, autoescape=True) for name, part in question.contains.items() if part),
            *(self._field(name).in_(sorted(values)) for name, values in question.one_of.items() if values),
        ]

    def _field(self, name: str) -> ColumnElement[str]:
        """A field of the data as text; empty where there is none."""
        data = observations.c.data
        document: ColumnElement[Any] = type_coerce(data, JSON) if self._database.is_sqlite else cast(data, JSON)
        return func.coalesce(document[name].as_string(), literal(""))
