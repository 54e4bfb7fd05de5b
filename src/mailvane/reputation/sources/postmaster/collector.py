"""Asks Google Postmaster Tools about domains, each by itself: a batch is refused whole when one of them is not ours.

Google's days are complete about two days later, so days that were told lately are asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import CollectionFailed
from mailvane.core.extras import needing
from mailvane.core.http_client import Answer, HttpClient, RateLimited
from mailvane.core.moments import DAY_MS
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings

if TYPE_CHECKING:
    from mailvane.reputation.sources.postmaster.credentials import Credentials
from mailvane.reputation.sources.postmaster.history import history
from mailvane.reputation.sources.postmaster.metrics import Page, Stat, loop_metrics, loops, metrics, question, records

DELAY_DAYS = 2
AGAIN_DAYS = 4  # before the newest that may still change
MOST_DAYS = 30  # that are asked for at first, or made up for after a pause
_MOST_PAGES = 50
_FAILURES_IN_A_ROW = 3  # then the fault is not the domains'


class Postmaster:
    """Without credentials it reads files, and tells of every domain that Google cannot be asked."""

    source = Source.POSTMASTER

    def __init__(self, url: str, credentials: Credentials | None) -> None:
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._rests_until = 0

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """One after the other. Raises CollectionFailed when Google as a whole cannot be asked."""
        if now < self._rests_until:
            raise CollectionFailed("Google asked for patience, which is not over")
        failures = 0
        async with HttpClient("Google") as client:
            for asset in assets:
                try:
                    found = await self._found(client, asset, now)
                except RateLimited as error:
                    self._rests_until = now + error.wait_ms
                    raise
                except _Refused as error:
                    yield _refresh(asset.name, now, error=error.message)
                except CollectionFailed as error:
                    failures += 1
                    if failures >= _FAILURES_IN_A_ROW:
                        raise
                    yield _refresh(asset.name, now, error=error.message)
                else:
                    failures = 0
                    yield _refresh(asset.name, now, found)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """Saved records of the first interface, reputations among them. Raises InvalidInput."""
        for domain, days in history(file, name).items():
            yield _refresh(domain, now, days)

    async def _found(self, client: HttpClient, asset: Asset, now: int) -> dict[int, dict[str, Any]]:
        newest = datetime.fromtimestamp(now / 1000, UTC).date() - timedelta(days=DELAY_DAYS)
        count = MOST_DAYS
        if asset.updated_at:
            missed = (now - asset.updated_at) // DAY_MS
            count = min(MOST_DAYS, AGAIN_DAYS + 1 + max(0, missed))
        days = [newest - timedelta(days=back) for back in reversed(range(count))]
        stats = await self._stats(client, asset.name, question(days, metrics()))
        loop_ids = loops(stats)
        if loop_ids:
            stats += await self._stats(client, asset.name, question(days, loop_metrics(loop_ids)))
        return records(asset.name, stats, loop_ids)

    async def _stats(self, client: HttpClient, domain: str, body: dict[str, Any]) -> list[Stat]:
        found: list[Stat] = []
        for _ in range(_MOST_PAGES):
            page = await self._page(client, domain, body)
            found += page.domain_stats
            if not page.next_page_token:
                return found
            body = {**body, "pageToken": page.next_page_token}
        raise CollectionFailed(f"Google answered with more than {_MOST_PAGES} pages")

    async def _page(self, client: HttpClient, domain: str, body: Mapping[str, Any]) -> Page:
        answer = await self._answer(client, domain, body)
        if answer.status == 401 and self._credentials is not None:
            self._credentials.forget()
            answer = await self._answer(client, domain, body)
        if answer.status == 401:
            raise CollectionFailed(f"Google does not accept the credentials (status 401){_message_of(answer)}")
        if answer.status in (403, 404):
            raise _Refused(
                f"Google tells these credentials nothing of it (status {answer.status}){_message_of(answer)}"
            )
        if answer.status != 200:
            raise _Refused(f"Google answered with status {answer.status}{_message_of(answer)}")
        try:
            return msgspec.json.decode(answer.body, type=prepared(Page))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise CollectionFailed("Google's answer is not understood") from None

    async def _answer(self, client: HttpClient, domain: str, body: Mapping[str, Any]) -> Answer:
        if self._credentials is None:
            raise _Refused("Google is not asked: `postmaster_credentials` is not set")
        token = await asyncio.to_thread(self._credentials.token)
        url = f"{self._url}/v2/domains/{domain}/domainStats:query"
        return await client.ask(url, json=body, headers={"Authorization": f"Bearer {token}"})


def make(settings: ReputationSettings) -> Postmaster:
    """Raises InvalidSetting."""
    if (path := settings.postmaster_credentials) is None:
        return Postmaster(settings.postmaster_url, None)
    # Imported by those who have credentials: Google's library costs every other start a tenth of a second.
    with needing("google", "google"):
        from mailvane.reputation.sources.postmaster.credentials import read_credentials  # noqa: PLC0415

    return Postmaster(settings.postmaster_url, read_credentials(path))


class _Refused(CollectionFailed):
    """Google answers nothing about this domain; it may about others."""


class _Status(msgspec.Struct, frozen=True):
    message: str = ""


class _Error(msgspec.Struct, frozen=True):
    error: _Status = _Status()


def _message_of(answer: Answer) -> str:
    """In Google's own words, which say whether the API is off, the scope is wrong, or the domain is not verified."""
    try:
        message = msgspec.json.decode(answer.body, type=prepared(_Error)).error.message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return f": {' '.join(message.split())[:300]}" if message else ""


def _refresh(domain: str, now: int, days: Mapping[int, Mapping[str, Any]] | None = None, error: str = "") -> Refresh:
    observations = tuple(
        Observation(kind=ObservationKind.TRAFFIC, asset=domain, at=at, seen_at=now, confirmed_at=now, data=record)
        for at, record in (days or {}).items()
    )
    return Refresh(
        source=Source.POSTMASTER,
        kind=AssetKind.GP_DOMAIN,
        asset=domain,
        at=now,
        error=error,
        observations=observations,
    )
