"""How mail fares, by relay, for Prometheus. Everybody may read metrics: they count, and name no tenant's things.

What happens is counted as this process records it; what waits is asked of the mail log now and then, so that a scrape
never waits for it. A relay is named by its number.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

from mailvane.core.periodic import every
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.figure_questions import WAITS_AT_MOST_MS
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailKind
from mailvane.maillog.queries import LogQuestion, Match, Pattern, Term

LOOK_SECONDS = 60.0
_OUTCOMES = {
    EventType.DELIVERED: "delivered",
    EventType.DEFERRED: "deferred",
    EventType.BOUNCED: "bounced",
    EventType.EXPIRED: "expired",
    EventType.REJECTED: "refused",
}
_WAITING = Term(
    "is",
    tuple(
        Pattern(status.value, Match.WHOLE)
        for status in (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED, DeliveryStatus.HELD)
    ),
)


class MailMetrics:
    """Of all relays whose mail this process records or knows of."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._deliveries = Counter(
            "mailvane_mail_deliveries",
            "Tries to deliver that were recorded here, by relay and outcome: delivered, deferred, bounced, expired; and"
            " refused, mail that was not taken. A log that lies far behind is not counted while it is caught up with",
            ["relay", "outcome"],
            registry=registry,
        )
        self._waiting = Gauge(
            "mailvane_mail_waiting",
            "Recipients whose mail waits: untried, deferred or held; looked up once a minute",
            ["relay"],
            registry=registry,
        )
        self._oldest = Gauge(
            "mailvane_mail_waiting_oldest_seconds",
            "Age of the oldest mail that waits; 0 when none does",
            ["relay"],
            registry=registry,
        )

    def recorded(self, batch: EventBatch) -> None:
        """Events are in the journal, for the first time."""
        counted = Tally(
            (event.relay, outcome)
            for event in batch.events
            if event.kind is MailKind.MAIL and (outcome := _OUTCOMES.get(event.type))
        )
        for (relay, outcome), count in counted.items():
            self._deliveries.labels(str(relay), outcome).inc(count)

    async def follow(self, maillog: MailLog, tenancy: Tenancy, clock: Callable[[], int]) -> None:
        """Show what waits, until it is cancelled."""
        look = partial(asyncio.to_thread, self.look, maillog, tenancy, clock)
        await every(LOOK_SECONDS, "counting what mail waits", look)

    def look(self, maillog: MailLog, tenancy: Tenancy, clock: Callable[[], int]) -> None:
        """Ask for each relay that sends. Raises StoreUnavailable."""
        known = set()
        for workspace in tenancy.workspaces():
            for relay in tenancy.active_relays(workspace.id):
                now, name = clock(), str(relay.id)
                known.add((name,))
                page = maillog.search(_waiting(workspace.id, relay.id, now))
                oldest = min((each.accepted_at for each in page.deliveries), default=now)
                self._waiting.labels(name).set(page.total)
                self._oldest.labels(name).set(max(0, now - oldest) / 1000)
                for outcome in _OUTCOMES.values():  # shown before the first one, so that a rate has where to begin
                    self._deliveries.labels(name, outcome)
        for gauge in (self._waiting, self._oldest):
            shown = {tuple(sample.labels.values()) for metric in gauge.collect() for sample in metric.samples}
            for gone in shown - known:
                gauge.remove(*gone)


def _waiting(workspace: int, relay: int, now: int) -> LogQuestion:
    return LogQuestion(
        workspace=workspace,
        relays=(relay,),
        since=now - WAITS_AT_MOST_MS,
        terms=(_WAITING,),
        ascending=True,
        limit=1,
    )
