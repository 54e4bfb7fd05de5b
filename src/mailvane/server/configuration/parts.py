"""The parts of the file, each compared with the ledger: channels, domains, limits, what is watched, alerts. Blocking.

Everything that can be refused is refused while the steps are put together, before one of them is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput, NotFound
from mailvane.core.identifiers import new_id
from mailvane.core.names import checked_name
from mailvane.notify.channels import Channels as NamedChannels
from mailvane.notify.model import Channel
from mailvane.outbound.domain_changes import read_changes
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Domain, LimitKind
from mailvane.outbound.send_limits import SendLimits, checked_limit, read_name
from mailvane.reputation.alerts.drafts import AlertDraft, drafted
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.asset_names import normalized
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.heartbeats import Heartbeats
from mailvane.reputation.model import Asset, AssetKind
from mailvane.reputation.model import Profile as AssetProfile
from mailvane.reputation.store.profiles import ProfileStore
from mailvane.server.configuration.changes import Action, Change, Step, differing
from mailvane.server.configuration.channel_parts import by_kind
from mailvane.server.configuration.document import (
    WATCHABLE,
    AlertPart,
    Channels,
    Document,
    Profile,
    Watched,
    Windows,
)

# A domain's state (stopped, verified, approved) comes of what happens and what people do: it is not declared.
DOMAIN_FIELDS = (
    *("tier", "enforcement", "daily_limit", "monthly_limit", "hourly_fraction", "warmup_profile"),
    *("spike_max_multiplier", "counting", "guillotine"),
)
BY_SETTINGS = "settings"  # the guillotine of a domain that has none of its own
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What the parts ask and change."""

    governance: Governance
    send_limits: SendLimits
    watched_assets: WatchedAssets
    profiles: ProfileStore
    alerting: Alerting
    channels: NamedChannels
    heartbeats: Heartbeats


@dataclass(frozen=True, kw_only=True)
class Ground(Rooms):
    """The same for one workspace; `by` is written down."""

    workspace: int
    by: str
    now: int


# -- sending domains -----------------------------------------------------------------------------------------------


def domains_of(ground: Ground) -> dict[str, dict[str, Any]]:
    found = sorted(ground.governance.domains(ground.workspace), key=lambda each: each.name)
    return {each.name: _declared(each) for each in found}


def domain_steps(ground: Ground, part: Mapping[str, Mapping[str, Any]]) -> Iterator[Step]:
    """Raises InvalidInput."""
    known = domains_of(ground)
    wanted: dict[str, Mapping[str, Any]] = {}
    for written, given in part.items():
        name = checked_name(written)
        if name in wanted:
            raise InvalidInput(f"domains: {name} stands there twice")
        wanted[name] = _checked_domain(name, given)
    for name, given in wanted.items():
        old = known.get(name)
        fields = differing(old or {}, given)
        if old is None:
            change = Change(action=Action.ADD, what="domain", name=name, fields=fields)
            yield Step(change, partial(_add_domain, ground, name, given))
        elif fields:
            change = Change(action=Action.CHANGE, what="domain", name=name, fields=fields)
            yield Step(change, partial(_change_domain, ground, name, given))
    for name in sorted(known.keys() - wanted.keys()):
        gone = partial(ground.governance.remove, name, ground.by, ground.now, workspace=ground.workspace)
        yield Step(Change(action=Action.REMOVE, what="domain", name=name), gone)


def _declared(domain: Domain) -> dict[str, Any]:
    told = {name: msgspec.to_builtins(getattr(domain, name)) for name in DOMAIN_FIELDS}
    return {**told, "guillotine": told["guillotine"] or BY_SETTINGS}


