"""Brings a TLS report whose JSON is not quite that of RFC 8460 into the RFC's shape, with remarks. Its second reading.

What people meet: numbers as text and text as numbers, null where something belongs, one object where a list of objects
does. What cannot be understood of one policy is passed over; the others are read. Reads no report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from mailvane.core.errors import InvalidInput

_MOST_REMARKS = 10
_MOST_COUNT = 10**15
_COUNTS = frozenset({"total-successful-session-count", "total-failure-session-count", "failed-session-count"})
_LISTS = frozenset({"policy-string", "mx-host"})


class _Remarks:
    """Each once, and not too many."""

    def __init__(self) -> None:
        self.told: dict[str, None] = {}

    def __call__(self, text: str) -> None:
        if len(self.told) < _MOST_REMARKS:
            self.told[text] = None


def as_it_is_meant(told: object) -> tuple[dict[str, Any], list[str]]:
    """The report with every field of the kind that the RFC gives it. Raises InvalidInput where there is no report."""
    if not isinstance(told, Mapping):
        raise InvalidInput("not an object")
    remark = _Remarks()
    report: dict[str, Any] = {
        name: _text(told.get(name), name, remark) for name in ("organization-name", "report-id", "contact-info")
    }
    given = told.get("date-range")
    span = given if isinstance(given, Mapping) else {}
    report["date-range"] = {name: _moment(span.get(name)) for name in ("start-datetime", "end-datetime")}
    report["policies"] = list(_policies(told.get("policies"), remark))
    return report, list(remark.told)


def _policies(told: object, remark: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for number, each in _objects(told, "policies", remark):
        if isinstance(each.get("policy"), Mapping):
            yield _policy(each, f"policies[{number}]", remark)
        else:
            remark(f"policies[{number}] was passed over: it does not say which policy it is of")


def _policy(told: Mapping[str, Any], place: str, remark: Callable[[str], None]) -> dict[str, Any]:
    policy = {
        name: _texts(value, f"{place}.{name}", remark) if name in _LISTS else _text(value, f"{place}.{name}", remark)
        for name, value in told["policy"].items()
        if value is not None
    }
    given = told.get("summary")
    summary = given if isinstance(given, Mapping) else {}
    if summary is not given:
        remark(f"{place}.summary is missing: no session of it is counted")
    return {
        "policy": policy,
        "summary": {name: _count(summary[name], f"{place}.{name}", remark) for name in _COUNTS & set(summary)},
        "failure-details": [
            {name: _field(name, value, f"{place}.{name}", remark) for name, value in each.items() if value is not None}
            for _, each in _objects(told.get("failure-details"), f"{place}.failure-details", remark)
        ],
    }


def _objects(told: object, place: str, remark: Callable[[str], None]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if isinstance(told, Mapping):
        remark(f"{place} is one object: taken as a list of one")
        told = [told]
    if not isinstance(told, list):
        return
    for number, each in enumerate(told):
        if isinstance(each, Mapping):
            yield number, each
        else:
            remark(f"{place}[{number}] was passed over: it is no object")


def _field(name: str, told: object, place: str, remark: Callable[[str], None]) -> object:
    return _count(told, place, remark) if name in _COUNTS else _text(told, place, remark)


def _text(told: object, place: str, remark: Callable[[str], None]) -> str:
    if isinstance(told, str):
        return told
    if isinstance(told, int | float) and not isinstance(told, bool):
        remark(f"{place} is a number: taken as text")
        return str(told)
    if told is not None:
        remark(f"{place} was passed over: it is no text")
    return ""


def _texts(told: object, place: str, remark: Callable[[str], None]) -> list[str]:
    return [_text(each, place, remark) for each in (told if isinstance(told, list) else [told])]


def _count(told: object, place: str, remark: Callable[[str], None]) -> int:
    if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= _MOST_COUNT:
        return told
    text = str(told).strip().removesuffix(".0")
    if isinstance(told, str | float) and text.isascii() and text.isdecimal() and len(text) <= 15:
        remark(f"{place} is not written as a whole number: taken as {int(text):,}")
        return int(text)
    remark(f"{place} was passed over: it is no number of sessions")
    return 0


def _moment(told: object) -> str:
    """ISO 8601; some write seconds since 1970."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        try:
            return datetime.fromtimestamp(told, UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            return str(told)
    return told if isinstance(told, str) else ""
