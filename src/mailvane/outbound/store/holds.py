"""Domains and logins on hold, in the ledger."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, select

from mailvane.core.ledger.database import Database
from mailvane.outbound.holds import Hold, HoldKind
from mailvane.outbound.store.tables import holds


class HoldTable:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Hold]:
        """By kind and name."""
        with self._database.read() as connection:
            rows = connection.execute(select(holds).order_by(holds.c.kind, holds.c.name)).mappings()
            return [Hold(**{**row, "kind": HoldKind(row["kind"])}) for row in rows]

    def put(self, hold: Hold) -> None:
        row = msgspec.to_builtins(hold)
        with self._database.write() as connection:
            connection.execute(self._database.upsert(holds), row)

    def remove(self, kind: HoldKind, name: str) -> bool:
        """Whether there was one."""
        own = (holds.c.kind == kind.value) & (holds.c.name == name)
        with self._database.write() as connection:
            return connection.execute(delete(holds).where(own)).rowcount > 0
