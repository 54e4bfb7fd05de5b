"""The overview's time: an hour, days, or what somebody picked; the address says which, and every link keeps to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.dashboard.pages.overview_counts import step_of
from mailvane.dashboard.pages.overview_range import Range
from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType
from tests.wire.dashboard.browsing import Browser, alerted, member
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.dashboard.test_ties import failed
from tests.wire.world import NOW, World


@pytest.fixture
def look(world: World) -> Callable[[str], str]:
    """Ten minutes ago one bounced and two were delivered; three days ago one bounced."""
    browser: Browser = member(world, Role.VIEWER)
    world.record(
        world.ours,
        failed(world, 1),
        *(structs.replace(failed(world, number), type=EventType.DELIVERED) for number in (2, 3)),
        failed(world, 4, accepted_at=NOW - 3 * DAY_MS, at=NOW - 3 * DAY_MS),
    )

    def looked(query: str) -> str:
        answer = browser.get(f"/ui/{world.ours.workspace.id}{query}")
        assert answer.status_code == 200, query
        return answer.text

    return looked


def failing(page: str) -> str:
    """How many failed to the receiving domain, of how many."""
    found = re.search(r'isp\.example</a></td><td class="num">(\d+)</td><td class="num">(\d+)', page)
    return f"{found[1]} of {found[2]}" if found else "none"


def test_an_hour_is_told_by_its_deliveries_minute_by_minute(look: Callable[[str], str]) -> None:
    page = look("?range=1h")
    assert "66.6 % of 3 finished deliveries arrived in the last hour." in text_of(page)
    assert failing(page) == "1 of 3"
    assert "Accepted3deliveries" in text_of(page).replace(" ", "")
    assert f'data-step="{MINUTE_MS}"' in page
    assert "is:bounced,expired since:1h" in unquote(page)
    assert '<a href="?range=1h" aria-current="true">' in page


def test_a_range_is_picked_by_its_days_and_links_keep_to_it(world: World, look: Callable[[str], str]) -> None:
    alerted(world, world.ours, "fired today")
    page = look("?since=2024-01-13&until=2024-01-15")
    assert failing(page) == "1 of 1"
    assert "from 13 Jan 2024 to 15 Jan 2024" in text_of(page)
    assert "is:bounced,expired since:2024-01-13 until:2024-01-15" in unquote(page)
    assert 'name="since" required value="2024-01-13"' in page
    assert 'hx-get="/ui/1?since=2024-01-13&amp;until=2024-01-15"' in page
    assert 'class="pin"' not in page, "of an alert that fired later"
    assert failing(look("?since=2024-01-13")) == "2 of 4", "up to now"
    assert failing(look("?since=2024-01-10&until=2024-01-12")) == "none"
    assert 'aria-current="true"' not in page
    assert "on 17 Jan 2024" in text_of(look("?since=2024-01-17&until=2024-02-01")), "it ends now"


@pytest.mark.parametrize(
    "query",
    [
        "since=2024-01-15&until=2024-01-13",
        "since=2024-03-01",
        "since=2020-01-01",
        "since=nonsense",
        "since=2024-01-13&until=%22",
        "since=2024-01-13%20to:x",
    ],
)
def test_a_time_that_cannot_be_is_refused(world: World, query: str) -> None:
    answer = member(world, Role.VIEWER).get(f"/ui/{world.ours.workspace.id}?{query}")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("days", "step"), [(0.1, 1 / 24 / 60), (0.5, 1 / 24), (7, 1 / 24), (30, 0.25), (100, 1), (399, 7)]
)
def test_a_longer_time_has_longer_bars(days: float, step: float) -> None:
    span = Range("", NOW - int(days * DAY_MS), NOW, "", "")
    assert step_of(span, 168) == round(step * DAY_MS)
