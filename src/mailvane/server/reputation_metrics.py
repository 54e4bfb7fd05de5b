"""How watching and alerting do, for Prometheus. Everybody may read metrics: they count, and name no tenant's things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailvane.core.periodic import every
from mailvane.reputation.alerts.model import WINDOW_MS
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.heartbeats import Heartbeat
from mailvane.reputation.model import LISTINGS, Source
from mailvane.server.ledger import Ledger

LOOK_SECONDS = 30.0


class HeartbeatMetrics(Collector):
    """Heartbeats that are expected, as they were looked up last; how long they are silent is reckoned at the scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._known: Sequence[Heartbeat] = ()
        self._clock: Callable[[], int] = lambda: 0
        registry.register(self)

    def show(self, known: Sequence[Heartbeat], clock: Callable[[], int]) -> None:
        self._known, self._clock = known, clock

    def collect(self) -> Iterable[Metric]:
        labels = ("workspace", "heartbeat")
        silent = GaugeMetricFamily(
            "mailvane_heartbeat_silent_seconds",
            "Since a heartbeat was called last, or was made where it never was, by its id",
            labels=labels,
        )
        late = GaugeMetricFamily(
            "mailvane_heartbeat_late", "1 when a heartbeat is late, else 0, by its id", labels=labels
        )
        now = self._clock()
        for one in self._known:
            named = (str(one.workspace), one.id)
            silent.add_metric(named, max(0, now - one.since) / 1000)
            late.add_metric(named, int(one.due_at <= now))
        return silent, late


class ReputationMetrics:
    """Counted as it happens; what stands in the ledger is looked up now and then."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._freshness = Gauge(
            "mailvane_observations_oldest_success_timestamp_seconds",
            "When a source was last asked with success, of the workspace that has waited longest",
            ["source"],
            registry=registry,
        )
        self._refused = Gauge(
            "mailvane_reports_refused",
            "Reports that arrived and could not be read, so far",
            ["source"],
            registry=registry,
        )
        self._refused_at = Gauge(
            "mailvane_reports_refused_timestamp_seconds",
            "When a report arrived last that could not be read; `mailvane doctor` says which, and why",
            ["source"],
            registry=registry,
        )
        self._listings = Gauge(
            "mailvane_listings_open", "Addresses or domains that blocklists list, one each", ["kind"], registry=registry
        )
        self._firing = Gauge(
            "mailvane_alerts_firing", "Alerts that fired within a day and were not resolved", registry=registry
        )
        self._failing = Gauge(
            "mailvane_alerts_failing", "Alerts that could not be evaluated last, wholly or by a rule", registry=registry
        )
        self._failures = Counter(
            "mailvane_alert_evaluation_failures",
            "Alerts that could not be evaluated, wholly or by a rule, each time",
            registry=registry,
        )
        self._evaluations = Counter("mailvane_alert_evaluations", "Alerts evaluated", registry=registry)
        self._fired = Counter("mailvane_alerts_fired", "Alerts that fired", registry=registry)
        self._seconds = Histogram(
            "mailvane_alert_evaluation_seconds", "Time to evaluate the alerts of a workspace", registry=registry
        )
        self._failing_alerts: dict[int, set[str]] = {}
        self._heartbeats = HeartbeatMetrics(registry)

    def failing(self, alerts: int) -> None:
        """So many alerts could not be evaluated."""
        self._failures.inc(alerts)

    def evaluating(self, alerting: Alerting) -> Callable[[int, Collection[Source], int], None]:
        """Evaluate, and count it."""

        def evaluated(workspace: int, sources: Collection[Source], now: int) -> None:
            began = time.perf_counter()
            done = alerting.evaluate(workspace, sources, now)
            self._seconds.observe(time.perf_counter() - began)
            self._evaluations.inc(done.alerts)
            self._fired.inc(done.fired)
            # What this round did not look at fails as it did before, unless it is gone or switched off.
            before = self._failing_alerts.get(workspace, set())
            self._failing_alerts[workspace] = (before & done.others) | set(done.failing)
            self._failing.set(sum(map(len, self._failing_alerts.values())))

        return evaluated

    async def look(self, ledger: Ledger, clock: Callable[[], int]) -> None:
        """Until it is cancelled."""

        async def look() -> None:
            await asyncio.to_thread(self._look, ledger, clock)

        await every(LOOK_SECONDS, "looking up how reputation stands", look)

    def _look(self, ledger: Ledger, clock: Callable[[], int]) -> None:
        self._heartbeats.show(ledger.heartbeats.all(), clock)
        standing = ledger.observations.standing()
        for source, moment in standing.oldest_success.items():
            self._freshness.labels(source.value).set(moment / 1000)
        for source, count in standing.refused.items():
            if count:
                self._refused.labels(source.value).set(count)
                self._refused_at.labels(source.value).set(standing.refused_at[source] / 1000)
        for kind in LISTINGS:
            self._listings.labels(kind.value).set(standing.open_listings.get(kind, 0))
        self._firing.set(ledger.alert_log.firing(clock() - WINDOW_MS))
