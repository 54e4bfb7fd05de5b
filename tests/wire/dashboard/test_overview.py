"""The overview's time: an hour, days, or what somebody picked; the address says which, and every link keeps to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import unquote

import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.dashboard.pages.overview_counts import step_of
from mailvane.dashboard.pages.overview_range import Range
from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType
from mailvane.reputation.model import AssetKind, Refresh, Source, Zone, ZoneHealth
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
        *(structs.replace(failed(world, number), type=EventType.DELIVERED, delay=1900) for number in (2, 3)),
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
    assert "the hour before: none that is known" in text_of(page)
    assert "median 1.9 s, 90 % within 1.9 s" in text_of(page)
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
    assert "Accepted1 mailsas long a time before: none that is known" in text_of(page)
    assert failing(look("?since=2024-01-13")) == "2 of 4", "up to now"
    assert failing(look("?since=2024-01-10&until=2024-01-12")) == "none"
    assert 'aria-current="true"' not in page
    assert "on 17 Jan 2024" in text_of(look("?since=2024-01-17&until=2024-02-01")), "it ends now"


def test_what_was_accepted_is_told_beside_as_long_a_time_before(world: World) -> None:
    accepted = structs.replace(failed(world, 1), type=EventType.ACCEPTED, waiting=1)
    for number, days in ((1, 1), (2, 6), (3, 8), (4, 13), (5, 13), (6, 15)):
        at = NOW - days * DAY_MS
        world.record(world.ours, structs.replace(accepted, number=number, accepted_at=at, at=at))
    page = text_of(member(world, Role.VIEWER).get(f"/ui/{world.ours.workspace.id}").text)
    assert "Accepted2 mailsthe 7 days before: 3accepted, from" in page


def test_the_bars_of_the_chart_are_rows_too(look: Callable[[str], str]) -> None:
    page = look("?range=1h")
    link = unescape(re.search(r'<a href="([^"]+)">as a table</a>', page)[1])  # type: ignore[index]
    rows = re.findall(r'<tr><td><a href="([^"]+)">[^<]+</a></td>((?:<td class="num">\d+</td>){3})</tr>', look(link))
    (target, counts), = rows  # fmt: skip
    assert re.findall(r">(\d+)<", counts) == ["2", "0", "1"]
    bar = next(each for each in re.findall(r'<a href="([^"]+)"><title>([^<]+)', page) if "2 delivered" in each[1])
    assert target == bar[0]


def test_what_is_not_known_is_asked_for_now_by_an_operator_alone(world: World) -> None:
    at, workspace = f"/ui/{world.ours.workspace.id}", world.ours.workspace.id
    watched = world.services.reputation.watched_assets
    (asset,) = watched.add(workspace, AssetKind.IP, ["192.0.2.1"], NOW - 9 * DAY_MS)
    refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=asset.name, at=NOW - MINUTE_MS)
    watched.record(workspace, [refresh], NOW - 9 * DAY_MS)
    watched.failed(workspace, Source.BLOCKLISTS, "no blocklist can be used", NOW - MINUTE_MS)
    world.ledger.zones.save_zone(Zone(host="bl.example"))
    health = ZoneHealth(host="bl.example", usable=False, reason="it does not answer", checked_at=NOW)
    world.ledger.zones.save_zone_health([health])
    operator, viewer = member(world, Role.OPERATOR), member(world, Role.VIEWER)
    page = operator.get(f"{at}?range=24h").text
    told = ("Blocklists: no answer that counts any more", "bl.example cannot be asked")
    assert [each in page.replace("<wbr>", "") for each in told] == [True, True]
    assert page.count('aria-label="Ask now: ') == 2
    form = re.search(r'action="([^"]+ask-now[^"]*)"><input type="hidden" name="source" value="(\w+)"', page)
    assert form is not None
    assert "ask-now" not in viewer.get(at).text
    assert viewer.post(f"{at}/ask-now", {"source": form[2]}).status_code == 403
    assert watched.asset(workspace, AssetKind.IP, asset.id).asked_at
    for wrong in ("", "nobody", "traps", "mail_log"):
        assert operator.post(f"{at}/ask-now", {"source": wrong}).status_code == 400, wrong
    answer = operator.post(unescape(form[1]), {"source": form[2]})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{at}?range=24h&asked=blocklists#unknown")
    assert watched.asset(workspace, AssetKind.IP, asset.id).asked_at == 0, "it is due"
    page = operator.get(answer.headers["location"]).text.replace("<wbr>", "")
    assert [each in page for each in told] == [True, True], "it is as unknown as before"
    assert page.count("asked just now") == 2


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
