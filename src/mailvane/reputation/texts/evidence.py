"""A log entry as text: what was found, what it means, since when. Pure; channels decide how it looks.

What sources said is shown as text that cannot steer whatever shows it: no line breaks, no marks that turn the writing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import msgspec

from mailvane.core.decoding import prepared
from mailvane.reputation.alerts.model import FiredRule, LogEntry

MOST_ROWS = 25
_LONGEST_CELL = 120
_OPERATORS = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "eq": "="}
_MOST_NAMES = 4  # of a rule's configuration

Form = Literal["text", "share", "percent", "count", "date", "moment", "defanged", "words"]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    form: Form = "text"
    names: Mapping[str, str] = {}  # of values that stand for something


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a rule type."""

    title: str
    headline: str = ""
    columns: tuple[str, ...] = ()
    meaning: str = ""
    advice: str = ""
    moment: str = "Data of"
    value: Column = Column("Value")
    removable: bool = False  # a blocklist may be asked to take it off
    bound: str = ""  # field of the record that says: the value is no more than this


class Held(msgspec.Struct, frozen=True):
    """Of a notification that waited over quiet hours."""

    since: int
    holds: bool | None  # None: unknown


class _Meanings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    columns: dict[str, Column]
    types: dict[str, Meaning]
    removal: dict[str, str]


class Finding(msgspec.Struct, frozen=True):
    """What satisfied one rule."""

    title: str
    headlines: tuple[str, ...]  # of the rows
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int
    rule: str  # as it was configured
    moment: str
    meaning: str
    advice: str


class Evidence(msgspec.Struct, frozen=True):
    """A log entry as text."""

    name: str
    summary: str
    at: str
    findings: tuple[Finding, ...]
    entry_id: str
    alert_id: str
    held: str = ""  # that it waited over quiet hours, and whether it holds still
    is_test: bool = False

    @property
    def when(self) -> str:
        return f"Sent as a test {self.at}" if self.is_test else f"Fired {self.at}"

    @property
    def trace(self) -> str:
        """For the last line of a short message."""
        return f"{self.when}; nothing of it is kept" if self.is_test else f"{self.when}, log entry {self.entry_id}"


