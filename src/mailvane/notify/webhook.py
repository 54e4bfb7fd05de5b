"""Webhooks by the Standard Webhooks specification: signed, with an id that stays when a message is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook as Signature

from mailvane import __version__
from mailvane.domain.alerts import Channel, Notification
from mailvane.notify.answers import judged
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from mailvane.services.egress import Outside, OutsideTransport

TIMEOUT_SECONDS = 10.0


class Webhook:
    """Posts notifications to URLs. Belongs to one event loop."""

    channel = Channel.WEBHOOK

    def __init__(
        self, outside: Outside, secrets: Callable[[int, int], Sequence[str]], body: Callable[[Notification], bytes]
    ) -> None:
        """`secrets` gives those of a workspace that live at a time, `body` what is posted."""
        self._secrets = secrets
        self._body = body
        self._client = httpx.AsyncClient(
            transport=OutsideTransport(outside), timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
        )

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        """Raises NotDelivered, Refused, NotAllowed."""
        body = self._body(notification)
        secrets = await asyncio.to_thread(self._secrets, notification.workspace, now)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Mailvane/{__version__}",
            **signed(notification.id, now, body, secrets),
        }
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._post(notification.target, headers, body, now)
        except TimeoutError:
            raise NotDelivered(f"no answer within {TIMEOUT_SECONDS:g} s") from None
        except httpx.InvalidURL as error:
            raise Refused(f"the address cannot be understood: {error}"[:500]) from None
        except httpx.HTTPError as error:
            raise NotDelivered(f"{type(error).__name__}: {error}"[:500]) from None

    async def _post(self, url: str, headers: dict[str, str], body: bytes, now: int) -> Delivered:
        async with self._client.stream("POST", url, headers=headers, content=body) as response:
            return await judged(response, now)

    async def close(self) -> None:
        await self._client.aclose()


def signed(message: str, now: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers; one signature for each secret that lives."""
    moment = datetime.fromtimestamp(now // 1000, UTC)
    text = body.decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(now // 1000),
        "webhook-signature": " ".join(Signature(secret).sign(message, moment, text) for secret in secrets),
    }
