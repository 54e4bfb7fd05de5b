"""Which zones work: each is probed before the questions of a bracket, and again after them.

A resolver that breaks, or is taken over, answers every name with "not there" or with one address. What was probed an
hour before says nothing of that, so what a zone says counts when it passed its probe on both sides of the question.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import msgspec

from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.reputation.blocklists import Outcome
from mailvane.reputation.model import AssetKind, Zone, ZoneHealth
from mailvane.reputation.sources.dnsbl.answers import verdict_of
from mailvane.reputation.sources.dnsbl.names import query_name

# For what each sort of list must have, and what it must not.
_POINTS = {
    "ips": (AssetKind.IP, "127.0.0.2", "127.0.0.1"),
    "ipv6": (AssetKind.IP, "::ffff:7f00:2", "::ffff:7f00:1"),
    "domains": (AssetKind.DOMAIN, "test", "invalid"),
}


async def probe(zone: Zone, lookups: Lookups, now: int) -> ZoneHealth:
    """A zone that lists what it must not is unusable. Of one without its test point, listings count;
    `proven` names the lists whose test point is there, and so whose silence means "not listed".
    """
    lists = [one for one in zone.lists if one in _POINTS]
    invented, *found = await asyncio.gather(
        lookups.addresses(f"{secrets.token_hex(8)}.{zone.host}"),
        *(_has_its_point(zone, one, lookups) for one in lists),
        return_exceptions=True,
    )
    if isinstance(invented, list) and invented:
        # A refusal is no listing, and who reads it knows what to do: ask by another resolver, or register.
        return _unusable(zone, now, verdict_of(zone, invented).reason or "it lists everything it is asked about")
    for result in (invented, *found):
        if isinstance(result, BaseException):
            return _unusable(zone, now, _why(result))
    proven = tuple(one for one, there in zip(lists, found, strict=True) if there)
    missing = [f"it does not list its test point {_POINTS[one][1]}" for one in lists if one not in proven]
    return ZoneHealth(host=zone.host, usable=True, reason="; ".join(missing), checked_at=now, proven=proven)


def worst(probes: Iterable[Mapping[str, ZoneHealth]]) -> dict[str, ZoneHealth]:
    """By host: what every one of several probes says of a zone."""
    found: dict[str, ZoneHealth] = {}
    for one in probes:
        for host, health in one.items():
            found[host] = _both(found[host], health) if host in found else health
    return found


def _both(first: ZoneHealth, second: ZoneHealth) -> ZoneHealth:
    if not (first.usable and second.usable):
        return second if first.usable else first
    proven = tuple(lists for lists in first.proven if lists in second.proven)
    less = second if len(second.proven) <= len(first.proven) else first
    return msgspec.structs.replace(less, proven=proven)


class _Untrue(Exception):
    """It lists what it must not."""


def _why(error: BaseException) -> str:
    if isinstance(error, _Untrue):
        return str(error)
    if isinstance(error, Unanswered):
        return f"it does not answer: {error}"
    raise error


async def _has_its_point(zone: Zone, lists: str, lookups: Lookups) -> bool:
    kind, there, absent = _POINTS[lists]
    points = (_asked(zone, kind, name, lookups) for name in (absent, there))
    nothing, point = await asyncio.gather(*points, return_exceptions=True)
    if isinstance(nothing, BaseException):
        raise nothing
    if verdict_of(zone, nothing).outcome is Outcome.LISTED:
        raise _Untrue(f"it lists {absent}, which no list may")
    if isinstance(point, BaseException):
        raise point
    verdict = verdict_of(zone, point)
    if verdict.outcome is Outcome.UNKNOWN:
        raise Unanswered(verdict.reason)
    return verdict.outcome is Outcome.LISTED


async def _asked(zone: Zone, kind: AssetKind, name: str, lookups: Lookups) -> Sequence[str]:
    return await lookups.addresses(f"{query_name(kind, name)}.{zone.host}")


def _unusable(zone: Zone, now: int, reason: str) -> ZoneHealth:
    return ZoneHealth(host=zone.host, usable=False, reason=reason, checked_at=now)


_GOOD_SECONDS = 60.0  # the probe after one bracket is the probe before the next
_PATIENCE_SECONDS = 0.5  # for a zone that failed its last probe, while others can be asked
_AWAITED_SECONDS = 600.0  # how often such a zone is waited for as long as it takes
_SAVED_MS = 300_000


class ZoneProbes:
    """Belongs to one event loop at a time. `probed` is called with the health of zones; it may block."""

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
        results = await asyncio.gather(*(probe(zone, lookups, now) for zone in zones))
        return {health.host: health for health in results}

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
