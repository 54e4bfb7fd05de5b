"""What outside sources said, in the ledger. Implements `Observations` of the storage layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, case, delete, func, or_, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import in_chunks, plain, text_of, value_of
from mailvane.reputation.interface import Standing
from mailvane.reputation.model import CORRECTED, HITS, LISTINGS, Observation, ObservationKind, Source, SourceHealth
from mailvane.reputation.store.tables import observations, source_health

_AT_ONCE = 2000
_NAMES_AT_ONCE = 500  # in one statement: an engine has its limit
_IDENTITY = (observations.c.kind, observations.c.asset, observations.c.key)


class SqlObservations:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def observe(self, workspace: int, told: Iterable[Observation]) -> None:
        with self._database.write() as connection:
            for chunk in in_chunks(told, _AT_ONCE):
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


def _row(workspace: int, told: Observation) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "kind": told.kind.value,
        "asset": plain(told.asset),
        "key": plain(told.key),
        "at": told.at,
        "seen_at": told.seen_at,
        "confirmed_at": max(told.confirmed_at, told.seen_at),
        "data": text_of(told.data),
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
