"""The form that an alert is written in: fields of its rule type, or its definition as JSON; and back to a draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidFields
from mailvane.dashboard.visits import Query
from mailvane.notify.model import Severity
from mailvane.reputation.alerts.configuration import Parameter, parameters_of
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.texts.evidence import meaning_of

_ALL = {"ips": "ALL_IPS", "rbls": "HIGH_REPUTATION", "gp_ips": "ALL_GP_IPS", "snds_ips": "ALL_SNDS_IPS",
        "traps_ips": "ALL_TRAPS_IPS", "domains": "ALL_DOMAINS", "gp_domains": "ALL_GP_DOMAINS",
        "traps_domains_from": "ALL_TRAPS_DOMAINS", "names": "ANY", "logs": "ANY", "sources": "ANY"}  # fmt: skip
_PREFIX = "rule."
_LONGEST_JSON = 32_000


class Field(msgspec.Struct, frozen=True):
    """One field of a rule."""

    name: str  # of the form's element
    label: str
    takes: str
    choices: tuple[str, ...]
    is_list: bool
    unit: str  # "%" where the form asks for percent of a share
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        return ", ".join(self.values)


class AlertForm(msgspec.Struct, frozen=True):
    """An alert as it stands in the form."""

    kind: str  # of its one rule; empty: the definition is written as JSON
    fields: tuple[Field, ...]
    name: str = ""
    profile_id: str = ""
    webhook_url: str = ""
    email: str = ""
    slack: str = ""
    severity: str = Severity.WARNING.value
    channel_ids: tuple[str, ...] = ()
    in_daily_report: bool = False
    is_active: bool = True
    json: str = ""


def new_form(kind: str) -> AlertForm:
    """With what a rule of this type usually says. Raises InvalidFields."""
    if not kind:
        return AlertForm("", (), json=_pretty({"name": "", "rules": [], "formula": None}))
    given = {_PREFIX + each.name: _usual(each) for each in _parameters(kind)}
    return AlertForm(kind, tuple(_fields(kind, given)), name=meaning_of(kind).title, in_daily_report=True)


def form_of(alert: Alert) -> AlertForm:
    """An alert that is kept. More than one rule is written as JSON."""
    draft = AlertDraft(**{name: getattr(alert, name) for name in AlertDraft.__struct_fields__})
    kind = str(alert.rules[0].get("type")) if len(alert.rules) == 1 else ""
    if kind not in CATALOGUE:
        return AlertForm("", (), json=_pretty(msgspec.to_builtins(draft)))
    given = dict(_flat(kind, alert.rules[0]))
    return AlertForm(
        kind, tuple(_fields(kind, given)), name=alert.name, profile_id=alert.profile_id or "",
        webhook_url=alert.webhook_url or "", email=alert.instant_alert_email or "",
        slack=alert.slack_integration_id or "", in_daily_report=alert.is_in_daily_report, is_active=alert.is_active,
        severity=alert.severity.value, channel_ids=alert.channel_ids,
    )  # fmt: skip


def read_form(query: Query) -> AlertForm:
    """As it was sent; nothing is judged. Raises InvalidFields where there is no such rule type."""

    def one(name: str) -> str:
        return query.get(name, ("",))[-1].strip()

    kind = one("type")
    fields = tuple(_fields(kind, {name: tuple(values) for name, values in query.items()})) if kind else ()
    return AlertForm(
        kind, fields, name=one("name"), profile_id=one("profile"), webhook_url=one("webhook"), email=one("email"),
        slack=one("slack"), in_daily_report=bool(one("daily")), is_active=not one("stopped"), json=one("draft"),
        severity=one("severity") or Severity.WARNING.value, channel_ids=tuple(query.get("channel", ())),
    )  # fmt: skip


def draft_of(form: AlertForm) -> AlertDraft:
    """Raises InvalidFields where a number or the JSON cannot be read."""
    if not form.kind:
        return _from_json(form.json)
    return AlertDraft(
        name=form.name, rules=(_rule(form),), profile_id=form.profile_id or None, is_active=form.is_active,
        is_in_daily_report=form.in_daily_report, is_instant_alert=bool(form.email),
        instant_alert_email=form.email or None, webhook_url=form.webhook_url or None,
        slack_integration_id=form.slack or None, severity=_severity(form.severity), channel_ids=form.channel_ids,
    )  # fmt: skip


def _severity(text: str) -> Severity:
    try:
        return Severity(text)
    except ValueError:
        raise InvalidFields(("severity", f"expected one of {', '.join(Severity)}")) from None


def _from_json(text: str) -> AlertDraft:
    if len(text) > _LONGEST_JSON:
        raise InvalidFields(("draft", f"longer than {_LONGEST_JSON} characters"))
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=prepared(AlertDraft))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidFields(("draft", str(error))) from None


def _parameters(kind: str) -> tuple[Parameter, ...]:
    rule = CATALOGUE.get(kind)
    if rule is None:
        raise InvalidFields(("type", "there is no such rule type"))
    return parameters_of(rule)


def _usual(parameter: Parameter) -> tuple[str, ...]:
    if parameter.name in _ALL:
        return (_ALL[parameter.name],)
    value = parameter.example
    if isinstance(value, list):
        return tuple(str(each) for each in value)
    return (str(value),) if parameter.choices else ("",)


def _flat(kind: str, raw: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A rule's fields as the form shows them."""
    for parameter in _parameters(kind):
        field, _, inner = parameter.name.partition(".")
        value = raw.get(field, "")
        value = value.get(inner, "") if inner and isinstance(value, Mapping) else value
        if isinstance(value, list | tuple):
            yield _PREFIX + parameter.name, tuple(str(each) for each in value)
        elif _unit(kind, parameter) and isinstance(value, int | float):
            yield _PREFIX + parameter.name, (f"{Decimal(str(value)) * 100:f}",)
        else:
            yield _PREFIX + parameter.name, (f"{value:g}" if isinstance(value, float) else str(value),)


