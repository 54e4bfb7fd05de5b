"""Health reports on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.inbound.health.model import HealthReport, Metrics, Reading, TeamReport
from mailvane.inbound.health.texts.words import amount, change, exactness, figure, outcome, unknowns


def lines_of(report: HealthReport) -> list[str]:
    """Plain text: a paragraph for each team, and a roll-up where there are several."""
    lines = [line for team in report.teams for line in (*_team(team), "")]
    if len(report.teams) > 1:
        lines += [f"{amount(len(report.teams), 'team')}: {report.status}"]
        lines += [f"  {team.reading.team}: {outcome(team)}" for team in report.teams]
    return lines if lines and lines[-1] else lines[:-1]


def _team(report: TeamReport) -> Iterator[str]:
    reading, metrics = report.reading, report.reading.metrics
    yield f"{reading.team}: {outcome(report)}"
    yield f"  weekly usage  {_of(metrics.weekly_used, metrics.weekly_limit)}{_percent(metrics)}"
    yield f"  aliases       {_of(metrics.aliases_used, metrics.aliases_limit)}"
    yield f"  mailboxes     {figure(metrics.mailboxes_used)}"
    yield f"  quarantine    {_counted(reading, 'quarantine_pending')}"
    yield f"  failed        {_counted(reading, 'failed_count')}"
    yield f"  blocked       {_counted(reading, 'denied_count')}"
    if metrics.top_senders is None:
        yield "  contacts      unknown"
    for sender in metrics.top_senders or ():
        yield f"  contact       {sender.email}: {amount(sender.count, 'mail')}, {sender.state}"
    yield from (f"  alert         {line}" for line in report.alerts)
    yield from (f"  trend         {change(each)}" for each in report.trends if each.is_clear)
    yield from (f"  not known     {line}" for line in unknowns(reading))
    if reading.estimates:
        yield f"  {exactness(reading)}"


def _of(used: int | None, limit: int | None) -> str:
    return f"{figure(used)} of {'no limit' if limit == 0 else figure(limit)}"


def _percent(metrics: Metrics) -> str:
    return f" ({metrics.usage_pct} %)" if metrics.usage_pct is not None and metrics.weekly_limit else ""


def _counted(reading: Reading, name: str) -> str:
    value: int | None = getattr(reading.metrics, name)
    return f"about {value}" if name in reading.estimates else figure(value)
