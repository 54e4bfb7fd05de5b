"""Somebody's program in the simulated world that is told of alerts: it takes every message, and shows what it got."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from mailvane_demo.world.web_server import Reply, Request, json

_MOST = 1000


class WebhookReceiver:
    """Answers web requests: POST is a message, GET asks for those that came."""

    def __init__(self) -> None:
        self._messages: deque[dict[str, Any]] = deque(maxlen=_MOST)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The oldest first."""
        return list(self._messages)

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            return json({"messages": self.messages})
        try:
            body = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            return json({"error": "not JSON"}, 400)
        self._messages.append({"id": request.headers.get("webhook-id", ""), "at": request.at, "body": body})
        return Reply(status=204)
