"""Which zones can be believed while they are asked: probed before the questions of a bracket, and again after them.

A resolver that breaks, or is taken over, answers every name with "not there" or with one address. What was probed an
hour before says nothing of that, so what a zone says counts when it passed its probe on both sides of the question.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import msgspec

from mailvane.core.dns.lookups import Lookups
from mailvane.reputation.model import Zone, ZoneHealth
from mailvane.reputation.sources.dnsbl.probe import probe, worst

_GOOD_SECONDS = 60.0  # the probe after one bracket is the probe before the next
_PATIENCE_SECONDS = 0.5  # for a zone that failed its last probe, while others can be asked
_AWAITED_SECONDS = 600.0  # how often such a zone is waited for as long as it takes
_SAVED_MS = 300_000


class Proving:
    """Belongs to one event loop at a time. `probed` is told how each zone does; it may block."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self.probed: Callable[[Sequence[ZoneHealth]], None] = lambda _: None
        self.health: dict[str, ZoneHealth] = {}
        self._good_at: dict[str, float] = {}  # when it passed last, by the monotonic clock
        self._awaited_at: dict[str, float] = {}
        self._saved: dict[str, ZoneHealth] = {}

    async def before(self, zones: Sequence[Zone], now: int) -> list[Zone]:
        """Those of the zones that can be asked."""
        self.health = {zone.host: self.health[zone.host] for zone in zones if zone.host in self.health}
        for _ in range(self._lookups.resolvers):
            await self._probe(zones, now)
            usable = [zone for zone in zones if self.health[zone.host].usable]
            if not usable or any(self.health[zone.host].proven for zone in usable):
                break
            # It answers, and knows no test point at all: it may be the resolver.
            self._lookups.ask_another_first()
        await self._save(now)
        return usable

    async def _probe(self, zones: Sequence[Zone], now: int) -> None:
        at = time.monotonic()
        due = [zone for zone in zones if at - self._good_at.get(zone.host, -_GOOD_SECONDS) >= _GOOD_SECONDS]
        tasks = {zone.host: asyncio.create_task(probe(zone, self._lookups, now)) for zone in due}
        awaited = [host for host in tasks if self._is_awaited(host, at)]
        try:
            await _ended(tasks[host] for host in awaited)
            usable = any(health.usable for health in (*self._fresh(tasks), *_results(tasks)))
            await _ended(tasks.values(), _PATIENCE_SECONDS if usable else None)
            self._note(_results(tasks))
        finally:
            for task in tasks.values():
                task.cancel()
        self._awaited_at |= dict.fromkeys(awaited, at)

    async def after(self, zones: Sequence[Zone], now: int) -> Mapping[str, ZoneHealth]:
        """How the zones did on both sides, by host; with every resolver that answered since."""
        before = {zone.host: self.health[zone.host] for zone in zones}
        probes = [await self._all(zones, one, now) for one in self._lookups.answering()]
        self._note(worst(probes).values())
        await self._save(now)
        return worst([before, *probes])

    @staticmethod
    async def _all(zones: Sequence[Zone], lookups: Lookups, now: int) -> dict[str, ZoneHealth]:
        told = await asyncio.gather(*(probe(zone, lookups, now) for zone in zones))
        return {health.host: health for health in told}

    def _is_awaited(self, host: str, at: float) -> bool:
        """What never answers must not hold up everything else each time."""
        known = self.health.get(host)
        return known is None or known.usable or at - self._awaited_at.get(host, -_AWAITED_SECONDS) >= _AWAITED_SECONDS

    def _fresh(self, probed: Container[str]) -> list[ZoneHealth]:
        return [health for host, health in self.health.items() if host not in probed]

    def _note(self, probed: Iterable[ZoneHealth]) -> None:
        at = time.monotonic()
        for health in probed:
            self.health[health.host] = health
            self._good_at.pop(health.host, None)
            if health.usable and not health.reason:
                self._good_at[health.host] = at

    async def _save(self, now: int) -> None:
        """Tell of what is news, and now and then of what is as it was."""
        news = [health for health in self.health.values() if self._is_news(health, now)]
        if news:
            await asyncio.to_thread(self.probed, news)
            self._saved |= {health.host: health for health in news}

    def _is_news(self, health: ZoneHealth, now: int) -> bool:
        saved = self._saved.get(health.host)
        if saved is None or saved.checked_at <= now - _SAVED_MS:
            return True
        return msgspec.structs.replace(saved, checked_at=health.checked_at) != health


async def _ended(tasks: Iterable[asyncio.Task[ZoneHealth]], seconds: float | None = None) -> None:
    """Wait, at most so long."""
    if waiting := [task for task in tasks if not task.done()]:
        await asyncio.wait(waiting, timeout=seconds)


def _results(tasks: Mapping[str, asyncio.Task[ZoneHealth]]) -> list[ZoneHealth]:
    return [task.result() for task in tasks.values() if task.done()]
