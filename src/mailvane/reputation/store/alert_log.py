"""What alerts remember and the log of their firings, in the ledger, and counts over that log.

Which rules fired, and what matched, stands in the JSON of an entry: `rules[].type`, `rules[].matchings.items[]`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import JsonFields, Texts, in_chunks, plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.core.moments import DAY_MS
from mailvane.notify.model import Notification
from mailvane.notify.store.outbox import post
from mailvane.reputation.alerts.model import AlertState, EntryState, LogEntry
from mailvane.reputation.questions import EntryPage, EntryQuestion, FiredRules, FiringQuestion
from mailvane.reputation.store.tables import alert_log, alert_memories, alerts

log = logging.getLogger(__name__)

_AT_ONCE = 500
_DIGITS = 19  # of a time that is told with leading digits, so that it sorts as text
_LEADING = 10 ** (_DIGITS - 1)
_DAY = cast((alert_log.c.at - alert_log.c.at % DAY_MS) / DAY_MS, BigInteger)  # since the epoch, UTC
_ADDRESSES = ("ip", "traps_ip")
_DOMAINS = ("domain", "lookalike", "traps_domain_from")


class AlertLogStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = Texts(database)
        self._entry = JsonFields(database, alert_log.c.document)
        # Every entry beside each of its rules, each rule beside what satisfied it.
        self._rules = self._entry.elements("rules")
        self._rule = JsonFields(database, self._rules.c.value)
        self._items = self._rule.elements("matchings", "items")
        self._item = JsonFields(database, self._items.c.value)

    def states(self, alert_ids: Collection[str]) -> Mapping[str, AlertState]:
        """Of those that were evaluated before. One that cannot be read any more comes empty, and is begun anew."""
        return {row.alert_id: _alert_state(row) for row in self._remembered(alert_ids)}

    def failures(self, alert_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """`AlertState.failures` of those that have any."""
        found = {row.alert_id: _failures(row) for row in self._remembered(alert_ids)}
        return {alert_id: failures for alert_id, failures in found.items() if failures}

    def _remembered(self, alert_ids: Collection[str]) -> Iterator[Row[Any]]:
        with self._database.read() as connection:
            for chunk in in_chunks(sorted(alert_ids), _AT_ONCE):
                yield from connection.execute(select(alert_memories).where(alert_memories.c.alert_id.in_(chunk)))

    def save_evaluation(self, state: AlertState, entry: LogEntry | None, notifications: Sequence[Notification]) -> bool:
        """Keep what an evaluation brought, the memory as the version after the one it was made from.

        The entry and the outbox's rows are kept in the same transaction. False, and nothing is kept, when another
        evaluation of that alert came first, or the alert is gone.
        """
        with self._database.write() as connection:
            if not self._put_state(connection, state):
                return False
            if entry is not None:
                connection.execute(insert(alert_log).values(_entry_row(entry)))
            post(connection, self._database, notifications)
        return True

    def _put_state(self, connection: Connection, state: AlertState) -> bool:
        """Whether it was the first evaluation after the one that it was made from."""
        alive = select(alerts.c.id).where(alerts.c.id == state.alert_id).with_for_update()
        if connection.execute(alive).first() is None:
            return False
        row = {"alert_id": state.alert_id, "version": state.version + 1, "document": text_of(state)}
        if state.version == 0:
            new = self._database.insert(alert_memories).values(row).on_conflict_do_nothing()
            return bool(connection.execute(new.returning(alert_memories.c.alert_id)).first())
        table = alert_memories.c
        known = update(alert_memories).where(table.alert_id == state.alert_id, table.version == state.version)
        return bool(connection.execute(known.values(row)).rowcount)

    def entries(self, question: EntryQuestion) -> EntryPage:
        wanted = entries_conditions(question)
        if question.state is not None:
            wanted.append(self._state() == question.state.value)
        counted = select(func.count()).select_from(alert_log).where(*wanted)
        order = [column.desc() if question.newest_first else column for column in (alert_log.c.at, alert_log.c.id)]
        page = select(alert_log.c.document).where(*wanted).order_by(*order)
        with self._database.read() as connection:
            total = connection.execute(counted).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return EntryPage(total, [value_of(row.document, LogEntry) for row in rows])

    def entry_states(self, workspace: int) -> dict[EntryState, int]:
        """How many entries are in each state."""
        state = self._state().label("state")
        counted = select(state, func.count().label("found")).where(alert_log.c.workspace == workspace)
        with self._database.read() as connection:
            return {EntryState(row.state): row.found for row in connection.execute(counted.group_by("state"))}

    def newest_of_each(self, workspaces: Collection[int], since: int) -> dict[int, tuple[int, int, int]]:
        """Of the entries since then, by workspace: how many, when the newest came, how many are open. For a change."""
        is_open = case((self._state() == EntryState.OPEN.value, 1), else_=0)
        columns = alert_log.c.workspace, func.count(), func.max(alert_log.c.at), func.sum(is_open)
        wanted = select(*columns).where(alert_log.c.workspace.in_(workspaces), alert_log.c.at >= since)
        with self._database.read() as connection:
            rows = connection.execute(wanted.group_by(alert_log.c.workspace)).all()
        return {workspace: (count, newest, still_open) for workspace, count, newest, still_open in rows}

    def firing_days_of_each(self, workspace: int, since: int) -> dict[str, dict[int, int]]:
        """How many entries each day of UTC has, from a time on: by alert, then by days since the epoch."""
        day = _DAY.label("day")
        counted = select(alert_log.c.alert_id, day, func.count().label("found"))
        counted = counted.where(alert_log.c.workspace == workspace, alert_log.c.at >= since)
        found: dict[str, dict[int, int]] = {}
        with self._database.read() as connection:
            for row in connection.execute(counted.group_by(alert_log.c.alert_id, "day")):
                found.setdefault(row.alert_id, {})[row.day] = row.found
        return found

    def _state(self) -> ColumnElement[str]:
        """Entries of an older version do not say that they are open."""
        return func.coalesce(self._entry.text("state"), EntryState.OPEN.value)

    def firing(self, since: int) -> int:
        """How many alerts of all workspaces fired since then, and nobody has resolved it."""
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
        """Raises NotFound."""
        one = alert_log.c.workspace == workspace, alert_log.c.id == plain(entry_id)
        with self._database.write() as connection:
            found = connection.execute(select(alert_log.c.document).where(*one).with_for_update()).scalar()
            if found is None:
                raise NotFound(f"there is no log entry {entry_id}")
            entry = msgspec.structs.replace(value_of(found, LogEntry), state=state, state_at=at, state_by=by)
            connection.execute(update(alert_log).where(*one).values(document=text_of(entry)))
        return entry

    def matched_items(self, question: FiringQuestion) -> list[tuple[Mapping[str, Any], int]]:
        """What matched, without the value that was compared, and how often; in no order."""
        named = self._item.without("value").label("named")
        wanted = select(named, func.count()).select_from(alert_log, self._rules, self._items)
        wanted = wanted.where(*self._fired(question), *self._matching(question)).group_by("named")
        with self._database.read() as connection:
            found: list[tuple[dict[str, Any], int]] = [
                (msgspec.json.decode(item), count) for item, count in connection.execute(wanted)
            ]
        return [(dict(sorted(item.items())), count) for item, count in found]

    def fired_rules(self, question: FiringQuestion) -> list[FiredRules]:
        """By alert and rule type, in no order; a rule counts when something of it matches."""
        rule_type = self._rule.text("type").label("type")
        newest = func.max(cast(alert_log.c.at + _LEADING, Text).concat(alert_log.c.id))
        counted = select(alert_log.c.alert_id, rule_type, func.count(), newest).select_from(alert_log, self._rules)
        counted = counted.where(*self._fired(question), self._has_matching(question))
        with self._database.read() as connection:
            rows = connection.execute(counted.group_by(alert_log.c.alert_id, rule_type)).all()
            last: dict[str, str] = {}
            for alert_id, _, _, entry in rows:
                last[alert_id] = max(entry, last.get(alert_id, ""))
            entry_ids = [entry[_DIGITS:] for entry in last.values()]
            names: dict[str, str] = {}
            for chunk in in_chunks(entry_ids, _AT_ONCE):
                wanted = select(alert_log.c.id, self._entry.text("name").label("name")).where(alert_log.c.id.in_(chunk))
                names.update((row.id, row.name) for row in connection.execute(wanted))
        return [
            FiredRules(alert_id=alert_id, name=names[last[alert_id][_DIGITS:]], rule_type=kind, count=count)
            for alert_id, kind, count, _ in rows
        ]

    def firing_days(self, question: FiringQuestion) -> dict[int, int]:
        """How many entries each day of UTC has, by days since the epoch."""
        day = _DAY.label("day")
        fired = select(1).select_from(self._rules).where(*self._of_type(question), self._has_matching(question))
        wanted = select(day, func.count().label("found")).where(
            *_entries(question), fired.correlate(alert_log).exists()
        )
        with self._database.read() as connection:
            return {row.day: row.found for row in connection.execute(wanted.group_by("day"))}

    def _fired(self, question: FiringQuestion) -> list[ColumnElement[bool]]:
        return [*_entries(question), *self._of_type(question)]

    def _of_type(self, question: FiringQuestion) -> list[ColumnElement[bool]]:
        return [] if question.rule_type is None else [self._rule.text("type") == question.rule_type]

    def _has_matching(self, question: FiringQuestion) -> ColumnElement[bool]:
        items: Select[Any] = select(1).select_from(self._items).where(*self._matching(question))
        return items.correlate(alert_log, self._rules).exists()

    def _matching(self, question: FiringQuestion) -> Iterator[ColumnElement[bool]]:
        for part, fields in ((question.ip, _ADDRESSES), (question.domain, _DOMAINS)):
            if part:
                yield or_(*(self._texts.holds(self._item.text(field), part) for field in fields))


class _RuleFailing(msgspec.Struct):
    failing: str = ""


class _Failing(msgspec.Struct):
    """The parts of a memory that tell of failures; the evidence beside them is large."""

    failing: str = ""
    rules: Mapping[str, _RuleFailing] = {}


class _Stated(msgspec.Struct):
    """The one part of a log entry that counting needs."""

    state: EntryState = EntryState.OPEN


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


def _alert_state(row: Row[Any]) -> AlertState:
    try:
        state = value_of(row.document, AlertState)
    except (msgspec.MsgspecError, RecursionError) as error:
        # Said once more rather than never again, and without a word for the alerts beside it.
        log.warning("what is remembered of alert %s cannot be read, and is begun anew: %s", row.alert_id, error)
        state = AlertState(alert_id=row.alert_id)
    return msgspec.structs.replace(state, version=row.version)


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


def _entries(question: FiringQuestion) -> list[ColumnElement[bool]]:
    return entries_conditions(
        EntryQuestion(
            workspace=question.workspace,
            alert_id=question.alert_id,
            profile_id=question.profile_id,
            since=question.since,
            until=question.until,
        )
    )
