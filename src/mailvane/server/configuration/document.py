"""The file: TOML of a fixed shape, read and written. Knows no store.

A part that the file does not have is left alone. Names are keys: what is called otherwise is another thing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import UNSET, Meta, UnsetType

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.core.setting_tables import plain
from mailvane.notify.model import Severity
from mailvane.outbound.model import LimitKind
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.heartbeats import USUAL_GRACE_SECONDS

# Those that need no secret and no approval: an SNDS key has one, a trap wants the other.
Watchable = Literal["ip", "domain", "gp_domain", "lookalike", "dmarc", "honeytoken"]
WATCHABLE: tuple[Watchable, ...] = ("ip", "domain", "gp_domain", "lookalike", "dmarc", "honeytoken")
Watched = dict[Watchable, list[str]]
_Text = Annotated[str, Meta(max_length=2000)]


class Windows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Mails in each window (UTC); left out: no limit there."""

    hourly: int | None = None
    daily: int | None = None
    monthly: int | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is watched in a profile."""

    watched: Watched = {}


class AlertPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An alert, whole: what is left out is as it would be for a new one. Profile and Slack by name."""

    name: str
    rules: list[dict[str, Any]]
    formula: str | None = None
    profile: str | None = None
    is_active: bool = True
    is_in_daily_report: bool = False
    is_instant_alert: bool = False
    is_on_dashboards: bool = False
    instant_alert_email: str | None = None
    webhook_url: str | None = None
    slack: str | None = None
    severity: Severity = Severity.WARNING
    channels: list[str] = []

    def draft(self, profile_id: str | None, slack_id: str | None, channel_ids: Sequence[str]) -> AlertDraft:
        given = {name: getattr(self, name) for name in AlertDraft.__struct_fields__ if name in self.__struct_fields__}
        return AlertDraft(**given, profile_id=profile_id, slack_integration_id=slack_id, channel_ids=channel_ids)


class NamedChannelPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A channel. Its url is a secret: left out, it stays as it is. Of mail it is an address, and none."""

    url: _Text | None = None
    min_severity: Severity = Severity.INFO
    quiet_from: str = ""
    quiet_until: str = ""
    quiet_zone: str = ""


class Channels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """By kind and name."""

    slack: dict[str, NamedChannelPart] = {}
    webhook: dict[str, NamedChannelPart] = {}
    email: dict[str, NamedChannelPart] = {}
    apprise: dict[str, NamedChannelPart] = {}


class HeartbeatPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A heartbeat. Without the hash (SHA-256) of its address's secret the address stays, or is a new one."""

    period: int  # seconds
    grace: int = USUAL_GRACE_SECONDS
    secret_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole file."""

    channels: Channels | UnsetType = UNSET
    domains: dict[str, dict[str, Any]] | UnsetType = UNSET  # fields of `Domain` that may be declared
    limits: dict[LimitKind, dict[str, Windows]] | UnsetType = UNSET
    watched: Watched | UnsetType = UNSET  # in no profile
    profiles: dict[str, Profile] | UnsetType = UNSET
    alerts: list[AlertPart] | UnsetType = UNSET
    heartbeats: dict[str, HeartbeatPart] | UnsetType = UNSET


def read(text: str | bytes) -> Document:
    """Raises InvalidInput, which says where."""
    try:
        content = tomllib.loads(text.decode() if isinstance(text, bytes) else text)
        return msgspec.convert(content, prepared(Document))
    except msgspec.ValidationError as error:
        raise InvalidInput(plain(error, Document)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this is no TOML: {error}") from None
    except RecursionError:
        raise InvalidInput("this is nested too deeply") from None


def written(document: Document) -> str:
    """As TOML; what is not there is left out, as TOML knows no null."""
    return tomli_w.dumps(_without_nulls(msgspec.to_builtins(document)))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(each) for each in value if each is not None]
    return value
