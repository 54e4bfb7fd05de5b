"""Alerts, their memory and their log in the ledger. Implements `Alerts` and `AlertLog` of the storage layer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from mailvane.core.errors import NotFound
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import in_chunks, plain, text_of, value_of
from mailvane.core.ledger.texts import Texts
from mailvane.notify.model import Notification
from mailvane.notify.store.outbox import post
from mailvane.reputation.alerts.model import Alert, AlertState, EntryState, LogEntry, MaintenanceWindow
from mailvane.reputation.interface import EntryPage, EntryQuestion
from mailvane.reputation.questions import AlertPage, AlertQuestion
from mailvane.reputation.store.tables import alert_log, alert_memories, alerts, maintenance_windows

log = logging.getLogger(__name__)

_AT_ONCE = 500


class SqlAlerts:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._alert_texts = Texts(database)

    def add_alert(self, alert: Alert) -> None:
        with self._database.write() as connection:
            connection.execute(insert(alerts).values(_row(alert)))

    def alerts(self, workspace: int | None, profile_id: str | None = None) -> list[Alert]:
        wanted = select(alerts).order_by(alerts.c.created_at, alerts.c.id)
        if workspace is not None:
            wanted = wanted.where(alerts.c.workspace == workspace)
        if profile_id is not None:
            wanted = wanted.where(alerts.c.profile_id == plain(profile_id))
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(wanted)]

    def alert_page(self, question: AlertQuestion) -> AlertPage:
        wanted = [alerts.c.workspace == question.workspace]
        if question.profile_id is not None:
            wanted.append(alerts.c.profile_id == plain(question.profile_id))
        if question.by_name:
            first = self._alert_texts.ordered(alerts.c.sorted_name, question.descending)
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
        one = _one(workspace, alert_id)
        with self._database.write() as connection:
            row = connection.execute(select(alerts).where(*one).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"there is no alert {alert_id}")
            changed = change(_alert(row))
            connection.execute(update(alerts).where(*one).values(_row(changed)))
        return changed

    def remove_alert(self, workspace: int, alert_id: str) -> None:
        with self._database.write() as connection:
            if not connection.execute(delete(alerts).where(*_one(workspace, alert_id))).rowcount:
                raise NotFound(f"there is no alert {alert_id}")

    def windows(self, workspace: int, at: int | None = None) -> list[MaintenanceWindow]:
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
        table = maintenance_windows.c
        gone = delete(maintenance_windows).where(table.workspace == workspace, table.id == plain(window_id))
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no maintenance window {window_id}")


class SqlAlertLog:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def memories(self, alert_ids: Collection[str]) -> Mapping[str, AlertState]:
        return {row.alert_id: _memory(row) for row in self._remembered(alert_ids)}

    def failures(self, alert_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        found = {row.alert_id: _failures(row) for row in self._remembered(alert_ids)}
        return {alert_id: failures for alert_id, failures in found.items() if failures}

    def _remembered(self, alert_ids: Collection[str]) -> Iterator[Row[Any]]:
        with self._database.read() as connection:
            for chunk in in_chunks(sorted(alert_ids), _AT_ONCE):
                yield from connection.execute(select(alert_memories).where(alert_memories.c.alert_id.in_(chunk)))

    def remember(self, memory: AlertState, entry: LogEntry | None, notifications: Sequence[Notification]) -> bool:
        with self._database.write() as connection:
            if not self._put_memory(connection, memory):
                return False
            if entry is not None:
                connection.execute(insert(alert_log).values(_entry_row(entry)))
            post(connection, self._database, notifications)
        return True

    def _put_memory(self, connection: Connection, memory: AlertState) -> bool:
        """Whether it was the first evaluation after the one that it was made from."""
        alive = select(alerts.c.id).where(alerts.c.id == memory.alert_id).with_for_update()
        if connection.execute(alive).first() is None:
            return False
        row = {"alert_id": memory.alert_id, "version": memory.version + 1, "document": text_of(memory)}
        if memory.version == 0:
            new = self._database.insert(alert_memories).values(row).on_conflict_do_nothing()
            return bool(connection.execute(new.returning(alert_memories.c.alert_id)).first())
        table = alert_memories.c
        known = update(alert_memories).where(table.alert_id == memory.alert_id, table.version == memory.version)
        return bool(connection.execute(known.values(row)).rowcount)

    def entries(self, question: EntryQuestion) -> EntryPage:
        wanted = entries_conditions(question)
        counted = select(func.count()).select_from(alert_log).where(*wanted)
        order = [column.desc() if question.newest_first else column for column in (alert_log.c.at, alert_log.c.id)]
        page = select(alert_log.c.document).where(*wanted).order_by(*order)
        with self._database.read() as connection:
            total = connection.execute(counted).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return EntryPage(total, [value_of(row.document, LogEntry) for row in rows])

    def firing(self, since: int) -> int:
        wanted = select(alert_log.c.alert_id, alert_log.c.document).where(alert_log.c.at >= since)
        with self._database.read() as connection:
            entries = ((row.alert_id, value_of(row.document, _Stated).state) for row in connection.execute(wanted))
            return len({alert for alert, state in entries if state is not EntryState.RESOLVED})

    def entry(self, workspace: int, entry_id: str) -> LogEntry | None:
        one = alert_log.c.workspace == workspace, alert_log.c.id == plain(entry_id)
        with self._database.read() as connection:
            found = connection.execute(select(alert_log.c.document).where(*one)).scalar()
        return None if found is None else value_of(found, LogEntry)

    def mark_entry(self, workspace: int, entry_id: str, state: EntryState, at: int, by: str) -> LogEntry:
        one = alert_log.c.workspace == workspace, alert_log.c.id == plain(entry_id)
        with self._database.write() as connection:
            found = connection.execute(select(alert_log.c.document).where(*one).with_for_update()).scalar()
            if found is None:
                raise NotFound(f"there is no log entry {entry_id}")
            entry = msgspec.structs.replace(value_of(found, LogEntry), state=state, state_at=at, state_by=by)
            connection.execute(update(alert_log).where(*one).values(document=text_of(entry)))
        return entry


class _RuleFailing(msgspec.Struct):
    failing: str = ""


class _Failing(msgspec.Struct):
    """The parts of a memory that tell of failures; the evidence beside them is large."""

    failing: str = ""
    rules: Mapping[str, _RuleFailing] = {}


class _Stated(msgspec.Struct):
    """The one part of a log entry that counting needs."""

    state: EntryState = EntryState.OPEN


def _one(workspace: int, alert_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return alerts.c.workspace == workspace, alerts.c.id == plain(alert_id)


def entries_conditions(question: EntryQuestion) -> list[ColumnElement[bool]]:
    """Of rows of the alert log."""
    table = alert_log.c
    chosen = [table.workspace == question.workspace]
    if question.alert_id is not None:
        chosen.append(table.alert_id == plain(question.alert_id))
    if question.profile_id is not None:
        chosen.append(table.profile_id == plain(question.profile_id))
    if question.since is not None:
        chosen.append(table.at >= question.since)
    if question.until is not None:
        chosen.append(table.at < question.until)
    if question.daily_report_only:
        chosen.append(table.in_daily_report)
    return chosen


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


def _memory(row: Row[Any]) -> AlertState:
    try:
        memory = value_of(row.document, AlertState)
    except (msgspec.MsgspecError, RecursionError) as error:
        # Said once more rather than never again, and without a word for the alerts beside it.
        log.warning("what is remembered of alert %s cannot be read, and is begun anew: %s", row.alert_id, error)
        memory = AlertState(alert_id=row.alert_id)
    return msgspec.structs.replace(memory, version=row.version)


def _failures(row: Row[Any]) -> Mapping[str, str]:
    try:
        found = value_of(row.document, _Failing)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    whole = {"": found.failing} if found.failing else {}
    return whole | {key: rule.failing for key, rule in found.rules.items() if rule.failing}


def _entry_row(entry: LogEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "workspace": entry.workspace,
        "alert_id": entry.alert_id,
        "profile_id": entry.profile_id,
        "at": entry.at,
        "in_daily_report": entry.in_daily_report,
        "document": text_of(entry),
    }
