"""Puts reputation together from the settings and the stores: watching, alerting, asking sources, telling people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from mailvane.core.leasing import Leasing
from mailvane.core.periodic import Background, until_done
from mailvane.core.tenants.store import TenantStore
from mailvane.dmarc.senders import Senders
from mailvane.dmarc.services import DmarcServices
from mailvane.maillog.interface import MailLog
from mailvane.notify.services import NotifyServices
from mailvane.notify.signing import Signing
from mailvane.outbound.complaints import Complaints
from mailvane.reputation.alerts.statistics import AlertStatistics
from mailvane.reputation.board import BoardService
from mailvane.reputation.coalescing import Coalescing
from mailvane.reputation.heartbeats import Heartbeats
from mailvane.reputation.model import Source, Zone
from mailvane.reputation.services import ReputationServices
from mailvane.reputation.source_schedule import SourceSchedule
from mailvane.reputation.sources.dnsbl.zones import dictionary
from mailvane.reputation.sources.runner import Runner
from mailvane.server.alerting import (
    MonitoringSettings,
    alerting_of,
    channels_of,
    schedule_of,
    warnings_about,
    watched_assets_of,
)
from mailvane.server.collecting import Collecting
from mailvane.server.ledger import Ledger
from mailvane.server.notifying import Notifying
from mailvane.server.own_facts import LocalFacts, OwnFacts, SharedFacts
from mailvane.server.reputation_metrics import ReputationMetrics

CATCH_UP_SECONDS = 15.0
Evaluate = Callable[[int, Collection[Source], int], object]


@dataclass(frozen=True)
class Reputation:
    """Services for the HTTP interfaces, and background tasks."""

    services: ReputationServices
    dmarc: DmarcServices
    notify: NotifyServices
    notifying: Notifying
    source_tasks: Sequence[Background]

    def background(self) -> Sequence[Background]:
        """What asks sources and tells people for as long as the server runs."""
        return [*self.source_tasks, *self.notifying.background()]


async def _catch_up(tenants: TenantStore, evaluate: Evaluate, clock: Callable[[], int]) -> None:
    """Evaluate alerts on what a process stored that was stopped before it could evaluate them."""

    async def evaluate_all() -> None:
        for workspace in await asyncio.to_thread(tenants.workspaces):
            await asyncio.to_thread(evaluate, workspace.id, tuple(Source), clock())

    await until_done(CATCH_UP_SECONDS, "evaluating alerts at the start", evaluate_all)


def reputation_of(
    settings: MonitoringSettings,
    ledger: Ledger,
    clock: Callable[[], int],
    registry: CollectorRegistry | None = None,
    complaints: Complaints | None = None,
    maillog: MailLog | None = None,
) -> Reputation:
    """Raises InvalidSetting."""

    def zones() -> Sequence[Zone]:
        return dictionary(ledger.zones.zones())

    metrics = ReputationMetrics(registry or CollectorRegistry())
    alerting = alerting_of(settings, ledger, metrics.failing, None if maillog is None else lambda: nullcontext(maillog))
    evaluate = metrics.evaluating(alerting)
    coalescing = Coalescing(evaluate)
    watched_assets = watched_assets_of(ledger, coalescing)
    collecting = Collecting(settings, ledger, watched_assets, complaints)
    leasing = Leasing(ledger.leases, clock)
    schedule = schedule_of(settings.reputation)
    runner = Runner(collecting.collectors, watched_assets, ledger.assets, leasing, clock, schedule)
    named = channels_of(settings, ledger)
    services = ReputationServices(
        alerting=alerting,
        warnings=warnings_about(settings, ledger),
        statistics=AlertStatistics(ledger.alert_log),
        watched_assets=watched_assets,
        board=BoardService(ledger.assets, ledger.observations, ledger.zones, zones, alerting.stale_ms),
        sources=SourceSchedule(ledger.assets, ledger.observations, ledger.leases, schedule),
        profiles=ledger.profiles,
        observed=ledger.observations,
        zones=ledger.zones,
        channels=named,
        heartbeats=Heartbeats(ledger.heartbeats),
        dictionary=zones,
        wake=runner.wake,
        take_in=collecting.take_in,
    )
    own_facts = OwnFacts(
        LocalFacts(ledger, settings.logs),
        lambda: SharedFacts(ledger, evaluate),
        leasing,
        clock,
        settings.reputation.own_rules_seconds,
    )
    dmarc = DmarcServices(ledger.reports, Senders(ledger.senders), settings.dmarc.reports_address)
    notify = NotifyServices(ledger.outbox, ledger.channels, Signing(ledger.channels), named)
    source_tasks: Sequence[Background] = (
        partial(_catch_up, ledger.tenants, evaluate, clock),
        runner.run,
        partial(collecting.fetch_reports, leasing, clock),
        partial(collecting.join_reports, leasing, clock),
        partial(collecting.name_senders, leasing, clock),
        partial(metrics.look, ledger, clock),
        coalescing.run,
        own_facts.tell,
        own_facts.lead,
    )
    return Reputation(services, dmarc, notify, Notifying(settings, ledger, clock, registry), source_tasks)
