"""What mails say: subject, text and HTML, from what a notification carries. Pure; how they leave is told elsewhere.

Two sorts of notifications become letters: log entries of alerts, and daily reports, which say so by the key `report`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mailvane import __version__
from mailvane.core.errors import InvalidInput
from mailvane.notify.model import Notification
from mailvane.notify.notifier import Letter
from mailvane.reputation.alerts.daily_report import DailyReport, SourceLine
from mailvane.reputation.alerts.model import LogEntry
from mailvane.reputation.model import Source
from mailvane.reputation.texts.evidence import evidence_of, headline, visible, written

_WIDTH = 76
_LONGEST_SUBJECT = 180

_SOURCES = {
    Source.BLOCKLISTS: "Blocklists",
    Source.POSTMASTER: "Google Postmaster Tools",
    Source.SNDS: "Microsoft SNDS",
    Source.LOOKALIKES: "Lookalike domains",
    Source.DMARC: "DMARC reports",
    Source.TRAPS: "Spam traps",
    Source.HONEYTOKENS: "Honeytokens",
}


def letter_of(notification: Notification) -> Letter:
    """Raises InvalidInput when the notification carries something else."""
    try:
        if notification.body.get("report") == "daily":
            return _daily(msgspec.convert(notification.body, DailyReport))
        return _alert(msgspec.convert(notification.body, LogEntry))
    except msgspec.ValidationError as error:
        raise InvalidInput(f"this notification cannot be told by mail: {error}") from None


def _alert(entry: LogEntry) -> Letter:
    told = evidence_of(entry)
    subject = f"[Mailvane] {told.name}: {told.summary}" if told.summary else f"[Mailvane] {told.name}"
    return _letter("alert", subject, {"told": told})


def _daily(report: DailyReport) -> Letter:
    zone = ZoneInfo(report.day.zone)
    outcome = _outcome(report)
    given = {
        "report": report,
        "outcome": outcome,
        "weekday": datetime.fromtimestamp(report.day.since / 1000, zone).strftime("%A"),
        "headline": headline,
        "hour": lambda ms: _hour(ms, zone),
        "source": lambda line: _source(line, zone),
        "source_name": _SOURCES.__getitem__,
    }
    return _letter("daily", f"[Mailvane] {report.workspace}, {report.day.name}: {outcome}", given)


def _letter(name: str, subject: str, given: dict[str, Any]) -> Letter:
    templates = _templates()
    given = {**given, "version": __version__}
    line = " ".join("".join(each if each.isprintable() else " " for each in subject).split())
    return Letter(
        line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1] + "…",
        templates.get_template(f"{name}.txt.j2").render(given),
        templates.get_template(f"{name}.html.j2").render(given),
    )


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("mailvane.reputation.texts", "templates"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(table=_table, wrapped=_wrapped, visible=visible, amount=_amount)
    return environment


def _outcome(report: DailyReport) -> str:
    """The day in half a sentence. What could not be asked is not called quiet."""
    unknown = any(line.unknown for line in report.sources) or bool(report.unjudged)
    if not report.alerts:
        return "no alert fired, but not everything is known" if unknown else "nothing happened"
    fired = f"{_amount(report.alerts, 'alert')} fired"
    if report.firings > report.alerts:
        fired += f" {_amount(report.firings, 'time')}"
    return fired + (", and not everything is known" if unknown else "")


def _source(line: SourceLine, zone: tzinfo) -> str:
    if not line.unknown:
        known = "the last attempt failed; what is known is still fresh"
    elif line.unknown == line.assets:
        known = f"unknown: all of {_amount(line.assets, 'watched asset')}"
    else:
        known = f"unknown: {line.unknown:,} of {_amount(line.assets, 'watched asset')}"
    since = f"answered last at {written(line.succeeded_at, zone)}" if line.succeeded_at else "has not answered yet"
    return f"{known}; {since}" + (f": {visible(line.error)}" if line.error else "")


def _hour(ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%H:%M")


def _amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _wrapped(text: str, indent: int = 0) -> str:
    # An address or a domain that is cut cannot be copied.
    return textwrap.fill(
        text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """Columns as wide as they need to be; in text, nothing else holds them together."""
    lines = [tuple(heads), *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    ruled = [lines[0], tuple("-" * width for width in widths), *lines[1:]]
    return "\n".join(
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip()
        for line in ruled
    )
