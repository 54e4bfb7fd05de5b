"""Whose digest of held mail was sent last, and for which day."""

from __future__ import annotations

from sqlalchemy import select

from mailvane.core.ledger.database import Database
from mailvane.inbound.store.tables import digests


class DigestStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, workspace: int, day: str) -> set[str]:
        """The ids of the addresses that have the digest of a day, or of a later one."""
        wanted = select(digests.c.address).where(digests.c.workspace == workspace, digests.c.day >= day)
        with self._database.read() as connection:
            return set(connection.execute(wanted).scalars())

    def tell(self, workspace: int, address: str, day: str) -> None:
        """Note that an address has it."""
        row = {"workspace": workspace, "address": address, "day": day}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(digests), row)
