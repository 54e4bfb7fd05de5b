"""Finds the lookalikes of each brand: thinkable names, those of them that are in DNS, what registries say of those.

What was found stands in the brand's details, as `lookalikes`, so that a change can be told from the same again: the
same one is confirmed, a changed one told anew, a vanished one told once as gone. What could not be asked stays as it
was. What people think of a lookalike is theirs: it stands in the details as `states`, which are only read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
from msgspec import Meta

from mailvane.core.decoding import prepared
from mailvane.core.dns.lookups import Unanswered
from mailvane.core.errors import CollectionFailed, InvalidInput
from mailvane.core.http_client import HttpClient
from mailvane.core.names import mail_domain
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.json_lines import moment_ms, records
from mailvane.reputation.sources.lookalikes.candidates import candidates, likeness, registrable
from mailvane.reputation.sources.lookalikes.presence import DomainLookups, MailPolicy, Presence
from mailvane.reputation.sources.lookalikes.rdap import NoRegistry, Registration, Registries

FOUND = "lookalikes"  # of a brand's details: what is known of each, written here
STATES = "states"  # of a brand's details: lookalike -> UNCLASSIFIED, THREAT or IGNORED, written by people
MOST_FOUND = 1000
MOST_REGISTRATIONS = 200  # that are asked for at one refresh: never asked ones first, then the oldest
_MOST_WITNESSES = 4
_MOST_BYTES = 8 * 1024 * 1024

_RegistryAnswer = Registration | CollectionFailed | None
"""What a registry says of a domain; None: that nobody has it."""
_NOT_ASKED = CollectionFailed("its turn has not come")


class _Known(msgspec.Struct, frozen=True):
    """What is known of a lookalike."""

    at: int  # since when it is as it is
    data: Mapping[str, Any]
    asked_at: int = 0  # the registry, last


class Lookalikes:
    """Belongs to one event loop at a time."""

    source = Source.LOOKALIKES

    def __init__(self, lookups: DomainLookups, registries: Registries) -> None:
        self._lookups = lookups
        self._registries = registries

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """Brand by brand."""
        async with HttpClient("the registry", most_bytes=_MOST_BYTES) as client:
            for asset in assets:
                try:
                    observations, details = await self._found(client, asset, now)
                except CollectionFailed as error:
                    yield _refresh(asset.name, now, error=error.message)
                else:
                    yield _refresh(asset.name, now, observations=observations, details=details)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """JSON lines of `{"domain", "lookalike", "reg_created_date", …}`. Raises InvalidInput."""
        found: dict[str, list[Observation]] = {}
        for place, line in records(file, name, _Line):
            try:
                observation = _imported(line, now)
            except ValueError as error:
                raise InvalidInput(f"{place}: {error}") from None
            found.setdefault(observation.asset, []).append(observation)
        for brand, observations in found.items():
            yield _refresh(brand, now, observations=observations)

    async def _found(self, client: HttpClient, brand: Asset, now: int) -> tuple[list[Observation], dict[str, Any]]:
        former = _former(brand)
        thinkable = await asyncio.to_thread(candidates, brand.name)
        fuzzers = {each.name: each.fuzzer for each in thinkable}
        names = list(dict.fromkeys((*former, *fuzzers)))
        suffixes = sorted({name.partition(".")[2] for name in names})
        there = await self._lookups.presences(names, suffixes, [brand.name, *list(former)[:_MOST_WITNESSES]])
        present = [name for name in names if name in there and there[name].is_there]
        left = [name for name in former if name in there and not there[name].is_there]
        kept = sorted(present, key=lambda name: name not in former)[:MOST_FOUND]
        registered = await self._registered(client, [*kept, *left], former, now)
        policies = dict(zip(kept, await asyncio.gather(*map(self._policy, kept)), strict=True))
        known = {name: each for name, each in former.items() if name not in there}  # not answered: as it was
        observations: list[Observation] = []
        for name in left:
            answer = registered.get(name, _NOT_ASKED)
            if answer is None or isinstance(answer, NoRegistry):
                observations.append(_observed(brand.name, name, now, now, {"gone": True, "state": _state(brand, name)}))
            else:
                known[name] = former[name]  # nobody says that it is gone
                if isinstance(answer, Registration):
                    kept.append(name)  # it is somebody's, without a server at this time
        for name in kept:
            answer = registered.get(name, _NOT_ASKED)
            data = _data(brand, name, former.get(name), (there[name], answer, policies.get(name)))
            data["fuzzer"] = fuzzers.get(name, data["fuzzer"])
            known[name] = _dated(data, former.get(name), answer, now)
            observations.append(_observed(brand.name, name, known[name].at, now, data))
        errors = [answer.message for answer in registered.values() if isinstance(answer, CollectionFailed)]
        details = {
            FOUND: msgspec.to_builtins(known),
            "registry_error": f"{len(errors)} of {len(registered)} could not be asked about: {errors[0]}"
            if errors
            else "",
        }
        return observations, details

    async def _registered(
        self, client: HttpClient, names: Iterable[str], former: Mapping[str, _Known], now: int
    ) -> dict[str, _RegistryAnswer]:
        """What registries say of those whose turn it is."""
        turn = sorted(names, key=lambda name: former[name].asked_at if name in former else 0)[:MOST_REGISTRATIONS]
        answers = await asyncio.gather(*(self._registration(client, name, now) for name in turn))
        return dict(zip(turn, answers, strict=True))

    async def _registration(self, client: HttpClient, name: str, now: int) -> _RegistryAnswer:
        try:
            return await self._registries.registration(client, str(registrable(name)), now)
        except CollectionFailed as error:
            return error

    async def _policy(self, name: str) -> MailPolicy | None:
        try:
            return await self._lookups.policy(name)
        except Unanswered:
            return None


def make(settings: ReputationSettings) -> Lookalikes:
    """Raises InvalidSetting."""
    lookups = DomainLookups(settings.resolvers, settings.lookups_at_once)
    return Lookalikes(lookups, Registries(settings.rdap_bootstrap))


def _data(
    brand: Asset, name: str, former: _Known | None, answers: tuple[Presence, _RegistryAnswer, MailPolicy | None]
) -> dict[str, Any]:
    """What could not be asked is as it was before."""
    before = former.data if former is not None else {}
    presence, registration, policy = answers
    unregistered = msgspec.structs.asdict(Registration())
    if isinstance(registration, CollectionFailed):
        registered = {field: before.get(field, unregistered[field]) for field in unregistered}
    else:
        registered = unregistered if registration is None else msgspec.structs.asdict(registration)
    return {
        "score": likeness(brand.name, name),
        "fuzzer": before.get("fuzzer", ""),
        "name_servers": list(presence.name_servers),
        "mx_detected": presence.has_exchangers,
        **registered,
        "p": before.get("p") if policy is None else policy.p,
        "spf_detected": before.get("spf_detected") if policy is None else policy.spf_detected,
        "state": _state(brand, name),
    }


class _Line(msgspec.Struct):
    domain: Annotated[str, Meta(min_length=3, max_length=253)]
    lookalike: Annotated[str, Meta(min_length=3, max_length=253)]
    at: float | str | None = None  # when it was seen so
    reg_created_date: float | str | None = None
    reg_updated_date: float | str | None = None
    registrar: str = ""
    registrar_abuse_email: str = ""
    name_servers: list[str] = []
    dnssec: bool | None = None
    p: Literal["none", "quarantine", "reject"] | None = None
    spf_detected: bool | None = None
    state: Literal["UNCLASSIFIED", "THREAT", "IGNORED"] = "UNCLASSIFIED"


def _imported(line: _Line, now: int) -> Observation:
    """Raises ValueError."""
    brand, name = (mail_domain(text.strip().rstrip(".")) for text in (line.domain, line.lookalike))
    data = msgspec.structs.asdict(line) | {
        "reg_created_date": None if line.reg_created_date is None else moment_ms(line.reg_created_date),
        "reg_updated_date": None if line.reg_updated_date is None else moment_ms(line.reg_updated_date),
        "score": likeness(brand, name),
    }
    at = now if line.at is None else moment_ms(line.at)
    for field in ("domain", "lookalike", "at"):
        del data[field]
    return _observed(brand, name, at, now, data)


def _former(brand: Asset) -> dict[str, _Known]:
    try:
        return msgspec.convert(brand.details.get(FOUND, {}), prepared(dict[str, _Known]))
    except msgspec.ValidationError:
        return {}


def _state(brand: Asset, name: str) -> str:
    states = brand.details.get(STATES)
    state = states.get(name) if isinstance(states, Mapping) else None
    return state if state in ("THREAT", "IGNORED") else "UNCLASSIFIED"


def _dated(data: Mapping[str, Any], former: _Known | None, answer: _RegistryAnswer, now: int) -> _Known:
    """As of before when nothing has changed."""
    before = former.asked_at if former is not None else 0
    asked_at = before if isinstance(answer, CollectionFailed) else now
    return _Known(at=former.at if former is not None and former.data == data else now, data=data, asked_at=asked_at)


def _observed(brand: str, name: str, at: int, now: int, data: Mapping[str, Any]) -> Observation:
    return Observation(
        kind=ObservationKind.LOOKALIKE, asset=brand, key=name, at=at, seen_at=now, confirmed_at=now, data=data
    )


def _refresh(
    brand: str,
    now: int,
    error: str = "",
    observations: Iterable[Observation] = (),
    details: Mapping[str, Any] | None = None,
) -> Refresh:
    return Refresh(
        source=Source.LOOKALIKES,
        kind=AssetKind.LOOKALIKE,
        asset=brand,
        at=now,
        error=error,
        observations=tuple(observations),
        details=details or {},
    )
