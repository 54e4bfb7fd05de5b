"""Who does what alone for a time, in the ledger."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import leases


class Lease(msgspec.Struct, frozen=True):
    """What one process does alone until then, unless it renews it."""

    name: str
    holder: str
    until: int


class LeaseStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, name: str, holder: str, now: int, for_ms: int) -> bool:
        """Take or renew a lease; False while somebody else holds it."""
        statement = self._database.insert(leases).values(name=name, holder=holder, until=now + for_ms)
        # One that lasts much longer than any is given was taken by a clock that was ahead.
        free = (leases.c.holder == holder) | (leases.c.until <= now) | (leases.c.until > now + 2 * for_ms)
        taking = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
            where=free,
        )
        with self._database.write() as connection:
            return connection.execute(taking.returning(leases.c.name)).first() is not None

    def give_back(self, name: str, holder: str) -> None:
        """Let others have it, if it is still this holder's."""
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))

    def void_leases(self) -> int:
        """End those of everybody, who are known to be gone; how many."""
        with self._database.write() as connection:
            return connection.execute(delete(leases)).rowcount

    def leases(self, now: int) -> list[Lease]:
        """Those that are held, by name."""
        held = select(leases).where(leases.c.until > now).order_by(leases.c.name)
        with self._database.read() as connection:
            return [Lease(row.name, row.holder, row.until) for row in connection.execute(held)]
