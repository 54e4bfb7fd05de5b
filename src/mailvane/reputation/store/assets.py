"""Assets in the ledger, and questions about them that the database answers: pages, counts, ids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Text, bindparam, case, cast, delete, func, select, update

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import JsonFields, Texts, in_chunks, plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.reputation.model import NO_REPUTATION, Asset, AssetKind, AssetStatus, ObservationKind
from mailvane.reputation.questions import AssetPage, AssetQuestion, AssetStanding, TrafficFilter, WatchedGroup
from mailvane.reputation.store.tables import assets, observations

_AT_ONCE = 500
_PUT = update(assets).where(assets.c.id == bindparam("this"))


class AssetStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = Texts(database)
        self._data = JsonFields(database, assets.c.document)
        self._traffic = traffic = observations.alias("traffic")
        self._traffic_data = JsonFields(database, traffic.c.data)

    def add_assets(self, new: Sequence[Asset]) -> list[Asset]:
        """Keep new ones. One that is known by workspace, kind and name comes back as it is; in the order given."""
        with self._database.write() as connection:
            for chunk in in_chunks(new, _AT_ONCE):
                statement = self._database.insert(assets).on_conflict_do_nothing()
                connection.execute(statement, [_row(asset) for asset in chunk])
            known: dict[tuple[int, str, str], Asset] = {}
            for chunk in in_chunks(new, _AT_ONCE):
                wanted = select(assets).where(
                    assets.c.workspace.in_({asset.workspace for asset in chunk}),
                    assets.c.kind.in_({asset.kind.value for asset in chunk}),
                    assets.c.name.in_({asset.name for asset in chunk}),
                )
                found = (asset_of(row) for row in connection.execute(wanted))
                known |= {(asset.workspace, asset.kind, asset.name): asset for asset in found}
        return [known[asset.workspace, asset.kind, asset.name] for asset in new]

    def assets(self, workspace: int | None, kinds: Collection[AssetKind], profile_id: str | None = None) -> list[Asset]:
        """By name; of all workspaces when None."""
        wanted = select(assets).where(assets.c.kind.in_(sorted(kinds))).order_by(assets.c.name)
        if workspace is not None:
            wanted = wanted.where(assets.c.workspace == workspace)
        if profile_id is not None:
            wanted = wanted.where(assets.c.profile_id == profile_id)
        with self._database.read() as connection:
            return [asset_of(row) for row in connection.execute(wanted)]

    def asset(self, workspace: int, kind: AssetKind, asset_id: str) -> Asset | None:
        wanted = select(assets).where(
            assets.c.workspace == workspace, assets.c.kind == kind, assets.c.id == plain(asset_id)
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else asset_of(row)

    def assets_named(self, workspace: int, kind: AssetKind, names: Collection[str]) -> list[Asset]:
        """Those of these names that are watched, by name."""
        found: list[Asset] = []
        with self._database.read() as connection:
            for chunk in in_chunks(sorted(names), _AT_ONCE):
                wanted = select(assets).where(
                    assets.c.workspace == workspace,
                    assets.c.kind == kind,
                    assets.c.name.in_([plain(name) for name in chunk]),
                )
                found.extend(asset_of(row) for row in connection.execute(wanted.order_by(assets.c.name)))
        return found

    def change_asset(self, workspace: int, asset_id: str, change: Callable[[Asset], Asset]) -> Asset:
        """Read, change and write under a lock. Raises NotFound."""
        one = assets.c.workspace == workspace, assets.c.id == plain(asset_id)
        with self._database.write() as connection:
            row = connection.execute(select(assets).where(*one).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"nothing of id {asset_id} is watched")
            changed = change(asset_of(row))
            connection.execute(update(assets).where(*one).values(_row(changed)))
        return changed

    def change_assets(self, workspace: int, changes: Mapping[str, Callable[[Asset], Asset]]) -> None:
        """Many at once, by their ids; those that are not there any more are passed over."""
        with self._database.write() as connection:
            for ids in in_chunks(sorted(changes), _AT_ONCE):
                # In one order, so that two changes at once wait for each other instead of both waiting for ever.
                chosen = select(assets).where(assets.c.workspace == workspace, assets.c.id.in_(ids))
                rows = connection.execute(chosen.order_by(assets.c.id).with_for_update()).all()
                changed = [_row(changes[row.id](asset_of(row))) for row in rows]
                if changed:
                    connection.execute(_PUT, [{**row, "this": row["id"]} for row in changed])

    def remove_asset(self, workspace: int, kind: AssetKind, asset_id: str) -> None:
        """Its observations stay, for the log's sake. Raises NotFound."""
        gone = delete(assets).where(
            assets.c.workspace == workspace, assets.c.kind == kind, assets.c.id == plain(asset_id)
        )
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no {kind} {asset_id}")

    def asset_page(self, question: AssetQuestion, offset: int, limit: int, descending: bool = False) -> AssetPage:
        """A part of them by name, and how many there are in all."""
        wanted = list(self._wanted_assets(question))
        page = select(assets).where(*wanted).order_by(self._texts.ordered(assets.c.name, descending))
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(assets).where(*wanted)).scalar_one()
            rows = connection.execute(page.offset(offset).limit(limit))
            return AssetPage(total, [asset_of(row) for row in rows])

    def asset_count(self, workspace: int, kind: AssetKind) -> int:
        counted = select(func.count()).where(assets.c.workspace == workspace, assets.c.kind == kind)
        with self._database.read() as connection:
            return connection.execute(counted).scalar_one()

    def asset_counts(self, workspace: int) -> dict[AssetKind, int]:
        """How many verified ones there are of each kind; kinds without any are left out."""
        counted = select(assets.c.kind, func.count()).where(
            assets.c.workspace == workspace, self._data.flag("verified")
        )
        with self._database.read() as connection:
            return {AssetKind(kind): count for kind, count in connection.execute(counted.group_by(assets.c.kind))}

    def assets_asked_before(self, kinds: Collection[AssetKind], answered: int, failed: int) -> list[Asset]:
        """Verified ones of all workspaces, by name, that were asked about then at the latest, or never.

        The time for those whose last attempt failed is another one.
        """
        data, has_failed = self._data, self._data.text("status") == AssetStatus.FAILED
        wanted = select(assets).where(
            assets.c.kind.in_(sorted(kinds)),
            data.flag("verified"),
            data.integer("asked_at") <= case((has_failed, failed), else_=answered),
        )
        with self._database.read() as connection:
            return [asset_of(row) for row in connection.execute(wanted.order_by(assets.c.name))]

    def workspaces_watching(self, kinds: Collection[AssetKind]) -> list[int]:
        """Those that watch anything of these kinds."""
        wanted = select(assets.c.workspace).where(assets.c.kind.in_(sorted(kinds))).distinct()
        with self._database.read() as connection:
            return list(connection.execute(wanted.order_by(assets.c.workspace)).scalars())

    def asset_standing(self, workspace: int, kinds: Collection[AssetKind], fresh_since: int) -> AssetStanding:
        """Whatever was updated before `fresh_since` is unknown."""
        data, error = self._data, self._data.text("error").label("error")
        verified = assets.c.workspace == workspace, assets.c.kind.in_(sorted(kinds)), data.flag("verified")
        is_unknown = data.integer("updated_at") < fresh_since
        counted = select(func.count(), func.coalesce(func.sum(case((is_unknown, 1), else_=0)), 0)).where(*verified)
        failed = select(error).where(*verified, is_unknown, data.text("error") != "").group_by("error")
        first = self._texts.ordered(func.min(assets.c.name))
        with self._database.read() as connection:
            number, unknown = connection.execute(counted.select_from(assets)).one()
            most = connection.execute(failed.order_by(func.count().desc(), first).limit(1)).scalar()
        return AssetStanding(number, int(unknown), most or "")

    def watched_groups(self, workspace: int, kinds: Collection[AssetKind]) -> list[WatchedGroup]:
        verified = func.max(case((self._data.flag("verified"), 1), else_=0))
        group = assets.c.kind, assets.c.profile_id
        wanted = select(*group, verified).where(assets.c.workspace == workspace, assets.c.kind.in_(sorted(kinds)))
        with self._database.read() as connection:
            rows = connection.execute(wanted.group_by(*group)).all()
        return [
            WatchedGroup(AssetKind(kind), profile_id, bool(any_verified)) for kind, profile_id, any_verified in rows
        ]

    def asset_ids(self, workspace: int, kinds: Collection[AssetKind], ids: Collection[str] | None = None) -> list[str]:
        """Of all of these kinds, or those of them that are named by their ids."""
        wanted = select(assets.c.id).where(assets.c.workspace == workspace, assets.c.kind.in_(sorted(kinds)))
        if ids is not None:
            wanted = wanted.where(self._texts.is_one_of(assets.c.id, ids))
        with self._database.read() as connection:
            return list(connection.execute(wanted.order_by(assets.c.id)).scalars())

    def _wanted_assets(self, question: AssetQuestion) -> Iterator[ColumnElement[bool]]:
        yield assets.c.workspace == question.workspace
        yield assets.c.kind == question.kind
        if question.profile_id is not None:
            yield assets.c.profile_id == plain(question.profile_id)
        if question.name_part:
            yield self._texts.holds(assets.c.name, question.name_part)
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
            category = func.coalesce(func.nullif(self._traffic_data.text("domainReputation"), ""), NO_REPUTATION)
            fits = select(traffic.c.asset).join(newest, is_newest).where(*kind)
            has_it = name.in_(fits.where(self._texts.is_one_of(category, wanted.reputations)))
            yield has_it | name.not_in(seen) if NO_REPUTATION in wanted.reputations else has_it
        if wanted.address_part:
            groups = self._traffic_data.elements("ipReputations")
            samples = JsonFields(self._database, groups.c.value).elements("sampleIps")
            holds = self._texts.holds(cast(samples.c.value, Text), wanted.address_part)
            yield name.in_(select(traffic.c.asset).select_from(traffic, groups, samples).where(*days, holds))


def _row(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "workspace": asset.workspace,
        "kind": asset.kind.value,
        "name": asset.name,
        "profile_id": asset.profile_id,
        "document": text_of(asset),
    }


def asset_of(row: Row[Any]) -> Asset:
    return msgspec.structs.replace(value_of(row.document, Asset), profile_id=row.profile_id)


# Profiles in the ledger: names under which assets and alerts are gathered.
