"""What-if of a domain: quotas a day, and where its guillotine would fall; failures and delays of the overview."""

from __future__ import annotations

import re
from html import unescape

import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType
from mailvane.outbound.admission.rules import Line, crossing, room
from mailvane.outbound.model import Guillotine, MonthTally, SendRequest
from tests.wire.dashboard.browsing import member
from tests.wire.world import NOW, World, accepted, ended

BOUNCES = Guillotine(bounce_percent=5, minimum_volume=100)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", "", page)))


@pytest.mark.parametrize(
    ("bounces", "sent", "more"),
    [(0, 1000, 51), (50, 1000, 1), (51, 1000, 0), (0, 99, None), (5, 100, 1), (99, 99, None)],
)
def test_so_many_more_bounces_cross_the_line(bounces: int, sent: int, more: int | None) -> None:
    tally = MonthTally(month=1, sent=sent, bounces=bounces)
    assert room(tally, BOUNCES, Line.BOUNCES) == more
    if more:
        assert crossing(structs.replace(tally, bounces=bounces + more), BOUNCES) is not None
        assert crossing(structs.replace(tally, bounces=bounces + more - 1), BOUNCES) is None


def test_the_page_stops_what_the_engine_would_have_stopped(world: World) -> None:
    workspace, governance = world.ours.workspace.id, world.services.outbound.governance
    governance.create("shop.example", workspace, NOW)
    governance.decide([SendRequest(domain="shop.example")] * 30, NOW - 60_000)
    at, viewer = f"/ui/{workspace}/domains/shop.example/what-if", member(world, Role.VIEWER)
    page = text_of(viewer.get(f"{at}?daily=20&days=7").text)
    assert "10 of 30 would have been stopped, on 1 day" in page
    assert "no limit a day" not in page
    assert "0 of 30 would have been stopped" in text_of(viewer.get(f"{at}?daily=0&monthly=0&hourly=0").text)
    for wrong in ("daily=-1", "daily=x", "days=0", "days=101", "hourly=2", "bounce=200", "monthly=99999999999"):
        assert viewer.get(f"{at}?{wrong}").status_code == 400, wrong
    assert viewer.get(f"/ui/{workspace}/domains/nobody.example/what-if").status_code == 404


def test_the_overview_tells_why_of_how_many_and_how_long_it_takes(world: World) -> None:
    first = accepted(world.ours, "ann@isp.example")
    second = structs.replace(accepted(world.ours, "bob@isp.example"), recipient_number=2)
    world.record(world.ours, first, second, ended(first), ended(second, EventType.BOUNCED, 550, "550 5.1.1 no"))
    page = text_of(member(world, Role.VIEWER).get(f"/ui/{world.ours.workspace.id}").text)
    assert "isp.example12.5s" in page.replace(" ", "")
    assert "follows none for this workspace" in page


def test_a_tile_of_the_overview_leads_to_as_many_rows(world: World) -> None:
    """Waiting is what came in the last 14 days, as for alerts; what was refused is found behind its tile, too."""
    at, viewer = f"/ui/{world.ours.workspace.id}", member(world, Role.VIEWER)
    for number, days in enumerate((1, 13, 15)):
        mail = structs.replace(accepted(world.ours, f"r{number}@isp.example", number), accepted_at=NOW - days * DAY_MS)
        world.record(world.ours, mail, ended(mail, EventType.DEFERRED, 450, "450 4.2.0 later"))
    page = viewer.get(at).text
    link, count = re.findall(r'href="([^"]+)"><span class="k">.{0,400}?Waiting now</span><span class="v">(\d+)<', page)[
        0
    ]
    assert (unescape(link), count) == (f"{at}/log?q=is:waiting%20since:14d", "2")
    assert "the newest 2 of 2<" in viewer.get(unescape(link)).text
    assert f'href="{at}/log?q=is:refused%20since:7d"' in page


def test_of_a_name_that_two_workspaces_claim_each_tries_its_own_mail(world: World) -> None:
    governance, ours, theirs = world.services.outbound.governance, world.ours.workspace.id, world.theirs.workspace.id
    for workspace in (theirs, ours):
        governance.create("both.example", workspace, NOW, approved=False)
    for number in range(31):
        governance.decide([SendRequest(domain="both.example", instance=str(number), workspace=theirs)], NOW)
    page = member(world, Role.VIEWER).get(f"/ui/{ours}/domains/both.example/what-if?daily=1").text
    assert "31 asked for" not in page
    assert "0 of 0 would have been stopped" in text_of(page)


def test_limits_that_were_tried_are_used(world: World) -> None:
    governance, mine = world.services.outbound.governance, world.ours.workspace.id
    governance.create("shop.example", mine, NOW)
    at, operator = f"/ui/{mine}/domains/shop.example", member(world, Role.OPERATOR)
    assert "Use these limits" not in operator.get(f"{at}/what-if").text
    assert "Use these limits" not in operator.get(f"{at}/what-if?daily=0&monthly=0").text, "they are its own"
    page = operator.get(f"{at}/what-if?daily=300&hourly=0.25")
    assert "Use these limits" not in member(world, Role.VIEWER).get(f"{at}/what-if?daily=300").text
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    assert form.keys() == {"seen", "daily_limit", "monthly_limit", "hourly_fraction"}
    governance.change("shop.example", {"hourly_fraction": 0.5}, "somebody else", NOW)
    assert operator.post(f"{at}/limits", form).status_code == 409
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', operator.get(f"{at}/what-if?daily=300&hourly=0.25").text))
    assert operator.post(f"{at}/limits", form).status_code == 303
    found = governance.domain("shop.example")
    assert (found.daily_limit, found.monthly_limit, found.hourly_fraction) == (300, 0, 0.25)
    assert operator.post(f"{at}/limits", {"daily_limit": "1", "hourly_fraction": "2"}).status_code == 400
    assert operator.post(f"{at}/limits", {"daily_limit": "1", "hourly_fraction": "nan"}).status_code == 400
    assert operator.post(f"{at}/limits", {"daily_limit": "7"}).status_code == 303
    assert governance.domain("shop.example").hourly_fraction == 0.25, "of which the form of limits says nothing"
