"""How often alerts fired, and by what. Counts over the log; keeps nothing.

Aggregated counts are of match items: an entry with three listed addresses adds one to each of three rows. A time series
counts entries, day by day (UTC), days without any included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from mailvane.alerts.catalogue import CATALOGUE
from mailvane.domain.alerts import DAY_MS, FiredRule, LogEntry
from mailvane.errors import InvalidFields
from mailvane.storage.reputation import AlertLog, EntryQuestion

LONGEST_MS = 366 * DAY_MS
_AT_ONCE = 500
_NOT_A_GROUP = frozenset({"value"})


class StatisticsQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which firings are counted; `ip` and `domain` are parts of what they name."""

    workspace: int
    since: int
    until: int  # before
    alert_id: str | None = None
    rule_type: str | None = None
    profile_id: str | None = None
    ip: str = ""
    domain: str = ""


class AlertStatistics:
    """Safe to share between threads."""

    def __init__(self, log: AlertLog) -> None:
        self._log = log

    def aggregated(self, question: StatisticsQuestion) -> list[dict[str, Any]]:
        """Rows of the group keys that apply, with their count, the greatest first. Raises InvalidFields."""
        counts: Counter[tuple[tuple[str, Any], ...]] = Counter()
        for _, rule in self._fired(question):
            for item in _items(rule, question):
                counts[tuple((key, value) for key, value in item.items() if key not in _NOT_A_GROUP)] += 1
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
        return [{**dict(keys), "count": count} for keys, count in ranked]

    def by_alert(self, question: StatisticsQuestion) -> list[dict[str, Any]]:
        """Entries by alert and rule type, with the name that the alert had last. Raises InvalidFields."""
        counts: Counter[tuple[str, str]] = Counter()
        names: dict[str, str] = {}
        for entry, rule in self._fired(question):
            if any(True for _ in _items(rule, question)):
                counts[entry.alert_id, rule.type] += 1
                names.setdefault(entry.alert_id, entry.name)
        return [
            {"user_alert_id": alert_id, "name": names[alert_id], "rule_type": rule_type, "count": count}
            for (alert_id, rule_type), count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ]

    def timeseries(self, question: StatisticsQuestion) -> list[dict[str, Any]]:
        """Entries by day, oldest first. Raises InvalidFields."""
        days = range(question.since // DAY_MS, (question.until - 1) // DAY_MS + 1)
        counts: Counter[int] = Counter()
        seen: set[str] = set()
        for entry, rule in self._fired(question):
            if entry.id not in seen and any(True for _ in _items(rule, question)):
                seen.add(entry.id)
                counts[entry.at // DAY_MS] += 1
        return [{"date": _date(day), "count": counts[day]} for day in days]

    def _fired(self, question: StatisticsQuestion) -> Iterator[tuple[LogEntry, FiredRule]]:
        _check(question)
        offset = 0
        while True:
            page = self._log.entries(
                EntryQuestion(
                    workspace=question.workspace, alert_id=question.alert_id, profile_id=question.profile_id,
                    since=question.since, until=question.until, offset=offset, limit=_AT_ONCE,
                )
            )  # fmt: skip
            for entry in page.entries:
                for rule in entry.rules:
                    if question.rule_type in (None, rule.type):
                        yield entry, rule
            offset += _AT_ONCE
            if offset >= page.total:
                return


def _check(question: StatisticsQuestion) -> None:
    if question.rule_type is not None and question.rule_type not in CATALOGUE:
        raise InvalidFields(("rule_type", "there is no such rule type"))
    if not 0 < question.until - question.since <= LONGEST_MS:
        raise InvalidFields(("period_to", "expected a later time than period_from, by 366 days at most"))


def _items(rule: FiredRule, question: StatisticsQuestion) -> Iterator[Mapping[str, Any]]:
    for item in rule.matchings.get("items", ()):
        addresses = (str(item.get(key, "")) for key in ("ip", "traps_ip"))
        domains = (str(item.get(key, "")) for key in ("domain", "lookalike", "traps_domain_from"))
        if (not question.ip or any(question.ip in each for each in addresses)) and (
            not question.domain or any(question.domain in each for each in domains)
        ):
            yield item


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
