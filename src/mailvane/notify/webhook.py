"""Webhooks by the Standard Webhooks specification: signed, with an id that stays when a message is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook as Signature

from mailvane.core.egress import EgressGuard
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Delivered, Refused
from mailvane.notify.posting import Posting


class Webhook:
    """Posts notifications to URLs. Belongs to one event loop."""

    channel = Channel.WEBHOOK

    def __init__(
        self,
        guard: EgressGuard,
        secrets: Callable[[int, int], Sequence[str]],
        body: Callable[[Notification], bytes],
        url_of: Callable[[int, str], str | None] = lambda _workspace, _channel: None,
    ) -> None:
        """`secrets` gives those of a workspace that live at a time, `body` what is posted.

        `url_of` gives the address of a workspace's channel by its id; None when there is no such one.
        """
        self._url_of = url_of
        self._secrets = secrets
        self._body = body
        self._posting = Posting(guard)

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        """Raises NotDelivered, Refused, NotAllowed."""
        body = self._body(notification)
        url: str | None = notification.target
        if "://" not in notification.target:
            url = await asyncio.to_thread(self._url_of, notification.workspace, notification.target)
        if url is None:
            raise Refused("there is no such channel any more")
        secrets = await asyncio.to_thread(self._secrets, notification.workspace, now)
        headers = {"Content-Type": "application/json", **signed(notification.id, now, body, secrets)}
        return await self._posting.post(url, headers, body, now)

    async def close(self) -> None:
        await self._posting.close()


def signed(message: str, now: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers; one signature for each secret that lives."""
    moment = datetime.fromtimestamp(now // 1000, UTC)
    text = body.decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(now // 1000),
        "webhook-signature": " ".join(Signature(secret).sign(message, moment, text) for secret in secrets),
    }
