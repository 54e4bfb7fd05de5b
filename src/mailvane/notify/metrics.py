"""What is counted of telling people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mailvane.core.errors import Permanent
from mailvane.core.periodic import every
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Delivered, Notifier

LOOK_SECONDS = 15.0
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class NotificationMetrics:
    """Tries to deliver, by how they ended, and what waits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tries = Counter(
            "mailvane_notifications",
            "Tries to deliver a notification: delivered, transient (tried again), permanent (given up)",
            ["channel", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "mailvane_notification_seconds",
            "Time that a try to deliver a notification took",
            ["channel"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._pending = Gauge(
            "mailvane_notifications_pending",
            "Notifications on their way",
            registry=registry,
        )

    def tried(self, channel: Channel, outcome: str, seconds: float) -> None:
        self._tries.labels(channel.value, outcome).inc()
        self._seconds.labels(channel.value).observe(seconds)

    def measured(self, notifier: Notifier) -> Notifier:
        """The same notifier, with every try counted."""
        return _Measured(notifier, self)

    async def follow(self, pending: Callable[[], int]) -> None:
        """Show what waits, until it is cancelled; in a thread, as counting asks the ledger."""

        async def look() -> None:
            self._pending.set(await asyncio.to_thread(pending))

        await every(LOOK_SECONDS, "counting what waits in the outbox", look)


class _Measured:
    def __init__(self, inner: Notifier, metrics: NotificationMetrics) -> None:
        self._inner = inner
        self._metrics = metrics

    @property
    def channel(self) -> Channel:
        return self._inner.channel

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        began = time.perf_counter()
        outcome = "transient"  # as the worker takes whatever is not known to be permanent
        try:
            delivered = await self._inner.deliver(notification, now)
            outcome = "delivered"
        except Permanent:
            outcome = "permanent"
            raise
        finally:
            self._metrics.tried(self.channel, outcome, time.perf_counter() - began)
        return delivered
