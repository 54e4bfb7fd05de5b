"""What Prometheus hears of watching and alerting."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from mailvane.core.tenants.service import Tenancy
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.heartbeats import Heartbeats
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.server.alerting import MonitoringSettings, alerting_of, watched_assets_of
from mailvane.server.ledger import Ledger
from mailvane.server.reputation_metrics import ReputationMetrics
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = fresh_ledger(tmp_path / "ledger.sqlite")
    Tenancy(found.tenants, "master").create_workspace("acme", NOW)
    return found


def looked(metrics: ReputationMetrics, ledger: Ledger) -> None:
    async def once() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(metrics.look(ledger, lambda: NOW), 0.3)

    asyncio.run(once())


def test_evaluations_listings_firing_alerts_and_freshness_are_told(ledger: Ledger) -> None:
    registry = CollectorRegistry()
    metrics = ReputationMetrics(registry)
    alerting = alerting_of(MonitoringSettings(), ledger)
    watched_assets = watched_assets_of(ledger, metrics.evaluating(alerting))
    watched_assets.add(1, AssetKind.IP, ["192.0.2.1"], NOW)
    alerting.create(1, AlertDraft(name="x", rules=[LISTED]), NOW)
    said = Observation(
        kind=ObservationKind.IP_LISTING, asset="192.0.2.1", key="bl.example", at=NOW, seen_at=NOW, data={"listed": True}
    )
    refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset="192.0.2.1", at=NOW, observations=(said,))
    watched_assets.record(1, [refresh], NOW)
    watched_assets.refused(1, Source.DMARC, ["one.xml: it is empty", "two.xml: it is empty"], NOW - 1000)
    looked(metrics, ledger)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"mailvane_{name}", labels)

    assert value("alert_evaluations_total") == 1
    assert value("alerts_fired_total") == 1
    assert value("alert_evaluation_seconds_count") == 1
    assert value("alerts_failing") == 0
    assert value("alerts_firing") == 1
    assert value("listings_open", kind="ip_listing") == 1
    assert value("observations_oldest_success_timestamp_seconds", source="blocklists") == NOW / 1000
    assert value("reports_refused", source="dmarc") == 2
    assert value("reports_refused_timestamp_seconds", source="dmarc") == NOW / 1000 - 1
    assert value("reports_refused", source="blocklists") is None


def test_alerts_that_fail_are_counted_each_time_and_stand_until_they_are_mended_or_gone(ledger: Ledger) -> None:
    registry = CollectorRegistry()
    metrics = ReputationMetrics(registry)
    alerting = alerting_of(MonitoringSettings(), ledger, metrics.failing)
    evaluate = metrics.evaluating(alerting)
    made = alerting.create(1, AlertDraft(name="x", rules=[LISTED]), NOW)
    ledger.alerts.change_alert(
        1, made.id, lambda known: msgspec.structs.replace(known, rules=(LISTED, LISTED), formula="nothing")
    )

    def values() -> tuple[float | None, float | None]:
        return tuple(  # type: ignore[return-value]
            registry.get_sample_value(f"mailvane_{name}")
            for name in ("alerts_failing", "alert_evaluation_failures_total")
        )

    evaluate(1, [Source.BLOCKLISTS], NOW)
    assert values() == (1, 1)
    evaluate(1, [Source.SNDS], NOW + 1)
    assert values() == (1, 1), "it reads nothing of that source, and fails as before"
    evaluate(1, [Source.BLOCKLISTS], NOW + 2)
    assert values() == (1, 2)
    alerting.remove(1, made.id)
    evaluate(1, [Source.SNDS], NOW + 3)
    assert values() == (0, 2)


def test_a_ledger_that_is_away_is_said_once_a_look(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    ledger.close()
    with caplog.at_level(logging.WARNING):
        looked(ReputationMetrics(CollectorRegistry()), ledger)
    assert len(caplog.records) <= 1


def test_heartbeats_are_told_by_id_until_they_are_gone(ledger: Ledger) -> None:
    registry = CollectorRegistry()
    metrics, heartbeats = ReputationMetrics(registry), Heartbeats(ledger.heartbeats)
    late = heartbeats.create(1, "nightly backup", 600, 60, NOW - 660_000).heartbeat
    called = heartbeats.create(1, "poll", 600, 60, NOW - 3_600_000)
    heartbeats.call(called.secret, NOW - 659_000)
    looked(metrics, ledger)

    def value(name: str, heartbeat: str) -> float | None:
        return registry.get_sample_value(f"mailvane_heartbeat_{name}", {"workspace": "1", "heartbeat": heartbeat})

    assert (value("silent_seconds", late.id), value("late", late.id)) == (660, 1)
    assert (value("silent_seconds", called.heartbeat.id), value("late", called.heartbeat.id)) == (659, 0)
    heartbeats.remove(1, late.id)
    looked(metrics, ledger)
    assert value("late", late.id) is None
    assert value("late", called.heartbeat.id) == 0
