"""What outside sources said, in the ledger, and questions about it that the database answers: pages, counts, sums."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, case, cast, delete, func, or_, select

from mailvane.core.ledger.columns import JsonFields, Texts, in_chunks, plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.core.moments import DAY_MS
from mailvane.reputation.model import CORRECTED, HITS, LISTINGS, Observation, ObservationKind, Source, SourceHealth
from mailvane.reputation.questions import AssetSums, ErrorRatio, ObservationPage, ObservationQuestion, Standing
from mailvane.reputation.store.tables import observations, source_health

_AT_ONCE = 2000
_NAMES_AT_ONCE = 500  # in one statement: an engine has its limit
_IDENTITY = (observations.c.kind, observations.c.asset, observations.c.key)


class ObservationStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._data = JsonFields(database, observations.c.data)
        self._texts = Texts(database)

    def observe(self, workspace: int, received: Iterable[Observation]) -> None:
        """Keep them. One that is known gets the later `confirmed_at`, with new data if it is of a corrected kind."""
        with self._database.write() as connection:
            for chunk in in_chunks(received, _AT_ONCE):
                rows = _hits_once(connection, workspace, [_row(workspace, observation) for observation in chunk])
                if rows:
                    connection.execute(self._confirming(), rows)

    def _confirming(self) -> Any:
        statement = self._database.insert(observations)
        later = statement.excluded.confirmed_at
        is_corrected = or_(*(observations.c.kind == kind for kind in sorted(CORRECTED)))
        corrected = case((is_corrected, statement.excluded.data), else_=observations.c.data)
        return statement.on_conflict_do_update(
            index_elements=["workspace", "kind", "asset", "key", "at"],
            set_={"confirmed_at": later, "data": corrected},
            where=observations.c.confirmed_at < later,
        )

    def latest(
        self,
        workspace: int,
        kinds: Collection[ObservationKind],
        assets: Collection[str] | None = None,
        seen_until: int | None = None,
    ) -> list[Observation]:
        """The newest of each kind, asset and key, of those that had been seen then."""
        found: list[Observation] = []
        with self._database.read() as connection:
            if assets is None:
                return [observation_of(row) for row in connection.execute(_latest(workspace, kinds, seen_until))]
            for names in in_chunks(sorted(assets), _NAMES_AT_ONCE):
                chosen = observations.c.asset.in_([plain(name) for name in names])
                rows = connection.execute(_latest(workspace, kinds, seen_until, chosen))
                found.extend(observation_of(row) for row in rows)
        return found

    def between(
        self, workspace: int, kinds: Collection[ObservationKind], since: int, until: int, asset: str | None = None
    ) -> list[Observation]:
        """Those that tell of a time from `since` to before `until`, oldest first."""
        wanted = select(observations).where(
            observations.c.workspace == workspace,
            observations.c.kind.in_(sorted(kinds)),
            observations.c.at >= since,
            observations.c.at < until,
        )
        if asset is not None:
            wanted = wanted.where(observations.c.asset == plain(asset))
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(observations.c.at, *_IDENTITY))
            return [observation_of(row) for row in rows]

    def is_observed(self, workspace: int, kind: ObservationKind, asset: str, key: str, at: int | None = None) -> bool:
        """Whether it is kept already: for that time, or for any."""
        wanted = select(observations.c.at).where(
            observations.c.workspace == workspace,
            observations.c.kind == kind,
            observations.c.asset == plain(asset),
            observations.c.key == plain(key),
        )
        if at is not None:
            wanted = wanted.where(observations.c.at == at)
        with self._database.read() as connection:
            return connection.execute(wanted.limit(1)).first() is not None

    def forget_observations(self, kinds: Collection[ObservationKind], before: int) -> int:
        """Remove what tells of a time before, except the newest of each asset and key; how many."""
        old = delete(observations).where(
            observations.c.kind.in_(sorted(kinds)), observations.c.at < before, newer().exists()
        )
        with self._database.write() as connection:
            return connection.execute(old).rowcount

    def standing(self) -> Standing:
        # As `text_of` writes it: names in order, no spaces.
        listed = observations.c.data.like('%"listed":true%')
        listings = observations.c.kind.in_(sorted(LISTINGS))
        wanted = select(observations.c.kind, func.count()).where(listings, listed, ~newer().exists())
        with self._database.read() as connection:
            listed_by_kind = connection.execute(wanted.group_by(observations.c.kind)).all()
            documents = connection.execute(select(source_health.c.document)).scalars().all()
        by_source: dict[Source, list[SourceHealth]] = {}
        for health in (value_of(document, SourceHealth) for document in documents):
            by_source.setdefault(health.source, []).append(health)
        return Standing(
            {ObservationKind(kind): count for kind, count in listed_by_kind},
            {source: min(each.succeeded_at for each in found) for source, found in by_source.items()},
            {source: sum(each.refused for each in found) for source, found in by_source.items()},
            {source: max(each.refused_at for each in found) for source, found in by_source.items()},
        )

    def health(self, workspace: int) -> list[SourceHealth]:
        wanted = select(source_health.c.document).where(source_health.c.workspace == workspace)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(source_health.c.source))
            return [value_of(row.document, SourceHealth) for row in rows]

    def save_health(self, workspace: int, source: Source, change: Callable[[SourceHealth], SourceHealth]) -> None:
        one = source_health.c.workspace == workspace, source_health.c.source == source
        with self._database.write() as connection:
            known = connection.execute(select(source_health.c.document).where(*one).with_for_update()).scalar()
            changed = change(SourceHealth(source=source) if known is None else value_of(known, SourceHealth))
            row = {"workspace": workspace, "source": source.value, "document": text_of(changed)}
            connection.execute(self._database.upsert(source_health), row)

    def observation_page(
        self, question: ObservationQuestion, offset: int, limit: int, newest_first: bool = True
    ) -> ObservationPage:
        """A part of them in the order of their times, and how many there are in all."""
        order = [
            column.desc() if newest_first else column
            for column in (observations.c.at, observations.c.key, observations.c.asset)
        ]
        return self._page(question, order, offset, limit)

    def keyed_page(
        self, question: ObservationQuestion, offset: int, limit: int, descending: bool = False
    ) -> ObservationPage:
        """A part of them in the order of their keys, and how many there are in all."""
        order = [self._texts.ordered(column, descending) for column in (observations.c.key, observations.c.asset)]
        return self._page(question, [*order, observations.c.at], offset, limit)

    def observations_by_asset(self, question: ObservationQuestion) -> dict[str, list[Observation]]:
        """All of them, by key and time; for questions that name few assets."""
        found: dict[str, list[Observation]] = {}
        order = (self._texts.ordered(observations.c.key), observations.c.at)
        wanted = select(observations).where(*self._conditions(question)).order_by(*order)
        with self._database.read() as connection:
            for row in connection.execute(wanted):
                found.setdefault(row.asset, []).append(observation_of(row))
        return found

    def error_ratios(self, question: ObservationQuestion) -> list[ErrorRatio]:
        """The delivery errors of days of Postmaster Tools, by domain, class and type."""
        errors = self._data.elements("deliveryErrors")
        error = JsonFields(self._database, errors.c.value)
        named = (observations.c.asset, error.text("errorClass").label("class"), error.text("errorType").label("type"))
        mean = func.sum(error.number("errorRatio")) / func.count()
        wanted = select(*named, mean).select_from(observations, errors).where(*self._conditions(question))
        order = [self._texts.ordered(column) for column in named]
        with self._database.read() as connection:
            rows = connection.execute(wanted.group_by(*named).order_by(*order))
            return [
                ErrorRatio(domain=domain, error_class=kind, error_type=reason, mean=ratio)
                for domain, kind, reason, ratio in rows
            ]

    def counts_by(self, question: ObservationQuestion, field: str) -> list[tuple[str, int]]:
        """How many have each value of a field of the data, the most first."""
        value, count = self._data.text(field).label("value"), func.count().label("found")
        wanted = select(value, count).where(*self._conditions(question)).group_by("value")
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(count.desc(), "value"))
            return [(row.value, row.found) for row in rows]

    def counts_by_day(self, question: ObservationQuestion) -> dict[int, int]:
        """How many each day of UTC has, by days since the epoch."""
        day = cast((observations.c.at - observations.c.at % DAY_MS) / DAY_MS, BigInteger).label("day")
        wanted = select(day, func.count().label("found")).where(*self._conditions(question)).group_by("day")
        with self._database.read() as connection:
            return {row.day: row.found for row in connection.execute(wanted)}

    def sums_by_asset(
        self, question: ObservationQuestion, fields: Sequence[str], counted: str | None = None
    ) -> list[AssetSums]:
        """Numeric fields of the data added up, asset by asset in order; and how often each value of one more field."""
        sums = [func.sum(self._data.number(field)) for field in fields]
        conditions = self._conditions(question)
        wanted = select(observations.c.asset, func.count(), *sums).where(*conditions).group_by(observations.c.asset)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(observations.c.asset)).all()
            values: dict[str, dict[str, int]] = {}
            if counted is not None:
                value = self._data.text(counted).label("value")
                by_value = select(observations.c.asset, value, func.count()).where(*conditions)
                for asset, group, count in connection.execute(by_value.group_by(observations.c.asset, "value")):
                    values.setdefault(asset, {})[group] = count
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
        texts = self._texts
        if question.assets is not None:
            yield texts.is_one_of(observations.c.asset, question.assets)
        if question.keys is not None:
            yield texts.is_one_of(observations.c.key, question.keys)
        if question.keys_but:
            yield ~texts.is_one_of(observations.c.key, question.keys_but)
        if question.key_part:
            yield texts.holds(observations.c.key, question.key_part)


def _hits_once(connection: Connection, workspace: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without hits that are known, or stand in the rows before, under another asset."""
    moments = sorted({row["at"] for row in rows if row["kind"] in HITS})
    known: dict[tuple[str, int, str], str] = {}
    for some in in_chunks(moments, _NAMES_AT_ONCE):
        wanted = select(*_IDENTITY, observations.c.at).where(
            observations.c.workspace == workspace, observations.c.kind.in_(sorted(HITS)), observations.c.at.in_(some)
        )
        known |= {(row.kind, row.at, row.key): row.asset for row in connection.execute(wanted)}
    return [
        row
        for row in rows
        if row["kind"] not in HITS
        or known.setdefault((row["kind"], row["at"], row["key"]), row["asset"]) == row["asset"]
    ]


