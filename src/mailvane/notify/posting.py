"""Posts a notification to a receiver, and judges its answer: taken, perhaps later, or never."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from mailvane import __version__
from mailvane.core.egress import EgressGuard, GuardedTransport, retry_after_ms
from mailvane.core.moments import DAY_MS
from mailvane.notify.notifier import Delivered, NotDelivered, Refused

TIMEOUT_SECONDS = 10.0
LONGEST_ANSWER = 2000  # bytes that are kept of it
_LONGEST_PAUSE_MS = DAY_MS


class Posting:
    """One client for a channel. Belongs to one event loop."""

    def __init__(self, guard: EgressGuard) -> None:
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(guard), timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, now: int) -> Delivered:
        """No error names the URL, which may be the receiver's secret. Raises NotDelivered, Refused, NotAllowed."""
        named = {"User-Agent": f"Mailvane/{__version__}", **headers}
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._client.stream("POST", url, headers=named, content=body) as response,
            ):
                return await judged(response, now)
        except TimeoutError:
            raise NotDelivered(f"no answer within {TIMEOUT_SECONDS:g} s") from None
        except httpx.InvalidURL:
            raise Refused("the address of the receiver cannot be understood") from None
        except httpx.HTTPError as error:
            raise NotDelivered(type(error).__name__) from None

    async def close(self) -> None:
        await self._client.aclose()


async def judged(response: httpx.Response, now: int) -> Delivered:
    """Of an answer whose body was not read yet. Raises NotDelivered, and Refused on 410: the receiver is gone for good.

    Every other status may come from a proxy while the receiver is deployed anew, so the message is sent again.
    """
    answer = f"{response.status_code} {await _beginning(response)}".strip()
    if response.is_success:
        return Delivered(answer)
    if response.status_code == httpx.codes.GONE:
        raise Refused(answer)
    wait = retry_after_ms(response.headers.get("retry-after", ""), datetime.fromtimestamp(now / 1000, UTC))
    raise NotDelivered(answer, min(wait, _LONGEST_PAUSE_MS))


async def _beginning(response: httpx.Response) -> str:
    """The beginning of the answer, for the log; the rest is not read."""
    kept = b""
    async for piece in response.aiter_raw():
        kept += piece
        if len(kept) >= LONGEST_ANSWER:
            break
    return "".join(each if each.isprintable() else " " for each in kept[:LONGEST_ANSWER].decode("utf-8", "replace"))
