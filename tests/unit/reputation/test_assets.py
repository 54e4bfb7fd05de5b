"""Assets, what was learned about them, and how their sources do; on a real ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import InvalidFields, NotFound, NotPossible
from mailvane.reputation.assets import ASK_ALL_MS, WatchedAssets
from mailvane.reputation.model import (
    AssetKind,
    AssetStatus,
    Observation,
    ObservationKind,
    Refresh,
    Source,
    SourceHealth,
)
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
HOUR = 3_600_000
ADDRESS = "192.0.2.1"
ZONE = "bl.example"


class Watched:
    """A workspace that is watched, and what alerts heard."""

    def __init__(self, ledger: Ledger) -> None:
        self.workspace = ledger.tenants.add_workspace("one", NOW).id
        self.heard: list[tuple[int, set[Source], int]] = []
        self.watching = WatchedAssets(ledger.assets, ledger.observations, self._hear)

    def _hear(self, workspace: int, sources: Collection[Source], now: int) -> None:
        self.heard.append((workspace, set(sources), now))

    def told(self, now: int, listed: bool | None, codes: tuple[str, ...] = ("127.0.0.2",)) -> None:
        """What a blocklist said at a time; None: it did not answer."""
        said = [] if listed is None else [answer(now, listed, codes)]
        refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=ADDRESS, at=now, observations=tuple(said))
        self.watching.record(self.workspace, [refresh], now)

    def history(self) -> list[tuple[int, bool, int]]:
        found = self.watching.observations(self.workspace, (ObservationKind.IP_LISTING,), 0, NOW * 2, ADDRESS)
        return [(one.at - NOW, one.data["listed"], one.confirmed_at - NOW) for one in found]

    def health(self) -> SourceHealth:
        (health,) = self.watching.health(self.workspace)
        return health


def answer(now: int, listed: bool, codes: tuple[str, ...] = ()) -> Observation:
    return Observation(
        kind=ObservationKind.IP_LISTING, asset=ADDRESS, key=ZONE, at=now, seen_at=now,
        data={"listed": listed, "codes": list(codes)},
    )  # fmt: skip


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Watched(ledger)
    ledger.close()


def test_each_bad_name_is_named_and_nothing_is_watched(watched: Watched) -> None:
    with pytest.raises(InvalidFields) as refused:
        watched.watching.add(watched.workspace, AssetKind.IP, ["192.0.2.1", "nonsense", "192.0.2.999"], NOW)
    assert [field for field, _ in refused.value.fields] == ["[1]", "[2]"]
    assert watched.watching.assets(watched.workspace, AssetKind.IP) == []


def test_a_network_stands_for_its_addresses(watched: Watched) -> None:
    found = watched.watching.add(watched.workspace, AssetKind.IP, ["192.0.2.0/30", "192.0.2.1"], NOW)
    assert len(found) == 4
    with pytest.raises(InvalidFields):
        watched.watching.add(watched.workspace, AssetKind.IP, [], NOW)
    with pytest.raises(InvalidFields):
        watched.watching.add(watched.workspace, AssetKind.IP, [f"10.{n}.0.0/20" for n in range(3)], NOW)


def test_a_listing_is_opened_once_confirmed_and_closed(watched: Watched) -> None:
    watched.told(NOW, listed=False)
    assert watched.history() == []
    watched.told(NOW + HOUR, listed=True)
    watched.told(NOW + 2 * HOUR, listed=True, codes=("127.0.0.3",))
    assert watched.history() == [(HOUR, True, 2 * HOUR)]
    watched.told(NOW + 3 * HOUR, listed=False)
    watched.told(NOW + 4 * HOUR, listed=False)
    assert watched.history() == [(HOUR, True, 2 * HOUR), (3 * HOUR, False, 3 * HOUR)]
    watched.told(NOW + 5 * HOUR, listed=True)
    assert watched.history()[-1] == (5 * HOUR, True, 5 * HOUR)


def test_a_zone_that_does_not_answer_flips_nothing(watched: Watched) -> None:
    watched.told(NOW, listed=True)
    watched.told(NOW + HOUR, listed=None)
    assert watched.history() == [(0, True, 0)]


def test_a_listing_that_ends_in_the_millisecond_it_began_is_closed_after_it(watched: Watched) -> None:
    watched.told(NOW, listed=True)
    watched.told(NOW, listed=False)
    assert watched.history() == [(0, True, 0), (1, False, 0)]


def test_what_was_learned_stands_with_the_asset_and_alerts_hear_of_it(watched: Watched) -> None:
    (asset,) = watched.watching.add(watched.workspace, AssetKind.IP, [ADDRESS], NOW)
    refresh = Refresh(
        source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=ADDRESS, at=NOW + HOUR, details={"rdns": "mx.example"}
    )
    watched.watching.record(watched.workspace, [refresh], NOW + HOUR)
    found = watched.watching.asset(watched.workspace, AssetKind.IP, asset.id)
    assert (found.status, found.updated_at, found.details) == (
        AssetStatus.UPDATED,
        NOW + HOUR,
        {"rdns": "mx.example"},
    )
    assert watched.heard == [(watched.workspace, {Source.BLOCKLISTS}, NOW + HOUR)]
    assert watched.health().succeeded_at == NOW + HOUR


def test_a_refresh_that_failed_changes_health_alone(watched: Watched) -> None:
    (asset,) = watched.watching.add(watched.workspace, AssetKind.IP, [ADDRESS], NOW)
    watched.told(NOW, listed=True)
    watched.heard.clear()
    failed = Refresh(
        source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=ADDRESS, at=NOW + HOUR, error="no answer",
        observations=(answer(NOW + HOUR, listed=False),),
    )  # fmt: skip
    for _ in range(2):
        watched.watching.record(watched.workspace, [failed], NOW + HOUR)
    found = watched.watching.asset(watched.workspace, AssetKind.IP, asset.id)
    assert (found.status, found.error, found.asked_at, found.updated_at) == (
        AssetStatus.FAILED,
        "no answer",
        NOW + HOUR,
        NOW,
    )
    assert watched.history() == [(0, True, 0)]
    assert watched.heard == []
    assert (watched.health().failures, watched.health().error) == (2, "no answer")


def test_one_success_among_failures_is_a_success_of_the_source(watched: Watched) -> None:
    told = [
        Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=name, at=NOW, error=error)
        for name, error in (("192.0.2.1", "no answer"), ("192.0.2.2", ""))
    ]
    watched.watching.record(watched.workspace, told, NOW)
    assert (watched.health().failures, watched.health().succeeded_at) == (0, NOW)


def test_what_is_asked_for_now_is_due_whatever_happened_before(watched: Watched) -> None:
    first, second = watched.watching.add(watched.workspace, AssetKind.IP, [ADDRESS, "192.0.2.2"], NOW)
    watched.told(NOW, listed=True)
    watched.watching.failed(watched.workspace, Source.BLOCKLISTS, "away", NOW)
    assert watched.watching.ask_now(watched.workspace, Source.BLOCKLISTS, [first.id]) == 1
    assert watched.watching.asset(watched.workspace, AssetKind.IP, first.id).asked_at == 0
    assert watched.health().failures == 0
    assert watched.watching.ask_now(watched.workspace, Source.BLOCKLISTS) == 2
    with pytest.raises(NotFound):
        watched.watching.ask_now(watched.workspace, Source.BLOCKLISTS, [second.id, "unknown"])


def test_all_sources_are_asked_at_once_and_not_again_within_a_minute(watched: Watched) -> None:
    watched.watching.add(watched.workspace, AssetKind.IP, [ADDRESS, "192.0.2.2"], NOW)
    watched.watching.add(watched.workspace, AssetKind.GP_DOMAIN, ["a.example"], NOW)
    watched.watching.add(watched.workspace, AssetKind.DMARC, ["a.example"], NOW)  # nobody can be asked for reports
    watched.told(NOW, listed=True)
    assert watched.watching.ask_all_now(watched.workspace, NOW) == {Source.BLOCKLISTS: 2, Source.POSTMASTER: 1}
    assert {each.asked_at for each in watched.watching.assets(watched.workspace, AssetKind.IP)} == {0}
    watched.told(NOW + 1, listed=True)
    with pytest.raises(NotPossible, match="all sources were asked 59 s ago"):
        watched.watching.ask_all_now(watched.workspace, NOW + ASK_ALL_MS - 1)
    asked = watched.watching.named(watched.workspace, AssetKind.IP, [ADDRESS])
    assert [each.asked_at for each in asked] == [NOW + 1], "what is refused changes nothing"
    assert watched.watching.ask_all_now(watched.workspace, NOW + ASK_ALL_MS)[Source.BLOCKLISTS] == 2


def test_an_asset_of_another_kind_or_id_is_not_found(watched: Watched) -> None:
    (asset,) = watched.watching.add(watched.workspace, AssetKind.IP, [ADDRESS], NOW)
    with pytest.raises(NotFound):
        watched.watching.asset(watched.workspace, AssetKind.DOMAIN, asset.id)
    with pytest.raises(NotFound):
        watched.watching.change(watched.workspace, AssetKind.DOMAIN, asset.id, lambda it: it)
    changed = watched.watching.change(
        watched.workspace, AssetKind.IP, asset.id, lambda it: msgspec.structs.replace(it, verified=False)
    )
    assert not changed.verified
    watched.watching.remove(watched.workspace, AssetKind.IP, asset.id)
    with pytest.raises(NotFound):
        watched.watching.remove(watched.workspace, AssetKind.IP, asset.id)


def test_reports_that_were_refused_are_counted_with_the_last_reasons(watched: Watched) -> None:
    watched.watching.refused(watched.workspace, Source.DMARC, [f"r{number}: bad" for number in range(30)], NOW)
    watched.watching.refused(watched.workspace, Source.DMARC, ["s: " + "x" * 1000], NOW + 1)
    watched.watching.refused(watched.workspace, Source.DMARC, [], NOW + 2)
    health = watched.health()
    assert (health.source, health.refused, health.refused_at) == (Source.DMARC, 31, NOW + 1)
    assert [told[:4] for told in health.refusals[:3]] == ["s: x", "r29:", "r28:"]
    assert (len(health.refusals), len(health.refusals[0])) == (20, 300)


def test_too_many_are_refused_before_a_network_is_written_out(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_out(_kind: AssetKind, text: str) -> list[str]:
        raise AssertionError(f"{text} was written out")

    monkeypatch.setattr("mailvane.reputation.assets.normalized", written_out)
    for names in ([f"2001:db8:{n:x}::/116" for n in range(1000)], [f"name{n}.example" for n in range(10_001)]):
        with pytest.raises(InvalidFields, match="more than 10000 at once"):
            watched.watching.add(watched.workspace, AssetKind.IP, names, NOW)


def test_one_network_many_times_is_one(watched: Watched) -> None:
    assert len(watched.watching.add(watched.workspace, AssetKind.IP, ["192.0.2.0/30"] * 9_000, NOW)) == 4
