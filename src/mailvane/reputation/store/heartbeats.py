"""Heartbeats that are expected, in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, InvalidInput
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import workspaces
from mailvane.reputation.heartbeats import Heartbeat
from mailvane.reputation.store.tables import heartbeats

_COLUMNS = [heartbeats.c[name] for name in Heartbeat.__struct_fields__]
_KEPT_MS = 1000  # a write a second and heartbeat at most, however often it is called


class HeartbeatStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, heartbeat: Heartbeat, secret_hash: str, most: int) -> None:
        """Raises AlreadyExists, InvalidInput where the workspace has so many."""
        owner = heartbeat.workspace
        counted = select(func.count()).select_from(heartbeats).where(heartbeats.c.workspace == owner)
        row = {**msgspec.structs.asdict(heartbeat), "secret_hash": secret_hash}
        try:
            with self._database.write() as connection:
                connection.execute(select(workspaces.c.id).where(workspaces.c.id == owner).with_for_update())
                if connection.execute(counted).scalar_one() >= most:
                    raise InvalidInput(f"a workspace has at most {most} heartbeats")
                connection.execute(insert(heartbeats).values(row))
        except IntegrityError as error:
            raise AlreadyExists(f"there is a heartbeat {heartbeat.name} already, or one with its address") from error

    def of(self, workspace: int) -> Sequence[Heartbeat]:
        """By name."""
        wanted = select(*_COLUMNS).where(heartbeats.c.workspace == workspace).order_by(heartbeats.c.name)
        with self._database.read() as connection:
            return [Heartbeat(**row) for row in connection.execute(wanted).mappings()]

    def all(self) -> Sequence[Heartbeat]:
        """Of every workspace."""
        with self._database.read() as connection:
            return [Heartbeat(**row) for row in connection.execute(select(*_COLUMNS)).mappings()]

    def secret_hashes(self, workspace: int) -> Mapping[str, str]:
        """By id."""
        wanted = select(heartbeats.c.id, heartbeats.c.secret_hash).where(heartbeats.c.workspace == workspace)
        with self._database.read() as connection:
            return {row.id: row.secret_hash for row in connection.execute(wanted)}

    def change(self, changed: Heartbeat, secret_hash: str | None) -> bool:
        """Its period and grace, and where one is given the hash; whether there is such a one. Raises AlreadyExists."""
        own = (heartbeats.c.workspace == changed.workspace) & (heartbeats.c.id == changed.id)
        values: dict[str, int | str] = {"period": changed.period, "grace": changed.grace}
        if secret_hash is not None:
            values["secret_hash"] = secret_hash
        try:
            with self._database.write() as connection:
                return connection.execute(update(heartbeats).where(own).values(values)).rowcount > 0
        except IntegrityError as error:
            raise AlreadyExists("another heartbeat has this address") from error

    def remove(self, workspace: int, heartbeat_id: str) -> bool:
        """Whether there was one."""
        own = (heartbeats.c.workspace == workspace) & (heartbeats.c.id == plain(heartbeat_id))
        with self._database.write() as connection:
            return connection.execute(delete(heartbeats).where(own)).rowcount > 0

    def call(self, secret_hash: str, now: int) -> bool:
        """Whether there is such a one. A call within a second after another is not written down."""
        own = heartbeats.c.secret_hash == secret_hash
        with self._database.read() as connection:
            called_at = connection.execute(select(heartbeats.c.called_at).where(own)).scalar_one_or_none()
        if called_at is None or now < called_at + _KEPT_MS:
            return called_at is not None
        later = update(heartbeats).where(own, heartbeats.c.called_at < now).values(called_at=now)
        with self._database.write() as connection:
            connection.execute(later)
        return True
