"""Health reports as Slack messages: the blocks of the vendor's guide, and behind them what it leaves out. Pure.

Limits are those of Slack's reference of blocks. What others wrote, such as an address, is escaped: it formats, links
and mentions nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mailvane.inbound.health.model import HealthReport, Status, TeamReport
from mailvane.inbound.health.texts.words import change, exactness, figure, outcome, unknowns
from mailvane.notify.letters import amount

MOST_BLOCKS = 50
LONGEST_HEADER = 150
LONGEST_TEXT = 3000
LONGEST_FIELD = 2000
_LONGEST_PIECE = 2500
_LONGEST_LINE = 700
# Of one list. Beside the limits of each block, Slack was seen to refuse messages of some 13,000 characters in all
# (slackapi/bolt-js, issue 2509).
_MOST_SECTIONS = 2
LONGEST_MESSAGE = 12_000
_MARKS = {
    Status.HEALTHY: ":white_check_mark:",
    Status.ALERTS: ":warning:",
    Status.UNKNOWN: ":grey_question:",
}

Block = dict[str, Any]
Message = Mapping[str, Any]


def messages_of(report: HealthReport) -> list[Message]:
    """A message for each team, and one of all where there are several: that one first."""
    told = [message_of(team, report.day) for team in report.teams]
    return [rollup_of(report), *told] if len(told) > 1 else told


def message_of(report: TeamReport, day: str) -> Message:
    """`text` is what notifications and readers without blocks show."""
    reading = report.reading
    metrics = reading.metrics
    usage, limit = figure(metrics.weekly_used), figure(metrics.weekly_limit)
    percent = "unknown" if metrics.usage_pct is None else f"{metrics.usage_pct}%"
    blocks: list[Block] = [
        _header(":mailbox_with_mail: Daily Email Health Report"),
        {
            "type": "section",
            "fields": [
                _mrkdwn(f"*Weekly Usage*\n{usage}/{limit} ({percent})"),
                _mrkdwn(f"*Aliases*\n{figure(metrics.aliases_used)}/{figure(metrics.aliases_limit)}"),
                _mrkdwn(f"*Quarantine*\n{_at_least(metrics.quarantine_pending)} pending"),
                _mrkdwn(f"*Failed*\n{_at_least(metrics.failed_count)} messages"),
            ],
        },
        *_alerts(report),
        *_list("Not known", [f"• {line}" for line in unknowns(reading)]),
        *_list("Trends", [f"• {change(each)}" for each in report.trends if each.is_clear]),
        *_list("Released by rule", [report.remedied] if report.remedied else []),
        _context(report, day),
    ]
    return {"text": _escaped(f"{reading.team}, {day}: {outcome(report)}"), "blocks": blocks}


def rollup_of(report: HealthReport) -> Message:
    """All teams, a line each, those with alerts first."""
    order = list(_MARKS)
    teams = sorted(report.teams, key=lambda one: (one.status is Status.HEALTHY, order.index(one.status)))
    summary = f"{amount(len(teams), 'team')}, {report.day}: {_sums(teams)}"
    lines = [f"{_MARKS[one.status]} {one.reading.team}: {outcome(one)}" for one in teams]
    blocks = [
        _header(f":mailbox_with_mail: Email Health of {amount(len(teams), 'Team')}"),
        {"type": "section", "text": _mrkdwn(_escaped(summary))},
        *_list("Teams", lines, _MOST_SECTIONS),
    ]
    return {"text": _escaped(summary), "blocks": blocks}


def _sums(teams: Sequence[TeamReport]) -> str:
    alerts = sum(len(one.alerts) for one in teams)
    unknown = sum(bool(one.reading.unknown) for one in teams)
    told = amount(alerts, "alert") if alerts else "no alerts"
    return f"{told}, {amount(unknown, 'team')} not wholly known" if unknown else told


def _alerts(report: TeamReport) -> list[Block]:
    if report.alerts:
        return list(_list("Alerts", report.alerts, _MOST_SECTIONS))
    if report.status is Status.HEALTHY:
        return [_section(":white_check_mark: No alerts - everything looks healthy")]
    return [_section(":grey_question: No alerts - but not everything could be asked")]


def _context(report: TeamReport, day: str) -> Block:
    denied = f"{figure(report.reading.metrics.denied_count)} blocked"
    told = [report.reading.team, day, denied, exactness(report.reading)]
    text = _escaped(" · ".join(each for each in told if each))
    return {"type": "context", "elements": [_mrkdwn(_cut(text, _LONGEST_LINE))]}


def _list(title: str, lines: Sequence[str], most: int = 1) -> Iterator[Block]:
    """At most so many sections that each hold as many lines as fit."""
    if not lines:
        return
    escaped = [_cut(_escaped(line), _LONGEST_LINE) for line in lines]
    pieces = list(_pieces([f"*{title}*", *escaped]))
    yield from map(_section, pieces[:most])
    if len(pieces) > most:
        yield _section("and more, which `mailvane report health` shows")


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    piece = ""
    for line in lines:
        longer = f"{piece}\n{line}" if piece else line
        if len(longer) > _LONGEST_PIECE:
            yield piece
            longer = line
        piece = longer
    yield piece


def _at_least(count: int | None) -> str:
    return "unknown" if count is None else f"{count}+"


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, LONGEST_HEADER)}}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
