"""The receiver remembers messages and shows them."""

from __future__ import annotations

import json

from mailvane_demo.world.web_server import Request
from mailvane_demo.world.webhook_receiver import WebhookReceiver


def test_a_message_is_taken_and_shown() -> None:
    receiver = WebhookReceiver()
    headers = {"webhook-id": "msg_1"}
    assert receiver(Request("POST", "/alerts", {}, headers, b'{"name": "listed"}', 5)).status == 204
    shown = json.loads(receiver(Request("GET", "/", {}, {}, b"", 6)).body)
    assert shown == {"messages": [{"id": "msg_1", "at": 5, "body": {"name": "listed"}}]}


def test_what_is_no_json_is_refused() -> None:
    receiver = WebhookReceiver()
    assert receiver(Request("POST", "/alerts", {}, {}, b"<", 5)).status == 400
    assert receiver.messages == []
