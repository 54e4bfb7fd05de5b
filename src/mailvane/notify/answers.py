"""What the answer of an HTTP receiver means for a notification: taken, perhaps later, or never."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from mailvane.notify.notifier import Delivered, NotDelivered, Refused

LONGEST_ANSWER = 2000  # bytes that are kept of it
_LONGEST_PAUSE_MS = 24 * 3_600_000
# Who answers so may take it later; every other refusal stays one.
_LATER = frozenset({408, 409, 425, 429})


async def judged(response: httpx.Response, now: int) -> Delivered:
    """Of an answer whose body was not read yet. Raises NotDelivered, Refused."""
    told = f"{response.status_code} {await _beginning(response)}".strip()
    if response.is_success:
        return Delivered(told)
    if response.status_code in _LATER or response.status_code >= 500:
        raise NotDelivered(told, _retry_after(response, now))
    raise Refused(told)


async def _beginning(response: httpx.Response) -> str:
    """As much of the answer as is worth keeping; the rest is not read."""
    kept = b""
    async for piece in response.aiter_raw():
        kept += piece
        if len(kept) >= LONGEST_ANSWER:
            break
    return "".join(each if each.isprintable() else " " for each in kept[:LONGEST_ANSWER].decode("utf-8", "replace"))


def _retry_after(response: httpx.Response, now: int) -> int:
    """How long the receiver wants to be left alone, in milliseconds; 0 when it does not say (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal() and text.isascii() and len(text) < 10:
        return min(int(text) * 1000, _LONGEST_PAUSE_MS)
    try:
        until: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0
    return min(max(0, int(until.timestamp() * 1000) - now), _LONGEST_PAUSE_MS)
