"""The operator's changes to the dictionary of blocklists, and how zones did when they were probed, in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.reputation.model import Zone, ZoneHealth
from mailvane.reputation.store.tables import blocklist_zones, zone_health


class ZoneStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def zones(self) -> list[Zone]:
        """Those that were changed or added here."""
        wanted = select(blocklist_zones.c.document).order_by(blocklist_zones.c.host)
        with self._database.read() as connection:
            return [value_of(row.document, Zone) for row in connection.execute(wanted)]

    def save_zone(self, zone: Zone) -> None:
        with self._database.write() as connection:
            row = {"host": zone.host, "document": text_of(zone)}
            connection.execute(self._database.upsert(blocklist_zones), row)

    def forget_zone(self, host: str) -> None:
        """Back to what is shipped. Raises NotFound."""
        with self._database.write() as connection:
            if not connection.execute(delete(blocklist_zones).where(blocklist_zones.c.host == host)).rowcount:
                raise NotFound(f"nothing was changed of {host}")

    def zone_health(self) -> list[ZoneHealth]:
        wanted = select(zone_health.c.document).order_by(zone_health.c.host)
        with self._database.read() as connection:
            return [value_of(row.document, ZoneHealth) for row in connection.execute(wanted)]

    def save_zone_health(self, health: Sequence[ZoneHealth]) -> None:
        rows = [{"host": one.host, "document": text_of(one)} for one in sorted(health, key=lambda one: one.host)]
        if rows:
            with self._database.write() as connection:
                connection.execute(self._database.upsert(zone_health), rows)
