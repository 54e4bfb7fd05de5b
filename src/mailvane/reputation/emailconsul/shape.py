"""What the EmailConsul API looks like on the wire: objects, refusals, dates. The vendor's words stand here.

# ours, where the vendor publishes nothing: the body of errors, 201 for what is new, 204 for what is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidFields
from mailvane.core.moments import iso_text
from mailvane.core.tenants.model import KeyKind
from mailvane.notify.model import Notification, Severity
from mailvane.reputation.alerts.model import Alert, FiredRule, LogEntry
from mailvane.reputation.alerts.warnings import Warned
from mailvane.reputation.emailconsul.parameters import Window
from mailvane.reputation.model import Asset, Observation, Profile, Zone
from mailvane.web.dialect import JSON, Dialect, Refusal

PREFIX = "/api/v1.0"
_DATES = frozenset(
    {
        *("date_timestamp", "updated_at", "reg_created_date", "reg_updated_date"),
        *("period_from", "period_to", "trap_period_from", "trap_period_to", "timestamp"),
    }
)  # of the evidence of alerts
_VALUED_BY_DATE = frozenset({"LOOKALIKE_REG_CREATED_DATE", "LOOKALIKE_REG_UPDATED_DATE"})


class FieldComplaint(msgspec.Struct, frozen=True):
    field: str
    message: str


class Refused(msgspec.Struct, frozen=True):
    """A refusal; `errors` names the fields that are wrong."""

    code: int
    message: str
    errors: tuple[FieldComplaint, ...] = ()


class AlertObject(msgspec.Struct, frozen=True):
    id: str
    name: str
    profile_id: str | None
    is_active: bool
    is_in_daily_report: bool
    is_instant_alert: bool
    is_on_dashboards: bool
    instant_alert_email: str | None
    instant_alert_email_email: str | None  # as the older guide spells it
    slack_integration_id: str | None
    webhook_url: str | None
    formula: str | None
    rules: Sequence[Mapping[str, Any]]
    created_at: str
    updated_at: str
    error: str | msgspec.UnsetType = msgspec.UNSET  # ours: why it could not be evaluated last, when that is so
    warnings: Sequence[FieldComplaint] | msgspec.UnsetType = msgspec.UNSET  # ours: what keeps it silent, if anything
    severity: Severity | msgspec.UnsetType = msgspec.UNSET  # ours: where it is not the usual one
    channel_ids: Sequence[str] | msgspec.UnsetType = msgspec.UNSET  # ours: channels that have names, if any


class FiredRuleObject(msgspec.Struct, frozen=True):
    type: str
    snapshot: Mapping[str, Any]
    matchings: Mapping[str, Any]


class LogEntryObject(msgspec.Struct, frozen=True):
    id: str
    profile_id: str | None
    user_alert_id: str
    name: str
    rules: tuple[FiredRuleObject, ...]
    timestamp: str


class Listed(msgspec.Struct, frozen=True):
    lookup_host: str


class WatchedObject(msgspec.Struct, frozen=True, kw_only=True):
    """What all that is watched has in common."""

    id: str
    profile_id: str | None
    status: str  # WAITING, UPDATED or FAILED
    error: str  # of the last attempt, when it failed
    created_at: str
    updated_at: str | None


class IpObject(WatchedObject, frozen=True, kw_only=True):
    ip: str
    blacklisted: bool | None  # ours: null while nobody knows
    wrong_rdns: bool | None
    rbl_result: tuple[Listed, ...]
    rbl_unknown: tuple[Listed, ...]  # ours: blocklists that gave no answer to be believed when they were asked last
    dns_lookup_result: Sequence[Any]


class DomainObject(WatchedObject, frozen=True, kw_only=True):
    domain: str
    blacklisted: bool | None
    rbl_result: tuple[Listed, ...]
    rbl_unknown: tuple[Listed, ...]
    spf: str | None
    dkim: str | None
    dmarc: str | None


class GpDomainObject(WatchedObject, frozen=True, kw_only=True):
    """A domain of Postmaster Tools. The records of days are Google's, in the words of its first interface."""

    domain: str
    deleted_at: None
    traffic_stats: Sequence[Mapping[str, Any]]


class CredentialsObject(WatchedObject, frozen=True, kw_only=True):
    """An SNDS key, without the key. Its status is ACTIVE, TERMINATED or FAILED."""

    name: str


class TrapObject(WatchedObject, frozen=True, kw_only=True):
    ip: str | None
    domain: str | None
    verified: bool


class BrandObject(WatchedObject, frozen=True, kw_only=True):
    """A domain that others may imitate."""

    domain: str
    lookalikes: int


class LookalikeObject(msgspec.Struct, frozen=True, kw_only=True):
    id: str  # ours: the lookalike itself
    lookalike: str
    score: int | None
    dnssec: bool | None
    name_servers: Sequence[str]
    reg_created_date: str | None
    reg_updated_date: str | None
    registrar: str | None
    registrar_abuse_email: str | None
    state: str
    p: str | None
    spf_detected: bool | None
    updated_at: str


class DmarcObject(WatchedObject, frozen=True, kw_only=True):
    """A domain whose reports come here, with its policy as DNS has it and the counts of 30 days."""

    domain: str
    p: str | None
    sp: str | None
    rua: Sequence[str]
    messages: int
    dmarc_fail: int


