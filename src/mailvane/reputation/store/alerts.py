"""Alerts and maintenance windows in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import Texts, plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.reputation.alerts.model import Alert, MaintenanceWindow
from mailvane.reputation.questions import AlertPage, AlertQuestion
from mailvane.reputation.store.tables import alerts, maintenance_windows


class AlertStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = Texts(database)

    def add_alert(self, alert: Alert) -> None:
        with self._database.write() as connection:
            connection.execute(insert(alerts).values(_row(alert)))

    def alerts(self, workspace: int | None, profile_id: str | None = None) -> list[Alert]:
        """By creation; of all workspaces when None."""
        wanted = select(alerts).order_by(alerts.c.created_at, alerts.c.id)
        if workspace is not None:
            wanted = wanted.where(alerts.c.workspace == workspace)
        if profile_id is not None:
            wanted = wanted.where(alerts.c.profile_id == plain(profile_id))
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(wanted)]

    def workspaces_with(self, prefix: str) -> list[int]:
        """Those that have an alert with a rule of a type that begins so, active or not."""
        # As `text_of` writes it: no spaces.
        wanted = select(alerts.c.workspace).where(alerts.c.document.contains(f'"type":"{prefix}', autoescape=True))
        with self._database.read() as connection:
            return list(connection.execute(wanted.distinct().order_by(alerts.c.workspace)).scalars())

    def alert_page(self, question: AlertQuestion) -> AlertPage:
        wanted = [alerts.c.workspace == question.workspace]
        if question.profile_id is not None:
            wanted.append(alerts.c.profile_id == plain(question.profile_id))
        if question.by_name:
            first = self._texts.ordered(alerts.c.sorted_name, question.descending)
        else:
            first = alerts.c.created_at.desc() if question.descending else alerts.c.created_at.asc()
        page = select(alerts).where(*wanted).order_by(first, alerts.c.created_at, alerts.c.id)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(alerts).where(*wanted)).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return AlertPage(total, [_alert(row) for row in rows])

    def alert(self, workspace: int, alert_id: str) -> Alert | None:
        with self._database.read() as connection:
            row = connection.execute(select(alerts).where(*_one(workspace, alert_id))).one_or_none()
        return None if row is None else _alert(row)

    def change_alert(self, workspace: int, alert_id: str, change: Callable[[Alert], Alert]) -> Alert:
        """Read, change and write under a lock. Raises NotFound."""
        one = _one(workspace, alert_id)
        with self._database.write() as connection:
            row = connection.execute(select(alerts).where(*one).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"there is no alert {alert_id}")
            changed = change(_alert(row))
            connection.execute(update(alerts).where(*one).values(_row(changed)))
        return changed

    def remove_alert(self, workspace: int, alert_id: str) -> None:
        """With its memory; its log stays. Raises NotFound."""
        with self._database.write() as connection:
            if not connection.execute(delete(alerts).where(*_one(workspace, alert_id))).rowcount:
                raise NotFound(f"there is no alert {alert_id}")

    def windows(self, workspace: int, at: int | None = None) -> list[MaintenanceWindow]:
        """All, or those that are open at a time; the latest first."""
        table = maintenance_windows.c
        wanted = select(maintenance_windows).where(table.workspace == workspace).order_by(table.since.desc())
        if at is not None:
            wanted = wanted.where(table.since <= at, table.until > at)
        with self._database.read() as connection:
            return [MaintenanceWindow(**row._asdict()) for row in connection.execute(wanted)]

    def add_window(self, window: MaintenanceWindow) -> None:
        with self._database.write() as connection:
            connection.execute(insert(maintenance_windows).values(msgspec.structs.asdict(window)))

    def remove_window(self, workspace: int, window_id: str) -> None:
        """Raises NotFound."""
        table = maintenance_windows.c
        gone = delete(maintenance_windows).where(table.workspace == workspace, table.id == plain(window_id))
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no maintenance window {window_id}")


def _one(workspace: int, alert_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return alerts.c.workspace == workspace, alerts.c.id == plain(alert_id)


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "workspace": alert.workspace,
        "profile_id": alert.profile_id,
        "created_at": alert.created_at,
        "sorted_name": plain(alert.name.lower()),
        "document": text_of(alert),
    }


def _alert(row: Row[Any]) -> Alert:
    return msgspec.structs.replace(value_of(row.document, Alert), profile_id=row.profile_id)