def _checked_domain(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(given.keys() - set(DOMAIN_FIELDS)):
        raise InvalidInput(f"domains.{name}: there is no {unknown[0]}; there are {', '.join(DOMAIN_FIELDS)}")
    try:
        read = read_changes(_as_changes(given))
    except InvalidInput as error:
        raise InvalidInput(f"domains.{name}: {error.message}") from None
    told = {field: msgspec.to_builtins(value) for field, value in read.items()}
    return {field: value if value is not None else BY_SETTINGS for field, value in told.items()}


def _as_changes(given: Mapping[str, Any]) -> dict[str, Any]:
    by_settings = given.get("guillotine") == BY_SETTINGS
    return {**given, "guillotine": None} if by_settings else dict(given)


def _add_domain(ground: Ground, name: str, given: Mapping[str, Any]) -> None:
    ground.governance.create(name, ground.workspace, ground.now, actor=ground.by)
    _change_domain(ground, name, given)


def _change_domain(ground: Ground, name: str, given: Mapping[str, Any]) -> None:
    if given:
        ground.governance.change(name, _as_changes(given), ground.by, ground.now, ground.workspace)


# -- limits of mailboxes, logins and domains: those of the installation ----------------------------------------------


def limits_of(ground: Ground) -> dict[LimitKind, dict[str, Windows]]:
    found: dict[LimitKind, dict[str, Windows]] = {}
    for each in ground.send_limits.all():
        windows = {window.value: most for window, most in each.windows}
        found.setdefault(each.kind, {})[each.name] = Windows(**windows)
    return found


def limit_steps(ground: Ground, part: Mapping[LimitKind, Mapping[str, Windows]]) -> Iterator[Step]:
    """Raises InvalidInput."""
    known = {(kind, name): windows for kind, named in limits_of(ground).items() for name, windows in named.items()}
    wanted = {(kind, read_name(kind, name)): windows for kind, named in part.items() for name, windows in named.items()}
    for (kind, name), windows in wanted.items():
        given = msgspec.structs.asdict(windows)
        checked_limit(kind, name, given)
        old = known.get((kind, name))
        if old == windows:
            continue
        fields = differing(msgspec.structs.asdict(old) if old else {}, given)
        action = Action.ADD if old is None else Action.CHANGE
        change = Change(action=action, what=f"limit of the {kind.value}", name=name, fields=fields)
        yield Step(change, partial(ground.send_limits.set, kind, name, given))
    for kind, name in sorted(known.keys() - wanted.keys()):
        change = Change(action=Action.REMOVE, what=f"limit of the {kind.value}", name=name)
        yield Step(change, partial(ground.send_limits.remove, kind, name))


# -- what is watched -------------------------------------------------------------------------------------------------


def watched_of(ground: Ground, profile_id: str | None) -> Watched:
    """Of a profile, or of none."""
    found: Watched = {}
    for kind in WATCHABLE:
        names = [each.name for each in _assets(ground, kind) if each.profile_id == profile_id]
        if names:
            found[kind] = names
    return found


def profiles_of(ground: Ground) -> dict[str, Profile]:
    found = ground.profiles.profiles(ground.workspace)
    return {each.name: Profile(watched=watched_of(ground, each.id)) for each in found}


def watched_steps(ground: Ground, document: Document) -> Iterator[Step]:
    """Profiles and what is watched in them, or in none. Raises InvalidInput."""
    profiles = by_name("profile", ground.profiles.profiles(ground.workspace))
    named = document.profiles or {}
    for name in named:
        if not 0 < len(name.strip()) <= _LONGEST_NAME:
            raise InvalidInput(f"profiles: a name has 1 to {_LONGEST_NAME} characters")
        if name not in profiles:
            yield Step(Change(action=Action.ADD, what="profile", name=name), partial(_add_profile, ground, name))
    yield from _asset_steps(ground, document, {each.id: name for name, each in profiles.items()})
    if document.profiles is not msgspec.UNSET:
        for name, each in profiles.items():
            if name not in named:
                gone = partial(ground.profiles.remove_profile, ground.workspace, each.id)
                yield Step(Change(action=Action.REMOVE, what="profile", name=name), gone)


def _asset_steps(ground: Ground, document: Document, profile_names: Mapping[str, str]) -> Iterator[Step]:
    for kind in WATCHABLE:
        wanted = _wanted(document, kind)
        known = {each.name: each for each in _assets(ground, kind)}
        for name, profile in wanted.items():
            old = known.get(name)
            if old is None:
                fields = {} if profile is None else {"profile": (None, profile)}
                change = Change(action=Action.ADD, what=f"watched {kind}", name=name, fields=fields)
                yield Step(change, partial(_watch, ground, kind, name, profile))
            elif (there := profile_names.get(old.profile_id or "")) != profile:
                change = Change(
                    action=Action.CHANGE, what=f"watched {kind}", name=name, fields={"profile": (there, profile)}
                )
                yield Step(change, partial(_move, ground, old, profile))
        for name, old in known.items():
            part = document.watched if old.profile_id is None else document.profiles
            if name not in wanted and part is not msgspec.UNSET:
                gone = partial(ground.watched_assets.remove, ground.workspace, old.kind, old.id)
                yield Step(Change(action=Action.REMOVE, what=f"watched {kind}", name=name), gone)


def _wanted(document: Document, kind: str) -> dict[str, str | None]:
    """Names of a kind, each with its profile."""
    listed: list[tuple[str | None, str]] = [(None, text) for text in (document.watched or {}).get(kind, ())]  # type: ignore[call-overload]
    for profile, part in (document.profiles or {}).items():
        listed += [(profile, text) for text in part.watched.get(kind, ())]  # type: ignore[call-overload]
    found: dict[str, str | None] = {}
    for home, text in listed:
        try:
            names = normalized(AssetKind(kind), text)
        except InvalidInput as error:
            raise InvalidInput(f"watched.{kind}: {error.message}") from None
        for name in names:
            if found.get(name, home) != home:
                raise InvalidInput(f"watched.{kind}: {name} stands in two profiles")
            found[name] = home
    return found


def _assets(ground: Ground, kind: str) -> list[Asset]:
    return ground.watched_assets.assets(ground.workspace, AssetKind(kind))


def _watch(ground: Ground, kind: str, name: str, profile: str | None) -> None:
    profile_id = _profile_id(ground, profile)
    ground.watched_assets.add(ground.workspace, AssetKind(kind), [name], ground.now, profile_id=profile_id)


def _move(ground: Ground, asset: Asset, profile: str | None) -> None:
    profile_id = _profile_id(ground, profile)

    def moved(known: Asset) -> Asset:
        return msgspec.structs.replace(known, profile_id=profile_id)

    ground.watched_assets.change(ground.workspace, asset.kind, asset.id, moved)


def _add_profile(ground: Ground, name: str) -> None:
    ground.profiles.add_profile(AssetProfile(id=new_id(), workspace=ground.workspace, name=name, created_at=ground.now))


def _profile_id(ground: Ground, name: str | None) -> str | None:
    return _id_of("profile", ground.profiles.profiles(ground.workspace), name)


# -- alerts ----------------------------------------------------------------------------------------------------------


def alerts_of(ground: Ground) -> list[AlertPart]:
    profiles = {each.id: each.name for each in ground.profiles.profiles(ground.workspace)}
    channels = {each.id: each.name for each in ground.channels.all(ground.workspace)}
    return [_alert_part(each, profiles, channels) for each in ground.alerting.alerts(ground.workspace)]


def alert_steps(ground: Ground, document: Document, parts: Sequence[AlertPart]) -> Iterator[Step]:
    """Raises InvalidInput."""
    known = by_name("alert", ground.alerting.alerts(ground.workspace))
    told = {part.name: part for part in alerts_of(ground)}
    profiles = {each.name for each in ground.profiles.profiles(ground.workspace)} | set(document.profiles or {})
    channels = {each.name for each in ground.channels.all(ground.workspace)}
    channels |= {name for named in by_kind(document.channels or Channels()).values() for name in named}
    seen: set[str] = set()
    for part in parts:
        if part.name in seen:
            raise InvalidInput(f"alerts: two are called {part.name}")
        seen.add(part.name)
        _check_alert(part, profiles, channels, ground)
        old = told.get(part.name)
        fields = differing(_plain(old) if old else {}, _plain(part))
        if old is None:
            yield Step(Change(action=Action.ADD, what="alert", name=part.name), partial(_put_alert, ground, None, part))
        elif fields:
            change = Change(action=Action.CHANGE, what="alert", name=part.name, fields=fields)
            yield Step(change, partial(_put_alert, ground, known[part.name].id, part))
    for name, alert in known.items():
        if name not in seen:
            gone = partial(ground.alerting.remove, ground.workspace, alert.id)
            yield Step(Change(action=Action.REMOVE, what="alert", name=name), gone)


def _alert_part(alert: Alert, profiles: Mapping[str, str], channels: Mapping[str, str]) -> AlertPart:
    given = {name: getattr(alert, name) for name in AlertPart.__struct_fields__ if hasattr(alert, name)}
    return AlertPart(
        **{**given, "rules": [dict(rule) for rule in alert.rules]},
        profile=profiles.get(alert.profile_id or ""),
        slack=channels.get(alert.slack_integration_id or ""),
        channels=[channels[each] for each in alert.channel_ids if each in channels],
    )


def _plain(part: AlertPart) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(part, name)) for name in part.__struct_fields__}


