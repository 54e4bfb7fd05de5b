"""The paths of notifications in Mailvane's own interface, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.notify.api import channels as named
from mailvane.notify.api import notifications as telling
from mailvane.notify.model import Attempt, Notification, SigningSecret, Target
from mailvane.notify.services import NotifyServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, RouteTable


def _telling() -> Iterator[Endpoint]:
    path, slack = "/notifications", "/slack-integrations"
    one = f"{path}/{{notification_id:str}}"
    yield Endpoint(
        "get", path, "list_notifications", "Messages", telling.notifications, list[Notification],
        query=telling.NOTIFICATIONS,
    )  # fmt: skip
    yield Endpoint("get", f"{one}/attempts", "list_attempts", "Its deliveries", telling.attempts, list[Attempt])
    yield Endpoint("post", f"{one}/resend", "resend_notification", "Send it again", telling.resend, Notification)
    yield Endpoint("get", "/targets", "list_targets", "Who is told, and how that goes", telling.targets, list[Target])
    yield Endpoint(
        "get", "/signing-secrets", "list_secrets", "What webhooks are signed with", telling.signing_secrets,
        list[SigningSecret],
    )  # fmt: skip
    yield Endpoint(
        "post", "/signing-secrets/rotate", "rotate_secrets", "A new one; the former lives for a day", telling.rotate,
        list[SigningSecret],
    )  # fmt: skip
    yield Endpoint(
        "get", slack, "list_slack", "Slack integrations", telling.slack_integrations, list[telling.SlackObject]
    )
    yield Endpoint(
        "post", slack, "add_slack", "A new Slack integration", telling.add_slack_integration, telling.SlackObject,
        telling.SlackBody, 201,
    )  # fmt: skip
    yield Endpoint(
        "delete", f"{slack}/{{integration_id:str}}", "remove_slack", "Remove it", telling.remove_slack_integration,
        None,
    )  # fmt: skip


def _channels() -> Iterator[Endpoint]:
    path, one = "/channels", "/channels/{channel_id:str}"
    yield Endpoint("get", path, "list_channels", "Channels by name", named.channels, list[named.ChannelObject])
    yield Endpoint(
        "post", path, "add_channel", "A new channel: webhook, mail, Slack or Apprise", named.add_channel,
        named.ChannelObject, named.ChannelBody, 201,
    )  # fmt: skip
    yield Endpoint(
        "patch", one, "change_channel", "Change its name, its address, what it is told and when",
        named.change_channel, named.ChannelObject, named.ChannelChanges,
    )  # fmt: skip
    yield Endpoint("delete", one, "remove_channel", "Remove it", named.remove_channel, None)


ROUTES = RouteTable([*_telling(), *_channels()], NotifyServices, NATIVE, ("Native",), NATIVE_PREFIX)
