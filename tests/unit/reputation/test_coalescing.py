"""Alerts are evaluated less often than news come where that takes long, and for all the news in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.reputation.coalescing import PAUSES, Coalescing
from mailvane.reputation.model import Source


class Alerts:
    """Evaluating takes so many seconds of this clock."""

    def __init__(self, takes: float) -> None:
        self.takes = takes
        self.now = 0.0
        self.seen: list[tuple[int, set[Source], int]] = []
        self.is_away = False
        self.coalescing = Coalescing(self._evaluate, lambda: self.now)
        self.coalescing.is_running = True

    def _evaluate(self, workspace: int, sources: Collection[Source], now: int) -> None:
        self.now += self.takes
        if self.is_away:
            raise StoreUnavailable("away")
        self.seen.append((workspace, set(sources), now))


def test_news_that_come_in_a_pause_are_evaluated_together_at_its_end() -> None:
    alerts = Alerts(takes=1.0)
    for moment in range(1000):
        alerts.coalescing(1, [Source.DMARC], moment)
    alerts.coalescing(1, [Source.TRAPS], 1000)
    alerts.coalescing(2, [Source.DMARC], 1001)
    alerts.coalescing.settle()
    assert alerts.seen == [(1, {Source.DMARC}, 0), (2, {Source.DMARC}, 1001)]
    alerts.now += PAUSES
    alerts.coalescing.settle()
    alerts.coalescing.settle()
    assert alerts.seen[2:] == [(1, {Source.DMARC, Source.TRAPS}, 1000)]


def test_what_is_evaluated_quickly_is_evaluated_each_time() -> None:
    alerts = Alerts(takes=0.01)
    for moment in range(5):
        alerts.coalescing(1, [Source.DMARC], moment)
    assert len(alerts.seen) == 5


def test_without_anybody_to_look_again_each_is_evaluated_at_once() -> None:
    alerts = Alerts(takes=1.0)
    alerts.coalescing.is_running = False
    for moment in range(3):
        alerts.coalescing(1, [Source.DMARC], moment)
    assert len(alerts.seen) == 3


def test_what_could_not_be_evaluated_stays_due() -> None:
    alerts = Alerts(takes=1.0)
    alerts.coalescing(1, [Source.DMARC], 0)
    alerts.coalescing(1, [Source.TRAPS], 1)
    alerts.is_away = True
    with pytest.raises(StoreUnavailable):
        alerts.coalescing.settle(everything=True)
    alerts.is_away = False
    alerts.coalescing.settle(everything=True)
    assert alerts.seen[1:] == [(1, {Source.TRAPS}, 1)]


def test_what_is_due_is_evaluated_before_the_server_ends() -> None:
    alerts = Alerts(takes=1.0)

    async def run() -> None:
        running = asyncio.create_task(alerts.coalescing.run())
        await asyncio.sleep(0)
        alerts.coalescing(1, [Source.DMARC], 0)
        alerts.coalescing(1, [Source.DMARC], 1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    assert [now for _, _, now in alerts.seen] == [0, 1]
