"""Addresses, domains and profiles over HTTP, and the dictionary of blocklists. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mailvane.domain.reputation import Asset, AssetKind, Observation, ObservationKind, Profile, Source, new_id
from mailvane.errors import InvalidFields, NotFound
from mailvane.surfaces.http.emailconsul import shape
from mailvane.surfaces.http.emailconsul.parameters import DomainsBody, IpsBody, ProfileBody, read, window
from mailvane.surfaces.http.services import ReputationServices

_LISTING = {AssetKind.IP: ObservationKind.IP_LISTING, AssetKind.DOMAIN: ObservationKind.DOMAIN_LISTING}
_LONGEST_NAME = 200
Query = Mapping[str, str]


def listed(services: ReputationServices, workspace: int, kind: AssetKind, query: Query) -> shape.Page:
    part = window(query, ("name", "-name"))
    needle = query.get("ip" if kind is AssetKind.IP else "domain", "").lower()
    found = [
        one for one in services.watching.assets(workspace, kind, query.get("profile_id") or None) if needle in one.name
    ]
    found.sort(key=lambda one: one.name, reverse=part.sort.startswith("-"))
    page = found[part.offset : part.offset + part.limit]
    return shape.Page(_shown(services, workspace, kind, page), shape.Meta(len(found), part.offset, part.limit))


def add(services: ReputationServices, workspace: int, kind: AssetKind, body: bytes, now: int) -> shape.Rows:
    if kind is AssetKind.IP:
        addresses: IpsBody = read(IpsBody, body)
        names, profile_id = [*([addresses.ip] if addresses.ip else []), *addresses.ips], addresses.profile_id
    else:
        domains: DomainsBody = read(DomainsBody, body)
        names, profile_id = [*([domains.domain] if domains.domain else []), *domains.domains], domains.profile_id
    if profile_id and profile_id not in {one.id for one in services.profiles.profiles(workspace)}:
        raise InvalidFields(("profile_id", "there is no such profile"))
    added = services.watching.add(workspace, kind, names, now, profile_id=profile_id or None)
    services.wake(Source.BLOCKLISTS)
    return shape.Rows(_shown(services, workspace, kind, added))


def show(services: ReputationServices, workspace: int, kind: AssetKind, asset_id: str) -> shape.Rows:
    return shape.Rows(_shown(services, workspace, kind, [services.watching.asset(workspace, kind, asset_id)]))


def remove(services: ReputationServices, workspace: int, kind: AssetKind, asset_id: str) -> None:
    services.watching.remove(workspace, kind, asset_id)


def refresh(services: ReputationServices, workspace: int, kind: AssetKind, asset_id: str) -> shape.Rows:
    services.watching.asset(workspace, kind, asset_id)
    services.watching.ask_now(workspace, Source.BLOCKLISTS, [asset_id])
    services.wake(Source.BLOCKLISTS)
    return show(services, workspace, kind, asset_id)


def changes(
    services: ReputationServices, workspace: int, kind: AssetKind, asset_id: str, now: int
) -> dict[str, object]:
    """When it was listed where, and when that ended; the newest first."""
    found = services.watching.asset(workspace, kind, asset_id)
    told = services.watching.observations(workspace, (_LISTING[kind],), 0, now + 1, found.name)
    label = "ip" if kind is AssetKind.IP else "domain"
    return {"data": {label: found.name, "data": [shape.change(one) for one in reversed(told)]}}


def dictionary(services: ReputationServices, query: Query) -> shape.Rows:
    kind = query.get("type", "")
    if kind not in {"", "ips", "domains"}:
        raise InvalidFields(("type", "expected ips or domains"))
    rows = [
        shape.zone(zone, each)
        for each in ("ips", "domains")
        for zone in services.dictionary()
        if zone.enabled and kind in {"", each} and (each in zone.lists or (each == "ips" and "ipv6" in zone.lists))
    ]
    return shape.Rows(rows)


def profiles(services: ReputationServices, workspace: int) -> shape.Rows:
    return shape.Rows([shape.profile(one) for one in services.profiles.profiles(workspace)])


def add_profile(services: ReputationServices, workspace: int, body: bytes, now: int) -> shape.ProfileObject:
    profile = Profile(id=new_id(), workspace=workspace, name=_name(body), created_at=now)
    return shape.profile(services.profiles.add_profile(profile))


def rename_profile(services: ReputationServices, workspace: int, profile_id: str, body: bytes) -> shape.ProfileObject:
    name = _name(body)
    known = next((one for one in services.profiles.profiles(workspace) if one.id == profile_id), None)
    if known is None:
        raise NotFound(f"there is no profile {profile_id}")
    renamed = msgspec.structs.replace(known, name=name)
    services.profiles.save_profile(renamed)
    return shape.profile(renamed)


def remove_profile(services: ReputationServices, workspace: int, profile_id: str) -> None:
    services.profiles.remove_profile(workspace, profile_id)


def _name(body: bytes) -> str:
    given: ProfileBody = read(ProfileBody, body)
    name = given.name.strip()
    if not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
        raise InvalidFields(("name", f"1 to {_LONGEST_NAME} characters are required"))
    return name


def _shown(
    services: ReputationServices, workspace: int, kind: AssetKind, assets: Sequence[Asset]
) -> list[shape.IpObject | shape.DomainObject]:
    listings: dict[str, list[Observation]] = {}
    for one in services.watching.latest(workspace, (_LISTING[kind],), {asset.name for asset in assets}):
        listings.setdefault(one.asset, []).append(one)
    return [shape.asset(asset, listings.get(asset.name, ())) for asset in assets]
