"""The bodies and queries of the EmailConsul API. What is wrong is named by its field; unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.core.moments import DAY_MS, iso_ms
from mailvane.notify.model import Severity
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.model import Alert
from mailvane.web.json_body import InvalidBody, NotJson, TooDeep, read_json

MOST_ROWS = 1000
USUAL_ROWS = 20
LONGEST_PERIOD_MS = 30 * DAY_MS
_LATEST_MS = 253_370_764_800_000  # the year 9999: what is told of days beyond it has no date
_ALL = 2**31 - 1
BY_NAME = ("name", "-name")
_NAMING = ("ip", "domain", "email", "ips", "domains", "emails")


class AlertBody(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as a client writes it; either spelling of the instant address."""

    name: str = ""
    rules: Sequence[Mapping[str, Any]] = ()
    formula: str | None = None
    profile_id: str | None = None
    is_active: bool | None = None
    is_in_daily_report: bool | None = None
    is_instant_alert: bool | None = None
    is_on_dashboards: bool | None = None
    instant_alert_email: str | None = None
    instant_alert_email_email: str | None = None
    webhook_url: str | None = None
    slack_integration_id: str | None = None
    severity: Severity | None = None  # ours
    channel_ids: Sequence[str] | None = None  # ours: channels that have names


class _Naming(msgspec.Struct, frozen=True, kw_only=True):
    """What to watch: by one field or by several, each a name or a list of names."""

    profile_id: str | None = None

    @property
    def named(self) -> Sequence[tuple[str, str]]:
        """Each name behind its place in the body."""
        found: list[tuple[str, str]] = []
        for field in _NAMING:
            given = getattr(self, field, None)
            if isinstance(given, str):
                found += [(field, given)] if given else []
            else:
                found += [(f"{field}[{place}]", name) for place, name in enumerate(given or ())]
        return found


class IpsBody(_Naming, frozen=True, kw_only=True):
    """Addresses to watch: one, several, or networks."""

    ip: str | None = None
    ips: Sequence[str] = ()


class DomainsBody(_Naming, frozen=True, kw_only=True):
    """Domains to watch."""

    domain: str | None = None
    domains: Sequence[str] = ()


class TrapsBody(_Naming, frozen=True, kw_only=True):
    """Addresses and domains whose mail to spam traps is of interest."""

    ip: str | None = None
    domain: str | None = None
    ips: Sequence[str] = ()
    domains: Sequence[str] = ()


class TokensBody(_Naming, frozen=True, kw_only=True):
    """Addresses that were given to one party only, with the domains that may write to them."""

    email: str | None = None
    emails: Sequence[str] = ()
    trusted_domains: Sequence[str] = ()


class TrustBody(msgspec.Struct, frozen=True, kw_only=True):
    """The domains that may write to a token."""

    trusted_domains: Sequence[str]


class CredentialsBody(msgspec.Struct, frozen=True, kw_only=True):
    """An SNDS key, as Microsoft's page of automated access shows it. It is never shown again."""

    key: str
    name: str = ""
    profile_id: str | None = None


class CredentialsChange(msgspec.Struct, frozen=True, kw_only=True):
    """What may be changed of an SNDS key."""

    key: str | None = None
    status: Literal["ACTIVE", "TERMINATED"] | None = None


class StateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A user's classification of a lookalike."""

    state: Literal["UNCLASSIFIED", "THREAT", "IGNORED"]


class ProfileBody(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""


class Window(msgspec.Struct, frozen=True):
    """Which part of a list."""

    offset: int
    limit: int
    sort: str

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")


def read(model: type[msgspec.Struct], body: bytes) -> Any:
    """Raises InvalidFields."""
    try:
        return read_json(model, body)
    except InvalidBody as error:
        raise InvalidFields((error.field or "body", error.complaint)) from None
    except TooDeep:
        raise InvalidFields(("body", "is nested too deeply")) from None
    except NotJson:
        raise InvalidFields(("body", "is not JSON")) from None


def draft(body: bytes, known: Alert | None = None) -> AlertDraft:
    """A body that does not say whether the alert is active leaves a known one as it is. Raises InvalidFields."""
    given: AlertBody = read(AlertBody, body)
    return AlertDraft(
        name=given.name,
        rules=tuple(given.rules),
        formula=given.formula or None,
        profile_id=given.profile_id or None,
        is_active=(known is None or known.is_active) if given.is_active is None else given.is_active,
        is_in_daily_report=bool(given.is_in_daily_report),
        is_instant_alert=bool(given.is_instant_alert),
        is_on_dashboards=bool(given.is_on_dashboards),
        instant_alert_email=given.instant_alert_email or given.instant_alert_email_email or None,
        webhook_url=given.webhook_url or None,
        slack_integration_id=given.slack_integration_id or None,
        # A client that knows nothing of what is ours does not take it away.
        severity=given.severity or (known.severity if known else Severity.WARNING),
        channel_ids=tuple((known.channel_ids if known else ()) if given.channel_ids is None else given.channel_ids),
    )


def window(query: Mapping[str, str], orders: Sequence[str]) -> Window:
    """Raises InvalidFields."""
    sort = query.get("sort") or orders[0]
    if sort not in orders:
        raise InvalidFields(("sort", f"expected one of {', '.join(orders)}"))
    return Window(_number(query, "offset", 0, _ALL), _number(query, "limit", USUAL_ROWS, MOST_ROWS), sort)


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return usual
    least = 0 if name == "offset" else 1
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and least <= int(text) <= most):
        raise InvalidFields((name, f"expected a number from {least} to {most}"))
    return int(text)


def period(query: Mapping[str, str]) -> tuple[int, int]:
    """From and to, in milliseconds. Raises InvalidFields."""
    return _moment(query, "period_from"), _moment(query, "period_to")


def recent(
    query: Mapping[str, str], now: int, names: tuple[str, str] = ("period_from", "period_to")
) -> tuple[int, int]:
    """A period of 30 days at most; the last 30 days where nothing is said. Raises InvalidFields."""
    until = _moment(query, names[1]) if query.get(names[1]) else now + 1
    since = _moment(query, names[0]) if query.get(names[0]) else until - LONGEST_PERIOD_MS
    if not 0 <= until - since <= LONGEST_PERIOD_MS:
        raise InvalidFields((names[1], f"expected a time after {names[0]}, by 30 days at most"))
    return since, until


def several(query: Mapping[str, str], name: str) -> frozenset[str]:
    """A list with commas."""
    return frozenset(part.strip() for part in query.get(name, "").split(",") if part.strip())


def chosen(query: Mapping[str, str], name: str, choice: Sequence[str]) -> str:
    """Raises InvalidFields."""
    given = query.get(name, "")
    if given not in choice:
        raise InvalidFields((name, f"expected one of {', '.join(filter(None, choice))}"))
    return given


def _moment(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        raise InvalidFields((name, "is required"))
    try:
        moment = iso_ms(text)
    except ValueError:
        raise InvalidFields((name, "expected a time such as 2026-07-06T00:00:00.000Z")) from None
    if not 0 <= moment < _LATEST_MS:
        raise InvalidFields((name, "expected a time of the years 1970 to 9998"))
    return moment
