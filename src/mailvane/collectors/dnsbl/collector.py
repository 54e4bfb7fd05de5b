"""Asks blocklists about addresses and domains, and DNS for what else is worth knowing of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, BinaryIO

import msgspec

from mailvane.collectors.dnsbl.answers import unanswered, verdict_of
from mailvane.collectors.dnsbl.names import family, query_name, reverse_name
from mailvane.collectors.dnsbl.probe import probe
from mailvane.collectors.dnsbl.zones import dictionary
from mailvane.collectors.resolving.exchange import Answer
from mailvane.collectors.resolving.lookups import Lookups, Unanswered
from mailvane.collectors.resolving.wire import Trouble
from mailvane.domain.blocklists import Findings, ListingCheck, Outcome, Verdict
from mailvane.domain.names import canonical_name
from mailvane.domain.reputation import Asset, AssetKind, Observation, ObservationKind, Refresh, Source, Zone, ZoneHealth
from mailvane.errors import CollectionFailed, InvalidInput
from mailvane.reputation_config import ReputationSettings

PROBED_FOR_MS = 3_600_000
_KINDS = {AssetKind.IP: ObservationKind.IP_LISTING, AssetKind.DOMAIN: ObservationKind.DOMAIN_LISTING}
_ASSETS_AT_ONCE = 64  # each is dozens of questions; how many of those are under way is for `Lookups`
_MOST_LINES = 1_000_000


class Blocklists:
    """Belongs to one event loop.

    `changed` gives the operator's changes of the dictionary, `probed` is told how each zone does; both may block.
    """

    source = Source.BLOCKLISTS

    def __init__(self, lookups: Lookups, changed: Callable[[], Iterable[Zone]] = tuple) -> None:
        self._lookups = lookups
        self.changed = changed
        self.probed: Callable[[Sequence[ZoneHealth]], None] = lambda _: None
        self.health: dict[str, ZoneHealth] = {}
        self.proven: set[str] = set()  # zones that listed their test points once

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """One refresh for each asset, as soon as it is known. Raises CollectionFailed when no zone can be used."""
        zones = await self._usable(now)
        if not zones:
            raise CollectionFailed("no blocklist can be used: " + self._troubles())
        room = asyncio.Semaphore(_ASSETS_AT_ONCE)

        async def refreshed(asset: Asset) -> Refresh:
            async with room:
                return await self._refreshed(asset, zones, now)

        tasks = [asyncio.create_task(refreshed(asset)) for asset in assets]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()

    async def check(self, kind: AssetKind, names: Sequence[str], now: int) -> ListingCheck:
        """What the blocklists say of these names at this moment."""
        zones = await self._usable(now)
        findings = await asyncio.gather(*(self._findings(kind, name, zones) for name in names))
        return ListingCheck(findings=tuple(findings), zones=tuple(self.health[host] for host in sorted(self.health)))

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """JSON lines of `{"ip" or "domain", "rbl", "listed", "at", "reason"}`; `at` in ms. Raises InvalidInput."""
        decoder = msgspec.json.Decoder(_Line)
        for number, line in enumerate(file, 1):
            if number > _MOST_LINES:
                raise InvalidInput(f"{name}: more than {_MOST_LINES:,} lines")
            if line.strip():
                try:
                    yield _imported(decoder.decode(line), now)
                except (msgspec.DecodeError, ValueError, RecursionError) as error:
                    raise InvalidInput(f"{name}, line {number}: {error}") from None

    async def _usable(self, now: int) -> list[Zone]:
        """The zones that are asked, each probed within the hour."""
        zones = [zone for zone in dictionary(await asyncio.to_thread(self.changed)) if zone.enabled]
        known = {zone.host: self.health.get(zone.host) for zone in zones}
        due = [
            zone for zone in zones if (health := known[zone.host]) is None or health.checked_at <= now - PROBED_FOR_MS
        ]
        probed = [
            self._compared(health)
            for health in await asyncio.gather(*(probe(zone, self._lookups, now) for zone in due))
        ]
        kept = {zone.host: health for zone in zones if (health := known[zone.host]) is not None}
        self.health = {**kept, **{health.host: health for health in probed}}
        if probed:
            await asyncio.to_thread(self.probed, probed)
        return [zone for zone in zones if self.health[zone.host].usable]

    def _compared(self, health: ZoneHealth) -> ZoneHealth:
        """A zone that knew its test point and no longer does is not believed: a resolver that answers every name with
        "not there" would end all listings, and begin them again when it is well.
        """
        if health.usable and not health.reason:
            self.proven.add(health.host)
        if health.usable and health.reason and health.host in self.proven:
            return msgspec.structs.replace(health, usable=False, reason=f"{health.reason}, as it did before")
        return health

    def _troubles(self) -> str:
        return "; ".join(f"{each.host}: {each.reason}" for each in self.health.values() if not each.usable)[:400]

    async def _refreshed(self, asset: Asset, zones: Sequence[Zone], now: int) -> Refresh:
        found = await self._findings(asset.kind, asset.name, zones)
        known = [verdict for verdict in found.verdicts if verdict.outcome is not Outcome.UNKNOWN]
        error = "" if known or not found.verdicts else f"no blocklist answers: {found.verdicts[0].reason}"
        return Refresh(
            source=self.source,
            kind=asset.kind,
            asset=asset.name,
            at=now,
            error=error,
            observations=tuple(_observed(asset.kind, asset.name, verdict, now) for verdict in known),
            details=found.details,
        )

    async def _findings(self, kind: AssetKind, name: str, zones: Sequence[Zone]) -> Findings:
        lists = family(kind, name)
        asked = [zone for zone in zones if lists in zone.lists]
        below = query_name(kind, name)
        answers = await self._lookups.addresses_below(below, [zone.host for zone in asked])
        verdicts = [_verdict(zone, answer) for zone, answer in zip(asked, answers, strict=True)]
        if any(verdict.outcome is Outcome.LISTED for verdict in verdicts):
            verdicts = await asyncio.gather(*(self._with_reason(verdict, below) for verdict in verdicts))
        details = await (self._of_address(name) if kind is AssetKind.IP else self._of_domain(name))
        return Findings(kind=kind, name=name, verdicts=tuple(verdicts), details=details)

    async def _with_reason(self, verdict: Verdict, below: str) -> Verdict:
        """A listing in the zone's own words."""
        if verdict.outcome is not Outcome.LISTED:
            return verdict
        try:
            texts = await self._lookups.texts(f"{below}.{verdict.zone}")
        except Unanswered:
            return verdict  # that it is listed does not depend on why
        return msgspec.structs.replace(verdict, reason="; ".join(texts)[:500])

    async def _of_address(self, address: str) -> Mapping[str, Any]:
        """Its names, and whether one of them leads back to it."""
        try:
            names = (await self._lookups.names(reverse_name(address)))[:10]
            found = [{"rDNS": name, "addresses": await self._lookups.addresses(name)} for name in names]
        except Unanswered:
            return {}
        if ":" in address:
            return {"dns_lookup_result": found}
        confirmed = any(address in each["addresses"] for each in found)
        return {"dns_lookup_result": found, "wrong_rdns": not confirmed}

    async def _of_domain(self, name: str) -> Mapping[str, Any]:
        """Its SPF and DMARC records."""
        try:
            spf = [text for text in await self._lookups.texts(name) if text.lower().startswith("v=spf1")]
            dmarc = [text for text in await self._lookups.texts(f"_dmarc.{name}") if text.startswith("v=DMARC1")]
        except Unanswered:
            return {}
        return {"spf": "".join(spf[:1]), "dmarc": "".join(dmarc[:1])}


