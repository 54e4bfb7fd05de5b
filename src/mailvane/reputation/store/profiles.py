"""Profiles in the ledger: names under which assets and alerts are gathered."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.ledger.database import Database
from mailvane.reputation.model import Profile
from mailvane.reputation.store.tables import alerts, assets, profiles


class ProfileStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_profile(self, profile: Profile) -> Profile:
        """Raises AlreadyExists."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(profiles).values(msgspec.structs.asdict(profile)))
        except IntegrityError as error:
            raise AlreadyExists(f"there is a profile {profile.name} already") from error
        return profile

    def profiles(self, workspace: int) -> list[Profile]:
        """By name."""
        wanted = select(profiles).where(profiles.c.workspace == workspace).order_by(profiles.c.name)
        with self._database.read() as connection:
            return [
                Profile(id=row.id, workspace=row.workspace, name=row.name, created_at=row.created_at)
                for row in connection.execute(wanted)
            ]

    def save_profile(self, profile: Profile) -> None:
        """Raises NotFound, AlreadyExists."""
        wanted = update(profiles).where(profiles.c.workspace == profile.workspace, profiles.c.id == profile.id)
        try:
            with self._database.write() as connection:
                found = connection.execute(wanted.values(name=profile.name)).rowcount
        except IntegrityError as error:
            raise AlreadyExists(f"there is a profile {profile.name} already") from error
        if not found:
            raise NotFound(f"there is no profile {profile.id}")

    def remove_profile(self, workspace: int, profile_id: str) -> None:
        """What had it has none then. Raises NotFound."""
        gone = delete(profiles).where(profiles.c.workspace == workspace, profiles.c.id == profile_id)
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no profile {profile_id}")
            for table in (assets, alerts):
                had = table.c.workspace == workspace, table.c.profile_id == profile_id
                connection.execute(update(table).where(*had).values(profile_id=None))
