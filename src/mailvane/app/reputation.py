"""Puts reputation together from the settings and the stores: watching, alerting, asking sources, telling people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from mailvane.app.alerting import alerting_of
from mailvane.collectors.collector import Collector
from mailvane.collectors.dnsbl import make as make_blocklists
from mailvane.collectors.dnsbl.zones import dictionary
from mailvane.collectors.runner import Runner
from mailvane.domain.reputation import Source, Zone
from mailvane.errors import InvalidInput
from mailvane.notify.outside import Outside
from mailvane.notify.webhook import Webhook
from mailvane.notify.worker import Worker
from mailvane.reputation_config import ReputationSettings
from mailvane.services.alert_statistics import AlertStatistics
from mailvane.services.alerting import Alerting
from mailvane.services.signing import Signing
from mailvane.services.watching import Watching
from mailvane.storage.ledger import SqlLedger
from mailvane.surfaces.http.emailconsul.shape import webhook_body
from mailvane.surfaces.http.services import ReputationServices


@dataclass(frozen=True)
class Reputation:
    """The doors for the surfaces, and what runs in the background."""

    services: ReputationServices
    runner: Runner

    @asynccontextmanager
    async def running(self, worker: Worker) -> AsyncIterator[None]:
        """Ask sources and tell people for the length of a block."""
        tasks = [asyncio.create_task(self.runner.run()), asyncio.create_task(worker.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def reputation_of(settings: ReputationSettings, ledger: SqlLedger, clock: Callable[[], int]) -> Reputation:
    """Raises InvalidSetting."""

    def zones() -> Sequence[Zone]:
        return dictionary(ledger.zones())

    alerting = alerting_of(settings, ledger)
    watching = Watching(ledger, ledger, lambda *heard: _evaluated(alerting, *heard))
    collectors = _collectors(settings, ledger)

    def take_in(workspace: int, source: Source, file: BinaryIO, name: str, now: int) -> int:
        reader = next((one for one in collectors if one.source is source), None)
        if reader is None:
            raise InvalidInput(f"{source} takes no files")
        return watching.record(workspace, reader.read(file, name, now), now)

    runner = Runner(collectors, watching, ledger, ledger, clock, settings.refresh_hours)
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
        take_in=take_in,
    )
    return Reputation(services, runner)


def worker_of(settings: ReputationSettings, ledger: SqlLedger, clock: Callable[[], int]) -> Worker:
    """Who tells people. Belongs to the event loop that it is made in."""

    signing = Signing(ledger)

    def living(workspace: int, now: int) -> Sequence[str]:
        return [each.secret for each in signing.living(workspace, now)]

    return Worker(ledger, [Webhook(Outside(settings.allowed_targets), living, webhook_body)], clock)


def _collectors(settings: ReputationSettings, ledger: SqlLedger) -> list[Collector]:
    blocklists = make_blocklists(settings)
    blocklists.changed, blocklists.probed = ledger.zones, ledger.save_zone_health
    return [blocklists]


def _evaluated(alerting: Alerting, workspace: int, sources: Iterable[Source], now: int) -> None:
    alerting.evaluate(workspace, set(sources), now)
