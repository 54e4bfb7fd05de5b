"""A Cleanbox-compatible server for tests, over real HTTP: what its public pages show of it, and faults on demand.

Lists have `data` and `total_pages`, which is 0 when nothing matches; `page` counts from 1; `per_page` is honoured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from mailvane_demo.world.web_server import Reply, Request, json, web_server

KEY = "cb_0123456789abcdef"
_DEFAULT_PAGES = {"/v1/quarantine": 50}
Fault = Callable[[Request], Reply]


class Cleanbox:
    """One team. Tests change what it holds; every request is kept."""

    def __init__(self, *, says_total: bool = False) -> None:
        self.url = ""
        self.usage: dict[str, Any] = {"weekly_used": 120, "weekly_limit": 1000}
        self.limits: dict[str, Any] = {"aliases": {"used": 7, "limit": 20}, "mailboxes": {"used": 3, "limit": 5}}
        self.quarantine: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.contacts: list[dict[str, Any]] = []
        self.faults: dict[str, Fault] = {}  # path without /v1: what is answered instead
        self.requests: list[Request] = []
        self._says_total = says_total

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return json({"error": {"code": "unauthorized", "message": "Missing or invalid API key."}}, 401)
        path = request.path.removeprefix("/v1")
        if path in self.faults:
            return self.faults[path](request)
        if request.method == "POST":
            return self._changed(path, msgspec.json.decode(request.body))
        if path == "/team":
            return json({"usage": self.usage, "limits": self.limits})
        lists = {"/quarantine": self.quarantine, "/messages": self.messages, "/contacts": self.contacts}
        if path not in lists:
            return json({"error": {"code": "not_found", "message": "No such resource."}}, 404)
        return self._page(request, self._chosen(request, lists[path]))

    def _chosen(self, request: Request, held: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        found = list(held)
        if status := request.query.get("status"):
            found = [each for each in found if each["status"] == status]
        if request.query.get("sort") == "emailCount":
            found.sort(key=lambda each: int(each["email_count"]), reverse=request.query.get("dir") == "desc")
        return found

    def _page(self, request: Request, found: list[dict[str, Any]]) -> Reply:
        size = int(request.query.get("per_page", _DEFAULT_PAGES.get(request.path, 25)))
        first = (int(request.query.get("page", 1)) - 1) * size
        page = {"data": found[first : first + size], "total_pages": math.ceil(len(found) / size)}
        return json(page | ({"total": len(found)} if self._says_total else {}))

    def _changed(self, path: str, body: dict[str, Any]) -> Reply:
        """Accept and reject: an answer for each item."""
        if path not in {"/quarantine/accept", "/quarantine/reject"}:
            return json({"error": {"code": "not_found", "message": "No such resource."}}, 404)
        status = "delivered" if path.endswith("accept") else "denied"
        held = {each["uuid"]: each for each in self.quarantine}
        done = [uuid for uuid in body["uuids"] if uuid in held]
        self.quarantine = [each for each in self.quarantine if each["uuid"] not in done]
        self.messages += [held[uuid] | {"status": status} for uuid in done]
        failed = [
            {"uuid": uuid, "code": "not_quarantined", "message": "Message is not in quarantine."}
            for uuid in body["uuids"]
            if uuid not in held
        ]
        answer = {"data": [{"uuid": uuid, "status": status} for uuid in done], "failed": failed}
        return json(answer | ({"accepted": len(done)} if status == "delivered" else {}))


def contact(email: str, count: int, state: str = "unset") -> dict[str, Any]:
    return {"uuid": f"contact-{email}", "email": email, "name": "", "state": state, "email_count": count}


def message(number: int, status: str, sender: str = "someone@example.org", state: str = "unset") -> dict[str, Any]:
    return {
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "status": status,
        "from": sender,
        "subject": f"mail {number}",
        "address": "office@example.com",
        "contact": {"uuid": f"contact-{sender}", "email": sender, "state": state},
        "spam_score": 4.5,
        "received_at": f"2026-11-{1 + number % 28:02}T08:00:00Z",
    }


@contextmanager
def cleanbox(*, says_total: bool = False) -> Iterator[Cleanbox]:
    """A server that answers for the length of a block."""
    team = Cleanbox(says_total=says_total)
    with web_server(team, lambda: 0) as url:
        team.url = f"{url}/v1"
        yield team


class Received:
    """A receiver of posts, such as Slack's or InfluxDB's: it takes each, or answers as it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.answers: list[Reply] = []  # the next ones
        self.answer = Reply(b"ok", 200, "text/plain")  # then always

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else self.answer

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(each.body) for each in self.requests]


@contextmanager
def receiver() -> Iterator[Received]:
    found = Received()
    with web_server(found, lambda: 0) as url:
        found.url = f"{url}/services/T0/B0/secret"
        yield found
