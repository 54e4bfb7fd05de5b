"""Subject, text and HTML of mails, from a notification's body. Pure; `notify.email` sends them.

Two sorts of notifications become letters: log entries of alerts, and daily reports, which say so by the key `report`.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.notify.letters import amount, letter, templates_of
from mailvane.notify.model import Notification
from mailvane.notify.notifier import RenderedEmail
from mailvane.reputation.alerts.daily_report import DailyReport, SourceLine
from mailvane.reputation.model import SOURCES
from mailvane.reputation.texts.evidence import evidence_told, headline, visible, written


def render_email(notification: Notification) -> RenderedEmail:
    """Raises InvalidInput when the notification carries something else."""
    try:
        if notification.body.get("report") == "daily":
            return _daily(msgspec.convert(notification.body, prepared(DailyReport)))
        evidence = evidence_told(notification.body)
        subject = (
            f"[Mailvane] {evidence.name}: {evidence.summary}" if evidence.summary else f"[Mailvane] {evidence.name}"
        )
        return _rendered("alert", subject, {"told": evidence})
    except msgspec.ValidationError as error:
        raise InvalidInput(f"this notification cannot be told by mail: {error}") from None


def _daily(report: DailyReport) -> RenderedEmail:
    zone = ZoneInfo(report.day.zone)
    outcome = _outcome(report)
    given = {
        "report": report,
        "outcome": outcome,
        "weekday": datetime.fromtimestamp(report.day.since / 1000, zone).strftime("%A"),
        "headline": headline,
        "hour": lambda ms: _hour(ms, zone),
        "source": lambda line: _source(line, zone),
        "source_name": lambda source: SOURCES[source].title,
    }
    return _rendered("daily", f"[Mailvane] {report.workspace}, {report.day.name}: {outcome}", given)


def _rendered(name: str, subject: str, given: dict[str, Any]) -> RenderedEmail:
    return letter(_templates(), name, subject, given)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = templates_of("mailvane.reputation.texts")
    environment.filters["visible"] = visible
    return environment


def _outcome(report: DailyReport) -> str:
    """The day in half a sentence. What could not be asked is not called quiet."""
    unknown = any(line.unknown for line in report.sources) or bool(report.unjudged)
    if not report.alerts:
        return "no alert fired, but not everything is known" if unknown else "nothing happened"
    fired = f"{amount(report.alerts, 'alert')} fired"
    if report.firings > report.alerts:
        fired += f" {amount(report.firings, 'time')}"
    return fired + (", and not everything is known" if unknown else "")


def _source(line: SourceLine, zone: tzinfo) -> str:
    if not line.unknown:
        known = "the last attempt failed; what is known is still fresh"
    elif line.unknown == line.assets:
        known = f"unknown: all of {amount(line.assets, 'watched asset')}"
    else:
        known = f"unknown: {line.unknown:,} of {amount(line.assets, 'watched asset')}"
    since = f"answered last at {written(line.succeeded_at, zone)}" if line.succeeded_at else "has not answered yet"
    return f"{known}; {since}" + (f": {visible(line.error)}" if line.error else "")


def _hour(ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%H:%M")
