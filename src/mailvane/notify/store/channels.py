"""What notifications need besides a target, in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, delete, insert, select

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import workspaces
from mailvane.notify.model import SigningSecret, SlackIntegration
from mailvane.notify.store.tables import signing_secrets, slack_integrations


class ChannelStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def signing_secrets(self, workspace: int, now: int) -> list[SigningSecret]:
        """Those that live, the current one first."""
        with self._database.read() as connection:
            return _living(connection, workspace, now)

    def change_signing_secrets(
        self, workspace: int, now: int, change: Callable[[Sequence[SigningSecret]], Sequence[SigningSecret]]
    ) -> list[SigningSecret]:
        """Replace those that live; what lives then, the current one first. Two changes at once follow one another."""
        with self._database.write() as connection:
            # A workspace without any has no row of its own that could be locked.
            connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace).with_for_update())
            changed = change(_living(connection, workspace, now))
            connection.execute(delete(signing_secrets).where(signing_secrets.c.workspace == workspace))
            for secret in changed:
                connection.execute(insert(signing_secrets).values(msgspec.structs.asdict(secret)))
            return _living(connection, workspace, now)

    def slack_integrations(self, workspace: int) -> list[SlackIntegration]:
        table = slack_integrations.c
        wanted = select(slack_integrations).where(table.workspace == workspace).order_by(table.name, table.id)
        with self._database.read() as connection:
            return [SlackIntegration(**row._asdict()) for row in connection.execute(wanted)]

    def add_slack_integration(self, integration: SlackIntegration) -> None:
        with self._database.write() as connection:
            connection.execute(insert(slack_integrations).values(msgspec.structs.asdict(integration)))

    def remove_slack_integration(self, workspace: int, integration_id: str) -> None:
        """Raises NotFound."""
        table = slack_integrations.c
        gone = delete(slack_integrations).where(table.workspace == workspace, table.id == plain(integration_id))
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no Slack integration {integration_id}")


def _living(connection: Connection, workspace: int, now: int) -> list[SigningSecret]:
    table = signing_secrets.c
    alive = (table.expires_at == 0) | (table.expires_at > now)
    newest_first = (table.expires_at != 0, table.created_at.desc(), table.expires_at.desc())
    wanted = select(signing_secrets).where(table.workspace == workspace, alive).order_by(*newest_first)
    return [SigningSecret(**row._asdict()) for row in connection.execute(wanted)]