class TokenObject(WatchedObject, frozen=True, kw_only=True):
    email: str
    trusted_domains: Sequence[str]


class ProfileObject(msgspec.Struct, frozen=True):
    id: str
    name: str
    created_at: str


class ZoneObject(msgspec.Struct, frozen=True):
    host: str
    type: str
    is_high_reputation: bool


class Change(msgspec.Struct, frozen=True):
    host: str
    status: str
    created_at: str


class Meta(msgspec.Struct, frozen=True):
    count: int
    offset: int
    limit: int


class Page(msgspec.Struct, frozen=True):
    """One page of a list, and how many there are in all."""

    data: Sequence[Any]
    meta: Meta


class Rows(msgspec.Struct, frozen=True):
    data: Sequence[Any]


def render(refusal: Refusal) -> Response[bytes]:
    fields = refusal.cause.fields if isinstance(refusal.cause, InvalidFields) else ()
    body = Refused(refusal.status, refusal.message, tuple(FieldComplaint(*field) for field in fields))
    return Response(
        msgspec.json.encode(body), status_code=refusal.status, media_type=JSON, headers=dict(refusal.headers)
    )


DIALECT = Dialect(
    name="emailconsul",
    render=render,
    prefixes=(PREFIX,),
    open_paths=frozenset(
        f"{PREFIX}/doc{name}" for name in ("", "/openapi.json", "/page.js", "/swagger-ui.css", "/swagger-ui-bundle.js")
    ),
    kinds=frozenset({KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.MASTER}),
    refusals=frozenset({400, 401, 403, 404, 500, 503}),
    refused=Refused,
)


def page(rows: Sequence[Any], total: int, part: Window) -> Page:
    return Page(rows, Meta(total, part.offset, part.limit))


date = iso_text


def alert(found: Alert, failures: Mapping[str, str], warned: Sequence[Warned] = ()) -> AlertObject:
    """`failures` says why it could not be evaluated: by the keys of rules, and by "" of the alert as a whole."""
    text = "; ".join(f"rule {key}: {reason}" if key else reason for key, reason in failures.items())
    return AlertObject(
        id=found.id, name=found.name, profile_id=found.profile_id, is_active=found.is_active,
        is_in_daily_report=found.is_in_daily_report, is_instant_alert=found.is_instant_alert,
        is_on_dashboards=found.is_on_dashboards, instant_alert_email=found.instant_alert_email,
        instant_alert_email_email=found.instant_alert_email, slack_integration_id=found.slack_integration_id,
        webhook_url=found.webhook_url, formula=found.formula, rules=found.rules, created_at=date(found.created_at),
        updated_at=date(found.updated_at), error=text or msgspec.UNSET,
        warnings=[FieldComplaint(each.field, each.message) for each in warned] or msgspec.UNSET,
        severity=msgspec.UNSET if found.severity is Severity.WARNING else found.severity,
        channel_ids=found.channel_ids or msgspec.UNSET,
    )  # fmt: skip


def entry(found: LogEntry) -> LogEntryObject:
    return LogEntryObject(
        id=found.id,
        profile_id=found.profile_id,
        user_alert_id=found.alert_id,
        name=found.name,
        rules=tuple(_fired(rule) for rule in found.rules),
        timestamp=date(found.at),
    )


def webhook_body(notification: Notification) -> bytes:
    """What a webhook posts: the log entry, each rule with its matchings under the older guide's name, too."""
    body = msgspec.to_builtins(entry(msgspec.convert(notification.body, prepared(LogEntry))))
    for rule in body["rules"]:
        rule["matching"] = rule["matchings"]
    body["severity"] = notification.body.get("severity", Severity.WARNING)  # ours
    if held := notification.body.get("held"):
        body["held"] = {"since": maybe_date(held["since"]), "holds": held["holds"]}  # ours: it waited over quiet hours
    return msgspec.json.encode(body)


def _fired(rule: FiredRule) -> FiredRuleObject:
    """Times are milliseconds inside, and dates on the wire, wherever they stand."""
    items = rule.matchings.get("items", ())
    if rule.type in _VALUED_BY_DATE:
        items = [{**item, "value": maybe_date(item.get("value"))} for item in items]
    return FiredRuleObject(rule.type, _dated(rule.snapshot), {**rule.matchings, "items": items})


def _dated(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: _told(name, value) for name, value in record.items()}


def _told(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_dated(each) if isinstance(each, Mapping) else each for each in value]
    return maybe_date(value) if name in _DATES else value


def watched(found: Asset) -> dict[str, Any]:
    """The fields of `WatchedObject`."""
    return {
        "id": found.id,
        "profile_id": found.profile_id,
        "status": found.status.value,
        "error": found.error,
        "created_at": date(found.created_at),
        "updated_at": maybe_date(found.updated_at),
    }


def maybe_date(ms: object) -> str | None:
    """None where nothing is known."""
    try:
        return date(ms) if isinstance(ms, int) and ms else None
    except (ValueError, OverflowError, OSError):
        return None  # no calendar goes so far


def day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def profile(found: Profile) -> ProfileObject:
    return ProfileObject(found.id, found.name, date(found.created_at))


def zone(found: Zone, kind: str) -> ZoneObject:
    return ZoneObject(found.host, kind, found.high_reputation)


def change(found: Observation) -> Change:
    return Change(found.key, "BLACKLISTED" if found.data.get("listed") else "RESOLVED", date(found.at))
