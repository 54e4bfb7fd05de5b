"""A Cleanbox-compatible server, asked over HTTP with a team's key.

The published API has no count of a list, only `total_pages`. The vendor's guide multiplies them by the size of a page
that it takes for the default; such a count is an estimate. A server that says `total`, as Mailvane does, is exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.http_client import Answer, HttpClient
from mailvane.inbound.health.model import Sender
from mailvane.inbound.health.upstream import Counted, Unanswered, Usage

QUARANTINE_PAGE = 50  # the guide's sizes of a page
MESSAGES_PAGE = 25
MOST_BYTES = 4 * 1024 * 1024
_LONGEST_TOLD = 200
_LONGEST_ADDRESS = 320  # RFC 3696: 64 characters, an at sign, 255
_MEANINGS = {
    401: "the key is missing or not accepted (status 401)",
    403: "the API is not enabled for this team, or the key may not ask this (status 403)",
    404: "there is no such path: is the base URL right? (status 404)",
}


class CleanboxServer:
    """Implements Upstream. Belongs to the event loop of its client."""

    def __init__(self, client: HttpClient, url: str, key: str, timeout_seconds: float) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._timeout = timeout_seconds

    async def usage(self) -> Usage:
        team = await self.get("/team")
        usage, limits = _inner(team, "usage"), _inner(team, "limits")
        aliases, mailboxes = _inner(limits, "aliases"), _inner(limits, "mailboxes")
        return Usage(
            weekly_used=whole(usage.get("weekly_used")),
            weekly_limit=whole(usage.get("weekly_limit")),
            aliases_used=whole(aliases.get("used")),
            aliases_limit=whole(aliases.get("limit")),
            mailboxes_used=whole(mailboxes.get("used")),
        )

    async def quarantined(self) -> Counted:
        return _counted(await self.get("/quarantine", {"per_page": "1"}), QUARANTINE_PAGE)

    async def messages(self, status: str) -> Counted:
        return _counted(await self.get("/messages", {"status": status, "per_page": "1"}), MESSAGES_PAGE)

    async def senders(self, limit: int) -> Sequence[Sender]:
        found = await self.get("/contacts", {"sort": "emailCount", "dir": "desc", "per_page": str(limit)})
        return [_sender(each) for each in listed(found)[:limit]]

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """The answer's object. Raises Unanswered, CollectionFailed."""
        return await self._asked(path, params=params)

    async def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer's object. Raises Unanswered, CollectionFailed."""
        return await self._asked(path, body=body)

    async def _asked(
        self, path: str, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.ask(self._url + path, params=params, json=body, headers=self._headers)
        except TimeoutError:
            raise Unanswered(f"no answer to {path} within {self._timeout:g} s") from None
        if answer.status != 200:
            raise Unanswered(_refusal(answer))
        return _object(answer.body, path)


def whole(value: object) -> int | None:
    """A count as JSON may write it; None for what is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        return None
    return value


def listed(found: Mapping[str, Any]) -> list[Any]:
    """Raises Unanswered."""
    data = found.get("data")
    if not isinstance(data, list):
        raise Unanswered("the answer has no list `data`")
    return data


def _counted(found: Mapping[str, Any], page: int) -> Counted:
    # ours: `total` beside `total_pages`. No public page of the vendor's shows a list with a count.
    total = whole(found.get("total"))
    if total is not None:
        return Counted(total)
    pages = whole(found.get("total_pages"))
    if pages is None:
        raise Unanswered("the answer has no `total_pages`")
    return Counted(pages * page, is_estimate=pages > 0)


def _sender(found: object) -> Sender:
    if isinstance(found, dict):
        email, count, state = found.get("email"), whole(found.get("email_count")), found.get("state")
        if isinstance(email, str) and isinstance(state, str) and count is not None:
            return Sender(_line(email)[:_LONGEST_ADDRESS], count, state)
    raise Unanswered("a contact lacks its email, email_count or state")


def _inner(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = found.get(name)
    return inner if isinstance(inner, dict) else {}


def _object(body: bytes, path: str) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unanswered(f"the answer to {path} is not JSON") from None
    if not isinstance(found, dict):
        raise Unanswered(f"the answer to {path} is no JSON object")
    return found


def _refusal(answer: Answer) -> str:
    """What the status means, and what the server says about it: the message stands at `error.message`."""
    told = _MEANINGS.get(answer.status, f"the server answered with status {answer.status}")
    try:
        said = _inner(_object(answer.body, ""), "error").get("message")
    except Unanswered:
        return told
    if not isinstance(said, str) or not said.strip():
        return told
    return f"{told}: {_line(said)[:_LONGEST_TOLD]}"


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
