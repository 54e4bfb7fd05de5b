"""Why an alert cannot say anything yet: what its rules name and nobody watches, whom it cannot tell. Values and rules.

What cannot be meant is refused (`drafts`); this is about what may become true: it is kept, and its user is warned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.comparing import Amount, Comparison, Operator, Percentage, Ratio
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.alerts.rule import HIGH_REPUTATION, Rule, stands_for_all
from mailvane.reputation.alerts.rules import read_rule
from mailvane.reputation.alerts.stores import AlertingStores
from mailvane.reputation.asset_names import NOUNS
from mailvane.reputation.model import SOURCES, Asset, AssetKind, ObservationKind, Zone
from mailvane.reputation.questions import WatchedGroup

_MOST_NAMED = 20  # names of one rule, each with a warning of its own
WATCHED: Mapping[ObservationKind, AssetKind] = {
    said: watched for terms in SOURCES.values() for said, watched in terms.says.items() if watched is not None
}
# Of the fields that name what has to be watched by that name. Google and Microsoft tell of addresses that nobody named.
_BY_NAME = frozenset({"ips", "domains", "gp_domains", "traps_ips", "traps_domains_from"})
_LISTS = {ObservationKind.IP_LISTING: ("ips", "ipv6"), ObservationKind.DOMAIN_LISTING: ("domains",)}
_GREATEST = {Ratio: 1, Percentage: 100}


class Warned(msgspec.Struct, frozen=True):
    """One thing that keeps an alert silent, by the field that it is about."""

    field: str
    message: str


class Surroundings(msgspec.Struct, frozen=True):
    """What an alert of a workspace finds there."""

    named: Sequence[Asset] = ()  # those that its rules name
    groups: Sequence[WatchedGroup] = ()  # of the kinds of which its rules read all
    zones: Sequence[Zone] = ()
    sends_mail: bool = True
    sends_reports: bool = True


class AlertWarnings:
    """Safe to share between threads."""

    def __init__(
        self,
        stores: AlertingStores,
        zones: Callable[[], Sequence[Zone]],
        *,
        sends_mail: bool,
        sends_reports: Callable[[int], bool],
    ) -> None:
        """`sends_reports`: whether anybody gets the daily report of this workspace."""
        self._stores = stores
        self._zones = zones
        self._sends_mail = sends_mail
        self._sends_reports = sends_reports

    def of(self, workspace: int, alerts: Sequence[Alert]) -> dict[str, list[Warned]]:
        """Of those alerts of a workspace that there is something to say of, by id."""
        if not alerts:
            return {}
        names: dict[AssetKind, set[str]] = defaultdict(set)
        kinds: set[AssetKind] = set()
        for rule in (rule for alert in alerts for _, rule in _rules_of(alert) if rule.READS in WATCHED):
            if field := _field_of_names(rule):
                names[WATCHED[rule.READS]].update(getattr(rule, field))
            else:
                kinds.add(WATCHED[rule.READS])
        stored = self._stores.assets
        around = Surroundings(
            [asset for kind, wanted in names.items() for asset in stored.assets_named(workspace, kind, wanted)],
            stored.watched_groups(workspace, kinds) if kinds else (),
            self._zones(),
            sends_mail=self._sends_mail,
            sends_reports=self._sends_reports(workspace),
        )
        found = {alert.id: list(warnings_of(alert, around)) for alert in alerts}
        return {alert_id: told for alert_id, told in found.items() if told}


def warnings_of(alert: Alert, around: Surroundings) -> Iterator[Warned]:
    """What keeps it silent. A rule that cannot be read is shown as failing, and not here."""
    if alert.is_instant_alert and not around.sends_mail:
        yield Warned("is_instant_alert", "this server sends no mail: `host` of [reputation.mail] is not set")
    if alert.is_in_daily_report and not (around.sends_mail and around.sends_reports):
        key = "`to` of [reputation.daily_report]" if around.sends_mail else "`host` of [reputation.mail]"
        yield Warned("is_in_daily_report", f"this server sends no daily report: {key} is not set")
    for place, rule in _rules_of(alert):
        for field, message in _of_rule(rule, alert.rules[place], alert.profile_id, around):
            yield Warned(f"rules[{place}]{field}", message)


def _rules_of(alert: Alert) -> Iterator[tuple[int, Rule]]:
    """Those that can be read, with their places."""
    for place, raw in enumerate(alert.rules):
        try:
            yield place, read_rule(raw, f"rules[{place}]")
        except InvalidFields:
            continue


def _field_of_names(rule: Rule) -> str:
    """The field in which it names what it reads; empty when it reads all."""
    field = next((name for name in _BY_NAME if name in rule.__struct_fields__), "")
    return "" if not field or stands_for_all(getattr(rule, field)) else field


def _of_rule(
    rule: Rule, raw: Mapping[str, Any], profile_id: str | None, around: Surroundings
) -> Iterator[tuple[str, str]]:
    kind = WATCHED.get(rule.READS)  # None: what this server tells of itself needs nobody's watching
    if kind is not None and (named := _field_of_names(rule)):
        watched = {one.name: one for one in around.named if one.kind is kind}
        yield from _of_names(f".{named}", getattr(rule, named), watched)
    elif kind is not None:
        found = [one for one in around.groups if one.kind is kind and profile_id in (None, one.profile_id)]
        yield from _of_all(kind, found, profile_id)
    if zones := getattr(rule, "rbls", ()):
        yield from _of_zones(zones, rule.READS, around.zones)
    for name in rule.__struct_fields__:
        if isinstance(compared := getattr(rule, name), Comparison) and (reason := _never(compared)):
            yield f".{name}", reason
    for name in raw:
        if name not in rule.__struct_fields__ and name not in ("type", "key") and rule.adapted(raw) is raw:
            yield f".{name}", f"has no effect: {rule.TYPE} has no such field"


def _of_names(field: str, names: Sequence[str], watched: Mapping[str, Asset]) -> Iterator[tuple[str, str]]:
    silent = [(place, name) for place, name in enumerate(names) if name not in watched or not watched[name].verified]
    for place, name in silent[:_MOST_NAMED]:
        why = "waits for the operator's approval" if name in watched else "is not watched"
        yield f"{field}[{place}]", f"{name} {why}: nothing is known of it"
    if len(silent) > _MOST_NAMED:
        yield field, f"{len(silent) - _MOST_NAMED} more are not watched"


def _of_all(kind: AssetKind, found: Sequence[WatchedGroup], profile_id: str | None) -> Iterator[tuple[str, str]]:
    if any(one.verified for one in found):
        return
    if kind is AssetKind.SNDS and not found:
        return  # files are read without a key
    where = "" if profile_id is None else " in this profile"
    what = "waits for the operator's approval, or was ended" if found else f"is watched{where}"
    yield "", f"no {NOUNS[kind]} {what}" if not found else f"every {NOUNS[kind]}{where} {what}"


def _of_zones(names: Sequence[str], kind: ObservationKind, zones: Sequence[Zone]) -> Iterator[tuple[str, str]]:
    lists = _LISTS[kind]
    asked = {zone.host: zone for zone in zones if zone.enabled and set(lists) & set(zone.lists)}
    known = {zone.host for zone in zones}
    what = "domains" if kind is ObservationKind.DOMAIN_LISTING else "addresses"
    for place, name in list(enumerate(names))[:_MOST_NAMED]:
        if name == HIGH_REPUTATION:
            if not any(zone.high_reputation for zone in asked.values()):
                yield f".rbls[{place}]", f"no blocklist of {what} that is asked is of high reputation"
        elif name not in known:
            yield f".rbls[{place}]", f"{name} is no blocklist that is asked: see /api/v1.0/checkers/rbl_dictionary"
        elif name not in asked:
            yield f".rbls[{place}]", f"{name} is not asked about {what}"


def _never(compared: Comparison) -> str:
    """Why no number can satisfy it; empty when one can."""
    greatest = next((most for kind, most in _GREATEST.items() if isinstance(compared, kind)), None)
    if compared.operator is Operator.LT and compared.value <= 0:
        return "nothing is below 0"
    if compared.operator is Operator.GT and greatest is not None and compared.value >= greatest:
        return f"nothing is above {greatest}"
    if compared.operator is Operator.EQ and type(compared) is Amount and compared.value != int(compared.value):
        return "no count is a fraction"
    return ""
