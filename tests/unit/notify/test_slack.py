"""Slack messages as its server would get them."""

from __future__ import annotations

import asyncio
import json
import logging

import msgspec
import pytest

from mailvane.core.egress import EgressGuard
from mailvane.core.errors import NotAllowed
from mailvane.notify.model import Channel
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from mailvane.notify.slack import Slack
from mailvane.reputation.texts.evidence import evidence_of
from mailvane.reputation.texts.slack_message import message_of, slack_body
from tests.unit.notify.letters_sent import NOW, entry, fired, notification
from tests.unit.notify.receiver import Receiver

SENT = msgspec.structs.replace(notification(entry()), channel=Channel.SLACK, target="integration-1")


def deliver(url: str | None, *allowed: str, sent: object = SENT) -> Delivered:
    asked: list[tuple[int, str]] = []

    def url_of(workspace: int, integration: str) -> str | None:
        asked.append((workspace, integration))
        return url

    async def once() -> Delivered:
        slack = Slack(EgressGuard(allowed), url_of, slack_body)
        try:
            return await slack.deliver(msgspec.convert(sent, type(SENT), from_attributes=True), NOW)
        finally:
            await slack.close()

    delivered = asyncio.run(once())
    assert asked == [(1, "integration-1")]
    return delivered


def test_a_message_has_title_evidence_and_time() -> None:
    with Receiver(200).running() as receiver:
        deliver(receiver.url, "127.0.0.1")
    body = json.loads(receiver.received[0].body)
    kinds = [block["type"] for block in body["blocks"]]
    assert kinds == ["header", "section", "section", "section", "section", "context"]
    assert body["blocks"][0]["text"]["text"] == "Addresses of the shop"
    assert body["blocks"][1]["text"]["text"] == "*Address on a blocklist*"
    assert "• 203.0.113.7 is on zen.spamhaus.org" in body["blocks"][2]["text"]["text"]
    assert "Fired 2026-09-21 14:13 UTC" in body["blocks"][-1]["elements"][0]["text"]
    assert body["text"].startswith("Addresses of the shop: 203.0.113.7 is on")


def test_what_sources_say_mentions_nobody_and_stays_within_slacks_limits() -> None:
    item = {"ip": "<!channel> *bold*", "rbl": "&<https://evil.example|click>" + "x" * 500}
    many = fired("IP_IN_RBL", [item] * 100)
    message = message_of(evidence_of(entry(*[many] * 40, name="<!here> " + "n" * 400)))
    assert len(message["blocks"]) <= 50
    assert "<" not in message["text"]
    for block in message["blocks"]:
        for text in block.get("elements") or [block["text"]]:
            assert len(text["text"]) <= (150 if block["type"] == "header" else 3000)
            assert text["type"] == "plain_text" or text["text"] == "*Address on a blocklist*"
    assert "and 90 more" in message["blocks"][2]["text"]["text"]


def test_the_secret_address_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Receiver(200, 410).running() as receiver:
        secret = receiver.url.replace("hook", "services/T0/B0/s3cret")
        deliver(secret, "127.0.0.1")
        with pytest.raises(Refused, match="410") as refused:
            deliver(secret, "127.0.0.1")
    assert receiver.received[0].path.endswith("s3cret")
    errors = [str(refused.value)]
    for address in ("http://127.0.0.1:9/s3cret", "http://127.0.0.1:port/s3cret", "ftp://127.0.0.1/s3cret"):
        with pytest.raises((NotDelivered, Refused)) as failed:
            deliver(address, "127.0.0.1")
        errors.append(str(failed.value))
    assert "s3cret" not in caplog.text + "".join(errors)


def test_it_goes_outside_only() -> None:
    with Receiver(200).running() as receiver, pytest.raises(NotAllowed):
        deliver(receiver.url)
    assert receiver.received == []


def test_a_busy_slack_is_obeyed_and_an_integration_that_is_gone_is_the_end() -> None:
    with Receiver(429).running() as receiver:
        receiver.headers = {"Retry-After": "30"}
        with pytest.raises(NotDelivered) as late:
            deliver(receiver.url, "127.0.0.1")
    assert late.value.retry_after_ms == 30_000
    with pytest.raises(Refused, match="no such Slack integration"):
        deliver(None)


def test_what_is_no_log_entry_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be told by Slack"):
        deliver(None, sent=msgspec.structs.replace(SENT, body={"report": "daily"}))
