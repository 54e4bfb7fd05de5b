"""Health reports on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.inbound.health.model import HealthReport, TeamReport
from mailvane.inbound.health.texts.words import change, counted, exactness, figure, of_limit, outcome, unknowns, usage
from mailvane.notify.letters import amount


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
    yield f"  weekly usage  {usage(metrics)}"
    yield f"  aliases       {of_limit(metrics.aliases_used, metrics.aliases_limit)}"
    yield f"  mailboxes     {figure(metrics.mailboxes_used)}"
    yield f"  quarantine    {counted(reading, 'quarantine_pending')}"
    yield f"  failed        {counted(reading, 'failed_count')}"
    yield f"  blocked       {counted(reading, 'denied_count')}"
    if metrics.top_senders is None:
        yield "  contacts      unknown"
    for sender in metrics.top_senders or ():
        yield f"  contact       {sender.email}: {amount(sender.count, 'mail')}, {sender.state}"
    yield from (f"  alert         {line}" for line in report.alerts)
    yield from (f"  trend         {change(each)}" for each in report.trends if each.is_clear)
    if report.remedied:
        yield f"  by rule       {report.remedied}"
    yield from (f"  not known     {line}" for line in unknowns(reading))
    if reading.estimates:
        yield f"  {exactness(reading)}"
