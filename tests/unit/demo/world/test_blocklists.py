"""What each sort of blocklist answers, and when the relay is on one."""

from __future__ import annotations

from collections import Counter

import pytest

from mailvane_demo.world.blocklists import Blocklist, Temper, blocklists
from mailvane_demo.world.incidents import script
from mailvane_demo.world.name_server import NOT_THERE, Told

START = 1_790_000_000_000
INCIDENTS = script(START, pause=60_000, lasting=180_000)
ZONES = blocklists("192.0.2.25", INCIDENTS)
TRUE = next(zone for zone in ZONES if zone.listings)


@pytest.mark.parametrize(
    ("after", "listed"), [(0, False), (59_999, False), (60_000, True), (239_999, True), (240_000, False)]
)
def test_the_relay_is_listed_for_a_time(after: int, listed: bool) -> None:
    told = TRUE.answer("25.2.0.192", "A", START + after)
    assert told == (Told(("127.0.0.2",)) if listed else NOT_THERE)
    assert TRUE.answer("26.2.0.192", "A", START + after) == NOT_THERE


def test_a_listing_says_why() -> None:
    told = TRUE.answer("25.2.0.192", "TXT", INCIDENTS.listed_from)
    assert told is not None
    assert "192.0.2.25" in told.records[0]


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone.temper is Temper.TRUE], ids=lambda zone: zone.host)
def test_an_honest_list_has_its_test_point_and_not_its_opposite(zone: Blocklist) -> None:
    there, absent = {"ips": ("2.0.0.127", "1.0.0.127"), "domains": ("test", "invalid")}[zone.lists]
    assert zone.answer(there, "A", START) == Told(("127.0.0.2",))
    assert zone.answer(absent, "A", START) == NOT_THERE


def test_others_say_nothing_everything_or_no() -> None:
    told = {zone.temper: zone.answer("whatever", "A", START) for zone in ZONES if zone.temper is not Temper.TRUE}
    assert told == {
        Temper.DEAD: None,
        Temper.WILDCARD: Told(("127.0.0.2",)),
        Temper.REFUSING: Told(("127.255.255.254",)),
    }


def test_every_sort_is_there() -> None:
    counts = Counter(zone.temper for zone in ZONES)
    assert counts.pop(Temper.TRUE) >= 2
    assert set(counts) == set(Temper) - {Temper.TRUE}
