"""Profiles and assets in the ledger. Implements `Profiles` and `Assets` of the storage layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import in_chunks, plain, text_of, value_of
from mailvane.reputation.model import Asset, AssetKind, Profile
from mailvane.reputation.store.tables import alerts, assets, profiles

_AT_ONCE = 500
_PUT = update(assets).where(assets.c.id == bindparam("this"))


class SqlAssets:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_profile(self, profile: Profile) -> Profile:
        try:
            with self._database.write() as connection:
                connection.execute(insert(profiles).values(msgspec.structs.asdict(profile)))
        except IntegrityError as error:
            raise AlreadyExists(f"there is a profile {profile.name} already") from error
        return profile

    def profiles(self, workspace: int) -> list[Profile]:
        wanted = select(profiles).where(profiles.c.workspace == workspace).order_by(profiles.c.name)
        with self._database.read() as connection:
            return [_profile(row) for row in connection.execute(wanted)]

    def save_profile(self, profile: Profile) -> None:
        wanted = update(profiles).where(profiles.c.workspace == profile.workspace, profiles.c.id == profile.id)
        try:
            with self._database.write() as connection:
                found = connection.execute(wanted.values(name=profile.name)).rowcount
        except IntegrityError as error:
            raise AlreadyExists(f"there is a profile {profile.name} already") from error
        if not found:
            raise NotFound(f"there is no profile {profile.id}")

    def remove_profile(self, workspace: int, profile_id: str) -> None:
        gone = delete(profiles).where(profiles.c.workspace == workspace, profiles.c.id == profile_id)
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no profile {profile_id}")
            for table in (assets, alerts):
                had = table.c.workspace == workspace, table.c.profile_id == profile_id
                connection.execute(update(table).where(*had).values(profile_id=None))

    def add_assets(self, new: Sequence[Asset]) -> list[Asset]:
        with self._database.write() as connection:
            for chunk in in_chunks(new, _AT_ONCE):
                statement = self._database.insert(assets).on_conflict_do_nothing()
                connection.execute(statement, [_row(asset) for asset in chunk])
            known: dict[tuple[int, str, str], Asset] = {}
            for chunk in in_chunks(new, _AT_ONCE):
                known |= _named(connection, chunk)
        return [known[asset.workspace, asset.kind, asset.name] for asset in new]

    def assets(self, workspace: int | None, kinds: Collection[AssetKind], profile_id: str | None = None) -> list[Asset]:
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
        one = assets.c.workspace == workspace, assets.c.id == plain(asset_id)
        with self._database.write() as connection:
            row = connection.execute(select(assets).where(*one).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"nothing of id {asset_id} is watched")
            changed = change(asset_of(row))
            connection.execute(update(assets).where(*one).values(_row(changed)))
        return changed

    def change_assets(self, workspace: int, changes: Mapping[str, Callable[[Asset], Asset]]) -> None:
        with self._database.write() as connection:
            for ids in in_chunks(sorted(changes), _AT_ONCE):
                # In one order, so that two changes at once wait for each other instead of both waiting for ever.
                chosen = select(assets).where(assets.c.workspace == workspace, assets.c.id.in_(ids))
                rows = connection.execute(chosen.order_by(assets.c.id).with_for_update()).all()
                changed = [_row(changes[row.id](asset_of(row))) for row in rows]
                if changed:
                    connection.execute(_PUT, [{**row, "this": row["id"]} for row in changed])

    def remove_asset(self, workspace: int, kind: AssetKind, asset_id: str) -> None:
        gone = delete(assets).where(
            assets.c.workspace == workspace, assets.c.kind == kind, assets.c.id == plain(asset_id)
        )
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no {kind} {asset_id}")


def _named(connection: Connection, chunk: Sequence[Asset]) -> dict[tuple[int, str, str], Asset]:
    wanted = select(assets).where(
        assets.c.workspace.in_({asset.workspace for asset in chunk}),
        assets.c.kind.in_({asset.kind.value for asset in chunk}),
        assets.c.name.in_({asset.name for asset in chunk}),
    )
    found = (asset_of(row) for row in connection.execute(wanted))
    return {(asset.workspace, asset.kind, asset.name): asset for asset in found}


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


def _profile(row: Row[Any]) -> Profile:
    return Profile(id=row.id, workspace=row.workspace, name=row.name, created_at=row.created_at)
