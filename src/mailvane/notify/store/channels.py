"""What notifications need besides a target, in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import workspaces
from mailvane.notify.model import Channel, NamedChannel, Severity, SigningSecret, SlackIntegration
from mailvane.notify.store.tables import channels, signing_secrets


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

    def channels(self, workspace: int) -> list[NamedChannel]:
        """By name."""
        wanted = select(channels).where(channels.c.workspace == workspace).order_by(channels.c.name, channels.c.id)
        with self._database.read() as connection:
            return [_channel(row) for row in connection.execute(wanted)]

    def channel(self, workspace: int, channel_id: str) -> NamedChannel | None:
        with self._database.read() as connection:
            row = connection.execute(select(channels).where(*_one(workspace, channel_id))).one_or_none()
        return None if row is None else _channel(row)

    def channel_of(self, workspace: int, kind: Channel, sent_to: str) -> NamedChannel | None:
        """The one that notifications with this target belong to: by its id, or by the address that it has."""
        table = channels.c
        meant = (table.id == plain(sent_to)) | (table.target == plain(sent_to))
        wanted = select(channels).where(table.workspace == workspace, table.kind == kind.value, meant)
        with self._database.read() as connection:
            row = connection.execute(wanted.order_by(table.created_at, table.id).limit(1)).one_or_none()
        return None if row is None else _channel(row)

    def add_channel(self, channel: NamedChannel) -> None:
        with self._database.write() as connection:
            connection.execute(insert(channels).values(_row(channel)))

    def change_channel(self, channel: NamedChannel) -> None:
        """Raises NotFound."""
        changed = update(channels).where(*_one(channel.workspace, channel.id)).values(_row(channel))
        with self._database.write() as connection:
            if not connection.execute(changed).rowcount:
                raise NotFound(f"there is no channel {channel.id}")

    def remove_channel(self, workspace: int, channel_id: str) -> None:
        """Raises NotFound."""
        with self._database.write() as connection:
            if not connection.execute(delete(channels).where(*_one(workspace, channel_id))).rowcount:
                raise NotFound(f"there is no channel {channel_id}")

    def slack_integrations(self, workspace: int) -> list[SlackIntegration]:
        """The channels of this kind, by name."""
        return [
            SlackIntegration(
                id=each.id, workspace=each.workspace, name=each.name, url=each.target, created_at=each.created_at
            )
            for each in self.channels(workspace)
            if each.kind is Channel.SLACK
        ]

    def add_slack_integration(self, integration: SlackIntegration) -> None:
        self.add_channel(
            NamedChannel(
                id=integration.id,
                workspace=integration.workspace,
                kind=Channel.SLACK,
                name=integration.name,
                target=integration.url,
                created_at=integration.created_at,
            )
        )

    def remove_slack_integration(self, workspace: int, integration_id: str) -> None:
        """Raises NotFound."""
        gone = delete(channels).where(*_one(workspace, integration_id), channels.c.kind == Channel.SLACK.value)
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no Slack integration {integration_id}")


def _one(workspace: int, channel_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return channels.c.workspace == workspace, channels.c.id == plain(channel_id)


def _row(channel: NamedChannel) -> dict[str, Any]:
    row = msgspec.structs.asdict(channel)
    return {**row, "kind": channel.kind.value, "min_severity": channel.min_severity.value, "name": plain(channel.name)}


def _channel(row: Row[Any]) -> NamedChannel:
    return NamedChannel(**{**row._asdict(), "kind": Channel(row.kind), "min_severity": Severity(row.min_severity)})


def _living(connection: Connection, workspace: int, now: int) -> list[SigningSecret]:
    table = signing_secrets.c
    alive = (table.expires_at == 0) | (table.expires_at > now)
    newest_first = (table.expires_at != 0, table.created_at.desc(), table.expires_at.desc())
    wanted = select(signing_secrets).where(table.workspace == workspace, alive).order_by(*newest_first)
    return [SigningSecret(**row._asdict()) for row in connection.execute(wanted)]