def make(settings: ReputationSettings) -> Blocklists:
    """Raises InvalidSetting."""
    return Blocklists(Lookups(settings.resolvers, settings.lookups_at_once))


def _verdict(zone: Zone, answer: Answer) -> Verdict:
    return unanswered(zone, answer) if isinstance(answer, Trouble) else verdict_of(zone, answer)


class _Line(msgspec.Struct):
    rbl: str
    listed: bool
    ip: str = ""
    domain: str = ""
    at: int = 0
    reason: str = ""


def _imported(line: _Line, now: int) -> Refresh:
    if bool(line.ip) == bool(line.domain):
        raise ValueError("expected either ip or domain")
    kind = AssetKind.IP if line.ip else AssetKind.DOMAIN
    name = str(ip_address(line.ip)) if line.ip else canonical_name(line.domain)
    if not name:
        raise ValueError(f"{line.domain[:80]!r} is not the name of a domain")
    if line.at < 0:
        raise ValueError("expected a time since 1970 in milliseconds")
    outcome = Outcome.LISTED if line.listed else Outcome.CLEAR
    verdict = Verdict(zone=line.rbl.lower(), outcome=outcome, reason=line.reason[:500])
    at = line.at or now
    told = msgspec.structs.replace(_observed(kind, name, verdict, at), seen_at=now)
    return Refresh(source=Source.BLOCKLISTS, kind=kind, asset=name, at=now, observations=(told,))


def _observed(kind: AssetKind, name: str, verdict: Verdict, now: int) -> Observation:
    data = {"listed": verdict.outcome is Outcome.LISTED, "codes": list(verdict.codes), "reason": verdict.reason}
    return Observation(kind=_KINDS[kind], asset=name, key=verdict.zone, at=now, seen_at=now, data=data)
