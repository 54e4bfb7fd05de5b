"""What feeds of JSON lines have in common, whatever a line says."""

from __future__ import annotations

import asyncio
import io

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.sources.feeds import Feed

NOW = 1_790_000_000_000


class Line(msgspec.Struct):
    name: str


def hit(line: Line, now: int) -> Observation:
    if not line.name:
        raise ValueError("nobody is named")
    return Observation(kind=ObservationKind.TRAP_HIT, asset=line.name, at=now, seen_at=now, data={})


FEED = Feed(Source.TRAPS, AssetKind.TRAP, Line, hit, lambda refreshes, _assets, _now: iter(refreshes))


def read(*names: str) -> list[Refresh]:
    text = b"\n".join(msgspec.json.encode(Line(name)) for name in names)
    return list(FEED.read(io.BytesIO(text), "feed.jsonl", NOW))


def test_hits_of_one_asset_go_together_though_not_without_end() -> None:
    refreshes = read(*["a", "b"] * 1001)
    assert [(each.asset, len(each.observations)) for each in refreshes[:2]] == [("a", 500), ("b", 500)]
    assert sum(len(each.observations) for each in refreshes) == 2002
    assert len(refreshes) == 6


def test_a_line_that_says_nothing_is_named_by_its_place() -> None:
    with pytest.raises(InvalidInput, match=r"feed\.jsonl, line 2: nobody is named"):
        read("a", "")


def test_every_asset_is_up_to_date_when_asked_about() -> None:
    async def asked() -> list[Refresh]:
        asset = Asset(id="1", workspace=1, kind=AssetKind.TRAP, name="a", created_at=0)
        return [refresh async for refresh in FEED.refresh([asset], NOW)]

    (refresh,) = asyncio.run(asked())
    assert (refresh.asset, refresh.error, refresh.observations) == ("a", "", ())
