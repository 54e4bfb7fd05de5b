"""When a source is asked next, as it is shown; on a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mailvane.core.moments import HOUR_MS
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import Asset, AssetKind, AssetStatus, Refresh, Source, SourceHealth
from mailvane.reputation.source_schedule import RETRY_MS, Schedule, SourceSchedule, lease_name
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
DAY = Schedule(24 * HOUR_MS)
ASSET = Asset(id="a", workspace=1, kind=AssetKind.IP, name="192.0.2.1", created_at=0)


def asset(**fields: object) -> Asset:
    return msgspec.structs.replace(ASSET, **fields)


@pytest.mark.parametrize(
    ("changed", "due"),
    [
        ({}, 0),
        ({"asked_at": NOW, "status": AssetStatus.FAILED}, NOW + RETRY_MS),
    ],
)
def test_what_is_new_is_due_at_once_and_what_failed_soon(changed: dict[str, object], due: int) -> None:
    assert DAY.due_at(asset(**changed)) == due


def test_what_was_asked_is_due_within_the_last_tenth_of_the_interval() -> None:
    found = {DAY.due_at(asset(id=str(number), asked_at=NOW)) - NOW for number in range(100)}
    assert 21.6 * HOUR_MS <= min(found) < max(found) <= 24 * HOUR_MS


def test_it_is_asked_when_the_first_asset_is_due_and_the_pause_is_over() -> None:
    well = SourceHealth(source=Source.BLOCKLISTS)
    failing = msgspec.structs.replace(well, failures=3, failed_at=NOW)
    assert DAY.next_at(1, well, [], NOW) == 0
    assert DAY.next_at(1, well, [asset(verified=False)], NOW) == 0
    assert DAY.next_at(1, well, [asset(), asset(asked_at=NOW)], NOW) == NOW
    assert NOW + 120_000 <= DAY.next_at(1, failing, [asset()], NOW) <= NOW + 240_000
    later = NOW + 2 * HOUR_MS
    assert DAY.next_at(1, failing, [asset()], later) == later


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def test_every_source_of_a_workspace_is_shown_before_it_was_ever_asked(ledger: Ledger) -> None:
    mine, other = (ledger.tenants.add_workspace(name, NOW).id for name in ("mine", "other"))
    watching, shown = (
        WatchedAssets(ledger.assets, ledger.observations),
        SourceSchedule(ledger.assets, ledger.observations, ledger.leases, DAY),
    )
    assert shown.health(mine, NOW) == []
    watching.add(mine, AssetKind.IP, ["192.0.2.1"], NOW)
    watching.add(mine, AssetKind.HONEYTOKEN, ["a@b.example"], NOW)
    assert ledger.leases.hold(lease_name(Source.BLOCKLISTS), "a node", NOW, 1000)
    blocklists, tokens = shown.health(mine, NOW)
    assert (blocklists.source, blocklists.next_at, blocklists.leased_until) == (Source.BLOCKLISTS, NOW, NOW + 1000)
    assert (tokens.source, tokens.next_at, tokens.leased_until) == (Source.HONEYTOKENS, 0, 0), "nobody asks"
    assert shown.health(other, NOW) == []
    refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset="192.0.2.1", at=NOW)
    watching.record(mine, [refresh], NOW)
    (blocklists, _) = shown.health(mine, NOW + 2000)
    assert 21.6 * HOUR_MS <= blocklists.next_at - NOW <= 24 * HOUR_MS
    assert (blocklists.succeeded_at, blocklists.leased_until) == (NOW, 0)
    watching.ask_now(mine, Source.BLOCKLISTS)
    assert shown.health(mine, NOW + 2000)[0].next_at == NOW + 2000
