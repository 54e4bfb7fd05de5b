"""Health reports as mails: subject, text, HTML, and charts. Pure; how they leave is told elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from mailvane.inbound.health.model import DayCounts, HealthReport, Status, TeamReport
from mailvane.inbound.health.texts import chart, words
from mailvane.notify.letters import amount, letter, templates_of
from mailvane.notify.notifier import Image, RenderedEmail

MOST_CHARTED = 10  # teams of a mail: it must stay small enough to be taken
_CHARTED = ("quarantine_pending", "failed_count")
_FEWEST = 3  # known days that make a chart


class Chart(msgspec.Struct, frozen=True):
    """A chart, and what it says to those who see no images."""

    image: Image
    title: str
    told: str


def letter_of(report: HealthReport) -> RenderedEmail:
    charts = {team.reading.team: list(_charts(number, team)) for number, team in enumerate(report.teams[:MOST_CHARTED])}
    given = {
        "report": report,
        "words": words,
        "outcome": _outcome(report),
        "charts": charts,
        "Status": Status,
        "width": chart.WIDTH,
        "height": chart.HEIGHT,
    }
    images = [each.image for drawn in charts.values() for each in drawn]
    name = report.teams[0].reading.team if len(report.teams) == 1 else amount(len(report.teams), "team")
    subject = f"[Mailvane] email health of {name}, {report.day}: {_outcome(report)}"
    return letter(templates_of("mailvane.inbound.health.texts"), "health", subject, given, images)


def _outcome(report: HealthReport) -> str:
    alerts = sum(len(team.alerts) for team in report.teams)
    if alerts:
        return amount(alerts, "alert")
    return "healthy" if report.status is Status.HEALTHY else "no alerts, but not everything is known"


def _charts(number: int, team: TeamReport) -> Iterator[Chart]:
    for metric in _CHARTED:
        values = _last_days(team.days, metric)
        known = [value for value in values if value is not None]
        if len(known) >= _FEWEST and any(known):
            title = f"{words.NAMES[metric].capitalize()}, {len(values)} days"
            told = f"from {min(known)} to {max(known)}; newest {words.figure(values[-1])}"
            missing = len(values) - len(known)
            told += f"; {amount(missing, 'day')} not known" if missing else ""
            yield Chart(Image(f"health-{number}-{metric}", chart.chart(values)), title, told)


def _last_days(days: tuple[DayCounts, ...], metric: str) -> list[int | None]:
    """One value a day, None where it is not known, from the first day that is known."""
    if not days:
        return []
    known = {one.day: one.counts.get(metric) for one in days}
    last = date.fromisoformat(days[-1].day)
    first = max(date.fromisoformat(days[0].day), last - timedelta(days=chart.DAYS - 1))
    span = (last - first).days + 1
    return [known.get((first + timedelta(days=day)).isoformat()) for day in range(span)]
