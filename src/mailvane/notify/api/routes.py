"""The paths of notifications in Mailvane's own interface, a row each."""

from __future__ import annotations

from collections.abc import Iterator

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


ROUTES = RouteTable([*_telling()], NotifyServices, NATIVE, ("Native",), NATIVE_PREFIX)
