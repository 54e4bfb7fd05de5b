"""An alert as it stands in a JSON file; and whom an alert tells, in a line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.core.setting_tables import nearest
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.model import Alert

LARGEST = 1 << 20
CHANNELS = "channels"  # by name or id, beside the fields of a draft


def fields_of(file: str) -> dict[str, Any]:
    """Fields of a draft, and CHANNELS; what else a kept alert has is left out. `-`: standard input.

    Raises InvalidInput, also for a field that there is not.
    """
    try:
        text = sys.stdin.buffer.read(LARGEST) if file == "-" else Path(file).read_bytes()
        found = msgspec.json.decode(text, type=dict[str, Any])
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{file} is no alert: {error}") from None
    named = (*AlertDraft.__struct_fields__, CHANNELS)
    for name in found:
        if name not in named and name not in Alert.__struct_fields__:
            raise InvalidInput(f"{file}: an alert has no {name[:80]!r}{nearest(name, named)}")
    return {name: value for name, value in found.items() if name in named}


def draft_of(fields: Mapping[str, Any]) -> AlertDraft:
    """Raises InvalidFields."""
    try:
        return msgspec.convert(
            {name: value for name, value in fields.items() if name != CHANNELS}, prepared(AlertDraft)
        )
    except msgspec.ValidationError as error:
        raise InvalidFields(("alert", str(error))) from None


def told_by(alert: Alert) -> str:
    """The kinds of what it tells; empty where it tells nobody."""
    channels = (
        ("webhook", alert.webhook_url),
        ("mail", alert.instant_alert_email if alert.is_instant_alert else None),
        ("Slack", alert.slack_integration_id),
        ("daily report", alert.is_in_daily_report),
        (f"{len(alert.channel_ids)} by name", alert.channel_ids),
    )
    return ", ".join(name for name, target in channels if target)
