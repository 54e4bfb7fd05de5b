"""Webhooks as a receiver sees them, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from mailvane.core.egress import EgressGuard, HostUnknown
from mailvane.core.errors import NotAllowed
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from mailvane.notify.webhook import Webhook
from tests.unit.notify.receiver import Receiver

SECRETS = ["whsec_bmV3IHNlY3JldCBvZiB0aGUgd29ya3NwYWNl", "whsec_b2xkIHNlY3JldCBvZiB0aGUgd29ya3NwYWNl"]


def notification(url: str) -> Notification:
    return Notification(
        id="msg_1", workspace=7, channel=Channel.WEBHOOK, target=url, body={"name": "ünïcode"}, created_at=0
    )


def deliver(url: str, *allowed: str) -> Delivered:
    async def once() -> Delivered:
        hook = Webhook(EgressGuard(allowed), lambda *_: SECRETS, lambda one: json.dumps(dict(one.body)).encode())
        try:
            return await hook.deliver(notification(url), time.time_ns() // 1_000_000)
        finally:
            await hook.close()

    return asyncio.run(once())


def test_the_receiver_verifies_it_with_either_living_secret() -> None:
    with Receiver().running() as receiver:
        assert deliver(receiver.url, "127.0.0.1").detail == "204"
    (received,) = receiver.received
    for secret in SECRETS:
        assert Verifier(secret).verify(received.body, received.headers) == {"name": "ünïcode"}
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_c29tZSBvdGhlciBzZWNyZXQ=").verify(received.body, received.headers)
    assert (received.headers["webhook-id"], received.headers["content-type"]) == ("msg_1", "application/json")


@pytest.mark.parametrize("status", [307, 400, 401, 404, 408, 409, 422, 425, 429, 500, 503, 599])
def test_what_may_be_taken_later_is_tried_again(status: int) -> None:
    with Receiver(status).running() as receiver, pytest.raises(NotDelivered, match=str(status)):
        deliver(receiver.url, "127.0.0.1")


def test_who_is_gone_is_not_asked_again() -> None:
    with Receiver(410).running() as receiver, pytest.raises(Refused, match="410"):
        deliver(receiver.url, "127.0.0.1")


def test_a_redirect_is_not_followed() -> None:
    with Receiver().running() as hidden, Receiver(307).running() as receiver:
        receiver.headers = {"Location": hidden.url}
        with pytest.raises(NotDelivered, match="307"):
            deliver(receiver.url, "127.0.0.1")
        assert hidden.received == []


@pytest.mark.parametrize(("said", "pause"), [("7", 7000), ("soon", 0), ("", 0), ("999999999", 86_400_000), ("-5", 0)])
def test_the_receiver_may_say_when(said: str, pause: int) -> None:
    with Receiver(503).running() as receiver:
        receiver.headers = {"Retry-After": said}
        with pytest.raises(NotDelivered) as late:
            deliver(receiver.url, "127.0.0.1")
    assert late.value.retry_after_ms == pause


def test_a_receiver_that_is_away_is_tried_again_and_a_private_one_is_not() -> None:
    with pytest.raises(NotDelivered):
        deliver("http://127.0.0.1:9/x", "127.0.0.1")
    with pytest.raises(NotAllowed):
        deliver("http://127.0.0.1:9/x")
    with pytest.raises(HostUnknown):
        deliver("http://no-such-host.invalid/x")
    with pytest.raises(Refused, match="cannot be understood"):
        deliver("http://0177.0.0.1/x")
