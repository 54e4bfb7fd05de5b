"""Which alerts follow from which metrics."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.inbound.health.analysis import analyse, usage_pct
from mailvane.inbound.health.model import Metrics, Reading, Sender, Status, TeamReport, worst
from mailvane.inbound.health.settings import Thresholds

QUIET: dict[str, Any] = {"usage_pct": 0, "quarantine_pending": 0, "failed_count": 0, "top_senders": ()}
BUSY = Sender("offers@shop.example", 51, "unset")


@pytest.mark.parametrize(
    ("metrics", "alerts"),
    [
        ({}, []),
        ({"usage_pct": 79, "weekly_used": 79, "weekly_limit": 100}, []),
        ({"usage_pct": 80, "weekly_used": 80, "weekly_limit": 100}, [":warning: Weekly quota at 80% (80/100)"]),
        ({"usage_pct": 130, "weekly_used": 13, "weekly_limit": 10}, [":warning: Weekly quota at 130% (13/10)"]),
        ({"quarantine_pending": 10}, []),
        ({"quarantine_pending": 11}, [":email: 11+ messages in quarantine awaiting review"]),
        ({"failed_count": 5}, []),
        ({"failed_count": 6}, [":x: 6+ delivery failures detected - check mailbox connectivity"]),
        ({"denied_count": 10_000}, []),
        ({"top_senders": (BUSY,)}, [":mag: High-volume unset contact: offers@shop.example (51 emails)"]),
        ({"top_senders": (Sender("a@b.example", 50, "unset"),)}, []),
        ({"top_senders": tuple(Sender("a@b.example", 99, state) for state in ("whitelisted", "blocked", "muted"))}, []),
    ],
)
def test_alerts_are_those_of_the_guide(metrics: dict[str, Any], alerts: list[str]) -> None:
    assert list(analyse(Metrics(**(QUIET | metrics)), Thresholds())) == alerts


def test_they_come_in_the_order_of_the_guide() -> None:
    bad = Metrics(
        weekly_used=9, weekly_limit=10, usage_pct=90, quarantine_pending=50, failed_count=25, top_senders=(BUSY, BUSY)
    )
    assert [each.split()[0] for each in analyse(bad, Thresholds())] == [":warning:", ":email:", ":x:", ":mag:", ":mag:"]


def test_thresholds_can_be_set() -> None:
    metrics = Metrics(
        weekly_used=5, weekly_limit=10, usage_pct=50, quarantine_pending=1, failed_count=1, top_senders=()
    )
    assert len(analyse(metrics, Thresholds(usage_pct=50, quarantine=0, failed=0))) == 3
    assert analyse(metrics, Thresholds(usage_pct=51, quarantine=1, failed=1)) == ()


def test_what_is_unknown_raises_no_alert_and_is_not_healthy() -> None:
    assert analyse(Metrics(), Thresholds()) == ()
    unknown = TeamReport(reading=Reading(team="acme", at=0, unknown={"failed_count": "no answer"}))
    assert unknown.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("used", "limit", "percent"), [(0, 0, 0), (12, 0, 0), (1, 200, 0), (3, 200, 2), (795, 1000, 80), (2, 1, 200)]
)
def test_a_share_of_the_weekly_limit_is_rounded_as_the_guide_does(used: int, limit: int, percent: int) -> None:
    assert usage_pct(used, limit) == percent


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], Status.UNKNOWN),
        ([Status.HEALTHY], Status.HEALTHY),
        ([Status.HEALTHY, Status.UNKNOWN], Status.UNKNOWN),
        ([Status.UNKNOWN, Status.ALERTS, Status.HEALTHY], Status.ALERTS),
    ],
)
def test_an_alert_counts_before_what_is_unknown(found: list[Status], status: Status) -> None:
    assert worst(found) is status
