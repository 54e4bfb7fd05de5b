"""A health report as JSON, for programs: unknown figures are null. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from mailvane.inbound.health.model import HealthReport, Status, TeamReport

_STANDINGS = {Status.HEALTHY: "healthy", Status.ALERTS: "in_alert", Status.UNKNOWN: "unknown"}


def document_of(report: HealthReport) -> dict[str, Any]:
    """All of it; times as ISO 8601 in UTC."""
    return {
        "day": report.day,
        "collected_at": _moment(report.at),
        "status": report.status.value,
        "teams": [_team(each) for each in report.teams],
        "rollup": {
            "teams": len(report.teams),
            "alerts": sum(len(each.alerts) for each in report.teams),
            **{name: sum(each.status is status for each in report.teams) for status, name in _STANDINGS.items()},
        },
    }


def _team(report: TeamReport) -> dict[str, Any]:
    reading = report.reading
    return {
        "team": reading.team,
        "collected_at": _moment(reading.at),
        "status": report.status.value,
        "metrics": msgspec.to_builtins(reading.metrics),
        "estimates": list(reading.estimates),
        "unknown": dict(reading.unknown),
        "alerts": list(report.alerts),
        "remediation": report.remedied,
        "trends": msgspec.to_builtins(report.trends),
    }


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
