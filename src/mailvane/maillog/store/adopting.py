"""The ledger's part in taking over mail of another ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, text
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import relays, workspaces
from mailvane.core.tenants.model import INBOUND_RELAY, Price, Workspace
from mailvane.maillog.store.tables import event_ids, journal

_COMMENT = "adopted"


class AdoptionStore:
    """Gives workspaces and relays ids that were given out before, and keeps ids from being given out again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def adopt_workspace(self, workspace: Workspace, relay_ids: Sequence[int], now: int) -> None:
        """Make what is missing of a workspace and its relays, under just these ids. Raises AlreadyExists."""
        try:
            with self._database.write() as connection:
                known = select(workspaces.c.id).where(workspaces.c.id == workspace.id)
                if connection.execute(known).first() is None:
                    connection.execute(
                        insert(workspaces).values(
                            {
                                "id": workspace.id,
                                "name": workspace.name,
                                "created_at": workspace.created_at,
                                "retention_days": workspace.retention_days,
                            }
                        )
                    )
                _add_relays(connection, workspace.id, [each for each in relay_ids if each != INBOUND_RELAY], now)
        except IntegrityError as error:
            raise AlreadyExists(f"a workspace named {workspace.name!r} exists already: choose another name") from error
        self.reserve_ids(workspace.id, max(relay_ids, default=0))

    def reserve_ids(self, workspace: int, relay: int) -> None:
        """Never give out an id up to these again."""
        with self._database.write() as connection:
            for table, greatest in ((workspaces, workspace), (relays, relay)):
                if self._database.is_sqlite:
                    values = {"name": table.name, "greatest": greatest}
                    moved = text("UPDATE sqlite_sequence SET seq = max(seq, :greatest) WHERE name = :name")
                    if not connection.execute(moved, values).rowcount:
                        connection.execute(
                            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :greatest)"), values
                        )
                else:
                    # A sequence moves at once and never back, whatever becomes of the transaction.
                    sequence = connection.execute(
                        text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}
                    ).scalar_one()
                    last = connection.execute(text(f"SELECT last_value FROM {sequence}")).scalar_one()  # noqa: S608 - a name of the catalogue
                    if last < greatest:
                        connection.execute(
                            text("SELECT setval(CAST(:name AS regclass), :greatest)"),
                            {"name": sequence, "greatest": greatest},
                        )

    def forget_batches(self, workspace: int) -> None:
        """Delete what the journal holds of a workspace, and the ids of its events."""
        with self._database.write() as connection:
            for table in (journal, event_ids):
                connection.execute(delete(table).where(table.c.workspace == workspace))


def _add_relays(connection: Connection, workspace: int, relay_ids: Sequence[int], now: int) -> None:
    held = select(relays.c.id, relays.c.workspace).where(relays.c.id.in_(relay_ids))
    owners = {row.id: row.workspace for row in connection.execute(held)}
    for relay in relay_ids:
        if owners.get(relay, workspace) != workspace:
            raise AlreadyExists(
                f"relay {relay} of the old mail belongs to workspace {owners[relay]} of this ledger:"
                " adopt with a ledger that has no relays yet"
            )
    price = Price()
    rows = [
        {
            "id": relay,
            "workspace": workspace,
            "comment": _COMMENT,
            "active": True,
            "created_at": now,
            "billing_day": 1,
            "price_base": price.base,
            "price_per_thousand": price.per_thousand,
            "price_currency": price.currency,
        }
        for relay in relay_ids
        if relay not in owners
    ]
    if rows:
        connection.execute(insert(relays), rows)
