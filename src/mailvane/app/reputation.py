"""Puts reputation together from the settings and the stores: watching, alerting, asking sources, telling people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from mailvane.app.alerting import alerting_of, watching_of
from mailvane.app.collecting import Collecting
from mailvane.app.reputation_metrics import ReputationMetrics
from mailvane.collectors.dnsbl.zones import dictionary
from mailvane.collectors.runner import Runner
from mailvane.domain.reputation import Zone
from mailvane.notify.outside import Outside
from mailvane.notify.webhook import Webhook
from mailvane.notify.worker import Worker
from mailvane.reputation_config import ReputationSettings
from mailvane.services.alert_statistics import AlertStatistics
from mailvane.services.signing import Signing
from mailvane.storage.ledger import SqlLedger
from mailvane.surfaces.http.emailconsul.shape import webhook_body
from mailvane.surfaces.http.services import ReputationServices


@dataclass(frozen=True)
class Reputation:
    """The doors for the surfaces, and what runs in the background."""

    services: ReputationServices
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]]

    @asynccontextmanager
    async def running(self, worker: Worker) -> AsyncIterator[None]:
        """Ask sources and tell people for the length of a block."""
        tasks = [asyncio.create_task(each()) for each in (*self.background, worker.run)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def reputation_of(
    settings: ReputationSettings, ledger: SqlLedger, clock: Callable[[], int], registry: CollectorRegistry | None = None
) -> Reputation:
    """Raises InvalidSetting."""

    def zones() -> Sequence[Zone]:
        return dictionary(ledger.zones())

    alerting = alerting_of(settings, ledger)
    metrics = ReputationMetrics(registry or CollectorRegistry())
    watching = watching_of(ledger, metrics.evaluating(alerting))
    collecting = Collecting(settings, ledger, watching)
    runner = Runner(collecting.collectors, watching, ledger, ledger, clock, settings.refresh_hours)
    services = ReputationServices(
        alerting=alerting,
        statistics=AlertStatistics(ledger),
        watching=watching,
        profiles=ledger,
        signing=Signing(ledger),
        reports=ledger,
        outbox=ledger,
        channels=ledger,
        zones=ledger,
        reports_address=settings.reports_address,
        dictionary=zones,
        wake=runner.wake,
        take_in=collecting.take_in,
    )
    background = (
        runner.run,
        partial(collecting.fetch_reports, runner.holder, clock),
        partial(metrics.look, ledger, clock),
    )
    return Reputation(services, background)


def worker_of(settings: ReputationSettings, ledger: SqlLedger, clock: Callable[[], int]) -> Worker:
    """Who tells people. Belongs to the event loop that it is made in."""

    signing = Signing(ledger)

    def living(workspace: int, now: int) -> Sequence[str]:
        return [each.secret for each in signing.living(workspace, now)]

    return Worker(ledger, [Webhook(Outside(settings.allowed_targets), living, webhook_body)], clock)
