"""How often alerts fired, and by what. Counts over the log; keeps nothing.

Aggregated counts are of match items: an entry with three listed addresses adds one to each of three rows. A time series
counts entries, day by day (UTC), days without any included.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mailvane.core.errors import InvalidFields
from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.questions import FiringQuestion
from mailvane.reputation.store.alert_log import AlertLogStore

LONGEST_MS = 366 * DAY_MS


class AlertStatistics:
    """Safe to share between threads."""

    def __init__(self, counts: AlertLogStore) -> None:
        self._counts = counts

    def aggregated(self, question: FiringQuestion) -> list[dict[str, Any]]:
        """Rows of the group keys that apply, with their count, the greatest first. Raises InvalidFields."""
        _check(question)
        found = self._counts.matched_items(question)
        ranked = sorted(found, key=lambda pair: (-pair[1], str(tuple(pair[0].items()))))
        return [{**item, "count": count} for item, count in ranked]

    def by_alert(self, question: FiringQuestion) -> list[dict[str, Any]]:
        """Entries by alert and rule type, with the name that the alert had last. Raises InvalidFields."""
        _check(question)
        found = self._counts.fired_rules(question)
        return [
            {"user_alert_id": one.alert_id, "name": one.name, "rule_type": one.rule_type, "count": one.count}
            for one in sorted(found, key=lambda one: (-one.count, one.alert_id, one.rule_type))
        ]

    def timeseries(self, question: FiringQuestion) -> list[dict[str, Any]]:
        """Entries by day, oldest first. Raises InvalidFields."""
        _check(question)
        counts = self._counts.firing_days(question)
        days = range(question.since // DAY_MS, (question.until - 1) // DAY_MS + 1)
        return [
            {"date": datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d"), "count": counts.get(day, 0)}
            for day in days
        ]


def _check(question: FiringQuestion) -> None:
    if question.rule_type is not None and question.rule_type not in CATALOGUE:
        raise InvalidFields(("rule_type", "there is no such rule type"))
    if not 0 < question.until - question.since <= LONGEST_MS:
        raise InvalidFields(("period_to", "expected a later time than period_from, by 366 days at most"))
