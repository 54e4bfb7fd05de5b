"""Counts over the alert log that are made by the database. Implements `FiringCounts` of the storage layer.

Which rules fired, and what matched, stands in the JSON of an entry: `rules[].type`, `rules[].matchings.items[]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, Text, cast, func, or_, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import in_chunks
from mailvane.core.ledger.json_fields import JsonFields
from mailvane.core.ledger.texts import Texts
from mailvane.core.moments import DAY_MS
from mailvane.reputation.interface import EntryQuestion
from mailvane.reputation.questions import FiredRules, FiringQuestion
from mailvane.reputation.store.alerts import entries_conditions
from mailvane.reputation.store.tables import alert_log

_AT_ONCE = 500
_DIGITS = 19  # of a time that is told with leading digits, so that it sorts as text
_LEADING = 10 ** (_DIGITS - 1)
_ADDRESSES = ("ip", "traps_ip")
_DOMAINS = ("domain", "lookalike", "traps_domain_from")


class SqlFiringCounts:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._firing_texts = Texts(database)
        self._entry = JsonFields(database, alert_log.c.document)
        # Every entry beside each of its rules, each rule beside what satisfied it.
        self._rules = self._entry.elements("rules")
        self._rule = JsonFields(database, self._rules.c.value)
        self._items = self._rule.elements("matchings", "items")
        self._item = JsonFields(database, self._items.c.value)

    def matched_items(self, question: FiringQuestion) -> list[tuple[Mapping[str, Any], int]]:
        named = self._item.without("value").label("named")
        wanted = select(named, func.count()).select_from(alert_log, self._rules, self._items)
        wanted = wanted.where(*self._fired(question), *self._matching(question)).group_by("named")
        with self._database.read() as connection:
            found: list[tuple[dict[str, Any], int]] = [
                (msgspec.json.decode(item), count) for item, count in connection.execute(wanted)
            ]
        return [(dict(sorted(item.items())), count) for item, count in found]

    def fired_rules(self, question: FiringQuestion) -> list[FiredRules]:
        rule_type = self._rule.text("type").label("type")
        newest = func.max(cast(alert_log.c.at + _LEADING, Text).concat(alert_log.c.id))
        counted = select(alert_log.c.alert_id, rule_type, func.count(), newest).select_from(alert_log, self._rules)
        counted = counted.where(*self._fired(question), self._has_matching(question))
        with self._database.read() as connection:
            rows = connection.execute(counted.group_by(alert_log.c.alert_id, rule_type)).all()
            last: dict[str, str] = {}
            for alert_id, _, _, entry in rows:
                last[alert_id] = max(entry, last.get(alert_id, ""))
            names = self._names(connection, [entry[_DIGITS:] for entry in last.values()])
        return [
            FiredRules(alert_id=alert_id, name=names[last[alert_id][_DIGITS:]], rule_type=kind, count=count)
            for alert_id, kind, count, _ in rows
        ]

    def firing_days(self, question: FiringQuestion) -> dict[int, int]:
        day = cast((alert_log.c.at - alert_log.c.at % DAY_MS) / DAY_MS, BigInteger).label("day")
        fired = select(1).select_from(self._rules).where(*self._of_type(question), self._has_matching(question))
        wanted = select(day, func.count().label("found")).where(
            *_entries(question), fired.correlate(alert_log).exists()
        )
        with self._database.read() as connection:
            return {row.day: row.found for row in connection.execute(wanted.group_by("day"))}

    def _names(self, connection: Connection, entry_ids: list[str]) -> dict[str, str]:
        names: dict[str, str] = {}
        for chunk in in_chunks(entry_ids, _AT_ONCE):
            wanted = select(alert_log.c.id, self._entry.text("name").label("name")).where(alert_log.c.id.in_(chunk))
            names.update((row.id, row.name) for row in connection.execute(wanted))
        return names

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
                yield or_(*(self._firing_texts.holds(self._item.text(field), part) for field in fields))


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
