"""An alert's definition as sentences for people: what has to be so, whom it tells. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailvane.reputation.alerts.rule import ANY, HIGH_REPUTATION, WORDS
from mailvane.reputation.texts.evidence import Column, formed, meaning_of, visible

_MOST_NAMES = 5
_OPERATORS = {"gt": "above", "gte": "at least", "lt": "below", "lte": "at most", "eq": "exactly"}
_AGES = {"gt": "more than", "lt": "less than"}
_STRETCHES = {
    "ONE_HOUR": "an hour",
    "SIX_HOURS": "six hours",
    "ONE_DAY": "a day",
    "ONE_WEEK": "a week",
    "ONE_MONTH": "a month",
    "ONE_YEAR": "a year",
}
_HIGH = "a blocklist of high reputation"
_NUMBERS = {
    "mails": "at least {} mails",
    "minutes": "for {} minutes",
    "hours": "for {} hours",
    "percent": "at least {} % are used",
    "deviations": "at least {} standard deviations away",
    "difference": "and {} mails",
}
_CHOICES = {
    "by": {"TOTAL": "all mail together", "DESTINATION": "by receiving domain"},
    "domains_are": {"SENDING": "by sending domain", "RECEIVING": "by receiving domain"},
    "mail": {name: f"{name.lower()} mail" for name in ("DELIVERED", "DEFERRED", "BOUNCED", "REFUSED")},
    "direction": {"MORE": "more than usual", "LESS": "less than usual", "EITHER": "more or less than usual"},
}
_LISTS = {"limits_of": "limit of a {}", "windows": "in a {}", "snds_filter_result": "{}"}


def condition(raw: Mapping[str, Any]) -> str:
    """What one rule asks for, in half a sentence. A rule that cannot be read is told as far as it can be."""
    kind = str(raw.get("type", ""))
    meaning = meaning_of(kind)
    parts = [part for name in raw if name not in {"type", "key"} for part in _parts(name, raw[name], meaning.value)]
    return f"{meaning.title}: {'; '.join(parts)}" if parts else meaning.title


def _parts(name: str, value: object, column: Column) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield _compared(value, column)
    elif isinstance(value, list | tuple):
        yield _named(name, [str(each) for each in value])
    elif name in _NUMBERS:
        yield _NUMBERS[name].format(f"{value:,}" if isinstance(value, int) else visible(value))
    else:
        plain = f"{visible(name).replace('_', ' ')} {visible(value)}"
        yield _CHOICES.get(name, {}).get(str(value), plain)


def _compared(value: Mapping[str, Any], column: Column) -> str:
    number, operator = value.get("value"), str(value.get("operator", ""))
    if isinstance(number, str):
        return f"{column.label.lower()} {_AGES.get(operator, visible(operator))} {_STRETCHES.get(number, number)} ago"
    within = _STRETCHES.get(str(value.get("time_range", "")), "")
    how = _OPERATORS.get(operator, visible(operator)) or "surely above"
    told = f"{column.label.lower()} {how} {formed(number, column.form)}"
    told += f" within {within}" if within else ""
    return f"{told}, of {formed(value['minimum'], 'count')} deliveries at least" if "minimum" in value else told


def _named(name: str, values: Sequence[str]) -> str:
    what = visible(name).replace("_", " ")
    if name in _LISTS:
        return _LISTS[name].format(" or ".join(visible(value).lower() for value in values))
    if ANY in values:
        return f"any of the {what}"
    if any(value in WORDS for value in values):
        return "any that is watched" if len(values) == 1 else "any that is watched, and " + _listed(values)
    if HIGH_REPUTATION in values:
        others = [value for value in values if value != HIGH_REPUTATION]
        return f"on {_HIGH}" + (f" or {_listed(others)}" if others else "")
    return f"{what} {_listed(values)}"


def _listed(values: Sequence[str]) -> str:
    named = [visible(value) for value in values if value not in WORDS]
    more = f" and {len(named) - _MOST_NAMES:,} more" if len(named) > _MOST_NAMES else ""
    return ", ".join(named[:_MOST_NAMES]) + more