def _check_alert(part: AlertPart, profiles: set[str], channels: set[str], ground: Ground) -> None:
    named = [("channel", each, channels) for each in part.channels]
    for what, name, there in (("profile", part.profile, profiles), ("slack", part.slack, channels), *named):
        if name is not None and name not in there:
            raise InvalidInput(f"alerts: {part.name}: there is no {what} {name}")
    draft: AlertDraft = part.draft(None, None, ())
    empty = Alert(id="", workspace=ground.workspace, name="", created_at=0, updated_at=0, rules=())
    try:
        drafted(draft, empty)
    except InvalidFields as error:
        raise InvalidInput(f"alerts: {part.name}: {error.message}") from None


def _put_alert(ground: Ground, alert_id: str | None, part: AlertPart) -> None:
    channels = ground.channels.all(ground.workspace)
    slack_id = _id_of("slack", [each for each in channels if each.kind is Channel.SLACK], part.slack)
    channel_ids = [one for each in part.channels if (one := _id_of("channel", channels, each)) is not None]
    draft = part.draft(_profile_id(ground, part.profile), slack_id, channel_ids)
    if alert_id is None:
        ground.alerting.create(ground.workspace, draft, ground.now)
    else:
        ground.alerting.update(ground.workspace, alert_id, draft, ground.now)


# -- by name ---------------------------------------------------------------------------------------------------------


def by_name(what: str, found: Sequence[Any]) -> dict[str, Any]:
    """Raises InvalidInput where two have one name: a file could not tell them apart."""
    named: dict[str, Any] = {}
    for each in found:
        if each.name in named:
            raise InvalidInput(f"there are two of the kind {what} that are called {each.name}: rename one first")
        named[each.name] = each
    return named


def _id_of(what: str, found: Sequence[Any], name: str | None) -> str | None:
    if name is None:
        return None
    for each in found:
        if each.name == name:
            return str(each.id)
    raise NotFound(f"there is no {what} {name}")
