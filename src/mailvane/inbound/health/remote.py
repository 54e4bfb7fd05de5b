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
from mailvane.inbound.health.model import HeldMessage, Sender
from mailvane.inbound.health.upstream import Counted, Unanswered, Usage

QUARANTINE_PAGE = 50  # the guide's sizes of a page
MESSAGES_PAGE = 25
MOST_BYTES = 4 * 1024 * 1024
_LONGEST_TOLD = 200
_LONGEST_STATE = 40
_MOST = 10**15  # of anything that is counted: a hundred times as much still fits into 64 bits
_AT_ONCE = 100  # items of a page or a decision
_MOST_CONTACTS = 5000
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

    async def held(self, most: int) -> Sequence[HeldMessage]:
        """By the state of each message's contact; where the server does not say it, by the list of contacts."""
        found = [_held(each) for each in await self._pages("/quarantine", {}, most)]
        if all(one.state is not None for one in found):
            return found
        contacts = await self._pages("/contacts", {"state": "whitelisted"}, _MOST_CONTACTS)
        # A server that ignores the filter must not make everybody's mail welcome.
        known = {_text(each, "email").lower() for each in contacts if _text(each, "state") == "whitelisted"} - {""}
        return [
            msgspec.structs.replace(one, state="whitelisted")
            if one.state is None and one.sender.lower() in known
            else one
            for one in found
        ]

    async def accept(self, ids: Sequence[str]) -> Mapping[str, str]:
        return await self._decided("/quarantine/accept", ids)

    async def reject(self, ids: Sequence[str]) -> Mapping[str, str]:
        return await self._decided("/quarantine/reject", ids)

    async def _decided(self, path: str, ids: Sequence[str]) -> dict[str, str]:
        # ours: body and answer. The vendor names the path of accepting only.
        told: dict[str, str] = {}
        for first in range(0, len(ids), _AT_ONCE):
            answer = await self.post(path, {"uuids": list(ids[first : first + _AT_ONCE])})
            told |= {_text(each, "uuid"): "" for each in _list(answer, "data")}
            told |= {_text(each, "uuid"): _text(each, "message") or "refused" for each in _list(answer, "failed")}
        return {each: told[each] for each in ids if each in told}

    async def _pages(self, path: str, params: Mapping[str, str], most: int) -> list[Any]:
        """The items of a list, page by page."""
        found: list[Any] = []
        page = 1
        while True:
            answer = await self.get(path, {**params, "page": str(page), "per_page": str(_AT_ONCE)})
            items = listed(answer)
            found += items
            pages = whole(answer.get("total_pages"))
            if pages is None:
                raise Unanswered("the answer has no `total_pages`")
            if page >= pages or not items or len(found) >= most:
                return found[:most]
            page += 1

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
        if not 200 <= answer.status < 300:
            raise Unanswered(_refusal(answer))
        return _object(answer.body, path)


def whole(value: object) -> int | None:
    """A count as JSON may write it; None for what is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
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
            return Sender(_line(email)[:_LONGEST_ADDRESS], count, _line(state)[:_LONGEST_STATE])
    raise Unanswered("a contact lacks its email, email_count or state")


def _held(found: object) -> HeldMessage:
    if not isinstance(found, dict) or not _text(found, "uuid"):
        raise Unanswered("a message in quarantine has no uuid")
    contact = _inner(found, "contact")
    state = contact.get("state")
    return HeldMessage(
        id=_text(found, "uuid"),
        sender=_text(contact, "email") or _text(found, "from"),
        state=state if isinstance(state, str) else None,
        subject=_text(found, "subject"),
    )


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    items = found.get(name)
    return items if isinstance(items, list) else []


def _text(found: object, name: str) -> str:
    """A short line; empty where there is none."""
    value = found.get(name) if isinstance(found, dict) else None
    return _line(value)[:_LONGEST_ADDRESS] if isinstance(value, str) else ""


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
