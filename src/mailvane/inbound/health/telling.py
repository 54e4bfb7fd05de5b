"""Tells people of a health report: Slack by incoming webhook, mail by the SMTP server of the settings.

The webhook's address is a secret, and stands in no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import CollectionFailed, InvalidInput
from mailvane.core.http_client import Answer, HttpClient, RateLimited
from mailvane.core.mailbox import read_mailbox
from mailvane.inbound.health.model import HealthReport
from mailvane.inbound.health.texts.letter import letter_of
from mailvane.notify.email import Email
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import NotDelivered, Refused, RenderedEmail
from mailvane.notify.settings import OutgoingMail

_MOST_ANSWER = 100_000
_MOST_PATIENCE = 60.0  # seconds that one message waits
_GONE = frozenset({403, 404, 410})  # as Slack answers for a webhook that was removed or switched off


async def post_to_slack(url: str, messages: Sequence[Mapping[str, Any]]) -> None:
    """One after the other, each once: Slack shows what comes twice twice. Raises NotDelivered, Refused."""
    async with HttpClient("Slack", most_bytes=_MOST_ANSWER, pauses=()) as client:
        for message in messages:
            answer = await _asked(client, url, message)
            if answer.status in _GONE:
                raise Refused(f"Slack has no such webhook (status {answer.status})")
            if not 200 <= answer.status < 300:
                told = "".join(each for each in answer.body[:100].decode("utf-8", "replace") if each.isprintable())
                raise NotDelivered(f"Slack does not take it (status {answer.status}): {told}")


async def _asked(client: HttpClient, url: str, message: Mapping[str, Any]) -> Answer:
    """Again while Slack asks for patience, which it does after about a message a second. Raises NotDelivered."""
    waits = 0.0
    while True:
        try:
            return await client.ask(url, json=message)
        except RateLimited as error:
            pause = max(1.0, error.wait_ms / 1000)
            if waits + pause > _MOST_PATIENCE:
                raise NotDelivered(error.message) from None
        except CollectionFailed as error:
            raise NotDelivered(error.message) from None
        waits += pause
        await asyncio.sleep(pause)


def slack_url(file: str | None) -> str:
    """The address that a file holds. Raises Refused."""
    if file is None:
        raise Refused("no Slack webhook is set: slack_url_file of [health], or --slack-url")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Refused(f"the file of the Slack webhook cannot be read: {type(error).__name__}") from None


async def send_by_mail(report: HealthReport, mail: OutgoingMail, recipients: Sequence[str]) -> None:
    """One mail for each mailbox, with an id that stays. Raises InvalidInput, NotDelivered, Refused.

    A mailbox that fails keeps no other from its mail.
    """
    if not mail.host:
        raise Refused("no mail server is set: host of [reputation.mail]")
    email = Email(mail, _letter_of)
    addresses = dict.fromkeys(read_mailbox(one).address for one in recipients)
    sent = await asyncio.gather(
        *(email.deliver(_notification(report, address), report.at) for address in addresses), return_exceptions=True
    )
    for failed in sent:
        if isinstance(failed, BaseException):
            raise failed


def _letter_of(notification: Notification) -> RenderedEmail:
    try:
        return letter_of(msgspec.convert(notification.body, prepared(HealthReport)))
    except msgspec.ValidationError as error:
        raise InvalidInput(f"this notification is no health report: {error}") from None


def _notification(report: HealthReport, recipient: str) -> Notification:
    who = sha256(recipient.encode()).hexdigest()[:16]
    return Notification(
        id=f"health_{report.day}_{report.at}_{who}",
        workspace=0,
        channel=Channel.EMAIL,
        target=recipient,
        body=msgspec.to_builtins(report),
        created_at=report.at,
    )
