"""What rules may look at: nothing that is too old to be believed, or not seen yet."""

from __future__ import annotations

import pytest

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.reputation.alerts.view import View, Watched
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind

NOW = 1_790_000_000_000
STALE = 48 * HOUR_MS


@pytest.mark.parametrize(
    ("kind", "age_hours", "confirmed_hours", "known"),
    [
        (ObservationKind.IP_LISTING, 1000, 48, True),
        (ObservationKind.IP_LISTING, 1000, 49, False),
        (ObservationKind.LOOKALIKE, 1000, 49, False),
        (ObservationKind.TRAFFIC, 48 + 96, 1, True),
        (ObservationKind.TRAFFIC, 48 + 97, 1, False),
        (ObservationKind.DMARC, 29 * 24, 0, True),
        (ObservationKind.DMARC, 30 * 24, 0, False),
        (ObservationKind.TRAP_HIT, 29 * 24, 0, True),
        (ObservationKind.IP_LISTING, -1, -1, False),
    ],
)
def test_what_is_known_depends_on_its_age(
    kind: ObservationKind, age_hours: int, confirmed_hours: int, known: bool
) -> None:
    at = NOW - age_hours * HOUR_MS
    one = Observation(kind=kind, asset="a", at=at, seen_at=at, confirmed_at=NOW - confirmed_hours * HOUR_MS, data={})
    assert bool(View([one], Watched(), NOW, STALE).known(kind)) == known


def test_watched_are_those_of_the_profile_and_only_the_verified() -> None:
    assets = [
        Asset(id="1", workspace=1, kind=AssetKind.TRAP, name="a", created_at=0, profile_id="p"),
        Asset(id="2", workspace=1, kind=AssetKind.TRAP, name="b", created_at=0),
        Asset(id="3", workspace=1, kind=AssetKind.TRAP, name="c", created_at=0, verified=False),
    ]
    view = View([], Watched(assets), NOW, STALE)
    assert view.watched(AssetKind.TRAP, None) == {"a", "b"}
    assert view.watched(AssetKind.TRAP, "p") == {"a"}
    assert view.watched(AssetKind.IP, None) == set()


def test_since_is_after_a_moment_oldest_first() -> None:
    told = [
        Observation(kind=ObservationKind.DMARC, asset="a", key=str(n), at=NOW - n * DAY_MS, seen_at=NOW, data={})
        for n in (1, 3, 2)
    ]
    found = View(told, Watched(), NOW, STALE).since(ObservationKind.DMARC, NOW - 3 * DAY_MS)
    assert [one.key for one in found] == ["2", "1"]


def test_numbers_are_those_of_records_that_have_one() -> None:
    values = [0.5, None, "0.7", True, 0.1, 2]
    told = [
        Observation(kind=ObservationKind.TRAFFIC, asset=str(n), at=NOW, seen_at=NOW, data={"x": value})
        for n, value in enumerate(values)
    ]
    numbers = View(told, Watched(), NOW, STALE).numbers(ObservationKind.TRAFFIC, "x")
    assert list(numbers.values) == [0.1, 0.5, 2.0]
    assert [one.asset for one in numbers.observations] == ["4", "0", "5"]


def test_what_is_made_for_one_rule_is_there_for_the_next() -> None:
    view = View([], Watched(), NOW, STALE)
    made = iter("xy")
    assert [view.kept("key", lambda: next(made)) for _ in range(2)] == ["x", "x"]
    assert view.kept("other", lambda: next(made)) == "y"
