"""Notifications: messages and their state, targets, signing secrets, Slack. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.core.identifiers import new_id
from mailvane.notify.channels import LONGEST_NAME, is_web_address
from mailvane.notify.model import (
    Attempt,
    Channel,
    Notification,
    NotificationState,
    SigningSecret,
    SlackIntegration,
    Target,
)
from mailvane.notify.services import NotifyServices
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json
from mailvane.web.parameters import number, part

_USUAL, _MOST = 100, 1000
NOTIFICATIONS = (
    Parameter("state", "Only messages in this state.", {"type": "string", "enum": [*NotificationState, ""]}),
    *part(_USUAL, _MOST)[1:],
)


class SlackBody(msgspec.Struct, frozen=True, kw_only=True):
    """A Slack incoming webhook."""

    name: str
    url: str


class SlackObject(msgspec.Struct, frozen=True, kw_only=True):
    """Without its address, which is a secret."""

    id: str
    name: str
    created_at: int


def notifications(services: NotifyServices, asked: Asked) -> list[Notification]:
    """The newest first."""
    text = asked.query.get("state", "")
    if text and text not in {each.value for each in NotificationState}:
        raise InvalidFields(("state", f"expected one of {', '.join(NotificationState)}"))
    state = NotificationState(text) if text else None
    return services.outbox.notifications(asked.workspace, state, number(asked, "limit", _USUAL, _MOST))


def attempts(services: NotifyServices, asked: Asked) -> list[Attempt]:
    return services.outbox.attempts(asked.workspace, asked.path["notification_id"])


def resend(services: NotifyServices, asked: Asked) -> Notification:
    """Its target is tried again, also one that was given up."""
    sent = services.outbox.resend(asked.workspace, asked.path["notification_id"], asked.now)
    services.outbox.save_target(Target(workspace=asked.workspace, channel=sent.channel, target=sent.target))
    return sent


def targets(services: NotifyServices, asked: Asked) -> list[Target]:
    """Targets that notifications were sent to, with their recent results."""
    return services.outbox.targets(asked.workspace)


def signing_secrets(services: NotifyServices, asked: Asked) -> Sequence[SigningSecret]:
    return services.signing.living(asked.workspace, asked.now)


def rotate(services: NotifyServices, asked: Asked) -> Sequence[SigningSecret]:
    return services.signing.rotate(asked.workspace, asked.now)


def slack_integrations(services: NotifyServices, asked: Asked) -> list[SlackObject]:
    return [_shown(one) for one in services.channels.slack_integrations(asked.workspace)]


def add_slack_integration(services: NotifyServices, asked: Asked) -> SlackObject:
    given = read_json(SlackBody, asked.body)
    integration = checked_integration(given.name, given.url, asked.workspace, asked.now)
    services.channels.add_slack_integration(integration)
    return _shown(integration)


def checked_integration(name: str, url: str, workspace: int, now: int) -> SlackIntegration:
    """A new one, as a user wrote it. Raises InvalidFields."""
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InvalidFields(("name", f"1 to {LONGEST_NAME} characters are required"))
    if not is_web_address(url):
        raise InvalidFields(("url", f"expected the address of an incoming webhook of {Channel.SLACK.value}"))
    return SlackIntegration(id=new_id(), workspace=workspace, name=name.strip(), url=url, created_at=now)


def remove_slack_integration(services: NotifyServices, asked: Asked) -> None:
    services.channels.remove_slack_integration(asked.workspace, asked.path["integration_id"])


def _shown(integration: SlackIntegration) -> SlackObject:
    return SlackObject(id=integration.id, name=integration.name, created_at=integration.created_at)
