"""Who has changed what of inbound mail."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.inbound.model import AuditEntry
from mailvane.inbound.questions import AuditPage
from mailvane.inbound.store.tables import audit


class InboundAuditStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, workspace: int, *entries: AuditEntry) -> None:
        """Keep entries of what was changed elsewhere."""
        with self._database.write() as connection:
            write(connection, workspace, entries)

    def page(self, workspace: int, offset: int = 0, limit: int = 100) -> AuditPage:
        """A part of the entries, the newest first."""
        own = audit.c.workspace == workspace
        newest = select(audit).where(own).order_by(audit.c.at.desc(), audit.c.serial.desc())
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(audit).where(own)).scalar_one()
            rows = connection.execute(newest.offset(offset).limit(limit))
            entries = [
                AuditEntry(at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=row.detail)
                for row in rows
            ]
        return AuditPage(total, entries)

    def forget(self, before: int) -> int:
        """Remove entries from before a time; how many."""
        with self._database.write() as connection:
            return connection.execute(delete(audit).where(audit.c.at < before)).rowcount


def write(connection: Connection, workspace: int, entries: Sequence[AuditEntry]) -> None:
    """Within the transaction of what they tell of."""
    rows = [
        {
            "workspace": workspace,
            "at": entry.at,
            "actor": plain(entry.actor),
            "action": entry.action,
            "subject": plain(entry.subject),
            "detail": plain(entry.detail),
        }
        for entry in entries
    ]
    if rows:
        connection.execute(insert(audit), rows)
