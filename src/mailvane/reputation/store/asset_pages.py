"""Questions about assets that are answered by the database: pages, counts, ids. Part of `Assets`."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import ColumnElement, Text, case, cast, func, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import plain
from mailvane.core.ledger.json_fields import JsonFields
from mailvane.core.ledger.texts import Texts
from mailvane.reputation.model import NO_REPUTATION, Asset, AssetKind, AssetStatus, ObservationKind
from mailvane.reputation.questions import AssetPage, AssetQuestion, AssetStanding, TrafficFilter
from mailvane.reputation.store.assets import asset_of
from mailvane.reputation.store.tables import assets, observations


class SqlAssetPages:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asset_texts = Texts(database)
        self._asset_data = JsonFields(database, assets.c.document)
        self._traffic = traffic = observations.alias("traffic")
        self._traffic_data = JsonFields(database, traffic.c.data)

    def asset_page(self, question: AssetQuestion, offset: int, limit: int, descending: bool = False) -> AssetPage:
        wanted = list(self._wanted_assets(question))
        page = select(assets).where(*wanted).order_by(self._asset_texts.ordered(assets.c.name, descending))
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(assets).where(*wanted)).scalar_one()
            rows = connection.execute(page.offset(offset).limit(limit))
            return AssetPage(total, [asset_of(row) for row in rows])

    def asset_count(self, workspace: int, kind: AssetKind) -> int:
        counted = select(func.count()).where(assets.c.workspace == workspace, assets.c.kind == kind)
        with self._database.read() as connection:
            return connection.execute(counted).scalar_one()

    def assets_asked_before(self, kinds: Collection[AssetKind], answered: int, failed: int) -> list[Asset]:
        data, has_failed = self._asset_data, self._asset_data.text("status") == AssetStatus.FAILED
        wanted = select(assets).where(
            assets.c.kind.in_(sorted(kinds)),
            data.flag("verified"),
            data.integer("asked_at") <= case((has_failed, failed), else_=answered),
        )
        with self._database.read() as connection:
            return [asset_of(row) for row in connection.execute(wanted.order_by(assets.c.name))]

    def asset_standing(self, workspace: int, kinds: Collection[AssetKind], fresh_since: int) -> AssetStanding:
        data, error = self._asset_data, self._asset_data.text("error").label("error")
        verified = assets.c.workspace == workspace, assets.c.kind.in_(sorted(kinds)), data.flag("verified")
        is_unknown = data.integer("updated_at") < fresh_since
        counted = select(func.count(), func.coalesce(func.sum(case((is_unknown, 1), else_=0)), 0)).where(*verified)
        failed = select(error).where(*verified, is_unknown, data.text("error") != "").group_by("error")
        first = self._asset_texts.ordered(func.min(assets.c.name))
        with self._database.read() as connection:
            number, unknown = connection.execute(counted.select_from(assets)).one()
            most = connection.execute(failed.order_by(func.count().desc(), first).limit(1)).scalar()
        return AssetStanding(number, int(unknown), most or "")

    def asset_ids(self, workspace: int, kinds: Collection[AssetKind], ids: Collection[str] | None = None) -> list[str]:
        wanted = select(assets.c.id).where(assets.c.workspace == workspace, assets.c.kind.in_(sorted(kinds)))
        if ids is not None:
            wanted = wanted.where(self._asset_texts.is_one_of(assets.c.id, ids))
        with self._database.read() as connection:
            return list(connection.execute(wanted.order_by(assets.c.id)).scalars())

    def _wanted_assets(self, question: AssetQuestion) -> Iterator[ColumnElement[bool]]:
        yield assets.c.workspace == question.workspace
        yield assets.c.kind == question.kind
        if question.profile_id is not None:
            yield assets.c.profile_id == plain(question.profile_id)
        if question.name_part:
            yield self._asset_texts.holds(assets.c.name, question.name_part)
        if question.traffic is not None:
            yield from self._with_traffic(question.workspace, question.traffic)

    def _with_traffic(self, workspace: int, wanted: TrafficFilter) -> Iterator[ColumnElement[bool]]:
        """The days are looked through once, not once for each domain."""
        name, traffic = assets.c.name, self._traffic
        kind = traffic.c.workspace == workspace, traffic.c.kind == ObservationKind.TRAFFIC
        days = (*kind, traffic.c.at >= wanted.since, traffic.c.at < wanted.until)
        seen = select(traffic.c.asset).where(*days)
        if wanted.is_needed:
            yield name.in_(seen)
        if wanted.reputations:
            last = select(traffic.c.asset, func.max(traffic.c.at).label("at")).where(*days)
            newest = last.group_by(traffic.c.asset).subquery()
            is_newest = (traffic.c.asset == newest.c.asset) & (traffic.c.at == newest.c.at)
            told = func.coalesce(func.nullif(self._traffic_data.text("domainReputation"), ""), NO_REPUTATION)
            fits = select(traffic.c.asset).join(newest, is_newest).where(*kind)
            has_it = name.in_(fits.where(self._asset_texts.is_one_of(told, wanted.reputations)))
            yield has_it | name.not_in(seen) if NO_REPUTATION in wanted.reputations else has_it
        if wanted.address_part:
            groups = self._traffic_data.elements("ipReputations")
            samples = JsonFields(self._database, groups.c.value).elements("sampleIps")
            holds = self._asset_texts.holds(cast(samples.c.value, Text), wanted.address_part)
            yield name.in_(select(traffic.c.asset).select_from(traffic, groups, samples).where(*days, holds))
