"""Notifications: recipient, channel and state of delivery. Values only.

Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Channel(StrEnum):
    """By which channel a notification is sent."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    SLACK = "slack"
    APPRISE = "apprise"


class Severity(StrEnum):
    """How grave what is told is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class NotificationState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # for good
    DISABLED = "disabled"  # not tried: its target failed for days
    WITHDRAWN = "withdrawn"  # it waited over quiet hours, and somebody had seen to it before they ended


def notification_id(entry_id: str, channel: Channel) -> str:
    """Of the message that tells of an alert's log entry by this kind of channel: there is at most one."""
    return f"msg_{entry_id}{channel[0]}"


def named_notification_id(entry_id: str, channel_id: str) -> str:
    """Of the message that tells of an alert's log entry by a channel that has a name."""
    return f"msg_{entry_id}_{channel_id}"


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification. It stays in the outbox until it is delivered or has failed for good."""

    id: str
    workspace: int
    channel: Channel
    target: str  # URL, address, or id of a channel whose address is a secret
    subject: str = ""  # of a mail; what it is about, otherwise
    body: Mapping[str, Any]  # what is told; the channel decides how it looks
    created_at: int
    alert_id: str | None = None
    entry_id: str | None = None
    state: NotificationState = NotificationState.PENDING
    attempts: int = 0
    next_at: int = 0
    delivered_at: int = 0
    at_once: bool = False  # a test: quiet hours do not hold it
    held_since: int = 0  # since when it waits for the end of quiet hours


class Released(msgspec.Struct, frozen=True):
    """What becomes of a notification when the quiet hours that it waited for are over."""

    notification: Notification | None  # None: it is not sent
    why: str = ""  # it is not


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to deliver a notification."""

    at: int
    took_ms: int
    outcome: str  # "delivered", "transient", "permanent" or "withdrawn"
    detail: str = ""  # status code or error, and the beginning of the answer


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries to one place went lately."""

    workspace: int
    channel: Channel
    target: str
    failing_since: int = 0  # 0: the last delivery succeeded
    disabled_at: int = 0


class NamedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A place that is told, with a name and terms of its own. Its target is a secret, unless it is a mail address."""

    id: str
    workspace: int
    kind: Channel
    name: str
    target: str  # URL; of mail, the address
    created_at: int
    min_severity: Severity = Severity.INFO  # what is less grave is not sent
    quiet_from: str = ""  # HH:MM; "": there are no quiet hours
    quiet_until: str = ""  # HH:MM
    quiet_zone: str = ""  # "": that of the settings

    @property
    def shown_target(self) -> str:
        """Without what is secret."""
        if self.kind is Channel.EMAIL:
            return self.target
        scheme, _, rest = self.target.partition("://")
        if self.kind is Channel.APPRISE:
            return f"{scheme}://…"  # what stands behind is an id or a token as often as a host
        return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2].partition('?')[0]}/…"

    @property
    def sent_to(self) -> str:
        """The target of its notifications: no secret stands in the outbox."""
        return self.target if self.kind is Channel.EMAIL else self.id


class SlackIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """A Slack incoming webhook of a workspace. Its address is a secret."""

    id: str
    workspace: int
    name: str
    url: str
    created_at: int


class SigningSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What webhooks of a workspace are signed with. Two live while one is being replaced."""

    workspace: int
    secret: str  # whsec_…
    created_at: int
    expires_at: int = 0  # 0: the current one