def _fields(kind: str, given: Mapping[str, Sequence[str]]) -> Iterator[Field]:
    for parameter in _parameters(kind):
        name = _PREFIX + parameter.name
        yield Field(
            name, _label(kind, parameter), parameter.takes.replace("`", ""), parameter.choices, parameter.is_list,
            _unit(kind, parameter), tuple(given.get(name, ())),
        )  # fmt: skip


def _label(kind: str, parameter: Parameter) -> str:
    _, _, inner = parameter.name.rpartition(".")
    if inner == "value":
        return meaning_of(kind).value.label
    return {"operator": "is", "time_range": "within"}.get(inner, inner.replace("_", " "))


def _unit(kind: str, parameter: Parameter) -> str:
    """What a share is asked for in."""
    is_number = parameter.name.endswith(".value") and not parameter.choices
    return "%" if is_number and meaning_of(kind).value.form == "share" else ""


def _rule(form: AlertForm) -> dict[str, Any]:
    found: dict[str, Any] = {"type": form.kind}
    for field in form.fields:
        name, _, inner = field.name.removeprefix(_PREFIX).partition(".")
        value = _value(field)
        if inner:
            found.setdefault(name, {})[inner] = value
        else:
            found[name] = value
    return found


def _value(field: Field) -> object:
    if field.is_list:
        given = field.values if field.choices else [each.strip() for each in ",".join(field.values).split(",")]
        return [each for each in given if each]
    text = field.values[-1].strip() if field.values else ""
    if field.choices:
        return text
    try:
        number = Decimal(text.removesuffix("%").strip())
        value = float(number / 100 if field.unit else number)
    except (InvalidOperation, ValueError, OverflowError):
        raise InvalidFields((field.label.lower(), "expected a number")) from None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
