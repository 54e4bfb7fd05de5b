"""The figures of health reports for Prometheus and InfluxDB. What is unknown is missing there, and never 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry, Gauge

from mailvane.core.errors import CollectionFailed
from mailvane.core.http_client import HttpClient
from mailvane.inbound.health.model import HealthReport, Metrics, TeamReport
from mailvane.notify.notifier import NotDelivered, Refused

_FIGURES = {
    "weekly_used": "Mails of this week that count against the weekly limit",
    "weekly_limit": "Weekly limit; 0 is none",
    "usage_pct": "Percent of the weekly limit that is used",
    "aliases_used": "Aliases",
    "aliases_limit": "Limit of aliases; 0 is none",
    "mailboxes_used": "Mailboxes",
    "quarantine_pending": "Messages in quarantine",
    "failed_count": "Messages whose delivery failed",
    "denied_count": "Messages that were blocked",
}
_PRECISIONS = {"s": 1, "ms": 1000, "u": 10**6, "us": 10**6, "n": 10**9, "ns": 10**9}  # parts of a second
_MOST_ANSWER = 100_000


class HealthMetrics:
    """The newest report, for Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._figures = {
            name: Gauge(f"mailvane_health_{name}", f"{told}, by the newest health report", ["team"], registry=registry)
            for name, told in _FIGURES.items()
        }
        self._estimates = Gauge(
            "mailvane_health_estimated",
            "1 for each figure of the health report that was reckoned from a number of pages",
            ["team", "figure"],
            registry=registry,
        )
        self._unknown = Gauge(
            "mailvane_health_unknown",
            "1 for each figure of the health report that could not be asked for",
            ["team", "figure"],
            registry=registry,
        )
        self._alerts = Gauge("mailvane_health_alerts", "Alerts of the health report", ["team"], registry=registry)
        self._status = Gauge(
            "mailvane_health_status", "0 healthy, 1 alerts, 2 could not tell", ["team"], registry=registry
        )
        self._collected = Gauge(
            "mailvane_health_collected_timestamp_seconds",
            "When they were collected",
            ["team"],
            registry=registry,
        )

    def show(self, report: HealthReport) -> None:
        """In the place of what was shown before."""
        for gauge in (self._estimates, self._unknown, self._alerts, self._status, self._collected):
            gauge.clear()
        for name, gauge in self._figures.items():
            gauge.clear()
            for team in report.teams:
                value = getattr(team.reading.metrics, name)
                if value is not None:
                    gauge.labels(team.reading.team).set(value)
        for team in report.teams:
            self._show(team)

    def _show(self, report: TeamReport) -> None:
        reading = report.reading
        for name in reading.estimates:
            self._estimates.labels(reading.team, name).set(1)
        for name in reading.unknown:
            self._unknown.labels(reading.team, name).set(1)
        self._alerts.labels(reading.team).set(len(report.alerts))
        self._status.labels(reading.team).set(report.status.exit_status)
        self._collected.labels(reading.team).set(reading.at / 1000)


def line_protocol(report: HealthReport, precision: str = "ns") -> bytes:
    """A line for each team, of the measurement `mailvane_health` with the tag `team`."""
    return "".join(_line(team, precision) for team in report.teams).encode()


def _line(report: TeamReport, precision: str) -> str:
    fields = ",".join(f"{name}={value}i" for name, value in _fields(report))
    at = report.reading.at * _PRECISIONS[precision] // 1000
    return f"mailvane_health,team={_tag(report.reading.team)} {fields} {at}\n"


def _fields(report: TeamReport) -> Iterator[tuple[str, int]]:
    for name in Metrics.__struct_fields__:
        value = getattr(report.reading.metrics, name)
        if isinstance(value, int):
            yield name, value
    yield "alerts", len(report.alerts)
    yield "status", report.status.exit_status
    yield "unknown", len(report.reading.unknown)
    yield "estimated", len(report.reading.estimates)


def _tag(value: str) -> str:
    """Commas, equals signs and spaces are escaped; a line break would end the line, and a last backslash the escape."""
    line = " ".join(value.split()).rstrip("\\")
    return "".join(f"\\{each}" if each in ",= " else each for each in line) or "team"


async def push_to_influx(report: HealthReport, url: str, token_file: str | None) -> None:
    """Raises NotDelivered, Refused."""
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if token_file is not None:
        headers["Authorization"] = f"Token {_token(token_file)}"
    precision = parse_qs(urlsplit(url).query).get("precision", ["ns"])[-1]
    if precision not in _PRECISIONS:
        raise Refused("the precision in influx_url is none of s, ms, us, ns")
    async with HttpClient("InfluxDB", most_bytes=_MOST_ANSWER, pauses=(1.0,)) as client:
        try:
            answer = await client.ask(url, content=line_protocol(report, precision), headers=headers)
        except CollectionFailed as error:
            raise NotDelivered(error.message) from None
    if not 200 <= answer.status < 300:
        told = "".join(each for each in answer.body[:200].decode("utf-8", "replace") if each.isprintable())
        raise NotDelivered(f"InfluxDB does not take it (status {answer.status}): {told}")


def _token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Refused(f"the token file of InfluxDB cannot be read: {type(error).__name__}") from None
