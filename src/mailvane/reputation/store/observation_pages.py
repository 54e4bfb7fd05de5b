"""Questions about observations that are answered by the database: pages, counts and sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import plain
from mailvane.core.ledger.json_fields import JsonFields
from mailvane.core.ledger.texts import Texts
from mailvane.core.moments import DAY_MS
from mailvane.reputation.model import Observation
from mailvane.reputation.questions import AssetSums, ErrorRatio, ObservationPage, ObservationQuestion
from mailvane.reputation.store.observations import newer, observation_of
from mailvane.reputation.store.tables import observations


class SqlObservationPages:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._data = JsonFields(database, observations.c.data)
        self._observation_texts = Texts(database)

    def observation_page(
        self, question: ObservationQuestion, offset: int, limit: int, newest_first: bool = True
    ) -> ObservationPage:
        order = [
            column.desc() if newest_first else column
            for column in (observations.c.at, observations.c.key, observations.c.asset)
        ]
        return self._page(question, order, offset, limit)

    def keyed_page(
        self, question: ObservationQuestion, offset: int, limit: int, descending: bool = False
    ) -> ObservationPage:
        order = [
            self._observation_texts.ordered(column, descending) for column in (observations.c.key, observations.c.asset)
        ]
        return self._page(question, [*order, observations.c.at], offset, limit)

    def observations_by_asset(self, question: ObservationQuestion) -> dict[str, list[Observation]]:
        found: dict[str, list[Observation]] = {}
        order = (self._observation_texts.ordered(observations.c.key), observations.c.at)
        wanted = select(observations).where(*self._conditions(question)).order_by(*order)
        with self._database.read() as connection:
            for row in connection.execute(wanted):
                found.setdefault(row.asset, []).append(observation_of(row))
        return found

    def error_ratios(self, question: ObservationQuestion) -> list[ErrorRatio]:
        errors = self._data.elements("deliveryErrors")
        error = JsonFields(self._database, errors.c.value)
        named = (observations.c.asset, error.text("errorClass").label("class"), error.text("errorType").label("type"))
        mean = func.sum(error.number("errorRatio")) / func.count()
        wanted = select(*named, mean).select_from(observations, errors).where(*self._conditions(question))
        order = [self._observation_texts.ordered(column) for column in named]
        with self._database.read() as connection:
            rows = connection.execute(wanted.group_by(*named).order_by(*order))
            return [
                ErrorRatio(domain=domain, error_class=kind, error_type=reason, mean=ratio)
                for domain, kind, reason, ratio in rows
            ]

    def counts_by(self, question: ObservationQuestion, field: str) -> list[tuple[str, int]]:
        value, count = self._data.text(field).label("value"), func.count().label("found")
        wanted = select(value, count).where(*self._conditions(question)).group_by("value")
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(count.desc(), "value"))
            return [(row.value, row.found) for row in rows]

    def counts_by_day(self, question: ObservationQuestion) -> dict[int, int]:
        day = cast((observations.c.at - observations.c.at % DAY_MS) / DAY_MS, BigInteger).label("day")
        wanted = select(day, func.count().label("found")).where(*self._conditions(question)).group_by("day")
        with self._database.read() as connection:
            return {row.day: row.found for row in connection.execute(wanted)}

    def sums_by_asset(
        self, question: ObservationQuestion, fields: Sequence[str], counted: str | None = None
    ) -> list[AssetSums]:
        sums = [func.sum(self._data.number(field)) for field in fields]
        conditions = self._conditions(question)
        wanted = select(observations.c.asset, func.count(), *sums).where(*conditions).group_by(observations.c.asset)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(observations.c.asset)).all()
            values: dict[str, dict[str, int]] = {}
            if counted is not None:
                value = self._data.text(counted).label("value")
                by_value = select(observations.c.asset, value, func.count()).where(*conditions)
                for asset, told, count in connection.execute(by_value.group_by(observations.c.asset, "value")):
                    values.setdefault(asset, {})[told] = count
        return [
            AssetSums(
                asset=asset, count=count, sums=dict(zip(fields, found, strict=True)), values=values.get(asset, {})
            )
            for asset, count, *found in rows
        ]

    def _page(
        self, question: ObservationQuestion, order: Sequence[ColumnElement[Any]], offset: int, limit: int
    ) -> ObservationPage:
        conditions = self._conditions(question)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(observations).where(*conditions)).scalar_one()
            wanted = select(observations).where(*conditions).order_by(*order).offset(offset).limit(limit)
            return ObservationPage(total, [observation_of(row) for row in connection.execute(wanted)])

    def _conditions(self, question: ObservationQuestion) -> list[ColumnElement[bool]]:
        conditions = [
            observations.c.workspace == question.workspace,
            observations.c.kind == question.kind,
            observations.c.at >= question.since,
            observations.c.at < question.until,
        ]
        conditions += self._named(question)
        if question.asset_part:
            conditions.append(observations.c.asset.contains(plain(question.asset_part), autoescape=True))
        if question.newest_only:
            conditions.append(~newer().exists())
        for name, part in question.contains.items():
            if part:
                conditions.append(self._data.text(name).icontains(plain(part), autoescape=True))
        for name, values in question.one_of.items():
            if values:
                conditions.append(self._data.text(name).in_([plain(value) for value in sorted(values)]))
        conditions += [self._data.flag(name) for name in question.true]
        conditions += [~self._data.flag(name) for name in question.not_true]
        return conditions

    def _named(self, question: ObservationQuestion) -> Iterator[ColumnElement[bool]]:
        texts = self._observation_texts
        if question.assets is not None:
            yield texts.is_one_of(observations.c.asset, question.assets)
        if question.keys is not None:
            yield texts.is_one_of(observations.c.key, question.keys)
        if question.keys_but:
            yield ~texts.is_one_of(observations.c.key, question.keys_but)
        if question.key_part:
            yield texts.holds(observations.c.key, question.key_part)
