"""Asks blocklists about addresses and domains, and DNS for their PTR and related records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, BinaryIO

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.core.dns.wire import Trouble
from mailvane.core.errors import CollectionFailed, InvalidInput
from mailvane.core.names import canonical_name
from mailvane.reputation.blocklists import ANSWERED, UNKNOWN, Findings, ListingCheck, Outcome, Verdict
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh, Source, Zone, ZoneHealth
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.dnsbl.answers import clear, unanswered, verdict_of
from mailvane.reputation.sources.dnsbl.judging import Judge
from mailvane.reputation.sources.dnsbl.names import LISTS, family, query_name, reverse_name
from mailvane.reputation.sources.dnsbl.zone_probes import ZoneProbes
from mailvane.reputation.sources.dnsbl.zones import dictionary

_KINDS = {AssetKind.IP: ObservationKind.IP_LISTING, AssetKind.DOMAIN: ObservationKind.DOMAIN_LISTING}
_CLEAR: Mapping[str, Any] = {"listed": False, "codes": [], "reason": ""}  # nobody changes the data of an observation
_ASSETS_AT_ONCE = 64  # each is dozens of questions; how many of those are under way is for `Lookups`
_ASSETS_BETWEEN_PROBES = 512
_MOST_LINES = 1_000_000


class Blocklists:
    """Belongs to one event loop.

    `changed` gives the operator's changes of the dictionary, `probed` takes the health of zones; both may block.
    """

    source = Source.BLOCKLISTS

    def __init__(self, lookups: Lookups, changed: Callable[[], Iterable[Zone]] = tuple) -> None:
        self._lookups = lookups
        self.changed = changed
        self.zone_probes = ZoneProbes(lookups)

    @property
    def health(self) -> Mapping[str, ZoneHealth]:
        """Of each zone that was probed, by host."""
        return self.zone_probes.health

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """One refresh for each asset, when the zones have proved again that they tell the truth.

        Raises CollectionFailed when no zone can be used.
        """
        enabled = await self._enabled()
        of_list = {lists: [zone.host for zone in enabled if lists in zone.lists] for lists in LISTS}
        for first in range(0, len(assets), _ASSETS_BETWEEN_PROBES):
            asked = await self.zone_probes.before(enabled, now)
            if not asked:
                troubled = [self.health[zone.host] for zone in enabled if not self.health[zone.host].usable]
                raise CollectionFailed(
                    "no blocklist can be used: " + "; ".join(f"{each.host}: {each.reason}" for each in troubled)[:400]
                )
            some = assets[first : first + _ASSETS_BETWEEN_PROBES]
            for found in await self._bracket(asked, [(asset.kind, asset.name) for asset in some], now):
                yield self._refreshed(found, of_list[family(found.kind, found.name)], now)

    async def check(self, kind: AssetKind, names: Sequence[str], now: int) -> ListingCheck:
        """What the blocklists say of these names at this moment."""
        asked = await self.zone_probes.before(await self._enabled(), now)
        findings = await self._bracket(asked, [(kind, name) for name in names], now)
        return ListingCheck(findings=tuple(findings), zones=tuple(self.health[host] for host in sorted(self.health)))

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """JSON lines of `{"ip" or "domain", "rbl", "listed", "at", "reason"}`; `at` in ms. Raises InvalidInput."""
        decoder = msgspec.json.Decoder(prepared(_Line))
        for number, line in enumerate(file, 1):
            if number > _MOST_LINES:
                raise InvalidInput(f"{name}: more than {_MOST_LINES:,} lines")
            if line.strip():
                try:
                    yield _imported(decoder.decode(line), now)
                except (msgspec.DecodeError, ValueError, RecursionError) as error:
                    raise InvalidInput(f"{name}, line {number}: {error}") from None

    async def _enabled(self) -> list[Zone]:
        return [zone for zone in dictionary(await asyncio.to_thread(self.changed)) if zone.enabled]

    async def _bracket(self, asked: Sequence[Zone], names: Sequence[tuple[AssetKind, str]], now: int) -> list[Findings]:
        """What these zones, which passed their probe, say of the names; no more than the next probe lets believe."""
        room = asyncio.Semaphore(_ASSETS_AT_ONCE)
        by_list = {lists: [zone for zone in asked if lists in zone.lists] for lists in LISTS}

        async def found(kind: AssetKind, name: str) -> Findings:
            async with room:
                return await self._findings(kind, name, by_list[family(kind, name)])

        tasks = [asyncio.create_task(found(kind, name)) for kind, name in names]
        try:
            findings = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        judge = Judge(await self.zone_probes.after(asked, now))
        return [judge.believed(one) for one in findings]

    def _refreshed(self, found: Findings, enabled: Sequence[str], now: int) -> Refresh:
        """`enabled`: the hosts of the zones that could list such a name."""
        known = [verdict for verdict in found.verdicts if verdict.outcome is not Outcome.UNKNOWN]
        answered = {verdict.zone for verdict in known}
        unknown = [host for host in enabled if host not in answered]
        return Refresh(
            source=self.source,
            kind=found.kind,
            asset=found.name,
            at=now,
            error=f"no blocklist answers: {self._why(found, unknown[0])}" if unknown and not known else "",
            observations=_observed(found.kind, found.name, known, now),
            details={**found.details, ANSWERED: len(known), UNKNOWN: unknown},
        )

    def _why(self, found: Findings, host: str) -> str:
        reasons = (verdict.reason for verdict in found.verdicts if verdict.zone == host)
        return f"{host}: {next(reasons, self.health[host].reason)}"

    async def _findings(self, kind: AssetKind, name: str, asked: Sequence[Zone]) -> Findings:
        below = query_name(kind, name)
        answers = await self._lookups.addresses_below(below, [zone.host for zone in asked])
        if any(answers):
            verdicts = [
                unanswered(zone, answer) if isinstance(answer, Trouble) else verdict_of(zone, answer)
                for zone, answer in zip(asked, answers, strict=True)
            ]
        else:  # by far the most frequent
            verdicts = [clear(zone.host) for zone in asked]
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
    (observation,) = _observed(kind, name, (verdict,), at)
    observation = msgspec.structs.replace(observation, seen_at=now)
    return Refresh(source=Source.BLOCKLISTS, kind=kind, asset=name, at=now, observations=(observation,))


def _observed(kind: AssetKind, name: str, verdicts: Iterable[Verdict], now: int) -> tuple[Observation, ...]:
    seen = _KINDS[kind]
    return tuple(
        [
            Observation(kind=seen, asset=name, key=verdict.zone, at=now, seen_at=now, data=_data(verdict))
            for verdict in verdicts
        ]
    )


def _data(verdict: Verdict) -> Mapping[str, Any]:
    """What is kept of a verdict."""
    if verdict.outcome is Outcome.CLEAR and not verdict.codes and not verdict.reason:
        return _CLEAR
    return {"listed": verdict.outcome is Outcome.LISTED, "codes": list(verdict.codes), "reason": verdict.reason}