def newer() -> Select[Any]:
    """What was said later of the same."""
    other = observations.alias()
    same = (other.c[column.name] == column for column in _IDENTITY)
    return select(1).where(other.c.workspace == observations.c.workspace, *same, other.c.at > observations.c.at)


def _latest(workspace: int, kinds: Collection[ObservationKind], seen_until: int | None, *more: Any) -> Select[Any]:
    conditions = [observations.c.workspace == workspace, observations.c.kind.in_(sorted(kinds)), *more]
    if seen_until is not None:
        conditions.append(observations.c.seen_at <= seen_until)
    newest = select(*_IDENTITY, func.max(observations.c.at).label("at")).where(*conditions).group_by(*_IDENTITY)
    last = newest.subquery()
    return (
        select(observations)
        .join(
            last,
            (observations.c.workspace == workspace)
            & (observations.c.kind == last.c.kind)
            & (observations.c.asset == last.c.asset)
            & (observations.c.key == last.c.key)
            & (observations.c.at == last.c.at),
        )
        .order_by(*_IDENTITY)
    )


def _row(workspace: int, observation: Observation) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "kind": observation.kind.value,
        "asset": plain(observation.asset),
        "key": plain(observation.key),
        "at": observation.at,
        "seen_at": observation.seen_at,
        "confirmed_at": max(observation.confirmed_at, observation.seen_at),
        "data": text_of(observation.data),
    }


def observation_of(row: Row[Any]) -> Observation:
    """A row of the table as a value."""
    return Observation(
        kind=ObservationKind(row.kind),
        asset=row.asset,
        key=row.key,
        at=row.at,
        seen_at=row.seen_at,
        confirmed_at=row.confirmed_at,
        data=msgspec.json.decode(row.data),
    )
