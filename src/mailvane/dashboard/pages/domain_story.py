"""What was done to a domain, in words: who stopped it by which figures, and the mail that this was about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.decoding import prepared
from mailvane.outbound.admission.rules import Crossing, Line
from mailvane.outbound.model import AuditEntry, Domain, Guillotine

_STOPS = frozenset({"suspended", "closed"})
STORED = 10  # entries of the audit among which the stop is looked for
_FIGURES = ("count", "sent", "rate", "lower_bound", "limit")


class Stop(msgspec.Struct, frozen=True):
    """The line that stopped a domain, with the figures that said so."""

    at: int
    line: Line
    count: int
    sent: int
    rate: float  # percent, likewise the limit
    limit: float
    rule: Guillotine
    is_earlier: bool  # it was crossed in the count of an earlier month


class Done(msgspec.Struct, frozen=True):
    """An entry of the audit."""

    entry: AuditEntry
    action: str
    why: str  # the figures or the change, in words; empty: it needs none
    query: str  # of the mail log, for the mail that it is about; empty: it is about none

    @property
    def has_more(self) -> bool:
        return self.entry.evidence not in {"", "{}"}


def story(entries: Sequence[AuditEntry]) -> list[Done]:
    return [_done(entry) for entry in entries]


def stop_of(domain: Domain, told: Sequence[Done]) -> Done | None:
    """What stopped it; None where it may send, or where that is too long ago."""
    return next((each for each in told if each.entry.action in _STOPS), None) if domain.stopped else None


def stopped_by(done: Done) -> Stop | None:
    """None: a person stopped it, or what was kept of it cannot be read."""
    evidence = _read(done.entry.evidence)
    try:
        crossed = msgspec.convert(evidence.get("crossed"), prepared(Crossing))
        rule = msgspec.convert(evidence.get("rule"), prepared(Guillotine))
    except msgspec.ValidationError:
        return None
    return Stop(
        at=done.entry.at, line=crossed.line, count=crossed.count, sent=crossed.sent, rate=crossed.rate,
        limit=crossed.limit, rule=rule, is_earlier="month" in evidence,
    )  # fmt: skip


def _done(entry: AuditEntry) -> Done:
    evidence = _read(entry.evidence)
    return Done(entry, entry.action.replace("_", " "), "; ".join(_words(evidence)), _query(evidence))


def _read(text: str) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(text, type=prepared(dict[str, Any])) if text else {}
    except msgspec.DecodeError:
        return {}
    return found


def _words(evidence: Mapping[str, Any]) -> list[str]:
    crossed = evidence.get("crossed")
    if isinstance(crossed, Mapping):
        rule = evidence.get("rule")
        volume = rule.get("minimum_volume") if isinstance(rule, Mapping) else 0
        count, sent, rate, low, limit = (crossed.get(name) or 0 for name in _FIGURES)
        told = (
            f"{count:,} of {sent:,} mails: {rate:g} % {crossed.get('line')}, with 95 % certainty at least {low:g} %; "
            f"the line is {limit:g} %"
        )
        return [told + (f", from {volume:,} mails on" if volume else "")]
    changes = [
        f"{name.replace('_', ' ')} {_value(change[0])} → {_value(change[1])}"
        for name, change in evidence.items()
        if isinstance(change, list) and len(change) == 2
    ]
    counted = evidence.get("counted_until_now")
    if isinstance(counted, Mapping):
        changes.append(f"{counted.get('bounces', 0):,} bounces of {counted.get('sent', 0):,} mails count no more")
    return changes


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping) and "bounce_percent" in value:  # a guillotine
        told = f"{value['bounce_percent']:g} % from {value.get('minimum_volume') or 0:,} mails on"
        daily = value.get("probation_daily") or 0
        return told + (f", {daily:,} a day pass while stopped" if daily else "")
    return str(value) if isinstance(value, str | int | float) else "other"


def _query(evidence: Mapping[str, Any]) -> str:
    """The notice of a bounce names its mail: by our own id, or by the id that the sending service gave it."""
    notice = evidence.get("notification")
    if not isinstance(notice, Mapping) or not isinstance(mail := notice.get("mail"), str):
        return ""
    if not mail or not all(each.isalnum() or each in "-_." for each in mail):
        return ""
    return f"id:{mail}" if notice.get("source") == "postfix log" else f"queue:{mail}"
