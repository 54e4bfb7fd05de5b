"""Fetches the tables of SNDS with the key of each asset. The key is part of the address, and is never shown.

Data of a day are complete two days later, so that is the day which is asked for, and days that were missed before it.
A blocked address is told at every refresh; that it is blocked no longer, once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import CollectionFailed, InvalidInput
from mailvane.core.http_client import HttpClient
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.snds.tables import (
    MOST_IN_RANGE,
    BlockedRange,
    Period,
    blocked_ranges,
    periods,
    rows,
    says_blocked,
)

DELAY_DAYS = 2
_MOST_DAYS = 14  # that are made up for after a pause
_MOST_ADDRESSES = 50_000  # that all blocked ranges together are written out to
_MOST_BYTES = 64 * 1024 * 1024


class Snds:
    """Each asset is a key; what it brings tells of addresses."""

    source = Source.SNDS

    def __init__(self, url: str, zone: ZoneInfo) -> None:
        self._url = url.rstrip("/")
        self._zone = zone

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """One after the other; a key that is not accepted fails by itself, one that was switched off is not used."""
        async with HttpClient("SNDS", most_bytes=_MOST_BYTES) as client:
            for asset in assets:
                if asset.verified:
                    yield await self._refreshed(client, asset, now)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """Either table as it was saved. Raises InvalidInput."""
        raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise InvalidInput(f"{name}: more than {_MOST_BYTES:,} bytes")
        if raw.lstrip()[:1] == b"<":
            raise InvalidInput(f"{name}: this is a web page, not a table of SNDS")
        try:
            observations = self._observed(_text(raw), now)
        except InvalidInput as error:
            raise InvalidInput(f"{name}: {error.message}") from None
        yield _refresh(name, now, observations=tuple(observations))

    async def _refreshed(self, client: HttpClient, asset: Asset, now: int) -> Refresh:
        if not asset.secret:
            return _refresh(asset.name, now, error="this entry has no key")
        try:
            texts = [await self._fetched(client, "data.aspx", asset.secret, day) for day in self._days(asset, now)]
            blocked = blocked_ranges(rows(await self._fetched(client, "ipStatus.aspx", asset.secret)))
            found = [period for text in texts for period in periods(rows(text), self._zone)]
        except CollectionFailed as error:
            return _refresh(asset.name, now, error=error.message.replace(asset.secret, "[key]"))
        except InvalidInput as error:
            # Not what stands in the cell: a server may answer with what it was asked, and that holds the key.
            place = error.message.partition(":")[0]
            return _refresh(
                asset.name, now, error=f"SNDS answered with something that is no table of its own ({place})"
            )
        known = {period.address for period in found}
        observations = [
            *(_period_observed(period, now) for period in found),
            *_blocked_observed(blocked, _former(asset), known, now),
        ]
        return _refresh(
            asset.name, now, observations=tuple(observations), details={"blocked": msgspec.to_builtins(blocked)}
        )

    def _days(self, asset: Asset, now: int) -> list[date]:
        """From the one after what is known to the newest that is complete."""
        newest = self._day(now) - timedelta(days=DELAY_DAYS)
        missed = (newest - (self._day(asset.updated_at) - timedelta(days=DELAY_DAYS))).days if asset.updated_at else 1
        return [newest - timedelta(days=back) for back in reversed(range(max(1, min(missed, _MOST_DAYS))))]

    def _day(self, moment: int) -> date:
        return datetime.fromtimestamp(moment / 1000, UTC).astimezone(self._zone).date()

    async def _fetched(self, client: HttpClient, table: str, key: str, day: date | None = None) -> str:
        params = {"key": key} | ({} if day is None else {"date": f"{day:%m%d%y}"})
        answer = await client.ask(f"{self._url}/{table}", params=params)
        if answer.status in (400, 401, 403, 404):
            raise CollectionFailed(f"SNDS does not accept this key (status {answer.status})")
        if answer.status != 200:
            raise CollectionFailed(f"SNDS answered with status {answer.status}")
        if answer.is_page:
            raise CollectionFailed("SNDS answered with a web page: the key is not valid, or its address has changed")
        return _text(answer.body)

    def _observed(self, text: str, now: int) -> Iterable[Observation]:
        lines = list(rows(text))
        if lines and says_blocked(lines[0][1]):
            return _blocked_observed(blocked_ranges(lines), (), (), now)
        return [_period_observed(period, now) for period in periods(lines, self._zone)]


def make(settings: ReputationSettings) -> Snds:
    return Snds(settings.snds_url, ZoneInfo(settings.snds_timezone))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8-sig", "replace")


def _former(asset: Asset) -> Sequence[BlockedRange]:
    try:
        return msgspec.convert(asset.details.get("blocked", []), prepared(list[BlockedRange]))
    except msgspec.ValidationError:
        return ()


def _refresh(
    asset: str,
    now: int,
    error: str = "",
    observations: tuple[Observation, ...] = (),
    details: Mapping[str, Any] | None = None,
) -> Refresh:
    return Refresh(
        source=Source.SNDS,
        kind=AssetKind.SNDS,
        asset=asset,
        at=now,
        error=error,
        observations=observations,
        details=details or {},
    )


def _period_observed(period: Period, now: int) -> Observation:
    return Observation(
        kind=ObservationKind.SNDS_DATA,
        asset=period.address,
        at=period.day,
        seen_at=now,
        confirmed_at=now,
        data=period.data,
    )


def _blocked_observed(
    ranges: Iterable[BlockedRange], former: Iterable[BlockedRange], known: Iterable[str], now: int
) -> Iterator[Observation]:
    written = dict(_written_out(ranges, known))
    for address, each in written.items():
        yield _status(address, each.blocked, each.reason, now)
    for address, each in _written_out(former, known):
        if each.blocked == "Yes" and address not in written:
            yield _status(address, "No", "", now)


def _written_out(ranges: Iterable[BlockedRange], known: Iterable[str]) -> Iterator[tuple[str, BlockedRange]]:
    """Address by address; beyond a bound only those that are known otherwise."""
    count = 0
    for each in ranges:
        for address in each.addresses(known, most=min(MOST_IN_RANGE, max(0, _MOST_ADDRESSES - count))):
            count += 1
            yield address, each


def _status(address: str, blocked: str, details: str, now: int) -> Observation:
    data = {"blocked": blocked, "details": details}
    return Observation(kind=ObservationKind.SNDS_STATUS, asset=address, at=now, seen_at=now, data=data)
