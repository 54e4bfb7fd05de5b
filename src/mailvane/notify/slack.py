"""Slack, by incoming webhooks. The caller that makes the notifier gives the text.

The address of such a webhook is its secret: it is looked up for each message, and stands in no log and no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mailvane.core.egress import EgressGuard
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Delivered, Refused
from mailvane.notify.posting import Posting


class Slack:
    """Posts notifications to integrations. Belongs to one event loop."""

    channel = Channel.SLACK

    def __init__(
        self, guard: EgressGuard, url_of: Callable[[int, str], str | None], body: Callable[[Notification], bytes]
    ) -> None:
        """`url_of` gives the address of a workspace's integration by its id; None when there is no such one.

        `body` gives what is posted, and raises Refused when the notification cannot be told by Slack.
        """
        self._body = body
        self._url_of = url_of
        self._posting = Posting(guard)

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        """Raises NotDelivered, Refused, NotAllowed."""
        body = self._body(notification)
        url = await asyncio.to_thread(self._url_of, notification.workspace, notification.target)
        if url is None:
            raise Refused("there is no such Slack integration any more")
        return await self._posting.post(url, {"Content-Type": "application/json; charset=utf-8"}, body, now)

    async def close(self) -> None:
        await self._posting.close()
