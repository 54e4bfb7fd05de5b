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


class NotificationState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # for good
    DISABLED = "disabled"  # not tried: its target failed for days


def notification_id(entry_id: str, channel: Channel) -> str:
    """Of the message that tells of an alert's log entry by this channel: there is at most one."""
    return f"msg_{entry_id}{channel[0]}"


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification. It stays in the outbox until it is delivered or has failed for good."""

    id: str
    workspace: int
    channel: Channel
    target: str  # URL, address, or id of a Slack integration
    subject: str = ""  # of a mail; what it is about, otherwise
    body: Mapping[str, Any]  # what is told; the channel decides how it looks
    created_at: int
    alert_id: str | None = None
    entry_id: str | None = None
    state: NotificationState = NotificationState.PENDING
    attempts: int = 0
    next_at: int = 0
    delivered_at: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to deliver a notification."""

    at: int
    took_ms: int
    outcome: str  # "delivered", "transient" or "permanent"
    detail: str = ""  # status code or error, and the beginning of the answer


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries to one place went lately."""

    workspace: int
    channel: Channel
    target: str
    failing_since: int = 0  # 0: the last delivery succeeded
    disabled_at: int = 0


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