@lru_cache(maxsize=1)
def meanings() -> _Meanings:
    text = resources.files("mailvane.reputation.texts").joinpath("rule_texts.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), prepared(_Meanings))


def evidence_of(entry: LogEntry) -> Evidence:
    findings = tuple(_finding(rule) for rule in entry.rules)
    said = [line for finding in findings for line in finding.headlines]
    more = sum(max(_count(rule), len(_items(rule))) for rule in entry.rules) - 1
    return Evidence(
        name=visible(entry.name),
        summary=(said[0] if said else "") + (f", and {more:,} more like it" if said and more > 0 else ""),
        at=written(entry.at),
        findings=findings,
        entry_id=entry.id,
        alert_id=entry.alert_id,
    )


def evidence_told(body: Mapping[str, Any]) -> Evidence:
    """Of a notification's body: the log entry, and what is said of one that waited. Raises msgspec.ValidationError."""
    evidence = evidence_of(msgspec.convert(body, prepared(LogEntry)))
    evidence = msgspec.structs.replace(evidence, is_test=body.get("test") is True)
    if "held" not in body:
        return evidence
    held = msgspec.convert(body["held"], prepared(Held))
    outcomes: dict[bool | None, str] = {
        True: "It still holds.",
        False: "It is over: nothing of it matches any more.",
        None: "Whether it still holds is unknown.",
    }
    outcome = outcomes[held.holds]
    told = f"This waited for the end of quiet hours since {written(held.since)}. {outcome}"
    name = f"[over] {evidence.name}" if held.holds is False else evidence.name
    return msgspec.structs.replace(evidence, name=name, held=told)


def headline(rule_type: str, item: Mapping[str, Any]) -> str:
    """One match in half a sentence."""
    meaning = meaning_of(rule_type)
    if not meaning.headline:
        return ", ".join(f"{name} {visible(value)}" for name, value in item.items())
    return meaning.headline.format_map(_Words({name: _cell(name, item, {}, meaning) for name in item}))


def title(rule_type: str) -> str:
    return meaning_of(rule_type).title


def written(ms: int, zone: tzinfo = UTC) -> str:
    """A time as text."""
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%d %H:%M %Z")


def visible(value: object) -> str:
    """Something that others said, in one line of printable characters."""
    text = "".join(each if each.isprintable() else " " for each in str(value)[: 4 * _LONGEST_CELL])
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def meaning_of(rule_type: str) -> Meaning:
    """A type that is not in the table, of an older or newer version, is shown by its name."""
    return meanings().types.get(rule_type) or Meaning(visible(rule_type).replace("_", " "))


def _items(rule: FiredRule) -> list[Mapping[str, Any]]:
    return [item for item in rule.matchings.get("items") or () if isinstance(item, Mapping)]


def _count(rule: FiredRule) -> int:
    return int(rule.matchings.get("count") or 0)


def _finding(rule: FiredRule) -> Finding:
    meaning, items = meaning_of(rule.type), _items(rule)
    shown = items[:MOST_ROWS]
    records = [one for one in rule.snapshot.get("data") or () if isinstance(one, Mapping)]
    columns = meaning.columns or tuple(dict.fromkeys(name for item in shown for name in item))
    pairs = [(item, _record_of(item, records)) for item in shown]
    # A column that no record fills would only say that nothing is known.
    filled = [name for name in columns if any(name in item or name in record for item, record in pairs)]
    moment = rule.snapshot.get("date_timestamp")
    return Finding(
        title=meaning.title,
        headlines=tuple(headline(rule.type, item) for item in shown),
        heads=tuple(_column(name, meaning).label for name in filled),
        rows=tuple(tuple(_cell(name, *pair, meaning) for name in filled) for pair in pairs),
        left_out=max(_count(rule), len(items)) - len(shown),
        rule=_configured(rule.snapshot.get("rule") or {}),
        moment=f"{meaning.moment} {written(moment)}" if isinstance(moment, int) and moment else "",
        meaning=meaning.meaning,
        advice=" ".join(filter(None, (meaning.advice, _removal(shown) if meaning.removable else ""))),
    )


def _removal(items: list[Mapping[str, Any]]) -> str:
    """Where the blocklists that are named are asked to take something off."""
    hosts = dict.fromkeys(str(item["rbl"]) for item in items if item.get("rbl"))
    pages = dict.fromkeys(page.partition("://")[2] for host in hosts if (page := _removal_page(host)))
    return f"Ask for removal at {', '.join(pages)}." if pages else ""


def _removal_page(host: str) -> str:
    """Of the blocklist or whoever runs it; empty: not known."""
    pages = meanings().removal
    while host and host not in pages:
        host = host.partition(".")[2]
    return pages.get(host, "")


def _record_of(item: Mapping[str, Any], records: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The record that a match was found in: the one that agrees with it in all names that both have."""
    for record in records:
        both = [name for name in item if name in record and name != "value"]
        if both and all(item[name] == record[name] for name in both):
            return record
    return {}


def _column(name: str, meaning: Meaning) -> Column:
    if name == "value":
        return meaning.value
    return meanings().columns.get(name) or Column(visible(name).replace("_", " "))


def _cell(name: str, item: Mapping[str, Any], record: Mapping[str, Any], meaning: Meaning) -> str:
    value = item.get(name, record.get(name))
    column = _column(name, meaning)
    text = column.names.get(str(value)) or formed(value, column.form)
    return f"< {text}" if name == "value" and meaning.bound and record.get(meaning.bound) else text


def formed(value: object, form: Form) -> str:
    if value is None or value == "":
        return "unknown"
    if form == "words":
        return visible(value).replace("_", " ").lower()
    if form == "defanged":
        return visible(value).replace(".", "[.]")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return visible(value)
    if form in ("date", "moment"):
        try:
            text = written(int(value))
            return text[:10] if form == "date" else text
        except (ValueError, OverflowError, OSError):
            return "unknown"  # no calendar goes so far
    if form == "count":
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if form in ("share", "percent"):
        return f"{value * 100 if form == 'share' else value:.3f}".rstrip("0").rstrip(".") + " %"
    return visible(value)


def _configured(rule: Mapping[str, Any]) -> str:
    """What a user wrote, short."""
    return "; ".join(f"{visible(name)} {_asked(rule[name])}" for name in rule if name not in ("type", "key"))


def _asked(value: object) -> str:
    if isinstance(value, Mapping):
        how = _OPERATORS.get(str(value.get("operator")), visible(value.get("operator", "")))
        stretch = f" in {formed(value['time_range'], 'words')}" if value.get("time_range") else ""
        return f"{how} {formed(value.get('value'), 'words')}{stretch}".strip()
    if isinstance(value, list | tuple):
        more = f" and {len(value) - _MOST_NAMES} more" if len(value) > _MOST_NAMES else ""
        return ", ".join(visible(each) for each in value[:_MOST_NAMES]) + more
    return visible(value)
