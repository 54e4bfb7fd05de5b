"""What is counted of telling people."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mailvane.notify.metrics import NotificationMetrics
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from tests.unit.notify.letters_sent import NOW, QUIET, notification


class Hook:
    channel = Channel.SLACK

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        error = self.errors.pop(0)
        if error is not None:
            raise error
        return Delivered("ok")


def test_every_try_is_counted_by_how_it_ended_and_ends_as_before() -> None:
    registry = CollectorRegistry()
    notifier = NotificationMetrics(registry).measured(Hook(None, NotDelivered("503"), Refused("404"), OSError("bug")))
    assert notifier.channel is Channel.SLACK
    assert asyncio.run(notifier.deliver(notification(QUIET), NOW)).detail == "ok"
    for error in (NotDelivered, Refused, OSError):
        with pytest.raises(error):
            asyncio.run(notifier.deliver(notification(QUIET), NOW))
    counted = {
        outcome: registry.get_sample_value("mailvane_notifications_total", {"channel": "slack", "outcome": outcome})
        for outcome in ("delivered", "transient", "permanent")
    }
    assert counted == {"delivered": 1, "transient": 2, "permanent": 1}
    assert registry.get_sample_value("mailvane_notification_seconds_count", {"channel": "slack"}) == 4


def test_what_waits_is_shown_also_after_the_ledger_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailvane.notify.metrics.LOOK_SECONDS", 0)
    registry = CollectorRegistry()
    asked = []

    def counted() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise OSError("away")
        return 7

    async def scene() -> None:
        task = asyncio.create_task(NotificationMetrics(registry).follow(counted))
        async with asyncio.timeout(10):
            while registry.get_sample_value("mailvane_notifications_pending") != 7:
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
