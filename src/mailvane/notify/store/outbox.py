"""The outbox: pending and finished notifications, in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, literal, select, update

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.notify.model import (
    Attempt,
    Channel,
    Notification,
    NotificationState,
    Target,
    named_notification_id,
    notification_id,
)
from mailvane.notify.store.tables import attempts, channels, notifications, targets


def post(connection: Connection, database: Database, messages: Sequence[Notification]) -> None:
    """Add messages within the caller's transaction."""
    if messages:
        statement = database.insert(notifications).on_conflict_do_nothing()
        connection.execute(statement, [_row(message) for message in messages])


class OutboxStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def post(self, messages: Sequence[Notification]) -> None:
        """Keep messages that no alert caused, such as a daily report. An id that is known changes nothing."""
        with self._database.write() as connection:
            post(connection, self._database, messages)

    def known(self, ids: Collection[str]) -> set[str]:
        """Those of these ids that were posted."""
        wanted = select(notifications.c.id).where(notifications.c.id.in_(sorted(ids)))
        with self._database.read() as connection:
            return set(connection.execute(wanted).scalars())

    def take(self, now: int, limit: int, hold_ms: int) -> list[Notification]:
        """Pending ones that are due, the oldest first; nobody else takes them within `hold_ms`."""
        table = notifications.c
        due = (
            select(notifications)
            .where(table.state == NotificationState.PENDING, table.next_at <= now)
            .order_by(table.next_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            taken = [_notification(row) for row in connection.execute(due.with_for_update(skip_locked=True))]
            held = update(notifications).where(table.id.in_([one.id for one in taken]))
            connection.execute(held.values(next_at=now + hold_ms))
        return taken

    def let_go(self, now: int, hold_ms: int, ids: Collection[str] | None = None) -> int:
        """End the holds of those taken within `hold_ms` and not settled, of all when None; how many are due again."""
        table = notifications.c
        pending = select(table.id, table.next_at, table.document).where(
            table.state == NotificationState.PENDING, table.next_at > now, table.next_at <= now + hold_ms
        )
        if ids is not None:
            pending = pending.where(table.id.in_(sorted(ids)))
        with self._database.write() as connection:
            # What is held is due later than its document says, which is written when a message is settled.
            due = {
                row.id: written
                for row in connection.execute(pending.with_for_update())
                if (written := value_of(row.document, Notification).next_at) < row.next_at
            }
            for one, at in due.items():
                connection.execute(update(notifications).where(table.id == one).values(next_at=at))
        return len(due)

    def postpone(self, notification: Notification, now: int, until: int) -> None:
        """Let a pending one wait; nothing is counted as a try."""
        waiting = msgspec.structs.replace(notification, next_at=until, held_since=notification.held_since or now)
        with self._database.write() as connection:
            put = update(notifications).where(notifications.c.id == notification.id)
            connection.execute(put.values(_row(waiting)))

    def settle_notification(self, notification: Notification, attempt: Attempt) -> None:
        """Keep state, attempts and next_at as they now are, and add to its delivery log."""
        row = {"notification_id": notification.id, **msgspec.structs.asdict(attempt), "detail": plain(attempt.detail)}
        with self._database.write() as connection:
            put = update(notifications).where(notifications.c.id == notification.id)
            if connection.execute(put.values(_row(notification))).rowcount:
                connection.execute(insert(attempts).values(row))

    def notifications(
        self, workspace: int, state: NotificationState | None = None, limit: int = 100
    ) -> list[Notification]:
        """The newest first."""
        table = notifications.c
        wanted = select(notifications).where(table.workspace == workspace)
        if state is not None:
            wanted = wanted.where(table.state == state)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(table.created_at.desc(), table.id).limit(limit))
            return [_notification(row) for row in rows]

    def states(self, workspace: int, since: int) -> dict[NotificationState, int]:
        """How many of those that were made from a time on are in each state."""
        table = notifications.c
        wanted = select(table.state, func.count()).where(table.workspace == workspace, table.created_at >= since)
        with self._database.read() as connection:
            rows = connection.execute(wanted.group_by(table.state)).all()
        return {NotificationState(state): count for state, count in rows}

    def of_entry(self, workspace: int, entry_id: str) -> list[Notification]:
        """Those that tell of a log entry, by channel."""
        ids = [notification_id(plain(entry_id), channel) for channel in Channel]
        ids_of_named = literal(named_notification_id(plain(entry_id), "")).concat(channels.c.id)
        named = select(ids_of_named).where(channels.c.workspace == workspace)
        one = notifications.c.id.in_(ids) | notifications.c.id.in_(named)
        wanted = select(notifications).where(notifications.c.workspace == workspace, one)
        with self._database.read() as connection:
            return [_notification(row) for row in connection.execute(wanted.order_by(notifications.c.id))]

    def last_attempts(self, notification_ids: Collection[str]) -> dict[str, Attempt]:
        """The last one of each that was tried."""
        table = attempts.c
        of_these = select(func.max(table.id)).where(table.notification_id.in_(sorted(notification_ids)))
        wanted = select(attempts).where(table.id.in_(of_these.group_by(table.notification_id)))
        with self._database.read() as connection:
            return {row.notification_id: _attempt(row) for row in connection.execute(wanted)}

    def attempts(self, workspace: int, notification_id: str) -> list[Attempt]:
        """Oldest first. Raises NotFound."""
        wanted = select(attempts).where(attempts.c.notification_id == plain(notification_id)).order_by(attempts.c.id)
        with self._database.read() as connection:
            if connection.execute(select(notifications.c.id).where(*_one(workspace, notification_id))).first() is None:
                raise NotFound(f"there is no notification {notification_id}")
            return [_attempt(row) for row in connection.execute(wanted)]

    def resend(self, workspace: int, notification_id: str, now: int) -> Notification:
        """Make it pending and due again, whatever became of it. Raises NotFound."""
        one = _one(workspace, notification_id)
        with self._database.write() as connection:
            row = connection.execute(select(notifications).where(*one).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"there is no notification {notification_id}")
            again = msgspec.structs.replace(
                _notification(row), state=NotificationState.PENDING, next_at=now, attempts=0, delivered_at=0
            )
            connection.execute(update(notifications).where(*one).values(_row(again)))
            place = (
                targets.c.workspace == workspace,
                targets.c.channel == again.channel,
                targets.c.target == again.target,
            )
            connection.execute(update(targets).where(*place).values(failing_since=0, disabled_at=0))
        return again

    def notifications_waiting(self) -> int:
        """How many of all workspaces are pending."""
        waiting = select(func.count()).where(notifications.c.state == NotificationState.PENDING)
        with self._database.read() as connection:
            return connection.execute(waiting).scalar_one()

    def forget_notifications(self, before: int) -> int:
        """Forget those made before a time, with their delivery logs, unless they are pending; how many."""
        old = delete(notifications).where(
            notifications.c.created_at < before, notifications.c.state != NotificationState.PENDING
        )
        with self._database.write() as connection:
            return connection.execute(old).rowcount

    def targets(self, workspace: int) -> list[Target]:
        wanted = select(targets).where(targets.c.workspace == workspace).order_by(targets.c.channel, targets.c.target)
        with self._database.read() as connection:
            return [
                Target(
                    workspace=row.workspace,
                    channel=Channel(row.channel),
                    target=row.target,
                    failing_since=row.failing_since,
                    disabled_at=row.disabled_at,
                )
                for row in connection.execute(wanted)
            ]

    def save_target(self, target: Target) -> None:
        with self._database.write() as connection:
            row = {**msgspec.structs.asdict(target), "channel": target.channel.value}
            connection.execute(self._database.upsert(targets), row)


def _one(workspace: int, notification_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return notifications.c.workspace == workspace, notifications.c.id == plain(notification_id)


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(at=row.at, took_ms=row.took_ms, outcome=row.outcome, detail=row.detail)


def _row(message: Notification) -> dict[str, Any]:
    return {
        "id": message.id,
        "workspace": message.workspace,
        "state": message.state.value,
        "next_at": message.next_at,
        "created_at": message.created_at,
        "document": text_of(message),
    }


def _notification(row: Row[Any]) -> Notification:
    return msgspec.structs.replace(value_of(row.document, Notification), next_at=row.next_at)
