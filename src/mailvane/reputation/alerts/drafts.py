"""What a user may say of an alert, and from a draft to an alert: every fault is named by its field. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.notify.channels import is_web_address
from mailvane.notify.model import Severity
from mailvane.reputation.alerts.engine import keys_of, read_formula
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.alerts.rules import read_rule

MOST_RULES = 20
MOST_CHANNELS = 20
_LONGEST_NAME = 200
_DEEPEST = 32  # levels of a rule: what is kept of one stands in documents that are some levels deeper
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\[\]\\\x00-\x1f\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class AlertDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as a user wrote it, before it has an id or was found to be possible."""

    name: str
    rules: Sequence[Mapping[str, Any]]
    formula: str | None = None
    profile_id: str | None = None
    is_active: bool = True
    is_in_daily_report: bool = False
    is_instant_alert: bool = False
    is_on_dashboards: bool = False
    instant_alert_email: str | None = None
    webhook_url: str | None = None
    slack_integration_id: str | None = None
    severity: Severity = Severity.WARNING
    channel_ids: Sequence[str] = ()


def drafted(draft: AlertDraft, alert: Alert) -> Alert:
    """The alert with everything that the draft says. Raises InvalidFields, with all that is wrong with it."""
    wrong = [*_about_itself(draft), *_about_rules(draft), *_about_targets(draft)]
    if wrong:
        raise InvalidFields(*wrong)
    given = {name: getattr(draft, name) for name in AlertDraft.__struct_fields__}
    return msgspec.structs.replace(
        alert,
        **{
            **given,
            "name": draft.name.strip(),
            "rules": tuple(draft.rules),
            "channel_ids": tuple(dict.fromkeys(draft.channel_ids)),
        },
    )


def _about_itself(draft: AlertDraft) -> list[tuple[str, str]]:
    if not draft.name.strip():
        return [("name", "is required")]
    if len(draft.name) > _LONGEST_NAME:
        return [("name", f"longer than {_LONGEST_NAME} characters")]
    return []


def _about_rules(draft: AlertDraft) -> list[tuple[str, str]]:
    if not draft.rules:
        return [("rules", "at least one is required")]
    if len(draft.rules) > MOST_RULES:
        return [("rules", f"more than {MOST_RULES}")]
    wrong: list[tuple[str, str]] = []
    for place, raw in enumerate(draft.rules):
        try:
            read_rule(raw, f"rules[{place}]")
            if _depth(raw) > _DEEPEST:
                wrong.append((f"rules[{place}]", "is nested too deeply"))
        except InvalidFields as error:
            wrong.extend(error.fields)
    return wrong or _about_formula(draft)


def _depth(value: object) -> int:
    """How many objects and arrays stand in one another; without recursion, as it is not known yet."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, Mapping | list | tuple)]:
        level = [part for each in level for part in (each.values() if isinstance(each, Mapping) else each)]
        depth += 1
    return depth


def _about_formula(draft: AlertDraft) -> list[tuple[str, str]]:
    if len(draft.rules) == 1:
        return []  # one rule stays the simple case, whatever a formula says
    keys = keys_of(draft.rules)
    if len(set(keys)) < len(keys):
        return [("rules", "two rules have the same key")]
    if not draft.formula:
        return [("formula", "is required where there is more than one rule")]
    try:
        read_formula(draft.formula, keys)
    except InvalidFields as error:
        return list(error.fields)
    return []


def _about_targets(draft: AlertDraft) -> list[tuple[str, str]]:
    wrong = []
    if len(draft.channel_ids) > MOST_CHANNELS:
        wrong.append(("channel_ids", f"more than {MOST_CHANNELS}"))
    if draft.is_instant_alert and not draft.instant_alert_email:
        wrong.append(("instant_alert_email", "is required for an instant alert"))
    if draft.instant_alert_email and not _ADDRESS.fullmatch(draft.instant_alert_email):
        wrong.append(("instant_alert_email", "is no mail address"))
    if draft.webhook_url and not is_web_address(draft.webhook_url):
        wrong.append(("webhook_url", "expected an address that begins with https:// or http://"))
    return wrong
